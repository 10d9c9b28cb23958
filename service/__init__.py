"""Ties the parts together: pipeline, delivery, runner, command line."""

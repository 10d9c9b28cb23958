"""Decides what to do with a classified message, and words what families and the office read."""

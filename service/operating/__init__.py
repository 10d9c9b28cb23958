"""Watching the service itself: health, metrics, alerts to the administrator, `alliance status`, backup and restore."""

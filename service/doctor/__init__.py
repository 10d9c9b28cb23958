"""Looks at everything a run depends on, writes nothing, and says how to fix what fails."""

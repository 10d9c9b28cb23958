"""Waiting for what a process of its own does."""

import time
from collections.abc import Callable


def until(so: Callable[[], object], seconds: float = 120.0) -> None:
    """Waits for something to be so. Raises AssertionError where it takes longer."""
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.05)

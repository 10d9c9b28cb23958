"""The database's time, kept between two looks at it by the machine's steady clock.

Leases are written by one worker and judged by another: machines whose clocks differ, or jump, must not take work from
each other.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class DatabaseClock:
    """Tells the time, aware, UTC. Threads share it."""

    def __init__(self, now: datetime, steady: Callable[[], float] = time.monotonic) -> None:
        """`now` is what the database just said, aware; `steady` tells seconds from any start and never jumps."""
        self._steady = steady
        self._zero = _zero(now, steady())

    def __call__(self) -> datetime:
        """The time now."""
        return self._zero + timedelta(seconds=self._steady())

    def set(self, now: datetime) -> None:
        """The database just said that it is `now`."""
        self._zero = _zero(now, self._steady())


def _zero(now: datetime, steady: float) -> datetime:
    return now.astimezone(UTC) - timedelta(seconds=steady)

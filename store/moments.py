"""Times that a statement speaks of: known ones, or places where times go in a statement that is made once and asked
often."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

Moment = Callable[[timedelta], Any]
"""What a statement compares with, so much later than its now."""

AT_ONCE = timedelta(0)


def moment(now: datetime) -> Moment:
    """A known time (aware)."""
    return now.__add__

"""Times that a statement speaks of: known ones, or places where times go in a statement that is made once and asked
often."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, bindparam

from store.tables import UtcDateTime

Moment = Callable[[timedelta], Any]
"""What a statement compares with, so much later than its now."""

AT_ONCE = timedelta(0)


def moment(now: datetime) -> Moment:
    """A known time (aware)."""
    return now.__add__


def later(by: timedelta) -> BindParameter[datetime]:
    """The place in a statement where the time so much later goes; a `Moment`."""
    return bindparam(_place(by), type_=UtcDateTime())


def times(now: datetime, *conditions: Callable[[Moment], object]) -> dict[str, datetime]:
    """What goes into those places, in a statement that these conditions, each made with `later`, are in."""
    return {_place(by): now + by for by in _wanted(conditions)}


@cache
def _wanted(conditions: tuple[Callable[[Moment], object], ...]) -> tuple[timedelta, ...]:
    wanted: list[timedelta] = []

    def note(by: timedelta) -> BindParameter[datetime]:
        wanted.append(by)
        return later(by)

    for condition in conditions:
        condition(note)
    return tuple(dict.fromkeys(wanted))


def _place(by: timedelta) -> str:
    """Short: of a statement of more than 4,096 characters psycopg does not remember how it is put together."""
    return f"t{by // timedelta(seconds=1)}"

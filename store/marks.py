"""Marks what the scorecard has to look at again, in the transaction that changes it: no change can be missed."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert

from store.scorecard_tables import Mark, MarkKind


def mark(connection: Connection, kind: MarkKind, keys: Iterable[str]) -> None:
    """Marks each of `keys`, which mean what `MarkKind` says."""
    rows = [{"kind": kind, "key": key} for key in dict.fromkeys(keys)]
    if rows:
        connection.execute(insert(Mark), rows)


def week_key(mailbox: str, at: datetime, zone: ZoneInfo) -> str:
    """The key of a mailbox's week that the aware time `at` lies in, in the school's time zone."""
    day = at.astimezone(zone).date()
    return f"{mailbox} {monday_of(day).isoformat()}"


def monday_of(day: date) -> date:
    """The Monday of a day's week: weeks begin on Mondays (ISO 8601)."""
    return day - timedelta(days=day.weekday())

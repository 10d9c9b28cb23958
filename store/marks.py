"""Marks what the scorecard has to look at again, in the transaction that changes it: no change can be missed."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from autoresponder.family import person
from store.scorecard_tables import AddressSpelling, Mark, MarkKind
from store.tables import MessageRecord

_MARK = insert(Mark).inline()
"""Its number is nobody's business."""


def mark(connection: Connection, kind: MarkKind, keys: Iterable[str]) -> None:
    """Marks each of `keys`, which mean what `MarkKind` says."""
    rows = [{"kind": kind, "key": key} for key in dict.fromkeys(keys)]
    if rows:
        connection.execute(_MARK, rows)


def mark_new(connection: Connection, records: Mapping[int, MessageRecord]) -> None:
    """Messages by number that were just put on record."""
    mark(connection, MarkKind.MESSAGE, map(str, records))
    spellings = {each.sender: person(each.sender) for each in records.values() if each.sender}
    rows = [{"spelling": each, "address": address} for each, address in spellings.items() if each != address]
    if rows:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(AddressSpelling).on_conflict_do_nothing(), rows)


def mark_going(connection: Connection, message_id: int) -> None:
    """A message whose record is about to be taken away: what it counted for is looked at again without it."""
    query = select(
        col(MessageRecord.mailbox),
        col(MessageRecord.thread),
        col(MessageRecord.sender),
        col(MessageRecord.received_at),
    )
    for row in connection.execute(query.where(col(MessageRecord.id) == message_id)):
        mark(connection, MarkKind.WEEK, [week_key(row.mailbox, row.received_at)])
        mark(connection, MarkKind.THREAD, [f"{row.mailbox} {row.thread}"])
        mark(connection, MarkKind.ADDRESS, [person(row.sender)] if row.sender else [])


def week_key(mailbox: str, at: datetime) -> str:
    """The key of a mailbox's week that the aware time `at` lies in."""
    return f"{mailbox} {at.astimezone(UTC).isoformat()}"


def week_of_key(key: str) -> tuple[str, datetime]:
    """The mailbox and the instant that such a key names."""
    mailbox, _, at = key.partition(" ")
    return mailbox, datetime.fromisoformat(at)


def monday_of(day: date) -> date:
    """The Monday of a day's week: weeks begin on Mondays (ISO 8601)."""
    return day - timedelta(days=day.weekday())

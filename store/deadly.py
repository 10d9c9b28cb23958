"""Messages that end whoever reads them, by what stands on record: no part of the program reads them again unasked."""

from sqlalchemy import ColumnElement, or_
from sqlmodel import col

from store.tables import MessageRecord

_ENDED = "reading it ended the service"


def why_deadly(deaths: int) -> str:
    """Why such a message was set aside, for the record; `deaths` is how often."""
    return f"{_ENDED} {deaths} times; it is not read any more"


def is_deadly(record: MessageRecord) -> bool:
    """Whether reading this message ended the service again and again."""
    return record.set_aside is not None and record.set_aside.startswith(_ENDED)


def is_harmless() -> ColumnElement[bool]:
    """The other messages, as a query's condition."""
    why = col(MessageRecord.set_aside)
    return or_(why.is_(None), why.not_like(f"{_ENDED}%"))

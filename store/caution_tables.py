"""The tables behind reading with care: where a process died, and which message it had in hand.

All of it may be emptied at any time: a message that ends whoever reads it would do so three more times. They name
teachers' mailboxes and the mail server's numbers of messages, and nothing names a family: `alliance forget` has nothing
to do here. A trace is deleted when its message was read, and after a month in any case.
"""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from store.tables import UtcDateTime


class CarefulMailbox(SQLModel, table=True):
    """A mailbox that is read with care, because a process ended in the middle of its work there."""

    __tablename__ = "careful_mailbox"

    mailbox: str = Field(primary_key=True)
    since: datetime = Field(sa_type=UtcDateTime)
    left: int
    """So many messages more: those that the process may have had in hand, and then some."""


class ReadingTrace(SQLModel, table=True):
    """A message that a process began to read, with care."""

    __tablename__ = "reading_trace"
    __table_args__ = (Index("ix_reading_trace_digest", "digest"),)

    mailbox: str = Field(primary_key=True)
    message: str = Field(primary_key=True)
    """The mail system's id of it."""
    digest: str | None = None
    """A keyed checksum of its body, which a mail to many teachers has in common; None where it is too short to tell."""
    process: str | None = None
    """Who is at it; None where nobody is any more."""
    deaths: int = 0
    """So many processes ended with it in hand."""
    begun_at: datetime = Field(sa_type=UtcDateTime)

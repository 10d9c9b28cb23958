"""The tables behind the teachers' morning mail. None has a column for a message's text."""

from datetime import date, datetime

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from store.tables import UtcDateTime

_UNSENT = text("sent_at IS NULL AND notice_id IS NOT NULL")


class DigestRecord(SQLModel, table=True):
    """That a mailbox's morning was looked at, once a day, and what came of it."""

    __tablename__ = "digest"
    __table_args__ = (
        UniqueConstraint("mailbox", "day"),
        Index("ix_digest_unsent", "mailbox", sqlite_where=_UNSENT, postgresql_where=_UNSENT),
    )

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    day: date
    """The day in the school's zone."""
    decided_at: datetime = Field(sa_type=UtcDateTime)
    notice_id: int | None = Field(default=None, foreign_key="notice.id")
    """The mail; None where there was nothing to tell."""
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

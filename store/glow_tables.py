"""The tables behind good news: drafts that a teacher asked for, and families that help at home. Identifiers, addresses
and days: no text, and nobody's name."""

from datetime import date, datetime

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.tables import DeliveryState, UtcDateTime, _StateWord


class GlowDraft(SQLModel, table=True):
    """A draft of good news for a family: one for each teacher and term. What lies in Drafts is the teacher's, and this
    row says only that it was saved there once."""

    __tablename__ = "glow_draft"
    __table_args__ = (
        UniqueConstraint("mailbox", "term", "family"),
        Index("ix_glow_draft_due", "mailbox", "state", "next_attempt_at"),
        Index("ix_glow_draft_day", "mailbox", "day"),
    )

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    """The teacher's address."""
    term: str
    """The term in which it was asked for."""
    family: str
    """`roster_family.family`."""
    day: date
    """The school's day on which it was (last) asked for."""
    asked_by: str | None = None
    """Address of who asked in the page or by mail; None for the command."""
    asked_at: datetime = Field(sa_type=UtcDateTime)
    state: DeliveryState = Field(default=DeliveryState.WAITING, sa_type=_StateWord)
    saving: bool = False
    """Whether it was about to be saved: from then on the teacher may have it."""
    rfc_message_id: str = Field(sa_type=Text)
    """Message-ID that it is saved under."""
    attempts: int = 0
    next_attempt_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reason: str | None = Field(default=None, sa_type=Text)
    """Why there is none, or why it has to wait, in this program's words."""
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class GlowWish(SQLModel, table=True):
    """A teacher's answer to a morning mail that asks for the drafts of good news which it offers: one for each mail."""

    __tablename__ = "glow_wish"
    __table_args__ = (UniqueConstraint("mailbox", "morning"), Index("ix_glow_wish_open", "mailbox", "done_at"))

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    morning: date
    """The day of that morning mail."""
    asked_at: datetime = Field(sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the drafts were asked for; None while that is still to be done."""


class HomeHelper(SQLModel, table=True):
    """A family that said it can help a teacher's class from home. Withdrawn ones stay on record."""

    __tablename__ = "home_helper"
    __table_args__ = (UniqueConstraint("mailbox", "family"),)

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    """The teacher's address."""
    family: str
    """`roster_family.family`."""
    since: date
    """The school's day on which it was put on the list."""
    said_by: str | None = None
    """Address of who put it there, or took it off; None for the command."""
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When it was taken off; None while it stands there."""

"""The tables behind the times without answers: what was let out lately, which mailboxes' answers stopped, and where
the teacher's own out-of-office answer is on."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from store.tables import UtcDateTime


class AnswerLetOut(SQLModel, table=True):
    """An answer that may leave its mailbox, since when. Forgotten after two days."""

    __tablename__ = "answer_let_out"
    __table_args__ = (Index("ix_answer_let_out_mailbox", "mailbox", "at"),)

    delivery_id: int = Field(primary_key=True)
    mailbox: str
    person: str
    """Who it goes to (`autoresponder.family.person`)."""
    gravity: int
    """`autoresponder.guards.past.gravity`."""
    known: bool
    """Whether the roster knows the address."""
    at: datetime = Field(sa_type=UtcDateTime)
    wrote_at: datetime = Field(sa_type=UtcDateTime)
    """When the message that it answers came."""


class AnswerStop(SQLModel, table=True):
    """The last time that a mailbox's answers stopped."""

    __tablename__ = "answer_stop"

    mailbox: str = Field(primary_key=True)
    stopped_at: datetime = Field(sa_type=UtcDateTime)
    cause: str
    """`autoresponder.ceiling.Cause`."""
    resumed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When somebody resumed them; None where nobody did, and the pause ends by itself."""
    notice: int | None = Field(default=None, foreign_key="notice.id")
    """The notice that tells the administrator."""


class OwnAnswer(SQLModel, table=True):
    """What the mail system last said of the teacher's own out-of-office answer."""

    __tablename__ = "own_answer"

    mailbox: str = Field(primary_key=True)
    asked_at: datetime = Field(sa_type=UtcDateTime)
    told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When it last answered; None where it never did."""
    on: bool = False
    """Whether an automatic reply is set, for now or for later."""
    begins: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """From when; None where that is open."""
    ends: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """Up to when; None where that is open."""
    to_families: bool = True
    """Whether it goes to everybody outside the school."""

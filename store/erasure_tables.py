"""The tables that remember what was forgotten, without remembering whom.

What was erased must not come back by itself: a message that still lies in the mailbox is not put on record again, a
family does not return with the next list, nobody is answered twice. So keyed digests stay, of identifiers and
addresses: with the installation's secret they tell whether something is the same again, and tell nothing else.
"""

from datetime import date, datetime

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from connectors.labels import Tag
from store.tables import UtcDateTime, _TagWord


class Tombstone(SQLModel, table=True):
    """Something that was forgotten, and must be known again where it comes up."""

    __tablename__ = "tombstone"

    digest: str = Field(primary_key=True)
    """`store.tombstones.digest_of`: of a message, an address, or somebody's identifier in the school's lists."""
    at: datetime = Field(sa_type=UtcDateTime)


class PastAnswer(SQLModel, table=True):
    """An answer that somebody got whose records were erased: until the window is over, they get no second one."""

    __tablename__ = "past_answer"
    __table_args__ = (Index("ix_past_answer_person", "mailbox", "person"), Index("ix_past_answer_at", "at"))

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    person: str
    """Digest of the address."""
    tag: Tag = Field(sa_type=_TagWord)
    crisis: bool = False
    at: datetime = Field(sa_type=UtcDateTime)


class CarriedWeek(SQLModel, table=True):
    """What erased records had counted in a mailbox's week, in terms that were over: numbers with nobody behind them,
    which are added wherever that week is counted again."""

    __tablename__ = "carried_week"

    mailbox: str = Field(primary_key=True)
    monday: date = Field(primary_key=True)
    numbers: str = Field(default="[]", sa_type=Text)
    """As JSON: lists of term, grouping, key, measure and number."""


class Erasure(SQLModel, table=True):
    """A receipt: that something was erased, how much of each kind, and whether its bytes are gone, too."""

    __tablename__ = "erasure"
    __table_args__ = (UniqueConstraint("reference"),)

    id: int | None = Field(default=None, primary_key=True)
    reference: str
    """Random; what the audit log and the paper call it by."""
    act: str
    """`forget` or `purge`."""
    at: datetime = Field(sa_type=UtcDateTime)
    counts: str = Field(default="{}", sa_type=Text)
    """Rows by table, as JSON."""
    scrubbed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the database had overwritten the bytes; None while that is still to be done."""


class AuditName(SQLModel, table=True):
    """What a word like `~k3f…` in the audit log stands for. The log's chain covers the word, so that the name behind it
    can be erased and the chain stays whole."""

    __tablename__ = "audit_name"
    __table_args__ = (Index("ix_audit_name_name", "name"),)

    token: str = Field(primary_key=True)
    """Random."""
    name: str
    """An address, or an identifier of the school's."""


class Retention(SQLModel, table=True):
    """One row: up to when records were erased for their age. Mail from before is old mail, whenever it turns up."""

    __tablename__ = "retention"

    id: int = Field(default=1, primary_key=True)
    mail_before: datetime | None = Field(default=None, sa_type=UtcDateTime)
    lists_before: date | None = None
    """Contacts and incidents of days before are not taken from the school's lists again."""
    looked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the service last erased what was too old."""

"""The tables behind watching the service itself: when each mailbox was last looked at, which processes run, what the
administrator is told, and how old a program may be to work with these tables.

`look` and `alert` name teachers' mailboxes, and nothing in here names a family: `alliance forget` has nothing to do
here. A look goes with its mailbox; an alert is deleted when its end is told.
"""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from autoresponder.alerts import AlertKind
from store.tables import UtcDateTime, _Word


class Look(SQLModel, table=True):
    """When a mailbox was last read to its end."""

    __tablename__ = "look"

    mailbox: str = Field(primary_key=True)
    looked_at: datetime = Field(sa_type=UtcDateTime)


class RunningProcess(SQLModel, table=True):
    """A process of the service that says now and then that it is there. Forgotten a day after it last did."""

    __tablename__ = "running_process"

    name: str = Field(primary_key=True)
    """Host, process number and when it began: unique in a district."""
    role: str
    """run, worker or web."""
    version: str
    """Of alliance-inbox."""
    began_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)


EVERYWHERE = "*"
QUEUE = "outbox"
"""What an alert is about that is about no single mailbox or message."""


class _AlertWord(_Word):
    words = AlertKind
    cache_ok = True


class Alert(SQLModel, table=True):
    """Something that the administrator is told of once, from when it was noticed until its end is told."""

    __tablename__ = "alert"
    __table_args__ = (UniqueConstraint("kind", "subject"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: AlertKind = Field(sa_type=_AlertWord)
    subject: str
    """A mailbox's address; a delivery's number, where it was given up; the day on which items were opened, where nobody
    took them; `EVERYWHERE` or `QUEUE`."""
    since: datetime = Field(sa_type=UtcDateTime)
    """Since when it has been so; not when it was noticed."""
    noticed_at: datetime = Field(sa_type=UtcDateTime)
    over_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    told: int | None = Field(default=None, foreign_key="notice.id")
    """The notice that tells of it."""
    all_clear: int | None = Field(default=None, foreign_key="notice.id")
    """The notice that tells its end."""


class SchemaFloor(SQLModel, table=True):
    """One row: the oldest migration whose program can work with these tables. A migration that only adds leaves it; one
    that takes away or changes the meaning of something raises it (docs/howto/upgrade.md)."""

    __tablename__ = "schema_floor"

    id: int = Field(default=1, primary_key=True)
    revision: str

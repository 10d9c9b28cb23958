"""The tables behind a district's workers: who is alive, whose turn each mailbox is, and what is shared among them.

Nothing in here decides whether a message is lost or answered twice: cursors and the outbox do that (decision 2 of the
design). All of it may be emptied while no worker runs; the next one fills it again. `mailbox_turn` and `push_ticket`
name teachers' mailboxes, and nothing names a family: `alliance forget` has nothing to do here.

Every time in these tables is the database's own, so that no machine's clock counts.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from store.tables import UtcDateTime, _Word


class Pace(StrEnum):
    """How often a mailbox has its turn."""

    LIVE = "live"
    """Once in `service.poll_seconds`, and when somebody tells of new mail."""
    BACKLOG = "backlog"
    """There was more to read than one turn allows: again as soon as others have had theirs."""
    FAILING = "failing"
    """It could not be worked on: after a pause that grows."""


class _PaceWord(_Word):
    words = Pace
    cache_ok = True


class WorkerProcess(SQLModel, table=True):
    """A worker that says every few seconds that it lives. Whoever has not said so in time counts as dead."""

    __tablename__ = "worker"

    id: str = Field(primary_key=True)
    """Host, process number and when it began: what its leases in the outbox begin with."""
    version: str
    began_at: datetime = Field(sa_type=UtcDateTime)
    alive_until: datetime = Field(sa_type=UtcDateTime)


class MailboxTurn(SQLModel, table=True):
    """When a mailbox has its next turn, and which worker is at it. A worker that is dead holds nothing."""

    __tablename__ = "mailbox_turn"
    # No index names what taking a turn changes: PostgreSQL rewrites the row in its place then, and no index.
    __table_args__ = (Index("ix_mailbox_turn_due", "system", "due_at"),)

    mailbox: str = Field(primary_key=True)
    system: str
    """Name of its connector: what is slow or throttled holds up its own kind only."""
    pace: Pace = Field(default=Pace.LIVE, sa_type=_PaceWord)
    due_at: datetime = Field(sa_type=UtcDateTime)
    woken: bool = False
    """Something happened while its turn was under way: the next one follows at once."""
    holder: str | None = None
    """The worker whose turn it is; None where it waits."""
    last_holder: str | None = None
    """The worker that may still have a connection to it: the others leave it to that one for a moment."""
    number: int = 0
    """Counts the turns: who was taken for dead cannot end the turn of another."""
    taken_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    failures: int = 0
    """In a row, by now."""


class Allowance(SQLModel, table=True):
    """What a provider allows all workers together: when all that was drawn so far is paid for."""

    __tablename__ = "allowance"

    name: str = Field(primary_key=True)
    paid_at: datetime = Field(sa_type=UtcDateTime)


class ConnectionShare(SQLModel, table=True):
    """How many mailboxes of a server a worker may have open at once. A dead worker's share counts for nothing."""

    __tablename__ = "connection_share"

    server: str = Field(primary_key=True)
    worker: str = Field(primary_key=True)
    held: int


class PushTicket(SQLModel, table=True):
    """How the web pages know whose mailbox a notification of Microsoft's tells of, and that it is genuine."""

    __tablename__ = "push_ticket"
    __table_args__ = (Index("ix_push_ticket_mailbox", "mailbox"),)

    ticket: str = Field(primary_key=True)
    mailbox: str
    digest: str
    """SHA-256 of the whole client state, which is a secret of 48 random bytes."""
    expires_at: datetime = Field(sa_type=UtcDateTime)


class QueueMigration(SQLModel, table=True):
    """A step of Procrastinate's own tables that was taken (store/queue_schema.py)."""

    __tablename__ = "queue_migration"

    name: str = Field(primary_key=True)
    applied_at: datetime = Field(sa_type=UtcDateTime)

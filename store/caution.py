"""Which mailboxes are read with care, and the trace that each of their messages leaves before it is read.

Where nothing died, nothing is written. Two processes at one mailbox do no harm: pages are recorded as ever, by their
cursor (decision 2 of the design), and a death is counted only of a process that is known to be dead.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, case, delete, func, literal, or_, select, update
from sqlmodel import col

from store.caution_tables import CarefulMailbox, ReadingTrace
from store.chunks import chunks
from store.database import Database, dialect_of
from store.deadly import ENOUGH
from store.operating_tables import RunningProcess
from store.tables import Delivery, DeliveryState, DeliveryStep, UtcDateTime

WITH_CARE = 400
"""Messages: a page that is judged and the one that is on its way meanwhile. More of them than these in one page, and a
further death is needed to come to the one that kills."""
_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Trace:
    """What is left behind before a message is read."""

    mailbox: str
    message: str
    digest: str | None
    process: str
    """Who is about to read it."""
    begun_at: datetime


@dataclass(frozen=True, slots=True)
class Begun:
    """What is known of a message that is about to be read."""

    deaths: int
    """Processes that ended with this message in hand, or with one of the same body."""
    left: int
    """Messages that are to be read with care, this one not among them."""

    @property
    def kills(self) -> bool:
        """Whether it ends whoever reads it."""
        return self.deaths >= ENOUGH


class Caution:
    """Keeps both."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def begin_after(self, ended: Sequence[str], mailboxes: Collection[str], now: datetime) -> None:
        """The processes `ended` died without a word: these mailboxes are read with care, the deliveries that they had
        in hand have ended one more, and the dead are forgotten."""
        with self._database.write() as connection:
            for name in ended:
                connection.execute(delete(RunningProcess).where(col(RunningProcess.name) == name))
                _left_by(connection, name, now)
            suspect(connection, mailboxes, now)

    def in_hands(self, process: str) -> Sequence[str]:
        """Other processes than this one that have a message in hand, as far as is on record."""
        who = col(ReadingTrace.process)
        with self._database.glance() as connection:
            found = connection.execute(select(who).where(who.is_not(None), who != process).distinct()).scalars()
            return [name for name in found if name is not None]

    def died(self, process: str) -> None:
        """A process is dead: so many messages as it had in hand, which is one, have ended one more. Said twice, it
        counts once."""
        trace = ReadingTrace
        with self._database.write() as connection:
            theirs = update(trace).where(col(trace.process) == process)
            connection.execute(theirs.values(process=None, deaths=col(trace.deaths) + 1))

    def begin(self, trace: Trace) -> Begun:
        """Puts the trace on record, before the message is touched. One that kills is in nobody's hands."""
        on_record = ReadingTrace
        this = and_(col(on_record.mailbox) == trace.mailbox, col(on_record.message) == trace.message)
        alike = this if trace.digest is None else or_(this, col(on_record.digest) == trace.digest)
        box = col(CarefulMailbox.mailbox) == trace.mailbox
        with self._database.write() as connection:
            put = dialect_of(connection).insert(on_record).values(asdict(trace) | {"deaths": 0})
            again = {"process": trace.process, "begun_at": trace.begun_at}
            connection.execute(put.on_conflict_do_update(index_elements=["mailbox", "message"], set_=again))
            deaths = connection.execute(select(func.sum(col(on_record.deaths))).where(alike)).scalar()
            connection.execute(update(CarefulMailbox).where(box).values(left=col(CarefulMailbox.left) - 1))
            left = connection.execute(select(col(CarefulMailbox.left)).where(box)).scalar()
            begun = Begun(deaths=int(deaths or 0), left=int(left or 0))
            if begun.kills:
                connection.execute(update(on_record).where(this).values(process=None))
        return begun

    def end(self, mailbox: str, process: str, *, recorded: bool) -> None:
        """The process lives: it recorded what it had in hand in a mailbox, or failed to."""
        trace = ReadingTrace
        theirs = and_(col(trace.mailbox) == mailbox, col(trace.process) == process)
        with self._database.write() as connection:
            connection.execute(
                delete(trace).where(theirs) if recorded else update(trace).where(theirs).values(process=None)
            )

    def over(self, mailbox: str, now: datetime) -> None:
        """The mailbox was read beyond where a process died."""
        with self._database.write() as connection:
            connection.execute(delete(CarefulMailbox).where(col(CarefulMailbox.mailbox) == mailbox))
            connection.execute(delete(ReadingTrace).where(col(ReadingTrace.begun_at) < now - _KEPT))


def _left_by(connection: Connection, process: str, now: datetime) -> None:
    """Counts its death with the deliveries that it had in hand. What was not handed over to a mail server yet is
    anybody's at once, as when a worker dies (store/workers.py)."""
    delivery = Delivery
    handed_over = col(delivery.step) == DeliveryStep.SENDING
    connection.execute(
        update(delivery)
        .where(
            col(delivery.state) == DeliveryState.WORKING,
            col(delivery.lease_holder).startswith(f"{process}:", autoescape=True),
        )
        .values(
            deaths=col(delivery.deaths) + 1,
            lease_until=case((handed_over, col(delivery.lease_until)), else_=literal(now, UtcDateTime())),
        )
    )


def suspect(connection: Connection, mailboxes: Collection[str], now: datetime) -> None:
    """These mailboxes are read with care from now on: a process ended in the middle of its work there."""
    rows = [{"mailbox": mailbox, "since": now, "left": WITH_CARE} for mailbox in sorted(set(mailboxes))]
    for some in chunks(rows):
        put = dialect_of(connection).insert(CarefulMailbox)
        connection.execute(put.on_conflict_do_update(index_elements=["mailbox"], set_={"left": WITH_CARE}), some)

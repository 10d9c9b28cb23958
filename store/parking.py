"""Which mailboxes are parked, and what the administrator was told of it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from store.database import Database
from store.notices import Notices, write_notice
from store.tables import Notice, NoticeKind, Parking


@dataclass(frozen=True, slots=True)
class Taken:
    """A notice that this worker is to send, as of now, and the mailboxes it tells of."""

    notice: Notice
    mailboxes: tuple[Parking, ...]


class ParkingLot:
    """Records parked mailboxes and the notices about them."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        """`lease` is how long one notice may take before another worker looks after it."""
        self._database = database
        self.notices = Notices(database, lease)
        """The notices themselves, whatever they tell of."""

    def park(self, mailbox: str, now: datetime, reason: str, *, sending: bool) -> bool:
        """The mailbox is refused; `sending` says that only sending is. True where that begins an outage; one that goes
        on, or comes back before its end was told, keeps its `since`."""
        this = col(Parking.mailbox) == mailbox
        with suppress(IntegrityError), self._database.write() as connection:  # another worker may park it just now
            found = _find(connection, mailbox)
            if found is not None and not _end_may_be_told(connection, found):
                values = {"lifted_at": None, "lifting_notice": None, "sending": sending, "reason": reason}
                connection.execute(update(Parking).where(this).values(values))
                return False
            connection.execute(delete(Parking).where(this))
            connection.execute(insert(Parking).values(mailbox=mailbox, since=now, reason=reason, sending=sending))
            return True
        return False

    def lift(self, mailbox: str, now: datetime, *, sent: bool) -> Parking | None:
        """The mailbox works, and `sent` says whether that was proven for sending too. Ends its outage, and returns it,
        unless there is none or only sending was refused and nothing was sent. What nobody was told of is forgotten."""
        with self._database.read() as connection:
            if _open(_find(connection, mailbox), sent=sent) is None:
                return None
        with self._database.write() as connection:
            found = _open(_find(connection, mailbox), sent=sent)
            if found is None:
                return None
            this = col(Parking.mailbox) == mailbox
            if found.outage_notice is None:
                connection.execute(delete(Parking).where(this))
            else:
                connection.execute(update(Parking).where(this).values(lifted_at=now))
            return found

    def all(self) -> list[Parking]:
        """Every mailbox that is parked, or works again without that being told yet; in order of address."""
        with self._database.read() as connection:
            return _parkings(connection)

    def outage_announced_at(self) -> datetime | None:
        """When the latest notice of an outage was put on record."""
        made_at = col(Notice.created_at)
        query = select(made_at).where(col(Notice.kind) == NoticeKind.PARKED).order_by(made_at.desc()).limit(1)
        with self._database.read() as connection:
            found: datetime | None = connection.execute(query).scalar()
        return found

    def told_at(self, parking: Parking) -> datetime | None:
        """When the administrator was told of this outage; None where that is still to be done."""
        query = select(col(Notice.told_at)).where(col(Notice.id) == parking.outage_notice)
        with self._database.read() as connection:
            found: datetime | None = connection.execute(query).scalar()
        return found

    def announce(self, kind: NoticeKind, mailboxes: Sequence[Parking], rfc_message_id: str, now: datetime) -> bool:
        """Fixes one notice about these mailboxes. False where another worker was quicker or one of them changed:
        nothing is on record then."""
        number, untold = _PLACE[kind]
        try:
            with self._database.write() as connection:
                made_number = write_notice(connection, kind, rfc_message_id, now)
                for parking in mailboxes:
                    same = and_(col(Parking.mailbox) == parking.mailbox, col(Parking.since) == parking.since)
                    done = connection.execute(update(Parking).where(same, untold).values({number: made_number}))
                    _must_be_one(done.rowcount)
        except (IntegrityError, _Changed):
            return False
        return True

    def take(self, now: datetime) -> Taken | None:
        """A notice whose time has come, or whose worker has gone; it is this worker's until the lease ends."""
        notice = self.notices.take(col(Notice.kind).in_(_PLACE), now)
        if notice is None:
            return None
        about = or_(col(Parking.outage_notice) == notice.id, col(Parking.lifting_notice) == notice.id)
        with self._database.read() as connection:
            return Taken(notice, tuple(_parkings(connection, about)))

    def finish(self, taken: Taken, now: datetime) -> None:
        """The notice is out, or tells of nothing any more. Outages that it told the end of are over. Raises
        LeaseLost."""
        over = and_(col(Parking.lifting_notice) == taken.notice.id, col(Parking.lifted_at).is_not(None))

        def forget(connection: Connection) -> None:
            connection.execute(delete(Parking).where(over))

        self.notices.finish(taken.notice, now, forget)


class _Changed(Exception):
    """What a notice was to tell is no longer so."""


_PLACE: Mapping[NoticeKind, tuple[str, Any]] = {
    NoticeKind.PARKED: (
        "outage_notice",
        and_(col(Parking.outage_notice).is_(None), col(Parking.lifted_at).is_(None)),
    ),
    NoticeKind.LIFTED: (
        "lifting_notice",
        and_(col(Parking.lifting_notice).is_(None), col(Parking.lifted_at).is_not(None)),
    ),
}
"""Where a notice's number is put down, and what it may be put down upon."""


def _must_be_one(rows: int) -> None:
    if rows != 1:
        raise _Changed


def _find(connection: Connection, mailbox: str) -> Parking | None:
    return next(iter(_parkings(connection, col(Parking.mailbox) == mailbox)), None)


def _parkings(connection: Connection, where: Any = True) -> list[Parking]:
    with Session(bind=connection) as session:
        found = list(session.execute(select(Parking).where(where).order_by(col(Parking.mailbox))).scalars())
        session.expunge_all()
    return found


def _open(parking: Parking | None, *, sent: bool) -> Parking | None:
    """`parking` where what was proven ends it."""
    if parking is None or parking.lifted_at is not None or (parking.sending and not sent):
        return None
    return parking


def _end_may_be_told(connection: Connection, parking: Parking) -> bool:
    """Whether the end of an outage may be known already: the next refusal is news then."""
    if parking.lifted_at is None or parking.lifting_notice is None:
        return False
    handovers = select(col(Notice.handovers)).where(col(Notice.id) == parking.lifting_notice)
    return bool(connection.execute(handovers).scalar())

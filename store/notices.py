"""Notices on record: mails of the service's own to the staff, each handed out to one worker at a time.

A notice is fixed on record, with its Message-ID, before it is sent; whoever sends it holds a lease.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update
from sqlmodel import Session, col

from store.database import Database
from store.moments import AT_ONCE, Moment, moment
from store.outbox import LONGEST_LEASE, LeaseLost
from store.tables import Notice, NoticeKind


def write_notice(connection: Connection, kind: NoticeKind, rfc_message_id: str, now: datetime) -> int:
    """Fixes a notice, to be sent from `now` on, and returns its number. Raises IntegrityError where one of this
    Message-ID is on record."""
    values = {"kind": kind, "rfc_message_id": rfc_message_id, "created_at": now, "next_attempt_at": now}
    made = connection.execute(insert(Notice).values(**values, attempts=0, handovers=0))
    (number,) = made.inserted_primary_key or (None,)
    if number is None:  # pragma: no cover - a primary key
        raise LookupError(rfc_message_id)
    return int(number)


def _nothing(connection: Connection) -> None:
    del connection


class Notices:
    """Hands out notices, and records what became of them."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        """`lease` is how long one notice may take before another worker looks after it."""
        self._database = database
        self._lease = lease

    def take(self, which: ColumnElement[bool], now: datetime) -> Notice | None:
        """One of `which` whose time has come, or whose worker has gone; it is this worker's until the lease ends."""
        waiting = and_(which, is_due(moment(now)))
        with self._database.read() as connection:
            numbers = connection.execute(select(col(Notice.id)).where(waiting).order_by(col(Notice.id))).scalars().all()
        for number in filter(None, numbers):
            with self._database.write() as connection:
                done = connection.execute(
                    update(Notice)
                    .where(col(Notice.id) == number, waiting)
                    .values(lease_until=now + self._lease, attempts=col(Notice.attempts) + 1)
                )
                if done.rowcount == 1:
                    return _notice(connection, number)
        return None

    def handing_over(self, notice: Notice) -> None:
        """The notice is about to be handed to the mail server: from here on it may be out. Raises LeaseLost."""
        self._set(notice, handovers=notice.handovers + 1)
        notice.handovers += 1

    def postpone(self, notice: Notice, at: datetime, *, not_out: bool) -> None:
        """To be tried again at `at`. `not_out` says that the last handing over certainly failed. Raises LeaseLost."""
        handovers = notice.handovers - not_out
        self._set(notice, next_attempt_at=at, lease_until=None, handovers=max(handovers, 0))

    def finish(self, notice: Notice, now: datetime, also: Callable[[Connection], None] = _nothing) -> None:
        """The notice is out, or tells of nothing any more; `also` is done with the record of that. Raises LeaseLost."""
        with self._database.write() as connection:
            _update(connection, notice, told_at=now, lease_until=None)
            also(connection)

    def _set(self, notice: Notice, **values: Any) -> None:
        with self._database.write() as connection:
            _update(connection, notice, **values)


def _update(connection: Connection, notice: Notice, **values: Any) -> None:
    mine = and_(col(Notice.id) == notice.id, col(Notice.attempts) == notice.attempts)
    done = connection.execute(update(Notice).where(mine, col(Notice.told_at).is_(None)).values(values))
    if done.rowcount != 1:
        raise LeaseLost(f"the notice {notice.id} was taken over by another worker")


def is_due(at: Moment) -> ColumnElement[bool]:
    """Which notices are to be sent: their time has come, or their worker has gone."""
    lease = col(Notice.lease_until)
    return and_(
        col(Notice.told_at).is_(None),
        col(Notice.next_attempt_at) <= at(AT_ONCE),
        or_(lease.is_(None), lease <= at(AT_ONCE), lease > at(LONGEST_LEASE)),
    )


def _notice(connection: Connection, number: int) -> Notice:
    with Session(bind=connection) as session:
        notice = session.get_one(Notice, number)
        session.expunge_all()
    return notice

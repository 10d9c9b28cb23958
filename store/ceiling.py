"""The ceiling on a mailbox's answers, and the circuit breaker behind it, on record.

Every answer is let out in a transaction of its own mailbox, which counts what left before it: two workers cannot both
take the last place, and a crash afterwards leaves it taken. A stop is one row, over when somebody resumed the answers
or the pause has passed. Times ahead of now were written by a clock that was: they are put back to now, so that nothing
stays shut until a wrong year.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update
from sqlmodel import Session, col

from autoresponder.ceiling import HOUR, REMEMBERED, Cause, Given, cause_to_stop, had_alike, urgent_left
from autoresponder.guards.past import gravity
from autoresponder.plan import ReplyFacts
from config.settings import Norm
from store.among import one_of
from store.answer_tables import AnswerLetOut, AnswerStop
from store.answers import COUNTS_AS_ANSWER
from store.database import Database
from store.notices import write_notice
from store.outbox import Due
from store.pages import Query
from store.tables import Delivery, DeliveryKind, DeliveryState, MailboxState, Notice, NoticeKind

_CLOCKS_DIFFER = timedelta(minutes=5)
"""How far two workers' clocks may be apart."""
FORGOTTEN = timedelta(days=2)
"""After so long nothing is kept of an answer that was let out."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an answer may leave. `refused` says why not, in a sentence without its full stop; `stopped` is the cause
    where this very answer made the mailbox's answers stop."""

    refused: str | None = None
    stopped: Cause | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a mailbox's answers stand. Times are aware."""

    mailbox: str
    this_hour: int
    """Answers let out within the last hour."""
    stopped_at: datetime | None = None
    """Since when they are stopped; None where they are not."""
    cause: Cause | None = None
    until: datetime | None = None
    """When they go on by themselves."""


class Ceiling:
    """Lets answers out, or not. Threads share it."""

    def __init__(self, database: Database, norm: Norm) -> None:
        """`norm` has the ceiling and the pause."""
        self._database = database
        self._norm = norm
        self._pause = timedelta(hours=norm.answers_pause_hours)

    def let_out(self, due: Due, *, gravity: int, known: bool, now: datetime) -> Verdict:
        """Lets a reply leave its mailbox, or says why not; may stop the mailbox's answers. `known` says whether the
        roster knows the family. To be asked again for every attempt: the reply then counts once, at its latest."""
        delivery, mailbox = due.delivery, due.delivery.mailbox
        asked = Given(due.id, delivery.recipient or "", gravity, known, now, due.message.received_at)
        with self._database.write() as connection:
            # SQLite's writers queue in any case; on a server this makes those of one mailbox.
            connection.execute(_turn(), {"mailbox": mailbox})
            record = _record(connection, mailbox)
            if record.is_ahead(now):
                _put_back(connection, mailbox, now)
                record = _record(connection, mailbox)
            let_out = [each for each, _ in record.let_out]
            gone = [each.delivery for each in let_out if each.delivery == due.id or each.at < now - FORGOTTEN]
            if gone:
                connection.execute(delete(AnswerLetOut).where(col(AnswerLetOut.delivery_id).in_(gone)))
            verdict = self._judge(connection, delivery, asked, record)
            if verdict.refused is None:
                connection.execute(
                    insert(AnswerLetOut).values(
                        delivery_id=due.id,
                        mailbox=mailbox,
                        person=asked.person,
                        gravity=gravity,
                        known=known,
                        at=now,
                        wrote_at=asked.wrote_at,
                    )
                )
        return verdict

    def room(self, mailbox: str, now: datetime, *, planning: bool) -> int | None:
        """How many urgent answers the mailbox may still give this hour while its answers are stopped; None where they
        are not. For `planning`, those that are planned and wait count as given."""
        with self._database.glance() as connection:
            stop = _stop(connection, mailbox)
        return self.room_after(stop, mailbox, now, planning=planning)

    def room_after(self, stop: AnswerStop | None, mailbox: str, now: datetime, *, planning: bool) -> int | None:
        """The same where the mailbox's last stop is known; None where it never had one."""
        if stop is None:
            return None
        if _Record((), stop).is_ahead(now):
            # As of now, before anything is planned: what is planned from here on is later than the end of the stop.
            with self._database.write() as connection:
                _put_back(connection, mailbox, now)
                stop = _stop(connection, mailbox) or stop
        if not self._is_stopped(stop, now):
            return None
        with self._database.read() as connection:
            left = urgent_left(_record(connection, mailbox).given(now), self._norm.answers_per_hour, now)
            waiting = _urgent_waiting(connection, mailbox) if planning else 0
        return max(0, left - waiting)

    def standings(self, mailboxes: Sequence[str], now: datetime) -> list[Standing]:
        """Where the answers of each of these stand."""
        with self._database.read() as connection:
            return [self._standing(connection, mailbox, now) for mailbox in mailboxes]

    def resume(self, mailbox: str, now: datetime) -> bool:
        """Somebody has looked: the mailbox answers again, and its count begins anew. False where nothing was stopped.
        What was planned before is not sent any more."""
        with self._database.write() as connection:
            stop = _stop(connection, mailbox)
            if stop is None or not self._is_stopped(stop, now):
                return False
            this = col(AnswerStop.mailbox) == mailbox
            connection.execute(update(AnswerStop).where(this).values(resumed_at=now))
            return True

    def _judge(self, connection: Connection, delivery: Delivery, asked: Given, record: "_Record") -> Verdict:
        now, per_hour = asked.at, self._norm.answers_per_hour
        given = [each for each in record.given(now) if each.delivery != asked.delivery]
        if had_alike(given, asked):
            return Verdict("the family has an answer of this kind already")
        stop, stopped = record.stop, None
        if stop is None or not self._is_stopped(stop, now):
            over = None if stop is None else self._over_at(stop)
            if over is not None and asked.gravity == 0 and delivery.created_at < over:
                return Verdict("answers from this mailbox were stopped after it was planned, and it comes too late now")
            counted = [each for each in given if over is None or each.at >= over]
            stopped = cause_to_stop(counted, asked, per_hour)
            if stopped is None:
                return Verdict()
            _write_stop(connection, delivery.mailbox, stopped, now)
        if asked.gravity > 0 and urgent_left(given, per_hour, now) > 0:
            return Verdict(stopped=stopped)
        return Verdict("answers from this mailbox are stopped, because too many went out", stopped)

    def _standing(self, connection: Connection, mailbox: str, now: datetime) -> Standing:
        record = _record(connection, mailbox)
        this_hour = len([each for each in record.given(now) if each.at > now - HOUR])
        stop = record.stop
        if stop is None or not self._is_stopped(stop, now):
            return Standing(mailbox, this_hour)
        return Standing(mailbox, this_hour, stop.stopped_at, Cause(stop.cause), self._over_at(stop))

    def _is_stopped(self, stop: AnswerStop, now: datetime) -> bool:
        return now < self._over_at(stop) if stop.resumed_at is None else False

    def _over_at(self, stop: AnswerStop) -> datetime:
        return stop.resumed_at or stop.stopped_at + self._pause


class StopNotices:
    """Stops that the administrator is to be told of, once each."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def untold(self) -> list[AnswerStop]:
        """Stops that no notice tells of yet, in order of mailbox. One that was resumed by somebody is known already."""
        with self._database.read() as connection:
            return _stops(connection, _going_on().where(col(AnswerStop.notice).is_(None)))

    def announced_at(self) -> datetime | None:
        """When the latest notice of a stop was put on record."""
        query = select(func.max(col(Notice.created_at), type_=Notice.__table__.c.created_at.type)).where(  # type: ignore[attr-defined]
            col(Notice.kind) == NoticeKind.STOPPED
        )
        with self._database.read() as connection:
            found: datetime | None = connection.execute(query).scalar()
        return found

    def announce(self, stops: Sequence[AnswerStop], rfc_message_id: str, now: datetime) -> bool:
        """Fixes one notice about these stops. False, and nothing on record, where another worker was quicker."""
        with self._database.write() as connection:
            # Nobody else's notice of this Message-ID: it is derived from the stops, which are all untold still.
            rows = [
                connection.execute(
                    select(col(AnswerStop.mailbox))
                    .where(
                        col(AnswerStop.mailbox) == stop.mailbox,
                        col(AnswerStop.stopped_at) == stop.stopped_at,
                        col(AnswerStop.notice).is_(None),
                        col(AnswerStop.resumed_at).is_(None),
                    )
                    .with_for_update()
                ).first()
                for stop in stops
            ]
            if not rows or None in rows:
                return False
            number = write_notice(connection, NoticeKind.STOPPED, rfc_message_id, now)
            mailboxes = [stop.mailbox for stop in stops]
            connection.execute(update(AnswerStop).where(col(AnswerStop.mailbox).in_(mailboxes)).values(notice=number))
            return True

    def told_of(self, notice: Notice) -> list[AnswerStop]:
        """The stops that a notice tells of and that nobody has resumed, in order of mailbox."""
        with self._database.read() as connection:
            return _stops(connection, _going_on().where(col(AnswerStop.notice) == notice.id))


@dataclass(frozen=True, slots=True)
class _Record:
    """What is on record of one mailbox's answers."""

    let_out: Sequence[tuple[Given, DeliveryState | None]]
    """Answers that were let out lately, each with what became of it; None where its delivery was erased."""
    stop: AnswerStop | None

    def given(self, now: datetime) -> list[Given]:
        """What was let out within the last day, unless it did not leave after all."""
        return [each for each, state in self.let_out if each.at > now - REMEMBERED and state in COUNTS_AS_ANSWER]

    def is_ahead(self, now: datetime) -> bool:
        """Whether a clock that was ahead of `now` wrote any of it."""
        times = [each.at for each, _ in self.let_out]
        times += [] if self.stop is None else [self.stop.stopped_at, self.stop.resumed_at or self.stop.stopped_at]
        return any(at > now + _CLOCKS_DIFFER for at in times)


def _record(connection: Connection, mailbox: str) -> _Record:
    rows = connection.execute(_let_out(), {"mailbox": mailbox})
    let_out = [(Given(*row[:-1]), row.state) for row in rows]
    return _Record(let_out, _stop(connection, mailbox))


@cache
def _turn() -> Select[*tuple[Any, ...]]:
    return select(col(MailboxState.address)).where(col(MailboxState.address) == bindparam("mailbox")).with_for_update()


@cache
def _let_out() -> Select[*tuple[Any, ...]]:
    """The statement, made once."""
    return (
        select(
            col(AnswerLetOut.delivery_id),
            col(AnswerLetOut.person),
            col(AnswerLetOut.gravity),
            col(AnswerLetOut.known),
            col(AnswerLetOut.at),
            col(AnswerLetOut.wrote_at),
            col(Delivery.state),
        )
        .outerjoin(Delivery, col(Delivery.id) == col(AnswerLetOut.delivery_id))
        .where(col(AnswerLetOut.mailbox) == bindparam("mailbox"))
    )


def _urgent_waiting(connection: Connection, mailbox: str) -> int:
    """Urgent answers that are planned and not let out yet."""
    query = (
        select(col(Delivery.facts))
        .outerjoin(AnswerLetOut, col(AnswerLetOut.delivery_id) == col(Delivery.id))
        .where(
            col(Delivery.mailbox) == mailbox,
            col(Delivery.kind) == DeliveryKind.REPLY,
            one_of(Delivery.state, (DeliveryState.WAITING, DeliveryState.WORKING)),
            col(AnswerLetOut.delivery_id).is_(None),
        )
    )
    found = (ReplyFacts.model_validate_json(facts) for facts in connection.execute(query).scalars())
    return sum(gravity(facts.tag, crisis=facts.crisis) > 0 for facts in found)


def _put_back(connection: Connection, mailbox: str, now: datetime) -> None:
    latest = now + _CLOCKS_DIFFER
    connection.execute(
        update(AnswerLetOut).where(col(AnswerLetOut.mailbox) == mailbox, col(AnswerLetOut.at) > latest).values(at=now)
    )
    connection.execute(
        update(AnswerStop)
        .where(col(AnswerStop.mailbox) == mailbox, col(AnswerStop.stopped_at) > latest)
        .values(stopped_at=now)
    )
    connection.execute(
        update(AnswerStop)
        .where(col(AnswerStop.mailbox) == mailbox, col(AnswerStop.resumed_at) > latest)
        .values(resumed_at=now)
    )


def _write_stop(connection: Connection, mailbox: str, cause: Cause, now: datetime) -> None:
    connection.execute(delete(AnswerStop).where(col(AnswerStop.mailbox) == mailbox))
    connection.execute(insert(AnswerStop).values(mailbox=mailbox, stopped_at=now, cause=cause.value))


def _stop(connection: Connection, mailbox: str) -> AnswerStop | None:
    return next(iter(_stops(connection, _stop_of(), mailbox=mailbox)), None)


@cache
def _stop_of() -> Query:
    return select(AnswerStop).where(col(AnswerStop.mailbox) == bindparam("mailbox"))


def _going_on() -> Query:
    return select(AnswerStop).where(col(AnswerStop.resumed_at).is_(None)).order_by(col(AnswerStop.mailbox))


def _stops(connection: Connection, query: Query, **parameters: object) -> list[AnswerStop]:
    with Session(bind=connection) as session:
        found = list(session.execute(query, parameters).scalars())
        session.expunge_all()
    return found

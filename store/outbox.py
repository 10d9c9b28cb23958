"""The outbox: deliveries that are due, who works on them, and what became of them (decision 3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    SQLColumnExpression,
    Update,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
    update,
)
from sqlmodel import Session, col

from store.among import among_given, one_of, values_of
from store.answers import overtaken
from store.database import Database, dialect_of
from store.drafts import asked_no_more
from store.label_words import words
from store.marks import mark
from store.moments import AT_ONCE, Moment, later, times
from store.pages import Query, route_key
from store.scorecard_tables import MarkKind
from store.tables import Delivery, DeliveryKind, DeliveryState, DeliveryStep, MessageRecord, UtcDateTime, _StateWord

_FURTHEST_AHEAD = timedelta(minutes=20)
"""Longer than anything is put off."""
_UNFINISHED = tuple(literal(state, _StateWord()) for state in (DeliveryState.WAITING, DeliveryState.WORKING))
"""Each a parameter of its own: a list as one parameter makes the statement be written out anew each time."""
AT_ONCE_AT_MOST = 100
"""So many deliveries are handed out at once."""
LONGEST_LEASE = timedelta(hours=2)
"""Longer than any lease lasts, with the settling time that may follow: one that ends later was given by a clock that
was ahead."""
_URGENT_FIRST = case(
    (one_of(Delivery.kind, (DeliveryKind.ROUTE, DeliveryKind.ESCALATE)), 0),
    (col(Delivery.kind) == DeliveryKind.TAG, 1),
    else_=2,
)


class LeaseLost(Exception):
    """Another worker has taken this delivery over, because ours took longer than the lease."""


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery, as of now, and the message it is about."""

    delivery: Delivery
    message: MessageRecord

    @property
    def id(self) -> int:
        """The delivery's number."""
        return _number(self.delivery.id)


class Outbox:
    """Hands out deliveries and records what became of them. `holder` names the worker."""

    def __init__(self, database: Database, holder: str, lease: timedelta) -> None:
        """`lease` is how long one delivery may take before another worker looks after it."""
        self._database = database
        self._holder = holder
        self._lease = lease

    def due(self, mailbox: str, now: datetime) -> list[Due]:
        """Deliveries of a mailbox whose time has come, or whose worker has gone: urgent routes first, then oldest; at
        most `AT_ONCE_AT_MOST`."""
        with self._database.glance() as connection:
            return _all(connection, _due_in(), {"mailbox": mailbox, **times(now, is_due)})

    def next_due_at(self, mailbox: str) -> datetime | None:
        """When the next delivery of a mailbox comes due, None where none waits."""
        with self._database.read() as connection:
            found: datetime | None = connection.execute(next_at(mailbox)).scalar()
        return found

    def claim(self, due: Due, now: datetime, *, died: bool = False) -> Due | None:
        """Takes a delivery; None where another worker took it first or it is no longer due. `died` says that whoever
        had it before is dead."""
        delivery = due.delivery
        this = {"this": due.id, "tried": delivery.attempts, "died": delivery.deaths}
        new = {
            "new_attempts": delivery.attempts + 1,
            "new_deaths": delivery.deaths + died,
            "new_holder": self._holder,
            "new_until": now + self._lease,
        }
        with self._database.write_at_once() as connection:
            if connection.execute(_claim(), {**this, **new, **times(now, is_due)}).rowcount != 1:
                return None
            return _all(connection, _this(), {"this": due.id})[0]

    def drafted(self, due: Due, draft_id: str) -> None:
        """The mail is saved as a draft. Raises LeaseLost."""
        self._set(due, step=DeliveryStep.DRAFTED, draft_id=draft_id)
        due.delivery.step, due.delivery.draft_id = DeliveryStep.DRAFTED, draft_id

    def sending(self, due: Due) -> None:
        """The mail is about to be handed over: from here on it may be out. Raises LeaseLost."""
        handovers = due.delivery.handovers + 1
        self._set(due, step=DeliveryStep.SENDING, handovers=handovers)
        due.delivery.step, due.delivery.handovers = DeliveryStep.SENDING, handovers

    @staticmethod
    def not_out(due: Due) -> None:
        """The mail server certainly did not take the mail. Put on record by the `postpone` or `finish` that follows."""
        due.delivery.step = DeliveryStep.DRAFTED
        due.delivery.handovers -= 1

    def look_again(self, due: Due, at: datetime, error: str) -> None:
        """It is not known what became of the mail; to be asked at `at`, by whoever is there: it is in nobody's hands.
        Raises LeaseLost."""
        self._set(due, lease_until=at, lease_holder=None, last_error=error)

    def postpone(self, due: Due, at: datetime, error: str | None, *, step: DeliveryStep, counts: bool = True) -> None:
        """To be tried again at `at`, from `step` on. Where not `counts`, it was no attempt. Raises LeaseLost."""
        self._set(
            due,
            state=DeliveryState.WAITING,
            step=step,
            draft_id="" if step is DeliveryStep.PLANNED else due.delivery.draft_id,
            handovers=due.delivery.handovers,
            next_attempt_at=at,
            lease_until=None,
            attempts=due.delivery.attempts if counts else due.delivery.attempts - 1,
            last_error=error,
        )

    def finish(
        self, due: Due, state: DeliveryState, now: datetime, error: str | None = None, then: Delivery | None = None
    ) -> None:
        """The delivery came to its end; what is to follow is planned with that, unless it was before. Raises
        LeaseLost."""
        with self._database.write() as connection:
            self._write(connection, due, state=state, lease_until=None, finished_at=now, last_error=error)
            if then is not None:
                put = dialect_of(connection).insert(Delivery).values(then.model_dump(exclude={"id"}))
                connection.execute(put.on_conflict_do_nothing(index_elements=["dedupe_key"]))

    def saving(self, due: Due) -> None:
        """A draft is about to be saved: from here on the teacher may have it. Raises LeaseLost."""
        self._set(due, step=DeliveryStep.SENDING)
        due.delivery.step = DeliveryStep.SENDING

    def finish_draft(self, due: Due, state: DeliveryState, now: datetime, error: str | None = None) -> None:
        """The same as `finish` for a teacher's draft: the label by which they asked is off. Raises LeaseLost."""
        with self._database.write() as connection:
            self._write(connection, due, state=state, lease_until=None, finished_at=now, last_error=error)
            asked_no_more(connection, due.delivery.message_id)

    def park(self, mailbox: str, at: datetime, error: str) -> None:
        """No mail of this mailbox is sent before `at`; what is in hand is not touched."""
        delivery = Delivery
        with self._database.write() as connection:
            connection.execute(
                update(delivery)
                .where(
                    col(delivery.mailbox) == mailbox,
                    col(delivery.kind) != DeliveryKind.TAG,
                    col(delivery.state) == DeliveryState.WAITING,
                    col(delivery.next_attempt_at) < at,
                )
                .values(next_attempt_at=at, last_error=error)
            )

    def finish_tags(self, done: Sequence[Due], now: datetime) -> None:
        """Labels were written: tagging is idempotent and needs no claim."""
        if not done:
            return
        with self._database.write_at_once() as connection:
            these = values_of("this", [due.id for due in done])
            connection.execute(_tagged(frozenset(these)), {**these, "now": now})

    def postpone_tag(self, due: Due, at: datetime, error: str, *, give_up: bool) -> None:
        """Labels could not be written."""
        with self._database.write() as connection:
            connection.execute(
                update(Delivery)
                .where(col(Delivery.id) == due.id, col(Delivery.state).in_(_UNFINISHED))
                .values(
                    state=DeliveryState.SET_ASIDE if give_up else DeliveryState.WAITING,
                    attempts=due.delivery.attempts + 1,
                    next_attempt_at=at,
                    last_error=error,
                )
            )

    def cancel_tag(self, due: Due, now: datetime, reason: str) -> None:
        """There is nothing to label any more; the record forgets the labels it meant to write."""
        with self._database.write() as connection:
            connection.execute(
                update(Delivery)
                .where(col(Delivery.id) == due.id, col(Delivery.state).in_(_UNFINISHED))
                .values(state=DeliveryState.CANCELLED, finished_at=now, last_error=reason)
            )
            message = col(MessageRecord.id) == due.message.id
            connection.execute(update(MessageRecord).where(message).values(labels=words(())))

    def route_of(self, fingerprint: str) -> DeliveryState | None:
        """Where the route of a message stands, in whichever mailbox; None where none was planned."""
        query = select(col(Delivery.state)).where(col(Delivery.dedupe_key) == route_key(fingerprint))
        with self._database.glance() as connection:
            found: DeliveryState | None = connection.execute(query).scalar()
        return found

    def reply_of(self, message: MessageRecord) -> DeliveryState | None:
        """Where the reply to a message stands; None where none was planned."""
        query = select(col(Delivery.state)).where(
            col(Delivery.message_id) == message.id, col(Delivery.kind) == DeliveryKind.REPLY
        )
        with self._database.glance() as connection:
            found: DeliveryState | None = connection.execute(query).scalar()
        return found

    def answered_since(self, due: Due) -> bool:
        """Whether a later answer makes this one (waiting, or set aside for a time) one too many."""
        with self._database.read() as connection:
            return overtaken(connection, due.delivery)

    def listing(self, states: Sequence[DeliveryState]) -> list[Due]:
        """All deliveries in these states, oldest first."""
        query = _with_message().where(col(Delivery.state).in_(states)).order_by(col(Delivery.id))
        with self._database.read() as connection:
            return _all(connection, query, {})

    def retry(self, ids: Sequence[int] | None, now: datetime) -> int:
        """Puts deliveries that were set aside back in line, all of them where `ids` is None. Returns how many.

        An uncertain reply is not among them: it may be out, and a family is never answered twice.
        """
        waiting_again = update(Delivery).where(col(Delivery.state) == DeliveryState.SET_ASIDE)
        if ids is not None:
            waiting_again = waiting_again.where(col(Delivery.id).in_(ids))
        with self._database.write() as connection:
            done = connection.execute(
                waiting_again.values(
                    state=DeliveryState.WAITING,
                    # What was set aside is not out, or (a route) may go out again: from the beginning.
                    step=DeliveryStep.PLANNED,
                    draft_id="",
                    attempts=0,
                    handovers=0,
                    deaths=case((col(Delivery.deaths) > 0, 1), else_=0),  # it is carried out with care
                    next_attempt_at=now,
                    finished_at=None,
                    lease_until=None,
                )
            )
            return int(done.rowcount)

    def _set(self, due: Due, **values: Any) -> None:
        with self._database.write_at_once() as connection:
            self._write(connection, due, **values)

    def _write(self, connection: Connection, due: Due, **values: Any) -> None:
        this = {"this": due.id, "holder": self._holder, "tried": due.delivery.attempts}
        new = {f"new_{name}": value for name, value in values.items()}
        if connection.execute(_written(tuple(values)), {**this, **new}).rowcount != 1:
            raise LeaseLost(f"delivery {due.id} was taken over by another worker")
        if values.get("state") is DeliveryState.DONE:
            mark(connection, MarkKind.MESSAGE, [str(due.delivery.message_id)])


def next_at(mailbox: str | SQLColumnExpression[str]) -> Query:
    """When the next delivery of a mailbox comes due, or may be taken from who left it."""
    waiting = col(Delivery.state) == DeliveryState.WAITING
    when = case((waiting, col(Delivery.next_attempt_at)), else_=col(Delivery.lease_until))
    mine = and_(col(Delivery.mailbox) == mailbox, col(Delivery.state).in_(_UNFINISHED))
    return select(func.min(when, type_=UtcDateTime())).where(mine)


def is_due(at: Moment) -> ColumnElement[bool]:
    """Which deliveries are to be worked on: their time has come, or their worker has gone."""
    state, next_attempt, lease_until = col(Delivery.state), col(Delivery.next_attempt_at), col(Delivery.lease_until)
    # Further ahead than anything is put there means that the clock was set back since: urgent mail cannot wait for it.
    waits = or_(next_attempt <= at(AT_ONCE), next_attempt > at(_FURTHEST_AHEAD))
    was_left = or_(lease_until <= at(AT_ONCE), lease_until > at(LONGEST_LEASE))
    return and_(
        state.in_(_UNFINISHED),  # says no more than what follows, and lets an index find the few of a year's many
        or_(and_(state == DeliveryState.WAITING, waits), and_(state == DeliveryState.WORKING, was_left)),
    )


def _with_message() -> Query:
    return select(Delivery, MessageRecord).join(MessageRecord, col(Delivery.message_id) == col(MessageRecord.id))


# Made once each: making one takes longer than asking it.
@cache
def _due_in() -> Query:
    urgent_first = (_URGENT_FIRST, col(Delivery.next_attempt_at), col(Delivery.id))
    query = _with_message().where(col(Delivery.mailbox) == bindparam("mailbox"), is_due(later))
    return query.order_by(*urgent_first).limit(AT_ONCE_AT_MOST)


@cache
def _this() -> Query:
    return _with_message().where(col(Delivery.id) == bindparam("this"))


@cache
def _claim() -> Update:
    """Whoever starts again after a death counts it, and so does who was in the middle of that."""
    return (
        update(Delivery)
        .where(
            col(Delivery.id) == bindparam("this"),
            col(Delivery.attempts) == bindparam("tried"),
            col(Delivery.deaths) == bindparam("died"),
            is_due(later),
        )
        .values(
            state=DeliveryState.WORKING,
            attempts=bindparam("new_attempts"),
            deaths=bindparam("new_deaths"),
            lease_holder=bindparam("new_holder"),
            lease_until=bindparam("new_until"),
        )
    )


@cache
def _tagged(given: frozenset[str]) -> Update:
    now = bindparam("now", type_=UtcDateTime())
    unfinished = update(Delivery).where(among_given(Delivery.id, "this", given), col(Delivery.state).in_(_UNFINISHED))
    return unfinished.values(state=DeliveryState.DONE, finished_at=now, last_error=None)


@cache
def _written(names: tuple[str, ...]) -> Update:
    """What the holder of a lease writes into these columns."""
    return (
        update(Delivery)
        .where(
            col(Delivery.id) == bindparam("this"),
            col(Delivery.state) == DeliveryState.WORKING,
            col(Delivery.lease_holder) == bindparam("holder"),
            col(Delivery.attempts) == bindparam("tried"),
        )
        .values({name: bindparam(f"new_{name}") for name in names})
    )


def _all(connection: Connection, query: Query, parameters: Mapping[str, object]) -> list[Due]:
    with Session(bind=connection) as session:
        found = [Due(delivery, message) for delivery, message in session.execute(query, parameters).all()]
        session.expunge_all()
    return found


def _number(value: int | None) -> int:
    if value is None:
        raise LookupError("a delivery that was never recorded has no number")
    return value

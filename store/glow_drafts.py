"""Drafts of good news on record: asked for, handed out to one worker at a time, and what became of each.

A family gets one draft from a teacher in a term, and a teacher so many in a day: both are seen to in the transaction
that asks, one worker at a time, so that neither two clicks nor two workers make one too many.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Connection, SQLColumnExpression, and_, case, func, insert, or_, select, update
from sqlmodel import Session, col

from store import audit
from store.database import Database
from store.glow_tables import GlowDraft
from store.moments import AT_ONCE, Moment, moment
from store.outbox import LONGEST_LEASE, LeaseLost
from store.pages import Query
from store.tables import DeliveryState, UtcDateTime
from store.turns import alone

ASKED = "asked for a draft of good news"
"""The act in the audit log."""
_FURTHEST_AHEAD = timedelta(minutes=20)
"""Longer than anything is put off: what lies further ahead was put there by a clock that was ahead."""


class Asked(Enum):
    """What came of asking for a draft."""

    PLANNED = "planned"
    THERE = "there"
    """The family's draft is on its way, or was saved, this term."""
    ENOUGH = "enough"
    """The teacher has had as many today as there are in one day."""


class GlowDrafts:
    """Records drafts of good news, and hands them out."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        """`lease` is how long one draft may take before another worker looks after it."""
        self._database = database
        self._lease = lease

    def ask(self, wanted: GlowDraft, *, most: int, now: datetime) -> Asked:
        """Plans a draft for the mailbox, term, family, day and Message-ID of `wanted`, unless the teacher has had
        `most` on that day, or the family's is there already. One that was cancelled may be asked for again."""
        this = and_(
            col(GlowDraft.mailbox) == wanted.mailbox,
            col(GlowDraft.term) == wanted.term,
            col(GlowDraft.family) == wanted.family,
        )
        today = and_(col(GlowDraft.mailbox) == wanted.mailbox, col(GlowDraft.day) == wanted.day)
        with self._database.write() as connection:
            alone(connection)
            found = connection.execute(select(col(GlowDraft.id), col(GlowDraft.state)).where(this)).one_or_none()
            if found is not None and found.state is not DeliveryState.CANCELLED:
                return Asked.THERE
            others = select(func.count()).select_from(GlowDraft).where(today)
            if found is not None:
                others = others.where(col(GlowDraft.id) != found.id)
            if connection.execute(others).scalar_one() >= most:
                return Asked.ENOUGH
            values = wanted.model_dump(exclude={"id"})
            if found is None:
                connection.execute(insert(GlowDraft).values(values))
            else:
                # The attempts go on counting: a worker that held it before does not hold it now.
                values.pop("attempts")
                connection.execute(update(GlowDraft).where(col(GlowDraft.id) == found.id).values(values))
            number = connection.execute(select(col(GlowDraft.id)).where(this)).scalar_one()
            audit.append(
                connection, at=now, person=wanted.asked_by, act=ASKED, about=f"draft {number} for {wanted.mailbox}"
            )
        return Asked.PLANNED

    def take(self, mailbox: str, now: datetime) -> GlowDraft | None:
        """A draft of the mailbox whose time has come, or whose worker has gone; it is this worker's until the lease
        ends."""
        waiting = and_(col(GlowDraft.mailbox) == mailbox, is_due(moment(now)))
        with self._database.read() as connection:
            rows = connection.execute(
                select(col(GlowDraft.id), col(GlowDraft.attempts)).where(waiting).order_by(col(GlowDraft.id))
            ).all()
        for row in rows:
            with self._database.write() as connection:
                this = and_(col(GlowDraft.id) == row.id, col(GlowDraft.attempts) == row.attempts, waiting)
                done = connection.execute(
                    update(GlowDraft)
                    .where(this)
                    .values(state=DeliveryState.WORKING, attempts=row.attempts + 1, lease_until=now + self._lease)
                )
                if done.rowcount == 1:
                    return _drafts(connection, col(GlowDraft.id) == row.id)[0]
        return None

    def saving(self, draft: GlowDraft) -> None:
        """It is about to be saved: from here on the teacher may have it. Raises LeaseLost."""
        self._set(draft, saving=True)
        draft.saving = True

    def finish(self, draft: GlowDraft, state: DeliveryState, now: datetime, reason: str | None = None) -> None:
        """The draft came to its end. Raises LeaseLost."""
        self._set(draft, state=state, lease_until=None, finished_at=now, reason=reason)

    def postpone(self, draft: GlowDraft, at: datetime, reason: str) -> None:
        """To be tried again at `at`, from where `draft` is. Raises LeaseLost."""
        self._set(
            draft,
            state=DeliveryState.WAITING,
            saving=draft.saving,
            lease_until=None,
            next_attempt_at=at,
            reason=reason,
        )

    def of_term(self, mailbox: str, term: str) -> Mapping[str, GlowDraft]:
        """The mailbox's drafts of a term, by family."""
        this = and_(col(GlowDraft.mailbox) == mailbox, col(GlowDraft.term) == term)
        with self._database.read() as connection:
            return {draft.family: draft for draft in _drafts(connection, this)}

    def asked_on(self, mailbox: str, day: date) -> int:
        """How many drafts of the mailbox were asked for on a day."""
        today = and_(col(GlowDraft.mailbox) == mailbox, col(GlowDraft.day) == day)
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(GlowDraft).where(today)).scalar_one())

    def _set(self, draft: GlowDraft, **values: Any) -> None:
        ours = and_(
            col(GlowDraft.id) == draft.id,
            col(GlowDraft.state) == DeliveryState.WORKING,
            col(GlowDraft.attempts) == draft.attempts,
        )
        with self._database.write() as connection:
            if connection.execute(update(GlowDraft).where(ours).values(values)).rowcount != 1:
                raise LeaseLost(f"the draft {draft.id} was taken over by another worker")


def next_at(mailbox: str | SQLColumnExpression[str]) -> Query:
    """When the next draft of a mailbox comes due, or may be taken from who left it."""
    waiting = col(GlowDraft.state) == DeliveryState.WAITING
    when = case((waiting, col(GlowDraft.next_attempt_at)), else_=col(GlowDraft.lease_until))
    unfinished = or_(waiting, col(GlowDraft.state) == DeliveryState.WORKING)
    return select(func.min(when, type_=UtcDateTime())).where(col(GlowDraft.mailbox) == mailbox, unfinished)


def is_due(at: Moment) -> ColumnElement[bool]:
    """Which drafts are to be worked on: their time has come, or their worker has gone."""
    state, next_attempt, lease = col(GlowDraft.state), col(GlowDraft.next_attempt_at), col(GlowDraft.lease_until)
    waits = or_(next_attempt <= at(AT_ONCE), next_attempt > at(_FURTHEST_AHEAD))
    was_left = or_(lease <= at(AT_ONCE), lease > at(LONGEST_LEASE))
    return or_(and_(state == DeliveryState.WAITING, waits), and_(state == DeliveryState.WORKING, was_left))


def _drafts(connection: Connection, which: ColumnElement[bool]) -> list[GlowDraft]:
    with Session(bind=connection) as session:
        found = list(session.execute(select(GlowDraft).where(which).order_by(col(GlowDraft.id))).scalars())
        session.expunge_all()
    return found

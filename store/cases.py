"""Reads cases, and puts on record what becomes of them outside of pages: reminders, and what the web page hears."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, SQLColumnExpression, and_, func, insert, or_, select, update
from sqlmodel import Session, col

from autoresponder.cases import CaseState, CaseWord, outcome
from autoresponder.grow import Known
from connectors.mailbox import Direction
from store.audit import append
from store.case_life import note, reopen
from store.case_matters import AnyRow
from store.case_tables import CaseEvent, CaseEventKind, CaseMail, ConflictCase, TeacherLetter
from store.database import Database
from store.good_words import last_good_news
from store.moments import AT_ONCE, Moment, moment
from store.pages import Query
from store.relabelling import no_conflict
from store.tables import Delivery, MessageRecord, UtcDateTime
from store.turns import alone

_CLOCK_SET_BACK = timedelta(minutes=10)
"""A case that was looked at further ahead than this was dated by a clock that has been set back since."""
_THANKED_WITHIN = timedelta(days=7)
"""So long after a mail of the teacher's a family's thanks are for it."""
THANKS = "thanks_only"
"""The guard that knows a thank-you (`autoresponder.guards.thanks`)."""


class CaseChanged(Exception):
    """A case is not as it was shown any more: nothing was changed, and whoever said something looks again."""


class _Overtaken(Exception):
    """The case is no longer as it was read; what was begun is rolled back."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case, as of now: its conflict messages and what happened to it, oldest first."""

    case: ConflictCase
    messages: tuple[MessageRecord, ...]
    events: tuple[CaseEvent, ...]

    @property
    def id(self) -> int:
        """The case's number."""
        if self.case.id is None:  # pragma: no cover - a primary key
            raise LookupError("a case that was never recorded has no number")
        return self.case.id

    @property
    def version(self) -> str:
        """Changes whenever the case's state or its mail does."""
        return _version(self.case.state, self.case.changed_at, len(self.messages))

    @property
    def senders(self) -> tuple[str, ...]:
        """Addresses that the family wrote from, each once."""
        return tuple(dict.fromkeys(message.sender for message in self.messages if message.sender))

    @property
    def first(self) -> MessageRecord:
        """The message that it opened with."""
        return self.messages[0]

    @property
    def waiting(self) -> MessageRecord | None:
        """The first message that the teacher has not answered; None where nothing waits."""
        since = self.case.waiting_since
        return None if since is None else next((each for each in self.messages if each.received_at >= since), None)

    @property
    def proposed_at(self) -> datetime | None:
        """When the family wrote what may be an agreement, after the teacher had written to them; None where they did
        not, or where the case is closed. A person decides whether it was one."""
        case = self.case
        if case.state is not CaseState.OPEN or case.consented_at is None or case.first_answer_at is None:
            return None
        return case.consented_at if case.first_answer_at <= case.consented_at else None


class Cases:
    """Reads cases and puts on record what becomes of them."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def open(self, mailbox: str) -> list[CaseView]:
        """The open cases of a mailbox, oldest first."""
        return self.listing((CaseState.OPEN,), mailbox=mailbox)

    def listing(
        self, states: Sequence[CaseState], *, mailbox: str | None = None, changed_since: datetime | None = None
    ) -> list[CaseView]:
        """Cases in these states, oldest first: of one mailbox, and only those that got their state since a time, where
        these are given."""
        wanted: list[ColumnElement[bool]] = [col(ConflictCase.state).in_(states)]
        if mailbox is not None:
            wanted.append(col(ConflictCase.mailbox) == mailbox)
        if changed_since is not None:
            wanted.append(col(ConflictCase.changed_at) >= changed_since)
        return self._views(and_(*wanted))

    def numbered(self, number: int) -> CaseView | None:
        """The case with this number; None where there is none."""
        return next(iter(self._views(col(ConflictCase.id) == number)), None)

    def of_message(self, message_id: int | None) -> CaseView | None:
        """The case that a message belongs to, if any."""
        held = select(col(CaseMail.case_id)).where(col(CaseMail.message_id) == message_id)
        return next(iter(self._views(col(ConflictCase.id).in_(held))), None)

    def known(self, mailbox: str, family: str, zone: ZoneInfo, *, before: datetime | None = None) -> Known:
        """What the record knows of a teacher and a family (`family_key`), for a draft: on which days earlier cases
        began, those opened before `before`, and when the teacher last had good news for them; where the record knows of
        none, when they last wrote what the family thanked them for."""
        opened = select(col(ConflictCase.opened_at)).where(
            col(ConflictCase.mailbox) == mailbox,
            col(ConflictCase.family) == family,
            col(ConflictCase.state) != CaseState.NO_CONFLICT,
        )
        if before is not None:
            opened = opened.where(col(ConflictCase.opened_at) < before)
        with self._database.read() as connection:
            cases = connection.execute(opened.order_by(col(ConflictCase.opened_at))).scalars().all()
            good_news = last_good_news(connection, mailbox, family, zone, before)
            thanked = _thanked(connection, mailbox, family, before)
        return Known(
            last_positive_contact=good_news or (thanked.astimezone(zone).date() if thanked else None),
            was_good_news=good_news is not None,
            earlier_cases=tuple(dict.fromkeys(at.astimezone(zone).date() for at in cases)),
        )

    def count(self, mailbox: str, family: str, since: datetime) -> int:
        """How many cases of a family a mailbox has had since a time, open or agreed."""
        query = select(func.count()).select_from(ConflictCase)
        query = query.where(
            col(ConflictCase.mailbox) == mailbox,
            col(ConflictCase.family) == family,
            col(ConflictCase.state) != CaseState.NO_CONFLICT,
            col(ConflictCase.opened_at) >= since,
        )
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def due(self, mailbox: str, now: datetime) -> list[CaseView]:
        """Open cases of a mailbox that the service has to look at."""
        return self._views(and_(waits(mailbox), is_due(moment(now))))

    def look_again(self, view: CaseView, next_at: datetime | None, now: datetime) -> bool:
        """Nothing is to be done about a case before `next_at`. False where it changed meanwhile: then that stands."""
        return self._step(view, {"looks_at": next_at, "looked_at": now}, None, (), now)

    def tell(self, view: CaseView, event: CaseEventKind, deliveries: Sequence[Delivery], now: datetime) -> bool:
        """Somebody is told of a case: the step and its mails commit together. False where the case changed meanwhile,
        the teacher answered, or another worker was faster: then nothing is told."""
        values = {
            _TOLD[event]: now,
            "steps": view.case.steps + 1,
            "looks_at": now,
            "looked_at": now,
        }
        return self._step(view, values, event, deliveries, now)

    def say(
        self, number: int, word: CaseWord, by: str, at: datetime, *, act: str | None = None, shown: str | None = None
    ) -> CaseView | None:
        """What the teacher `by` (an address) says about a case in the page takes effect; None where there is no such
        case. `act`, where given, goes to the audit log in the same transaction. Saying it twice changes nothing; a case
        whose matter is open in another one stays as it is. Raises CaseChanged where its `version` is not `shown`."""
        with self._database.write() as connection:
            alone(connection)  # before the case's own row, in the order in which a page takes them
            row = connection.execute(_rows().where(col(ConflictCase.id) == number).with_for_update()).first()
            if row is None:
                return None
            mails = select(func.count()).select_from(CaseMail).where(col(CaseMail.case_id) == number)
            version = _version(row.state, row.changed_at, connection.execute(mails).scalar_one())
            if shown is not None and shown != version:
                raise CaseChanged(f"case {number}")
            _say(connection, row, word, by, at)
            if act is not None:
                append(connection, at=at, person=by, act=act, about=f"case {number}")
        return self.numbered(number)

    def opened(self, view: CaseView, message: MessageRecord, by: str, at: datetime) -> None:
        """Somebody reads a message of a case: that goes to the audit log."""
        with self._database.write() as connection:
            append(connection, at=at, person=by, act="opened a message", about=f"case {view.id}, message {message.id}")

    def _step(
        self,
        view: CaseView,
        values: dict[str, Any],
        event: CaseEventKind | None,
        deliveries: Sequence[Delivery],
        now: datetime,
    ) -> bool:
        try:
            with self._database.write() as connection:
                _move(connection, view, values)
                if event is not None:
                    note(connection, view.id, event, now)
                if deliveries:
                    connection.execute(insert(Delivery), [each.model_dump(exclude={"id"}) for each in deliveries])
        except _Overtaken:
            return False
        return True

    def _views(self, wanted: ColumnElement[bool]) -> list[CaseView]:
        query = select(ConflictCase).where(wanted).order_by(col(ConflictCase.opened_at), col(ConflictCase.id))
        with self._database.read() as connection, Session(bind=connection) as session:
            found = [_view(session, case) for case in session.execute(query).scalars().all()]
            session.expunge_all()
        return found


_TOLD = {
    CaseEventKind.REMINDED: "reminded_at",
    CaseEventKind.COACH_TOLD: "coach_told_at",
    CaseEventKind.COACH_OFFERED: "coach_offered_at",
}
_SAID = {CaseState.AGREED: CaseEventKind.AGREED, CaseState.NO_CONFLICT: CaseEventKind.NO_CONFLICT}


def _version(state: CaseState, changed_at: datetime, mails: int) -> str:
    return f"{state.replace(' ', '-')} {changed_at.astimezone(UTC).isoformat()} {mails}"


def _rows() -> Any:
    return select(*ConflictCase.__table__.columns)  # type: ignore[attr-defined]


def _say(connection: Connection, row: AnyRow, word: CaseWord, by: str, at: datetime) -> None:
    this = update(ConflictCase).where(col(ConflictCase.id) == row.id)
    if word is CaseWord.NOT_YET:
        if row.state is CaseState.OPEN and row.consented_at is not None:
            connection.execute(this.values(consented_at=None))
            note(connection, row.id, CaseEventKind.NOT_YET, at, by=by)
        return
    state = outcome(row.state, word)
    if state is None:
        return
    if state is CaseState.OPEN:
        reopen(connection, row, at, by=by)
        return
    values: dict[str, Any] = {"state": state, "changed_at": at}
    if state is CaseState.AGREED:
        values |= {"agreed_at": at, "agreed_by": by}
    connection.execute(this.values(values))
    note(connection, row.id, _SAID[state], at, by=by)
    if state is CaseState.NO_CONFLICT:
        held = select(col(MessageRecord.fingerprint)).join(CaseMail, col(CaseMail.message_id) == col(MessageRecord.id))
        for fingerprint in connection.execute(held.where(col(CaseMail.case_id) == row.id)).scalars().all():
            no_conflict(connection, fingerprint, at)


def _thanked(connection: Connection, mailbox: str, family: str, before: datetime | None) -> datetime | None:
    thanks = select(col(MessageRecord.received_at)).where(
        col(MessageRecord.mailbox) == mailbox,
        col(MessageRecord.family) == family,
        col(MessageRecord.direction) == Direction.RECEIVED,
        col(MessageRecord.guard) == THANKS,
    )
    if before is not None:
        thanks = thanks.where(col(MessageRecord.received_at) < before)
    at = connection.execute(thanks.order_by(col(MessageRecord.received_at).desc()).limit(1)).scalar()
    if at is None:
        return None
    written = (
        select(col(MessageRecord.received_at))
        .join(TeacherLetter, col(TeacherLetter.message_id) == col(MessageRecord.id))
        .where(
            col(MessageRecord.mailbox) == mailbox,
            col(TeacherLetter.family) == family,
            col(MessageRecord.received_at) <= at,
            col(MessageRecord.received_at) >= at - _THANKED_WITHIN,
        )
    )
    return connection.execute(written.order_by(col(MessageRecord.received_at).desc()).limit(1)).scalar()


def waits(mailbox: str | SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Which cases of a mailbox are looked at when their time comes."""
    case = ConflictCase
    return and_(col(case.mailbox) == mailbox, col(case.state) == CaseState.OPEN, col(case.looks_at).is_not(None))


def next_at(mailbox: str | SQLColumnExpression[str]) -> Query:
    """When the next case of a mailbox is looked at."""
    return select(func.min(col(ConflictCase.looks_at), type_=UtcDateTime())).where(waits(mailbox))


def is_due(at: Moment) -> ColumnElement[bool]:
    """Whose time has come."""
    return or_(col(ConflictCase.looks_at) <= at(AT_ONCE), col(ConflictCase.looked_at) > at(_CLOCK_SET_BACK))


def _move(connection: Connection, view: CaseView, values: dict[str, Any]) -> None:
    """Writes the step over the one before. Raises _Overtaken, also where mail came or the teacher wrote since the case
    was read."""
    case = view.case
    waiting, looks = col(ConflictCase.waiting_since), col(ConflictCase.looks_at)
    moved = connection.execute(
        update(ConflictCase)
        .where(
            col(ConflictCase.id) == view.id,
            col(ConflictCase.state) == CaseState.OPEN,
            col(ConflictCase.steps) == case.steps,
            col(ConflictCase.looked_at) == case.looked_at,
            waiting.is_(None) if case.waiting_since is None else waiting == case.waiting_since,
            looks.is_(None) if case.looks_at is None else looks == case.looks_at,
        )
        .values(values)
    )
    if moved.rowcount != 1:
        raise _Overtaken


def _view(session: Session, case: ConflictCase) -> CaseView:
    messages = (
        select(MessageRecord)
        .join(CaseMail, col(CaseMail.message_id) == col(MessageRecord.id))
        .where(col(CaseMail.case_id) == case.id)
        .order_by(col(MessageRecord.received_at), col(MessageRecord.id))
    )
    events = select(CaseEvent).where(col(CaseEvent.case_id) == case.id).order_by(col(CaseEvent.id))
    return CaseView(case, tuple(session.execute(messages).scalars()), tuple(session.execute(events).scalars()))

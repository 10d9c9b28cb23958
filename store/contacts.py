"""Puts contacts that are not mail on record, and takes them back: each once, whoever tells of it and however often.

What follows from one is in the same transaction: the marks that let the scorecard count again, and the cases in which
a talk is the teacher's answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from autoresponder.contacts import ContactKind, ContactTone
from store.audit import append
from store.case_life import weigh
from store.contact_answers import cases_about
from store.contact_tables import Contact, ContactSource, HeardReply
from store.database import Database
from store.digest_tables import DigestRecord
from store.digests import told_before
from store.marks import mark
from store.scorecard_tables import MarkKind
from store.turns import alone

ADMINISTRATOR = "administrator"
"""Who withdrew a contact with the command."""


@dataclass(frozen=True, slots=True)
class NewContact:
    """A contact to put on record; the columns of `Contact` say what each means."""

    reference: str
    mailbox: str
    student: str
    on_day: date
    kind: ContactKind
    tone: ContactTone
    reached: bool
    source: ContactSource
    over_at: datetime
    logged_by: str | None = None


@dataclass(frozen=True, slots=True)
class ReplyHeard:
    """What a teacher's answer to the morning mail says."""

    mailbox: str
    fingerprint: str
    on_day: date
    at: datetime
    """When it is recorded."""
    contacts: tuple[NewContact, ...] = ()
    undo: tuple[int, ...] | None = None
    """Numbers that the morning mail gave what is to be taken back; all of it where empty. None where nothing is."""
    undo_line: int = 0
    morning: date | None = None
    """The day of the morning mail that it answers."""
    doubts: tuple[str, ...] = ()
    """As `HeardReply.doubts` has them."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a teacher's answers, for the next morning mail."""

    noted: tuple[tuple[int, Contact], ...] = ()
    """What stands, with the numbers that it can be taken back by."""
    taken_back: tuple[Contact, ...] = ()
    unheard: tuple[HeardReply, ...] = ()
    """Answers with lines that nothing could be made of."""


class Contacts:
    """Reads and records contacts."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def log(self, new: NewContact, now: datetime, *, act: str) -> bool:
        """Records what somebody says in the page, and `act` in the audit log; False where it is on record already."""
        with self._database.write() as connection:
            numbers = record(connection, [new], now)
            for number in numbers:
                append(connection, at=now, person=new.logged_by, act=act, about=f"contact {number}")
        return bool(numbers)

    def withdraw(self, number: int, by: str, now: datetime, *, mailbox: str | None = None, act: str = "") -> bool:
        """Takes a contact back; with `mailbox`, only one of that teacher's. `act` goes to the audit log, where given.
        False where there is no such contact. Withdrawing it twice changes nothing."""
        this = col(Contact.id) == number
        mine = this if mailbox is None else and_(this, col(Contact.mailbox) == mailbox)
        with self._database.write() as connection:
            if connection.execute(select(col(Contact.id)).where(mine)).first() is None:
                return False
            if withdraw(connection, mine, by, now) and act:
                append(connection, at=now, person=by, act=act, about=f"contact {number}")
        return True

    def listing(
        self, *, mailbox: str | None = None, since: date | None = None, most: int | None = None
    ) -> list[Contact]:
        """Contacts, the latest day first, the withdrawn ones among them: of one mailbox, from a day on, at most so
        many, where these are given."""
        query = select(Contact).order_by(col(Contact.on_day).desc(), col(Contact.id).desc())
        if mailbox is not None:
            query = query.where(col(Contact.mailbox) == mailbox)
        if since is not None:
            query = query.where(col(Contact.on_day) >= since)
        return self._contacts(query if most is None else query.limit(most))

    def told(self, mailbox: str, since: datetime | None, until: datetime) -> Told:
        """What came of the teacher's answers after `since` (ever, where None), until a time."""
        noted = [
            (number, each)
            for number, each in enumerate(self._contacts(_confirmed(mailbox, since, until)), 1)
            if each.withdrawn_at is None
        ]
        source, withdrawn = col(Contact.source) == ContactSource.REPLY, col(Contact.withdrawn_at)
        back = select(Contact).where(col(Contact.mailbox) == mailbox, source, *_within(withdrawn, since, until))
        replies = select(HeardReply).where(
            col(HeardReply.mailbox) == mailbox,
            col(HeardReply.doubts) != "",
            *_within(col(HeardReply.heard_at), since, until),
        )
        with self._database.read() as connection, Session(bind=connection) as session:
            unheard = tuple(session.execute(replies.order_by(col(HeardReply.id))).scalars())
            session.expunge_all()
        return Told(tuple(noted), tuple(self._contacts(back.order_by(col(Contact.id)))), unheard)

    def _contacts(self, query: Any) -> list[Contact]:
        with self._database.read() as connection, Session(bind=connection) as session:
            found = list(session.execute(query).scalars())
            session.expunge_all()
        return found


def record(connection: Connection, contacts: Iterable[NewContact], now: datetime) -> list[int]:
    """Puts contacts on record that are not yet there, by their reference, with what follows. Returns the numbers of
    those that were new."""
    new: list[tuple[int, NewContact]] = []
    for each in contacts:
        values = Contact(
            reference=each.reference,
            mailbox=each.mailbox,
            student=each.student,
            on_day=each.on_day,
            kind=each.kind,
            tone=each.tone,
            reached=each.reached,
            source=each.source,
            logged_by=each.logged_by,
            logged_at=now,
            over_at=each.over_at,
        )
        adding = _dialect(connection).insert(Contact).values(values.model_dump(exclude={"id"}))
        number = connection.execute(adding.on_conflict_do_nothing().returning(col(Contact.id))).scalar()
        if number is not None:
            new.append((number, each))
    follow_up(connection, [(each.mailbox, each.student) for _, each in new], now)
    return [number for number, _ in new]


def withdraw(connection: Connection, which: ColumnElement[bool], by: str | None, now: datetime) -> list[int]:
    """Takes back the contacts that `which` selects and that stand, with what follows. Returns their numbers."""
    stands = and_(which, col(Contact.withdrawn_at).is_(None))
    columns = (col(Contact.id), col(Contact.mailbox), col(Contact.student))
    rows = connection.execute(select(*columns).where(stands).order_by(col(Contact.id)).with_for_update()).all()
    if rows:
        taken = update(Contact).where(col(Contact.id).in_([row.id for row in rows]))
        connection.execute(taken.values(withdrawn_at=now, withdrawn_by=by))
        follow_up(connection, [(row.mailbox, row.student) for row in rows], now)
    return [row.id for row in rows]


def follow_up(connection: Connection, changed: Sequence[tuple[str, str]], now: datetime) -> None:
    """What follows from contacts that came or changed, given as mailbox and student: the scorecard counts them again,
    and who waits for whom in the cases is weighed anew."""
    if not changed:
        return
    mark(connection, MarkKind.STUDENT, sorted({student for _, student in changed}))
    alone(connection)  # before the cases' own rows, in the order in which a page takes them
    for mailbox in sorted({mailbox for mailbox, _ in changed}):
        students = {student for of, student in changed if of == mailbox}
        for case_id in cases_about(connection, mailbox, students):
            weigh(connection, case_id, now)


def hear_reply(connection: Connection, reply: ReplyHeard) -> None:
    """What a teacher's answer says takes effect, inside the transaction of the page that brings it; nothing where a
    copy of it has been heard."""
    said = HeardReply(
        mailbox=reply.mailbox,
        fingerprint=reply.fingerprint,
        on_day=reply.on_day,
        heard_at=reply.at,
        doubts=",".join(reply.doubts),
    )
    adding = _dialect(connection).insert(HeardReply).values(said.model_dump(exclude={"id"}))
    number = connection.execute(adding.on_conflict_do_nothing().returning(col(HeardReply.id))).scalar()
    if number is None:
        return
    if reply.undo is not None and not _undo(connection, reply):
        doubts = ",".join((*reply.doubts, f"{reply.undo_line} undo"))
        connection.execute(update(HeardReply).where(col(HeardReply.id) == number).values(doubts=doubts))
    record(connection, reply.contacts, reply.at)


def _undo(connection: Connection, reply: ReplyHeard) -> bool:
    """Takes back what the teacher means: by its number in the morning mail that they answer; without one, all that it
    told of, or all that they answered to it so far. False where there is nothing, or both."""
    if reply.morning is None:
        return False
    since, until = told_before(connection, reply.mailbox, reply.morning), _sent_at(connection, reply)
    if until is None:
        return False
    confirmed = list(connection.execute(_confirmed(reply.mailbox, since, until, col(Contact.id))).scalars())
    if reply.undo:
        chosen = [confirmed[each - 1] for each in reply.undo if 0 < each <= len(confirmed)]
        if len(chosen) < len(reply.undo):
            return False
    else:
        later = list(connection.execute(_confirmed(reply.mailbox, until, reply.at, col(Contact.id))).scalars())
        if confirmed and later:
            return False
        chosen = confirmed or later
    if not chosen:
        return False
    withdraw(connection, col(Contact.id).in_(chosen), reply.mailbox, reply.at)
    return True


def _sent_at(connection: Connection, reply: ReplyHeard) -> datetime | None:
    query = select(col(DigestRecord.sent_at), col(DigestRecord.decided_at)).where(
        col(DigestRecord.mailbox) == reply.mailbox, col(DigestRecord.day) == reply.morning
    )
    row = connection.execute(query).first()
    return None if row is None else row.sent_at or row.decided_at


def _confirmed(mailbox: str, since: datetime | None, until: datetime, *columns: Any) -> Any:
    """Contacts that the teacher's answers told of in between, in the order of their numbers; the withdrawn ones too,
    which keep theirs."""
    wanted = select(*(columns or (Contact,))).where(
        col(Contact.mailbox) == mailbox,
        col(Contact.source) == ContactSource.REPLY,
        *_within(col(Contact.logged_at), since, until),
    )
    return wanted.order_by(col(Contact.id))


def _within(at: Any, since: datetime | None, until: datetime) -> tuple[ColumnElement[bool], ...]:
    return (at <= until,) if since is None else (at > since, at <= until)


def _dialect(connection: Connection) -> Any:
    """Whose `insert` knows what to do about a row that is there already."""
    return postgresql if connection.dialect.name == "postgresql" else sqlite

"""Puts contacts that are not mail on record, and takes them back, within the caller's transaction: each once, whoever
tells of it and however often.

What follows from one is in the same transaction: the marks that let the scorecard count again, and the cases in which
a talk is the teacher's answer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, and_, select, update
from sqlmodel import col

from autoresponder.contacts import ContactKind, ContactTone
from config.wallclock import instant
from store.case_life import weigh
from store.contact_answers import cases_about
from store.contact_tables import Contact, ContactSource
from store.database import dialect_of
from store.marks import mark
from store.scorecard_tables import MarkKind
from store.turns import alone


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


def over_at(day: date, told_at: datetime, zone: ZoneInfo) -> datetime:
    """By when a contact of a day was over that the service was told of at an aware time: its midnight, or then."""
    return min(instant(datetime.combine(day + timedelta(days=1), time.min), zone), told_at, key=datetime.timestamp)


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
        adding = dialect_of(connection).insert(Contact).values(values.model_dump(exclude={"id"}))
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

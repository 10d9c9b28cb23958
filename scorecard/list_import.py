"""Carries a school's lists of contacts and incidents over: whole or not at all, and the same list twice is once.

A row that comes late or is corrected restates what was told before; a row that a list no longer holds stays, since
lists are often cut to a term. What a person took back in the page stays taken back, whatever a list says.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, update
from sqlmodel import col

from scorecard.contact_list import ListedContact
from scorecard.incident_list import ListedIncident
from scorecard.list_cells import Pupils
from store.chunks import chunks
from store.contact_record import NewContact, follow_up, over_at, record
from store.contact_tables import Contact, ContactSource, Incident
from store.database import Database, dialect_of
from store.marks import mark
from store.own_students import every_student
from store.roster_tables import RosterPerson
from store.scorecard_tables import MarkKind
from store.tombstones import retention_of

_CONTACT = ("mailbox", "student", "on_day", "kind", "tone", "reached")
_INCIDENT = ("student", "on_day", "kind", "baseline_day")


@dataclass
class Carried:
    """What an import did, or would do, in rows."""

    added: int = 0
    changed: int = 0
    """Rows that restate what was on record."""
    withdrawn: int = 0
    unchanged: int = 0
    touched: list[tuple[str, str]] = field(default_factory=list)
    """Mailbox and student of each contact that came or changed."""


def pupils_of(database: Database, today: date) -> Pupils:
    """The students whom a list may name."""
    query = select(col(RosterPerson.id)).where(col(RosterPerson.kinds).contains("student"))
    with database.read() as connection:
        return Pupils.of(frozenset(connection.execute(query).scalars()), every_student(connection, today))


def import_contacts(
    database: Database, rows: Sequence[ListedContact], *, now: datetime, zone: ZoneInfo, dry_run: bool = False
) -> Carried:
    """Carries contacts over, or with `dry_run` says what that would do. `now` is aware, `zone` the school's."""
    done = Carried()
    with _transaction(database, dry_run=dry_run) as connection:
        there = _there(connection, Contact, [row.reference for row in rows])
        kept_from = retention_of(connection).lists_before or date.min
        new: list[NewContact] = []
        for row in sorted(rows, key=_reference):
            before = there.get(row.reference)
            if before is None:
                if not row.withdrawn and row.on_day >= kept_from:  # what was erased for its age stays so
                    new.append(_new(row, now, zone))
                else:
                    done.unchanged += 1
                continue
            _restate_contact(connection, row, before, done, now, zone)
        added = record(connection, new, now)
        done.added = len(added)
        follow_up(connection, done.touched, now)
    return done


def import_incidents(
    database: Database, rows: Sequence[ListedIncident], *, now: datetime, dry_run: bool = False
) -> Carried:
    """Carries incidents over, or with `dry_run` says what that would do. `now` is aware."""
    done = Carried()
    with _transaction(database, dry_run=dry_run) as connection:
        there = _there(connection, Incident, [row.reference for row in rows])
        kept_from = retention_of(connection).lists_before or date.min
        students: set[str] = set()
        for row in sorted(rows, key=_reference):
            before = there.get(row.reference)
            if before is None:
                if row.withdrawn or row.on_day < kept_from:
                    done.unchanged += 1
                    continue
                values = _of(row, _INCIDENT) | {"reference": row.reference, "imported_at": now, "changed_at": now}
                adding = dialect_of(connection).insert(Incident).values(values).on_conflict_do_nothing()
                done.added += connection.execute(adding).rowcount
                students.add(row.student)
            elif (restated := _restated(row, before, _INCIDENT, now, done)) is not None:
                this = update(Incident).where(col(Incident.id) == before.id)
                connection.execute(this.values(restated | {"changed_at": now}))
                students |= {row.student, before.student}
        mark(connection, MarkKind.STUDENT, sorted(students))
    return done


def _restate_contact(
    connection: Connection, row: ListedContact, before: Any, done: Carried, now: datetime, zone: ZoneInfo
) -> None:
    if before.withdrawn_by is not None:  # somebody's word
        done.unchanged += 1
        return
    values = _restated(row, before, _CONTACT, now, done)
    if values is None:
        return
    if row.on_day != before.on_day:
        values |= {"over_at": over_at(row.on_day, now, zone)}
    connection.execute(update(Contact).where(col(Contact.id) == before.id).values(values))
    done.touched += [(before.mailbox, before.student), (row.mailbox, row.student)]


def _restated(
    row: ListedContact | ListedIncident, before: Any, names: Sequence[str], now: datetime, done: Carried
) -> dict[str, Any] | None:
    """What a row changes of what is on record; None where nothing."""
    if row.withdrawn:
        if before.withdrawn_at is not None:
            done.unchanged += 1
            return None
        done.withdrawn += 1
        return {"withdrawn_at": now}
    said = _of(row, names)
    if before.withdrawn_at is None and all(getattr(before, name) == value for name, value in said.items()):
        done.unchanged += 1
        return None
    done.changed += 1
    return said | {"withdrawn_at": None}


def _new(row: ListedContact, now: datetime, zone: ZoneInfo) -> NewContact:
    return NewContact(
        reference=row.reference,
        source=ContactSource.FILE,
        over_at=over_at(row.on_day, now, zone),
        mailbox=row.mailbox,
        student=row.student,
        on_day=row.on_day,
        kind=row.kind,
        tone=row.tone,
        reached=row.reached,
    )


def _of(row: ListedContact | ListedIncident, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _reference(row: ListedContact | ListedIncident) -> str:
    """What rows are written in the order of, in every transaction: two must not wait for each other."""
    return row.reference


def _there(connection: Connection, table: type[Contact] | type[Incident], references: Sequence[str]) -> dict[str, Any]:
    """What is on record of these references, held until the transaction ends."""
    query = select(*table.__table__.columns)  # type: ignore[union-attr]
    found = (
        row
        for chunk in chunks(sorted(references))
        for row in connection.execute(
            query.where(col(table.reference).in_(chunk)).order_by(col(table.reference)).with_for_update()
        )
    )
    return {row.reference: row for row in found}


@contextmanager
def _transaction(database: Database, *, dry_run: bool) -> Iterator[Connection]:
    with database.write() as connection, connection.begin_nested() as savepoint:
        yield connection
        if dry_run:
            savepoint.rollback()

"""The students of a teacher: those who share a class with them, as the roster has it; else everybody's."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, or_, select
from sqlmodel import col

from autoresponder.family import person
from autoresponder.naming import Student
from store.among import among
from store.chunks import chunks
from store.roster_tables import RosterAddress, RosterCare, RosterFamily, RosterMembership, RosterPerson

_STUDENT = "student"


def own_students(connection: Connection, mailbox: str, day: date) -> list[Student]:
    """The students who share a class with the teacher of a mailbox on a day, by name; every student of the roster for
    somebody who has no class."""
    mine = (
        select(col(RosterMembership.school_class))
        .join(RosterAddress, col(RosterAddress.person) == col(RosterMembership.person))
        .where(col(RosterAddress.address) == person(mailbox), holds(RosterAddress, day), _attends(day))
    )
    classes = set(connection.execute(mine).scalars())
    if not classes:
        return every_student(connection, day)
    with_them = select(col(RosterMembership.person)).where(_attends(day))
    people: set[str] = set()
    for chunk in chunks(sorted(classes)):
        people |= set(connection.execute(with_them.where(among(RosterMembership.school_class, chunk))).scalars())
    return _students(connection, day, people)


def every_student(connection: Connection, day: date) -> list[Student]:
    """Every student whom the roster has on a day, or had not lost by then; by name."""
    return _students(connection, day, None)


def students_named(connection: Connection, ids: Iterable[str], day: date) -> dict[str, Student]:
    """Students by identifier, also those who have left; without the ones whom the roster never had."""
    return {each.id: each for each in _students(connection, day, set(ids), gone_too=True)}


def has_students(connection: Connection) -> bool:
    """Whether the roster names any student."""
    query = select(exists().where(col(RosterPerson.kinds).contains(_STUDENT), col(RosterPerson.until).is_(None)))
    return bool(connection.execute(query).scalar())


def holds(table: Any, day: date) -> ColumnElement[bool]:
    """Whether a dated row of the roster holds on a day."""
    since, until = col(table.since), col(table.until)
    return and_(or_(since.is_(None), since <= day), or_(until.is_(None), until > day))


def _attends(day: date) -> ColumnElement[bool]:
    begins, ends = col(RosterMembership.begins), col(RosterMembership.ends)
    listed = and_(or_(begins.is_(None), begins <= day), or_(ends.is_(None), ends >= day))
    return and_(holds(RosterMembership, day), listed)


def _students(connection: Connection, day: date, wanted: set[str] | None, *, gone_too: bool = False) -> list[Student]:
    columns = (col(RosterPerson.id), col(RosterPerson.given_name), col(RosterPerson.family_name))
    query = select(*columns, col(RosterPerson.kinds))
    if not gone_too:
        query = query.where(or_(col(RosterPerson.until).is_(None), col(RosterPerson.until) > day))
    found = [row for row in _of(connection, query, col(RosterPerson.id), wanted) if _STUDENT in row.kinds.split(",")]
    ids = None if wanted is None else {row.id for row in found}
    families = _families(connection, day, ids)
    guardians = _guardians(connection, day, ids)
    students = [
        Student(row.id, row.given_name, row.family_name, families.get(row.id, row.id), tuple(sorted(guardians[row.id])))
        for row in found
    ]
    return sorted(students, key=lambda each: (each.family_name.casefold(), each.given.casefold(), each.id))


def _families(connection: Connection, day: date, ids: set[str] | None) -> dict[str, str]:
    query = select(col(RosterFamily.student), col(RosterFamily.family)).where(holds(RosterFamily, day))
    return {row.student: row.family for row in _of(connection, query, col(RosterFamily.student), ids)}


def _guardians(connection: Connection, day: date, ids: set[str] | None) -> dict[str, set[tuple[str, str]]]:
    query = (
        select(col(RosterCare.student), col(RosterPerson.given_name), col(RosterPerson.family_name))
        .join(RosterPerson, col(RosterPerson.id) == col(RosterCare.guardian))
        .where(holds(RosterCare, day))
    )
    names: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in _of(connection, query, col(RosterCare.student), ids):
        names[row.student].add((row.given_name, row.family_name))
    return names


def _of(connection: Connection, query: Any, column: Any, wanted: set[str] | None) -> list[Any]:
    """The rows of these people; all where `wanted` is None."""
    if wanted is None:
        return list(connection.execute(query))
    return [row for chunk in chunks(sorted(wanted)) for row in connection.execute(query.where(among(column, chunk)))]

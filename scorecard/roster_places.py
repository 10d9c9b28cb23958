"""What follows from a school's lists: grades, families, and what the scorecard has to look at again."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from secrets import token_hex

from sqlalchemy import select
from sqlmodel import col

from scorecard.dated_rows import DatedRows
from scorecard.family_sets import Before, families_after
from scorecard.roster_merge import CARES, Merge, addresses_of, is_student
from scorecard.school_lists import Listed
from store.marks import mark
from store.roster_tables import RosterFamily, RosterGrade, RosterPerson
from store.scorecard_tables import MarkKind

_GRADES = DatedRows(RosterGrade, "student", "grade", "schools")
_FAMILIES = DatedRows(RosterFamily, "student", "family")
_MOST_MARKS = 20_000
"""Above so many people and classes, one mark for everything is less work than one for each."""


def bring_places(merge: Merge, *, first: bool) -> bool:
    """Brings up to date what rests on the entries that `merge` has carried out; `first` says that there was no roster
    before. Returns whether families may have other keys now, under which records are to be filed again."""
    people = select(col(RosterPerson.id), col(RosterPerson.kinds), col(RosterPerson.schools))
    rows = merge.connection.execute(people.where(col(RosterPerson.until).is_(None)))
    schools = {row.id: row.schools for row in rows if is_student(row.kinds)}
    moved = _grades(merge, schools) | _families(merge, schools.keys())
    merge.people |= moved
    merge.changed[Listed.PEOPLE] |= moved
    terms = merge.added[Listed.TERMS] | merge.changed[Listed.TERMS] | merge.ended[Listed.TERMS]
    if not (merge.people or merge.classes or terms):
        return False
    _mark(merge, everything=first or bool(terms))
    return True


def _grades(merge: Merge, schools: Mapping[str, str]) -> set[str]:
    said = {person.id: ",".join(person.grades) for person in merge.lists.people}
    held = {fact[0]: fact[1] for fact in _GRADES.holding(merge.connection)}
    turned = _GRADES.bring(
        merge.connection,
        {(student, said.get(student, held.get(student, "")), of) for student, of in schools.items()},
        today=merge.today,
        since=lambda _: merge.since,
        may_end=lambda _: True,
    )
    return {fact[0] for fact in (*turned.began, *turned.ended)}


def _families(merge: Merge, students: Collection[str]) -> set[str]:
    there = select(col(RosterPerson.id)).where(col(RosterPerson.until).is_(None))
    present = set(merge.connection.execute(there).scalars())
    guardians: dict[str, set[str]] = defaultdict(set)
    for fact in CARES.holding(merge.connection):
        if fact[1] in present:
            guardians[fact[0]].add(fact[1])
    columns = (RosterFamily.student, RosterFamily.family, RosterFamily.until)
    rows = merge.connection.execute(select(*map(col, columns)).order_by(col(RosterFamily.id)))
    before: dict[str, Before] = {}
    for row in rows:
        if row.until is None or row.student not in before or not before[row.student].still:
            before[row.student] = Before(row.family, row.until is None)
    after = families_after(
        {student: frozenset(guardians.get(student, ())) for student in students},
        before,
        lambda: token_hex(16),
        addresses_of(merge.connection),
        merge.known_by,
    )
    turned = _FAMILIES.bring(
        merge.connection,
        set(after.items()),
        today=merge.today,
        since=lambda _: merge.since,
        may_end=lambda _: True,
    )
    # Of what began and ends on one day no row stays that would tell whose figures there were.
    mark(merge.connection, MarkKind.FAMILY, sorted({family for _, family in turned.ended}))
    return {fact[0] for fact in (*turned.began, *turned.ended)}


def _mark(merge: Merge, *, everything: bool) -> None:
    if everything or len(merge.people) + len(merge.classes) > _MOST_MARKS:
        mark(merge.connection, MarkKind.EVERYTHING, [""])
    else:
        mark(merge.connection, MarkKind.STUDENT, sorted(merge.people))
        mark(merge.connection, MarkKind.CLASS, sorted(merge.classes))

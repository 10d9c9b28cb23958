"""Reads from the database the slice of the roster that some students' figures rest on (`scorecard.places.Places`).

A few queries for many students, none for each.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Select, select
from sqlmodel import col

from autoresponder.family import person
from config.settings import Settings
from scorecard.places import (
    CarePlace,
    ClassPlace,
    FamilyPlace,
    GradePlace,
    Places,
    SchoolClass,
    Stretch,
    TeachingPlace,
    TeamPlace,
)
from scorecard.report import SchoolTerm
from store.chunks import chunks
from store.roster_tables import (
    RosterAddress,
    RosterCare,
    RosterClass,
    RosterFamily,
    RosterGrade,
    RosterMembership,
    RosterPerson,
    RosterTerm,
)
from store.scorecard_tables import TeamRecord

_EVER = Stretch(None, None)
Query: TypeAlias = Select[*tuple[Any, ...]]
AnyRow: TypeAlias = Row[*tuple[Any, ...]]
NEVER_TEACHES = ("guardian", "guardian,student", "student")
"""Kinds of people who have no mailbox at the school."""


def rows_in(connection: Connection, query: Query, column: Any, wanted: Iterable[Any]) -> Iterator[AnyRow]:
    """The rows of `query` whose `column` is one of `wanted`, so many at a time."""
    for chunk in chunks(sorted(set(wanted))):
        yield from connection.execute(query.where(col(column).in_(chunk)))


def families_of_students(connection: Connection, students: Iterable[str]) -> set[str]:
    """Every family that these students ever belonged to."""
    query = select(col(RosterFamily.family))
    return {row.family for row in rows_in(connection, query, RosterFamily.student, students)}


def students_of_families(connection: Connection, families: Iterable[str]) -> set[str]:
    """Every student who ever belonged to these families."""
    query = select(col(RosterFamily.student))
    return {row.student for row in rows_in(connection, query, RosterFamily.family, families)}


def students_of_addresses(connection: Connection, addresses: Iterable[str]) -> set[str]:
    """Every student who was ever in the care of somebody with one of these addresses."""
    query = select(col(RosterAddress.person))
    guardians = {row.person for row in rows_in(connection, query, RosterAddress.address, addresses)}
    cares = select(col(RosterCare.student))
    return {row.student for row in rows_in(connection, cares, RosterCare.guardian, guardians)}


def students_of_classes(connection: Connection, classes: Iterable[str]) -> set[str]:
    """Everybody who ever had a place in these classes: their students, and their teachers."""
    query = select(col(RosterMembership.person))
    return {row.person for row in rows_in(connection, query, RosterMembership.school_class, classes)}


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """The mailboxes of the settings, and those that were in them before."""

    names: Mapping[str, str]
    """The mailbox by each address that its owner is known by, as addresses are compared."""
    teams: Mapping[str, Sequence[TeamPlace]]
    """By mailbox."""


def read_mailboxes(connection: Connection, settings: Settings) -> Mailboxes:
    """All of them: a district has thousands, so that whoever needs them reads them once."""
    teams = read_teams(connection)
    names = {person(mailbox): mailbox for mailbox in teams}
    for box in settings.mailboxes:
        names |= {person(alias): box.address for alias in box.aliases}
    names |= {person(box.address): box.address for box in settings.mailboxes}
    return Mailboxes(names, teams)


def read_places(connection: Connection, students: Collection[str], mailboxes: Mailboxes) -> Places:
    """All that concerns these students, at any time."""
    classes_of = _classes_of(connection, students)
    classes = {place.school_class for places in classes_of.values() for place in places}
    return Places(
        families=_families(connection, students),
        grades=_grades(connection, students),
        classes_of=classes_of,
        classes=_classes(connection, classes),
        teaching=_teaching(connection, classes, mailboxes.names),
        teams=mailboxes.teams,
        cares=_cares(connection, students),
    )


def _families(connection: Connection, students: Collection[str]) -> dict[str, list[FamilyPlace]]:
    of = RosterFamily
    query = select(col(of.id), col(of.student), col(of.family), col(of.since), col(of.until))
    found: dict[str, list[FamilyPlace]] = defaultdict(list)
    for row in rows_in(connection, query, of.student, students):
        found[row.student].append(FamilyPlace(row.id, row.family, Stretch(row.since, row.until)))
    return found


def _grades(connection: Connection, students: Collection[str]) -> dict[str, list[GradePlace]]:
    of = RosterGrade
    query = select(col(of.student), col(of.grade), col(of.schools), col(of.since), col(of.until))
    found: dict[str, list[GradePlace]] = defaultdict(list)
    for row in rows_in(connection, query, of.student, students):
        found[row.student].append(GradePlace(row.grade, _listed(row.schools), Stretch(row.since, row.until)))
    return found


def _classes_of(connection: Connection, students: Collection[str]) -> dict[str, list[ClassPlace]]:
    found: dict[str, list[ClassPlace]] = defaultdict(list)
    for row in rows_in(connection, _memberships(), RosterMembership.person, students):
        found[row.person].append(ClassPlace(row.school_class, _held(row)))
    return found


def _classes(connection: Connection, classes: Collection[str]) -> dict[str, SchoolClass]:
    if not classes:
        return {}
    terms = {
        row.id: Stretch(row.begins, row.ends + timedelta(days=1))
        for row in connection.execute(select(col(RosterTerm.id), col(RosterTerm.begins), col(RosterTerm.ends)))
    }
    query = select(col(RosterClass.id), col(RosterClass.school), col(RosterClass.terms))
    return {
        row.id: SchoolClass(row.school, tuple(terms[each] for each in _listed(row.terms) if each in terms))
        for row in rows_in(connection, query, RosterClass.id, classes)
    }


def _teaching(
    connection: Connection, classes: Collection[str], mailboxes: Mapping[str, str]
) -> dict[str, list[TeachingPlace]]:
    places = _memberships().join(RosterPerson, col(RosterPerson.id) == col(RosterMembership.person))
    places = places.where(col(RosterPerson.kinds).not_in(NEVER_TEACHES))
    rows = list(rows_in(connection, places, RosterMembership.school_class, classes))
    boxes: dict[str, list[tuple[str, Stretch]]] = defaultdict(list)
    for row in rows_in(connection, _addresses(), RosterAddress.person, {row.person for row in rows}):
        if row.address in mailboxes:
            boxes[row.person].append((mailboxes[row.address], Stretch(row.since, row.until)))
    found: dict[str, list[TeachingPlace]] = defaultdict(list)
    for row in rows:
        found[row.school_class] += [
            TeachingPlace(mailbox, _limits(*_held(row), held)) for mailbox, held in boxes.get(row.person, ())
        ]
    return found


def read_teams(connection: Connection) -> dict[str, list[TeamPlace]]:
    """The teams of every mailbox that the settings named, ever."""
    of = TeamRecord
    found: dict[str, list[TeamPlace]] = defaultdict(list)
    query = select(col(of.mailbox), col(of.team), col(of.since), col(of.until))
    for row in connection.execute(query.order_by(col(of.id))):
        found[row.mailbox].append(TeamPlace(row.team, Stretch(row.since, row.until)))
    return found


def teams_in_terms(connection: Connection, terms: Iterable[SchoolTerm], today: date) -> dict[str, Mapping[str, str]]:
    """The team of each mailbox, "" for none, by term: on its last day, or on `today` where it runs. For one that was
    not connected yet or is not any more, the nearest that there is."""
    teams = read_teams(connection)

    def on(day: date) -> Mapping[str, str]:
        return {
            mailbox: next((place.team for place in places if day in place.held), places[-1].team)
            for mailbox, places in teams.items()
        }

    return {term.id: on(min(today, term.last)) for term in terms}


def _cares(connection: Connection, students: Collection[str]) -> dict[str, list[CarePlace]]:
    of = RosterCare
    query = select(col(of.student), col(of.guardian), col(of.since), col(of.until))
    rows = list(rows_in(connection, query, of.student, students))
    addresses: dict[str, list[AnyRow]] = defaultdict(list)
    for row in rows_in(connection, _addresses(), RosterAddress.person, {row.guardian for row in rows}):
        addresses[row.person].append(row)
    found: dict[str, list[CarePlace]] = defaultdict(list)
    for row in rows:
        for address in addresses.get(row.guardian, ()):
            held = _limits(Stretch(row.since, row.until), Stretch(address.since, address.until))
            found[address.address].append(CarePlace(row.student, held))
    return found


def _addresses() -> Query:
    of = RosterAddress
    return select(col(of.address), col(of.person), col(of.since), col(of.until))


def _memberships() -> Query:
    of = RosterMembership
    return select(
        col(of.person), col(of.school_class), col(of.begins), col(of.ends), col(of.since), col(of.until)
    )  # fmt: skip


def _held(membership: AnyRow) -> tuple[Stretch, ...]:
    ends: date | None = membership.ends
    listed = Stretch(membership.begins, None if ends is None else ends + timedelta(days=1))
    on_list = Stretch(membership.since, membership.until)
    return _limits(listed, on_list)


def _limits(*stretches: Stretch) -> tuple[Stretch, ...]:
    """Those of them that have a beginning or an end."""
    return tuple(each for each in stretches if each != _EVER)


def _listed(words: str) -> tuple[str, ...]:
    return tuple(filter(None, words.split(",")))

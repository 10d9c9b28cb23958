"""The roster in the database after one import and after another."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from scorecard.roster_import import TooManyEnd, import_lists, known_to
from scorecard.school_lists import Care, Listed, Membership, Person, PersonKind, SchoolClass, SchoolLists
from store.database import Database
from store.roster_tables import RosterAddress, RosterCare, RosterImport, RosterMembership, RosterPerson

NOW, FIRST, SECOND = datetime(2026, 10, 1, 12, tzinfo=UTC), date(2026, 9, 1), date(2026, 10, 1)
EVERYTHING = frozenset(Listed)
STUDENTS, GUARDIANS = ["s1", "s2", "s3"], ["g1", "g2", "g3"]


def bring(database: Database, lists: SchoolLists, today: date, **how: bool):
    return import_lists(database, lists, digest="0", now=NOW, today=today, **how)


def current(database: Database) -> tuple[set[object], ...]:
    """What holds now."""
    with database.read() as connection:
        people = {
            (r.id, r.kinds, r.given_name, r.grades)
            for r in connection.execute(select(RosterPerson.__table__))
            if r.until is None
        }
        addresses = {(r.address, r.person) for r in connection.execute(select(RosterAddress.__table__))}
        cares = {(r.student, r.guardian) for r in connection.execute(select(RosterCare.__table__)) if r.until is None}
        places = {
            (r.id, r.person, r.school_class)
            for r in connection.execute(select(RosterMembership.__table__))
            if r.until is None
        }
    people_now = {row[0] for row in people}
    return (
        people,
        {pair for pair in addresses if pair[1] in people_now},
        {pair for pair in cares if pair[0] in people_now},
        places,
    )


@st.composite
def whole(draw: st.DrawFn) -> SchoolLists:
    """Complete lists of a very small school."""
    students = draw(st.sets(st.sampled_from(STUDENTS)))
    guardians = draw(st.sets(st.sampled_from(GUARDIANS)))
    grade = st.sampled_from(["", "05", "06"])
    address = st.sets(st.sampled_from(["a@home.example", "b@home.example", "c+x@home.example"]))
    people = [
        Person(
            id=s, kinds=frozenset({PersonKind.STUDENT}), given_name=draw(grade), family_name="", grades=(draw(grade),)
        )
        for s in sorted(students)
    ] + [
        Person(
            id=g,
            kinds=frozenset({PersonKind.GUARDIAN}),
            given_name="",
            family_name="",
            addresses=tuple(sorted(draw(address))),
        )
        for g in sorted(guardians)
    ]
    pairs = [Care(s, g) for s in sorted(students) for g in sorted(guardians)]
    cares = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    places = draw(st.sets(st.sampled_from(sorted(students)))) if students else set()
    return SchoolLists(
        complete=EVERYTHING,
        classes=[SchoolClass("c", "Science", "o")],
        people=people,
        cares=cares,
        memberships=[Membership(f"m-{s}", s, "c") for s in sorted(places)],
    )


@given(whole(), whole())
def test_after_any_import_the_roster_is_as_the_newest_lists_say(earlier: SchoolLists, later: SchoolLists) -> None:
    twice, once = Database.in_memory(), Database.in_memory()
    bring(twice, earlier, FIRST)
    bring(twice, later, SECOND)
    bring(once, later, SECOND)
    assert current(twice) == current(once)
    assert bring(twice, later, SECOND).nothing_new


@given(whole(), whole())
def test_a_dry_run_says_what_an_import_does_and_does_nothing(earlier: SchoolLists, later: SchoolLists) -> None:
    database = Database.in_memory()
    bring(database, earlier, FIRST)
    before = current(database)
    would = bring(database, later, SECOND, dry_run=True)
    assert current(database) == before
    assert bring(database, later, SECOND) == would


def test_what_has_ended_stays_with_its_day() -> None:
    database = Database.in_memory()
    student = Person("s", frozenset({PersonKind.STUDENT}), "Mia", "Lopez")
    bring(database, SchoolLists(complete=EVERYTHING, people=[student]), FIRST)
    bring(database, SchoolLists(complete=EVERYTHING), SECOND)
    with database.read() as connection:
        (row,) = connection.execute(select(RosterPerson.__table__)).all()
        assert (row.since, row.until) == (None, SECOND)
        assert len(connection.execute(select(RosterImport.__table__)).all()) == 2
    assert known_to(database)[Listed.PEOPLE] == frozenset()


def test_a_delta_leaves_the_rest_as_it_was_and_a_person_what_they_were() -> None:
    database = Database.in_memory()
    mia = Person("s", frozenset({PersonKind.STUDENT}), "Mia", "Lopez")
    noa = Person("t", frozenset({PersonKind.STUDENT}), "Noa", "Levi")
    bring(database, SchoolLists(complete=EVERYTHING, people=[mia, noa]), FIRST)
    moved = Person("s", frozenset(), "Mia", "Lopez", grades=("06",))
    done = bring(
        database, SchoolLists(complete=frozenset(), people=[moved], gone={Listed.PEOPLE: frozenset({"t"})}), SECOND
    )
    assert current(database)[0] == {("s", "student", "Mia", "06")}
    assert (done.changed, done.ended) == ({Listed.PEOPLE: 1}, {Listed.PEOPLE: 1})


def test_an_export_that_was_cut_short_changes_nothing() -> None:
    database = Database.in_memory()
    people = [Person(f"s{number}", frozenset({PersonKind.STUDENT}), "", "") for number in range(100)]
    bring(database, SchoolLists(complete=EVERYTHING, people=people), FIRST)
    with pytest.raises(TooManyEnd, match="60 of the 100"):
        bring(database, SchoolLists(complete=EVERYTHING, people=people[:40]), SECOND)
    assert len(current(database)[0]) == 100
    assert bring(database, SchoolLists(complete=EVERYTHING, people=people[:40]), SECOND, allow_many=True).ended == {
        Listed.PEOPLE: 60
    }

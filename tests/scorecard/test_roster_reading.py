"""What the roster in the database says of addresses and students."""

from collections.abc import Iterator
from datetime import date

import pytest

from scorecard.roster import Roster
from scorecard.school_lists import Membership, Person, SchoolClass
from store.database import Database
from tests.scorecard.spare import empty_database
from tests.scorecard.test_roster_import import FIRST, SECOND, TEACHER, bring, guardian, student, whole


@pytest.fixture
def database() -> Iterator[Database]:
    with empty_database() as spare:
        yield spare


def test_a_view_learns_of_an_import_when_it_is_refreshed_and_reads_nothing_where_there_was_none(
    database: Database,
) -> None:
    roster = Roster.of(database)
    bring(database, whole([student("s1"), guardian("g1", "a@home.example")], [("s1", "g1")]))
    assert roster.students_of("a@home.example") == ()
    assert roster.refresh()
    assert roster.students_of("A+x@Home.example") == ("Mia Lopez",)
    assert len(roster) == 1
    assert not roster.refresh()


def test_a_view_that_refreshes_by_itself_needs_nobody_to_tell_it(database: Database) -> None:
    roster = Roster.of(database, every=0.0)
    bring(database, whole([student("s1"), guardian("g1", "a@home.example")], [("s1", "g1")]))
    assert roster.students_of("a@home.example") == ("Mia Lopez",)


def test_two_children_of_one_name_are_two_families(database: Database) -> None:
    people = [student("s1"), student("s2"), guardian("g1", "a@home.example"), guardian("g2", "b@home.example")]
    bring(database, whole(people, [("s1", "g1"), ("s2", "g2")]))
    roster = Roster.of(database)
    assert roster.students_of("a@home.example") == roster.students_of("b@home.example")
    assert roster.student_ids_of("a@home.example") == ("s1",)
    assert not roster.are_one_family("a@home.example", "b@home.example")
    assert roster.family_of("a@home.example") != roster.family_of("b@home.example")


def test_a_guardian_of_several_families_writes_for_the_one_that_was_there_first(database: Database) -> None:
    people = [student("s1"), student("s2"), guardian("g1", "a@home.example"), guardian("g2", "b@home.example")]
    bring(database, whole([people[0], *people[2:]], [("s1", "g1")]))
    first = Roster.of(database).family_of("a@home.example")
    bring(database, whole(people, [("s1", "g1"), ("s2", "g1"), ("s2", "g2")]), SECOND)
    roster = Roster.of(database)
    assert roster.family_of("a@home.example") == first
    assert len(roster.families_of("a@home.example")) == 2
    assert roster.are_one_family("a@home.example", "b@home.example")
    assert roster.guardians_of("s2") == ["a@home.example", "b@home.example"]


def test_teachers_are_those_of_that_day(database: Database) -> None:
    people = [student("s1"), *(Person(f"t{n}", TEACHER, "", "", (f"t{n}@maple.example",)) for n in (1, 2, 3))]
    places = [
        Membership("s", "s1", "c"),
        Membership("1", "t1", "c", ends=date(2026, 9, 15)),
        Membership("2", "t2", "c", date(2026, 9, 16)),
        Membership("3", "t3", "d"),
    ]
    bring(database, whole(people, classes=[SchoolClass(each, "", "o") for each in "cd"], memberships=places), FIRST)
    roster = Roster.of(database)
    assert roster.teachers_of("s1", date(2026, 9, 15)) == ["t1@maple.example"]
    assert roster.teachers_of("s1", date(2026, 9, 16)) == ["t2@maple.example"]

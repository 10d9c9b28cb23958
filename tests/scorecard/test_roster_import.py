"""The roster in the database after one import and after another."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import SQLModel

from scorecard.roster_import import Imported, TooManyEnd, import_lists, known_to
from scorecard.school_lists import Care, Listed, Membership, Person, SchoolClass, SchoolLists, Term
from store.database import Database
from store.roster_tables import (
    RosterAddress,
    RosterCare,
    RosterClass,
    RosterFamily,
    RosterGrade,
    RosterImport,
    RosterMembership,
    RosterPerson,
)
from store.scorecard_tables import Mark, MarkKind
from tests.scorecard.spare import empty_database

NOW = datetime(2026, 10, 1, 12, tzinfo=UTC)
FIRST, SECOND, THIRD = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 2)
EVERYTHING = frozenset(Listed)
STUDENT, GUARDIAN, TEACHER = (frozenset({kind}) for kind in ("student", "guardian", "teacher"))


@pytest.fixture
def database() -> Iterator[Database]:
    with empty_database() as spare:
        yield spare


def bring(database: Database, lists: SchoolLists, today: date = FIRST, **how: bool) -> Imported:
    return import_lists(database, lists, digest="0", now=NOW, today=today, **how)


def rows(database: Database, table: type[SQLModel]) -> list:
    with database.read() as connection:
        return list(connection.execute(select(table.__table__)).all())


def facts(database: Database, table: type[SQLModel], *names: str, on: date | None = None) -> set[tuple]:
    """What a table says, of now or of a day in the past."""
    return {
        tuple(getattr(row, name) for name in names)
        for row in rows(database, table)
        if (row.until is None if on is None else (row.since or on) <= on and (row.until is None or on < row.until))
    }


def families(database: Database, on: date | None = None) -> set[frozenset[str]]:
    """The families as sets of students: their identifiers are random."""
    members: dict[str, set[str]] = {}
    for student, family in facts(database, RosterFamily, "student", "family", on=on):
        members.setdefault(family, set()).add(student)
    return set(map(frozenset, members.values()))


def picture(database: Database, on: date | None = None) -> tuple:
    """What holds, identifiers of families aside."""
    return (
        facts(database, RosterGrade, "student", "grade", "schools", on=on),
        facts(database, RosterCare, "student", "guardian", "by_guardian", on=on),
        facts(database, RosterMembership, "id", "person", "school_class", "begins", "ends", on=on),
        families(database, on),
    )


def now_picture(database: Database) -> tuple:
    return (
        *picture(database),
        facts(database, RosterAddress, "address", "person"),
        facts(database, RosterPerson, "id", "kinds", "given_name", "family_name", "schools", "language"),
        facts(database, RosterClass, "id", "title", "school", "grades", "terms"),
    )


def student(id_: str, grade: str = "05", *, name: str = "Mia") -> Person:
    return Person(id_, STUDENT, name, "Lopez", grades=(grade,) if grade else ())


def guardian(id_: str, *addresses: str) -> Person:
    return Person(id_, GUARDIAN, "", "", addresses=addresses)


def whole(people: Iterable[Person], cares: Iterable[tuple[str, str]] = (), **more: object) -> SchoolLists:
    return SchoolLists(
        complete=EVERYTHING, people=list(people), cares=[Care(student, of) for student, of in cares], **more
    )


@st.composite
def small_school(draw: st.DrawFn) -> SchoolLists:
    """Complete lists of a very small school."""
    students = sorted(draw(st.sets(st.sampled_from(["s1", "s2", "s3"]))))
    guardians = sorted(draw(st.sets(st.sampled_from(["g1", "g2", "g3"]))))
    address = st.sets(st.sampled_from(["a@home.example", "b@home.example", "c+x@home.example"]), max_size=2)
    pairs = [(student, of) for student in students for of in guardians]
    places = sorted(draw(st.sets(st.sampled_from(students)))) if students else []
    school = st.sampled_from([(), ("o1",), ("o1", "o2")])
    return whole(
        [
            *(
                Person(
                    each,
                    STUDENT,
                    draw(st.sampled_from("AB")),
                    "",
                    grades=(draw(st.sampled_from("56")),),
                    schools=draw(school),
                )
                for each in students
            ),
            *(guardian(each, *sorted(draw(address))) for each in guardians),
            *(Person(each, TEACHER, "", "") for each in sorted(draw(st.sets(st.just("t1"))))),
        ],
        draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else [],
        classes=[SchoolClass("c", draw(st.sampled_from(["Science", "Art"])), "o1")],
        memberships=[
            Membership(f"m-{each}", each, "c", draw(st.sampled_from([None, date(2026, 8, 17)]))) for each in places
        ],
    )


def difference(before: SchoolLists, after: SchoolLists) -> SchoolLists:
    """What a system that writes deltas says after the first: each row that is new or differs, and what is gone."""

    def ids(entries: Iterable[object]) -> frozenset[str]:
        return frozenset(entry.id for entry in entries)

    def row(lists: SchoolLists, person: Person) -> tuple:
        return person, {care for care in lists.cares if care.student == person.id}

    there = {person.id: row(before, person) for person in before.people}
    people = [person for person in after.people if there.get(person.id) != row(after, person)]
    listed = ids(people)
    return SchoolLists(
        complete=frozenset(),
        classes=[each for each in after.classes if each not in before.classes],
        people=people,
        cares=[care for care in after.cares if care.student in listed],
        memberships=[each for each in after.memberships if each not in before.memberships],
        gone={
            Listed.PEOPLE: ids(before.people) - ids(after.people),
            Listed.MEMBERSHIPS: ids(before.memberships) - ids(after.memberships),
        },
    )


@settings(max_examples=40)
@given(small_school(), small_school())
def test_after_any_import_the_roster_is_as_the_newest_lists_say(earlier: SchoolLists, later: SchoolLists) -> None:
    with empty_database() as twice, empty_database() as once:
        bring(twice, earlier, FIRST)
        bring(twice, later, SECOND)
        bring(once, later, SECOND)
        assert now_picture(twice) == now_picture(once)
        before = [rows(twice, table) for table in (RosterPerson, RosterFamily, RosterCare, RosterMembership, Mark)]
        assert bring(twice, later, THIRD).nothing_new
        assert before == [
            rows(twice, table) for table in (RosterPerson, RosterFamily, RosterCare, RosterMembership, Mark)
        ]


@settings(max_examples=40)
@given(st.lists(small_school(), min_size=2, max_size=3))
def test_no_import_changes_what_held_on_an_earlier_day(all_lists: list[SchoolLists]) -> None:
    undated = [
        SchoolLists(
            complete=EVERYTHING,
            classes=lists.classes,
            people=lists.people,
            cares=lists.cares,
            memberships=[Membership(each.id, each.person, each.school_class) for each in lists.memberships],
        )
        for lists in all_lists
    ]
    with empty_database() as database:
        pictures = {}
        for day, lists in zip((FIRST, SECOND, THIRD), undated, strict=False):
            bring(database, lists, day)
            pictures[day] = picture(database)
            assert {each: picture(database, each) for each in pictures} == pictures


@settings(max_examples=40)
@given(small_school(), small_school())
def test_a_dry_run_says_what_an_import_does_and_does_nothing(earlier: SchoolLists, later: SchoolLists) -> None:
    with empty_database() as database:
        bring(database, earlier, FIRST)
        before = now_picture(database)
        would = bring(database, later, SECOND, dry_run=True)
        assert now_picture(database) == before
        assert len(rows(database, RosterImport)) == 1
        assert bring(database, later, SECOND) == would


@settings(max_examples=40)
@given(small_school(), small_school())
def test_a_delta_says_as_much_as_the_whole_lists(earlier: SchoolLists, later: SchoolLists) -> None:
    with empty_database() as by_delta, empty_database() as by_lists:
        for database in (by_delta, by_lists):
            bring(database, earlier, FIRST)
        bring(by_delta, difference(earlier, later), SECOND)
        bring(by_lists, later, SECOND)
        assert now_picture(by_delta) == now_picture(by_lists)
        assert picture(by_delta, FIRST) == picture(by_lists, FIRST)


@settings(max_examples=40)
@given(small_school(), small_school())
def test_every_student_on_the_lists_has_one_family_and_shares_it_with_who_has_the_same_guardians(
    earlier: SchoolLists, later: SchoolLists
) -> None:
    with empty_database() as database:
        for lists, day in ((earlier, FIRST), (later, SECOND)):
            bring(database, lists, day)
        students = {person.id for person in later.people if person.kinds == STUDENT}
        of = {each: frozenset(care.guardian for care in later.cares if care.student == each) for each in students}
        expected = {
            frozenset(s for s in students if (of[s] == of[each] and of[each]) or s == each) for each in students
        }
        assert families(database) == expected


def family_of(database: Database, student: str) -> str:
    (found,) = {family for each, family in facts(database, RosterFamily, "student", "family") if each == student}
    return found


def test_a_family_keeps_its_identifier_while_one_of_its_students_stays(database: Database) -> None:
    home = [guardian("g1"), guardian("g2")]
    bring(database, whole([student("s1"), student("s2"), *home], [("s1", "g1"), ("s2", "g1")]))
    identifier = family_of(database, "s1")
    bring(database, whole([student("s2"), *home], [("s2", "g1"), ("s2", "g2")]), SECOND)
    assert family_of(database, "s2") == identifier
    bring(database, whole(home), SECOND)
    bring(database, whole([student("s2"), *home], [("s2", "g2")]), THIRD)
    assert family_of(database, "s2") == identifier


def test_who_comes_back_to_other_guardians_leaves_the_family_to_those_who_stayed(database: Database) -> None:
    home = [guardian("g1"), guardian("g2")]
    bring(database, whole([student("s1"), student("s2"), *home], [("s1", "g1"), ("s2", "g1")]))
    identifier = family_of(database, "s2")
    bring(database, whole([student("s2"), *home], [("s2", "g1")]), SECOND)
    bring(database, whole([student("s1"), student("s2"), *home], [("s1", "g2"), ("s2", "g1")]), THIRD)
    assert family_of(database, "s2") == identifier != family_of(database, "s1")


def test_of_families_that_become_one_the_larger_gives_its_identifier(database: Database) -> None:
    people = [*(student(f"s{n}") for n in (1, 2, 3)), guardian("g1"), guardian("g2")]
    bring(database, whole(people, [("s1", "g1"), ("s2", "g2"), ("s3", "g2")]))
    larger = family_of(database, "s3")
    bring(database, whole(people, [(each, of) for each in ("s1", "s2", "s3") for of in ("g1", "g2")]), SECOND)
    assert {family for _, family in facts(database, RosterFamily, "student", "family")} == {larger}
    assert families(database, FIRST) == {frozenset({"s1"}), frozenset({"s2", "s3"})}


def test_a_school_that_changes_its_system_keeps_the_families(database: Database) -> None:
    bring(
        database,
        whole(
            [student("s1"), guardian("g1", "a@home.example"), guardian("g2", "b@home.example")],
            [("s1", "g1"), ("s1", "g2")],
        ),
    )
    identifier = family_of(database, "s1")
    people = [
        student("N-1"),
        student("N-2"),
        guardian("G", "A@home.example", "b+x@home.example"),
        guardian("H", "b@home.example"),
    ]
    bring(database, whole(people, [("N-1", "G"), ("N-2", "H")]), SECOND)
    assert family_of(database, "N-1") == identifier != family_of(database, "N-2")


def test_guardians_in_common_are_not_enough_to_be_one_family(database: Database) -> None:
    people = [student("s1"), student("s2"), guardian("g1"), guardian("g2")]
    bring(database, whole(people, [("s1", "g1"), ("s2", "g1"), ("s2", "g2")]))
    assert families(database) == {frozenset({"s1"}), frozenset({"s2"})}


def marks(database: Database) -> set[tuple[MarkKind, str]]:
    return {(row.kind, row.key) for row in rows(database, Mark)}


def test_whose_place_on_the_roster_changed_is_marked_and_nobody_else(database: Database) -> None:
    def lists(*, title: str = "Science", grade: str = "05", address: str = "a@home.example", teacher: str = "t1"):
        return whole(
            [
                *(student("s1", grade), student("s2"), student("s3"), guardian("g2", address)),
                *(Person(each, TEACHER, "", "") for each in ("t1", "t2")),
            ],
            [("s2", "g2")],
            classes=[SchoolClass("c", title, "o")],
            memberships=[Membership("m3", "s3", "c"), Membership("mt", teacher, "c")],
        )

    bring(database, lists())
    assert marks(database) == {(MarkKind.EVERYTHING, "")}
    steps = [lists(), lists(grade="06"), lists(address="b@home.example"), lists(title="Art"), lists(teacher="t2")]
    of, a_class = MarkKind.STUDENT, (MarkKind.CLASS, "c")
    a, b = ((MarkKind.ADDRESS, address) for address in ("a@home.example", "b@home.example"))
    expected = [{(of, "s1")}, {(of, "s1"), (of, "g2"), a}, {(of, "g2"), b, a_class}, {(of, "t1"), (of, "t2"), a_class}]
    for (_, changed), marked in zip(pairwise(steps), expected, strict=True):
        with database.write() as connection:
            connection.execute(Mark.__table__.delete())
        bring(database, changed, SECOND)
        assert marks(database) == marked


def test_where_terms_changed_everything_is_marked(database: Database) -> None:
    def lists(ends: date) -> SchoolLists:
        return whole([student("s1")], terms=[Term("f", "Fall", date(2026, 8, 17), ends)])

    bring(database, lists(date(2026, 12, 18)))
    with database.write() as connection:
        connection.execute(Mark.__table__.delete())
    bring(database, lists(date(2026, 12, 18)), SECOND)
    assert marks(database) == set()
    bring(database, lists(date(2026, 12, 17)), SECOND)
    assert marks(database) == {(MarkKind.EVERYTHING, "")}


def test_what_has_ended_stays_with_its_day(database: Database) -> None:
    bring(database, whole([student("s")]), FIRST)
    bring(database, whole([]), SECOND)
    (row,) = rows(database, RosterPerson)
    assert (row.since, row.until) == (None, SECOND)
    assert [(row.since, row.until) for row in rows(database, RosterGrade)] == [(None, SECOND)]
    assert [(row.since, row.until) for row in rows(database, RosterFamily)] == [(None, SECOND)]
    assert len(rows(database, RosterImport)) == 2
    assert known_to(database)[Listed.PEOPLE] == frozenset()


def test_who_comes_later_is_there_since_that_day_and_a_dated_place_since_its_own(database: Database) -> None:
    bring(database, whole([student("s1")]), FIRST)
    places = [Membership("m", "s2", "c", date(2026, 8, 17)), Membership("n", "s2", "c")]
    bring(
        database,
        whole([student("s1"), student("s2")], classes=[SchoolClass("c", "Art", "o")], memberships=places),
        SECOND,
    )
    assert facts(database, RosterFamily, "student", "since") == {("s1", None), ("s2", SECOND)}
    assert facts(database, RosterMembership, "id", "since") == {("m", None), ("n", SECOND)}


def test_an_address_that_moves_to_somebody_else_is_theirs_from_that_day(database: Database) -> None:
    people = [student("s1"), student("s2")]
    cares = [("s1", "g1"), ("s2", "g2")]
    bring(database, whole([*people, guardian("g1", "a+1@home.example"), guardian("g2")], cares), FIRST)
    bring(database, whole([*people, guardian("g1"), guardian("g2", "A@home.example")], cares), SECOND)
    assert facts(database, RosterAddress, "address", "person", on=FIRST) == {("a@home.example", "g1")}
    assert facts(database, RosterAddress, "address", "person", on=SECOND) == {("a@home.example", "g2")}


def test_a_delta_leaves_the_rest_as_it_was_and_a_person_what_they_were(database: Database) -> None:
    bring(database, whole([student("s"), student("t", name="Noa")]), FIRST)
    moved = Person("s", frozenset(), "Mia", "Lopez", grades=("06",))
    done = bring(
        database, SchoolLists(complete=frozenset(), people=[moved], gone={Listed.PEOPLE: frozenset({"t"})}), SECOND
    )
    assert facts(database, RosterPerson, "id", "kinds", "given_name") == {("s", "student", "Mia")}
    assert facts(database, RosterGrade, "student", "grade") == {("s", "06")}
    assert (done.changed, done.ended) == ({Listed.PEOPLE: 1}, {Listed.PEOPLE: 1})


def test_an_export_that_was_cut_short_changes_nothing(database: Database) -> None:
    people = [student(f"s{number}") for number in range(100)]
    bring(database, whole(people), FIRST)
    with pytest.raises(TooManyEnd, match="60 of the 100"):
        bring(database, whole(people[:40]), SECOND)
    assert len(facts(database, RosterPerson, "id")) == 100
    assert bring(database, whole(people[:40]), SECOND, allow_many=True).ended == {Listed.PEOPLE: 60}


def test_whom_a_list_names_in_a_row_that_cannot_be_read_stays_as_they_were(database: Database) -> None:
    bring(database, whole([student("s1"), student("s2")], memberships=[Membership("m", "s1", "c")]), FIRST)
    unread = {Listed.PEOPLE: frozenset({"s1"}), Listed.MEMBERSHIPS: frozenset({"m"})}
    bring(database, whole([], unread=unread), SECOND)
    assert facts(database, RosterPerson, "id") == {("s1",)}
    assert facts(database, RosterFamily, "student") == {("s1",)}
    assert facts(database, RosterGrade, "student", "grade") == {("s1", "05")}
    assert facts(database, RosterMembership, "id") == {("m",)}

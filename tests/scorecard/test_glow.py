"""Who has had no good word from a teacher yet, and whose turn it is."""

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlmodel import col

from config.settings import MailboxSettings, Office, School, Settings
from scorecard.differences import Differences
from scorecard.glow import GlowFamily, counts, families_of, in_turn
from scorecard.packing import packed_standings, standings_in
from scorecard.report import SchoolTerm
from scorecard.standings import Stands, counted
from scorecard.writing import write
from store.database import Database
from store.roster_tables import RosterAddress, RosterCare, RosterFamily, RosterMembership, RosterPerson
from store.scorecard_tables import FamilyStanding, Grouping
from tests.service.glow_of_maple import FALL, SPRING, TERMS, add, enrol, place
from tests.service.maple import OKAFOR, RIVERA

TODAY = date(2026, 3, 3)
TERM = SchoolTerm(SPRING, "Spring", *TERMS[SPRING], fourth_week_ends=date(2026, 2, 8))
SETTINGS = Settings(
    school=School(name="Maple Street School", timezone="America/Chicago"),
    office=Office(address="office@maple.example", phone="555 0100"),
    mailboxes=(
        MailboxSettings(address=RIVERA, teacher="Ms. Rivera"),
        MailboxSettings(address=OKAFOR, teacher="Ms. Okafor"),
    ),
)


@pytest.fixture
def database() -> Database:
    database = Database.in_memory()
    enrol(database)
    return database


def heard(
    database: Database,
    family: str,
    on: date | None,
    *,
    term: str = SPRING,
    teacher: str = RIVERA,
    enrolled: bool = True,
) -> None:
    """The scorecard has it when a family had a good word."""
    group, stands = (Grouping.TEACHER, teacher), Stands(enrolled, on)
    days = SchoolTerm(term, term, *TERMS[term], fourth_week_ends=TERMS[term][1])
    of_term = select(col(FamilyStanding.standings)).where(
        col(FamilyStanding.family) == family, col(FamilyStanding.term) == term
    )
    with database.write() as connection:
        before = connection.execute(of_term).scalar()
        now = packed_standings((standings_in(before) if before else {}) | {group: stands})
        numbers = {(term, *group, *each): 1 for each in counted(stands, days)}
        put = {FamilyStanding: [{"family": family, "term": term, "standings": now}]}
        write(connection, Differences(put=put, tallies=Counter(numbers)))


def of(database: Database, teacher: str = RIVERA, today: date = TODAY) -> tuple[GlowFamily, ...]:
    with database.read() as connection:
        return families_of(connection, SETTINGS.mailbox(teacher), SETTINGS, TERM, today, today)


def ids(families: tuple[GlowFamily, ...]) -> list[str]:
    return [family.id for family in families]


def test_a_teachers_families_are_those_of_todays_classes(database: Database) -> None:
    assert set(ids(of(database))) == {"lopez", "brandt", "nguyen"}
    assert ids(of(database, OKAFOR)) == ["nguyen"]
    with database.write() as connection:
        gone = update(RosterMembership).where(col(RosterMembership.person) == "student Theo Brandt")
        connection.execute(gone.values(until=TODAY))
        place(connection, "student Theo Brandt", OKAFOR, since=TODAY)
    assert set(ids(of(database))) == {"lopez", "nguyen"}
    assert set(ids(of(database, OKAFOR))) == {"nguyen", "brandt"}
    assert "brandt" in ids(of(database, today=TODAY - timedelta(days=1)))


def test_siblings_are_one_family_and_only_those_in_class_are_named(database: Database) -> None:
    (lopez,) = [family for family in of(database) if family.id == "lopez"]
    assert lopez.students == ("Leo Lopez", "Maya Lopez")
    with database.write() as connection:
        gone = update(RosterMembership).where(col(RosterMembership.person) == "student Maya Lopez")
        connection.execute(gone.values(until=TODAY))
    (lopez,) = [family for family in of(database) if family.id == "lopez"]
    assert lopez.students == ("Leo Lopez",)


def test_a_student_who_left_the_school_is_nobodys(database: Database) -> None:
    with database.write() as connection:
        connection.execute(update(RosterFamily).where(col(RosterFamily.family) == "brandt").values(until=TODAY))
    assert "brandt" not in ids(of(database))


def test_guardians_are_todays_with_their_languages(database: Database) -> None:
    (lopez,) = [family for family in of(database) if family.id == "lopez"]
    assert [(each.addresses, each.language) for each in lopez.guardians] == [
        (("ana@family.example",), "es"),
        (("luis@family.example",), None),
    ]
    with database.write() as connection:
        ends = update(RosterCare).where(col(RosterCare.guardian) == "guardian luis@family.example")
        connection.execute(ends.values(until=TODAY))
    (lopez,) = [family for family in of(database) if family.id == "lopez"]
    assert lopez.addresses == ("ana@family.example",)


def test_the_teachers_own_address_is_compared_as_addresses_are(database: Database) -> None:
    boxes = tuple(box.model_copy(update={"aliases": ("room12@maple.example",)}) for box in SETTINGS.mailboxes[:1])
    settings = SETTINGS.model_copy(update={"mailboxes": (*boxes, SETTINGS.mailboxes[1])})
    with database.write() as connection:
        add(connection, RosterPerson, id="t9", kinds="teacher", given_name="R", family_name="")
        add(connection, RosterAddress, address="room12@maple.example", person="t9")
        add(connection, RosterMembership, id="t9", person="t9", school_class=f"class {OKAFOR}")
    with database.read() as connection:
        found = families_of(connection, settings.mailbox(RIVERA), settings, TERM, TODAY, TODAY)
    assert set(ids(found)) == {"lopez", "brandt", "nguyen"}


def test_who_had_a_good_word_in_the_term_comes_last(database: Database) -> None:
    heard(database, "lopez", date(2026, 2, 3))
    heard(database, "brandt", date(2026, 1, 20))
    assert ids(of(database)) == ["nguyen", "brandt", "lopez"]


def test_who_never_had_one_comes_before_who_had_one_in_an_earlier_term(database: Database) -> None:
    heard(database, "lopez", date(2025, 10, 3), term=FALL)
    heard(database, "brandt", date(2025, 9, 3), term=FALL)
    assert ids(of(database)) == ["nguyen", "brandt", "lopez"]


def test_a_good_word_of_another_teacher_is_none_of_this_teachers(database: Database) -> None:
    heard(database, "nguyen", date(2026, 2, 3), teacher=OKAFOR)
    assert all(family.positive_on is None for family in of(database))
    assert of(database, OKAFOR)[0].positive_on == date(2026, 2, 3)


def test_counts_are_of_the_families_that_count_for_the_first_contact_in_the_term(database: Database) -> None:
    heard(database, "lopez", date(2026, 2, 3))
    heard(database, "brandt", None)
    heard(database, "nguyen", None)
    heard(database, "nguyen", None, teacher=OKAFOR)
    heard(database, "lopez", date(2025, 10, 3), term=FALL)
    heard(database, "moved", date(2026, 2, 3), enrolled=False)
    with database.read() as connection:
        found = counts(connection, TERM, (RIVERA, OKAFOR, "nobody@maple.example"))
    assert {(each.mailbox, each.families, each.waiting) for each in found} == {(RIVERA, 3, 2), (OKAFOR, 1, 1)}


def family(number: int, positive_on: date | None = None, heard_before: date | None = None) -> GlowFamily:
    return GlowFamily(f"family {number}", (), (), positive_on, heard_before)


def test_among_equals_nobody_is_always_last() -> None:
    """Over a school year each of many families is among the first three, and none again and again."""
    families = [family(number) for number in range(12)]
    weeks = [in_turn(families, f"rivera spring {week}") for week in range(40)]
    first = [each.id for week in weeks for each in week[:3]]
    assert {each.id for each in families} == set(first)
    assert max(map(first.count, set(first))) <= 20
    assert len({week[-1].id for week in weeks}) > 6


def test_within_a_week_the_order_stands() -> None:
    families = [family(number) for number in range(12)]
    assert in_turn(families, "a") == in_turn(reversed(families), "a")


DAYS = st.none() | st.dates(date(2025, 9, 1), date(2026, 3, 3))


@given(drawn=st.lists(st.tuples(DAYS, DAYS), max_size=12), seed=st.text(max_size=5))
def test_whatever_happened_the_order_is_by_who_waits_longest(
    drawn: list[tuple[date | None, date | None]], seed: str
) -> None:
    families = [family(number, positive, before) for number, (positive, before) in enumerate(drawn)]
    found = in_turn(families, seed)
    assert sorted(each.id for each in found) == sorted(each.id for each in families)
    waits = [(each.positive_on or date.min, each.heard_before or date.min) for each in found]
    assert waits == sorted(waits)

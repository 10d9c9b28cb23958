"""Which terms there are figures of, and when their early weeks end."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from config import SchoolCalendar
from config.settings import MailboxSettings, Office, School, Settings, Term
from scorecard.report import SchoolTerm
from scorecard.terms import before, contact_day, fourth_week_ends, running, school_weeks, terms_of
from store.database import Database
from store.pages import Pages
from store.roster_tables import RosterTerm
from tests.scorecard.spare import empty_database

BOX = MailboxSettings(address="rivera@maple.example", teacher="Ms. Rivera")
FALL = Term(title="Fall", first=date(2026, 8, 27), last=date(2026, 12, 18))
TODAY = date(2026, 10, 1)


def settings_of(*terms: Term, holidays: tuple[dict[str, date], ...] = ()) -> Settings:
    return Settings(
        school=School(name="Maple", timezone="America/New_York", holidays=holidays),  # type: ignore[arg-type]
        office=Office(address="office@maple.example", phone="555-0100"),
        terms=terms,
        mailboxes=(BOX,),
    )


def calendar_of(settings: Settings) -> SchoolCalendar:
    return SchoolCalendar.of(settings.school, settings.office)


@pytest.fixture
def database() -> Iterator[Database]:
    with empty_database() as spare:
        Pages(spare).connect(BOX.address, datetime(2026, 9, 14, tzinfo=UTC))
        yield spare


def list_term(database: Database, name: str, begins: date, ends: date, **more: object) -> None:
    with database.write() as connection:
        values = {"id": name, "title": name, "begins": begins, "ends": ends, "is_year": False, **more}
        connection.execute(insert(RosterTerm).values(values))


def ids(database: Database, settings: Settings, today: date = TODAY) -> list[str]:
    with database.read() as connection:
        return [term.id for term in terms_of(connection, settings, calendar_of(settings), today)]


def test_the_rosters_terms_come_before_the_settings_and_those_before_the_school_year(database: Database) -> None:
    assert ids(database, settings_of()) == ["year:2026"]
    assert ids(database, settings_of(FALL)) == ["settings:Fall"]
    list_term(database, "whole", date(2026, 8, 1), date(2027, 7, 31), is_year=True)
    assert ids(database, settings_of(FALL)) == ["settings:Fall"], "a whole year is no term"
    list_term(database, "q1", date(2026, 8, 27), date(2026, 10, 30))
    assert ids(database, settings_of(FALL)) == ["q1"]


def test_a_school_year_is_from_august_to_july(database: Database) -> None:
    years = {date(2026, 9, 14): ["2026"], date(2027, 7, 31): ["2026"], date(2027, 8, 1): ["2026", "2027"]}
    for today, expected in years.items():
        assert ids(database, settings_of(), today) == [f"year:{year}" for year in expected]


def test_terms_have_figures_from_their_first_day_on_and_none_before_a_mailbox_was_connected(database: Database) -> None:
    list_term(database, "before", date(2026, 1, 12), date(2026, 6, 12))
    list_term(database, "now", date(2026, 8, 27), date(2026, 12, 18))
    list_term(database, "next", date(2027, 1, 4), date(2027, 6, 11))
    assert ids(database, settings_of()) == ["now"]
    assert ids(database, settings_of(), date(2027, 1, 3)) == ["now"]
    assert ids(database, settings_of(), date(2027, 1, 4)) == ["now", "next"]


def test_a_term_that_a_later_list_drops_stays_if_it_was_over(database: Database) -> None:
    list_term(database, "over", date(2026, 8, 27), date(2026, 9, 18), until=date(2026, 9, 30))
    list_term(database, "mistaken", date(2026, 8, 27), date(2026, 12, 18), until=date(2026, 9, 30))
    assert ids(database, settings_of()) == ["over"]


def test_the_early_weeks_are_those_with_school() -> None:
    calendar = calendar_of(settings_of())
    assert fourth_week_ends(FALL.first, FALL.last, calendar) == date(2026, 9, 20), "the example of docs/scorecard.md"
    break_week = {"first": date(2026, 9, 7), "last": date(2026, 9, 11)}
    calendar = calendar_of(settings_of(holidays=(break_week,)))
    assert fourth_week_ends(FALL.first, FALL.last, calendar) == date(2026, 9, 27)
    sunday = date(2026, 9, 20)
    assert fourth_week_ends(sunday, date(2026, 10, 16), calendar) == date(2026, 10, 18), "it begins on a Sunday"


def test_a_short_term_ends_its_early_weeks_with_itself() -> None:
    calendar = calendar_of(settings_of())
    short = SchoolTerm("s", "Short", date(2026, 9, 1), date(2026, 9, 9), fourth_week_ends=date(2026, 9, 13))
    assert fourth_week_ends(short.first, short.last, calendar) == short.fourth_week_ends
    assert contact_day(short) == date(2026, 9, 9)
    assert fourth_week_ends(date(2026, 9, 5), date(2026, 9, 6), calendar) == date(2026, 9, 6), "no school at all"


@given(st.dates(date(2026, 1, 1), date(2027, 1, 1)), st.integers(0, 200), st.integers(0, 60))
def test_every_school_day_of_a_term_is_in_one_of_its_weeks(first: date, length: int, closed: int) -> None:
    holiday = {"first": first + timedelta(days=closed), "last": first + timedelta(days=closed + 9)}
    calendar = calendar_of(settings_of(holidays=(holiday,)))
    last = first + timedelta(days=length)
    weeks = school_weeks(first, last, calendar)
    days = [first + timedelta(days=ahead) for ahead in range(length + 1)]
    held = {day - timedelta(days=day.weekday()) for day in days if calendar.is_school_day(day)}
    assert weeks == sorted(held)


def test_the_running_term_is_asked_for_else_the_last_and_the_one_before_ended_before_it() -> None:
    def term(name: str, first: date, last: date) -> SchoolTerm:
        return SchoolTerm(name, name, first, last, last)

    spring = term("spring", date(2026, 1, 12), date(2026, 6, 12))
    fall = term("fall", date(2026, 8, 27), date(2026, 12, 18))
    year = term("year", date(2026, 8, 1), date(2027, 7, 31))
    assert running([spring, fall], date(2026, 10, 1)) == fall
    assert running([spring, fall], date(2026, 12, 25)) == fall
    assert running([spring], date(2026, 7, 1)) == spring
    assert running([], TODAY) is None
    assert running([spring, year, fall], date(2026, 10, 1)) == fall, "of two that run the one that began last"
    assert before([spring, year, fall], fall) == spring
    assert before([spring, fall], spring) is None

"""The school's calendar: days, hours, breaks, changes of clocks."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import ConfigError, NoSchoolDay, SchoolCalendar
from config.settings import WEEKDAYS, Holiday, Office, School
from config.wallclock import instant, wall_clock

CHICAGO = ZoneInfo("America/Chicago")


def school(office: Office | None = None, zone="America/Chicago", **changes) -> SchoolCalendar:
    return SchoolCalendar.of(School(name="Maple", timezone=zone, **changes), office)


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=CHICAGO)


WINTER = Holiday(first=date(2026, 12, 21), last=date(2027, 1, 3))


def test_weekends_and_holidays_are_no_school_days():
    calendar = school(holidays=(WINTER, Holiday(first=date(2026, 9, 7))))
    assert calendar.is_school_day(date(2026, 9, 8))
    assert not calendar.is_school_day(date(2026, 9, 7))
    assert not calendar.is_school_day(date(2026, 9, 5))
    assert not calendar.is_school_day(date(2026, 12, 21))
    assert not calendar.is_school_day(date(2027, 1, 1))
    assert calendar.is_school_day(date(2027, 1, 4))


def test_a_day_named_inside_a_break_does_not_shorten_the_break():
    calendar = school(holidays=(WINTER, Holiday(first=date(2026, 12, 25)), Holiday(first=date(2026, 12, 21))))
    assert calendar.next_school_day(date(2026, 12, 18)) == date(2027, 1, 4)


def test_a_week_may_run_from_sunday_to_thursday():
    calendar = school(days=("sun", "mon", "tue", "wed", "thu"))
    assert calendar.is_school_day(date(2026, 9, 6))
    assert not calendar.is_school_day(date(2026, 9, 4))


def test_the_holiday_file_and_the_dates_count_together(tmp_path: Path):
    path = tmp_path / "holidays.ics"
    path.write_text("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20260908\nEND:VEVENT\nEND:VCALENDAR\n")
    calendar = school(holidays_ics=path, holidays=(Holiday(first=date(2026, 9, 7)),))
    assert calendar.next_school_day(date(2026, 9, 4)) == date(2026, 9, 9)
    assert calendar.warnings == ()


def test_a_holiday_file_without_days_warns(tmp_path: Path):
    path = tmp_path / "holidays.ics"
    path.write_text("BEGIN:VCALENDAR\nEND:VCALENDAR\n")
    assert "no day without school" in school(holidays_ics=path).warnings[0]


def test_a_broken_holiday_file_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"none\.ics"):
        school(holidays_ics=tmp_path / "none.ics")


def test_school_is_open_from_the_opening_up_to_the_closing():
    calendar = school(opens=time(8), closes=time(15, 30))
    assert not calendar.is_open(at(2026, 9, 1, 7, 59, 59))
    assert calendar.is_open(at(2026, 9, 1, 8))
    assert calendar.is_open(at(2026, 9, 1, 15, 29, 59))
    assert not calendar.is_open(at(2026, 9, 1, 15, 30))
    assert not calendar.is_open(at(2026, 9, 5, 10))
    assert calendar.is_open(datetime(2026, 9, 1, 13, tzinfo=UTC))


def test_the_next_opening_is_today_before_school_and_on_the_next_school_day_after_it():
    calendar = school(holidays=(WINTER,))
    assert calendar.next_opening(at(2026, 9, 1, 6)) == at(2026, 9, 1, 8)
    assert calendar.next_opening(at(2026, 9, 1, 8)) == at(2026, 9, 1, 8)
    assert calendar.next_opening(at(2026, 9, 4, 8, 1)) == at(2026, 9, 7, 8)
    assert calendar.next_opening(at(2026, 12, 18, 16)) == at(2027, 1, 4, 8)


def test_the_office_keeps_its_own_hours_or_the_schools():
    own = school(Office(address="office@maple.example", phone="555", opens=time(7), closes=time(16)))
    assert own.office_is_open(at(2026, 9, 1, 7, 30))
    assert not own.is_open(at(2026, 9, 1, 7, 30))
    assert own.office_opens_at(at(2026, 9, 4, 16)) == at(2026, 9, 7, 7)
    schools = school(Office(address="office@maple.example", phone="555"))
    assert not schools.office_is_open(at(2026, 9, 1, 7, 30))
    assert schools.office_opens_at(at(2026, 9, 1, 7, 30)) == at(2026, 9, 1, 8)


def test_the_day_begins_at_the_schools_midnight_not_at_utcs():
    calendar = school(days=("mon",), opens=time(0), closes=time(23, 59))
    assert calendar.is_open(datetime(2026, 9, 8, 4, tzinfo=UTC))
    assert not calendar.is_open(datetime(2026, 9, 7, 4, 59, tzinfo=UTC))


def test_adding_and_counting_school_days_skips_what_is_no_school_day():
    calendar = school(holidays=(WINTER,))
    assert calendar.add_school_days(date(2026, 12, 18), 1) == date(2027, 1, 4)
    assert calendar.add_school_days(date(2026, 12, 19), 0) == date(2027, 1, 4)
    assert calendar.add_school_days(date(2026, 12, 18), 0) == date(2026, 12, 18)
    assert calendar.school_days_between(date(2026, 12, 18), date(2027, 1, 5)) == 2
    assert calendar.school_days_between(date(2027, 1, 5), date(2026, 12, 18)) == 0
    with pytest.raises(ValueError, match="forward"):
        calendar.add_school_days(date(2026, 12, 18), -1)


def test_a_calendar_without_school_days_says_so():
    calendar = school(holidays=(Holiday(first=date(2026, 1, 1), last=date(2027, 6, 1)),))
    for ask in (
        lambda: calendar.next_school_day(date(2026, 1, 1)),
        lambda: calendar.next_opening(at(2026, 1, 5, 10)),
        lambda: calendar.office_opens_at(at(2026, 1, 5, 10)),
        lambda: calendar.add_school_days(date(2026, 1, 5), 3),
    ):
        with pytest.raises(NoSchoolDay, match=r"no school day in the 400 days after 2026-01-0[15]"):
            ask()


def test_the_last_days_of_all_time_are_no_overflow():
    with pytest.raises(NoSchoolDay):
        school().next_school_day(date.max)


holidays = st.lists(
    st.tuples(st.dates(date(2026, 1, 1), date(2027, 12, 31)), st.integers(0, 40)).map(
        lambda pair: Holiday(first=pair[0], last=pair[0] + timedelta(days=pair[1]))
    ),
    max_size=8,
)


@given(holidays, st.sets(st.sampled_from(WEEKDAYS), min_size=1), st.dates(date(2025, 12, 1), date(2028, 2, 1)))
def test_a_day_has_school_if_it_is_a_school_weekday_and_in_no_holiday(breaks, days, day):
    calendar = school(holidays=tuple(breaks), days=tuple(days))
    off = any(holiday.first <= day <= (holiday.last or holiday.first) for holiday in breaks)
    assert calendar.is_school_day(day) == (WEEKDAYS[day.weekday()] in days and not off)


@given(holidays, st.dates(date(2025, 12, 1), date(2027, 12, 1)), st.integers(0, 60))
def test_counting_school_days_undoes_adding_them(breaks, day, count):
    calendar = school(holidays=tuple(breaks))
    later = calendar.add_school_days(day, count)
    assert calendar.is_school_day(later)
    assert calendar.school_days_between(day, later) == (count or int(later != day))


@given(holidays, st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 1)))  # noqa: DTZ001
def test_the_next_opening_is_an_opening_not_in_the_past_with_no_other_before_it(breaks, when):
    calendar = school(holidays=tuple(breaks))
    now = when.replace(tzinfo=UTC)
    opening = calendar.next_opening(now)
    assert opening >= now
    assert calendar.is_open(opening)
    day = now.astimezone(CHICAGO).date()
    while day < opening.date():
        assert not calendar.is_school_day(day) or calendar.opens_at(day) < now
        day += timedelta(days=1)


ZONES = ("America/Chicago", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "America/Havana", "Pacific/Apia")


@given(st.sampled_from(ZONES), st.datetimes(datetime(2010, 1, 1), datetime(2037, 1, 1)), st.integers(0, 20_000))  # noqa: DTZ001
def test_the_wall_clock_never_runs_backwards(zone, when, seconds):
    now = when.replace(tzinfo=UTC)
    place = ZoneInfo(zone)
    assert wall_clock(now, place) <= wall_clock(now + timedelta(seconds=seconds), place)


@given(st.sampled_from(ZONES), st.datetimes(datetime(2010, 1, 1), datetime(2037, 1, 1)))  # noqa: DTZ001
def test_the_first_instant_of_a_wall_time_shows_it_or_the_end_of_a_gap(zone, wall):
    place = ZoneInfo(zone)
    moment = instant(wall, place)
    assert wall_clock(moment, place) >= wall
    assert wall_clock(moment.astimezone(UTC) - timedelta(microseconds=1), place) < wall


@pytest.mark.parametrize(
    ("zone", "wall", "utc"),
    [
        ("America/Chicago", (2026, 3, 8, 2, 30), (2026, 3, 8, 8, 0)),
        ("America/Chicago", (2026, 11, 1, 1, 30), (2026, 11, 1, 6, 30)),
        ("Australia/Lord_Howe", (2026, 10, 4, 2, 15), (2026, 10, 3, 15, 30)),
        ("America/Havana", (2026, 3, 8, 0, 0), (2026, 3, 8, 5, 0)),
        ("Pacific/Apia", (2011, 12, 30, 12, 0), (2011, 12, 30, 10, 0)),
        ("Europe/London", (2026, 3, 29, 1, 0), (2026, 3, 29, 1, 0)),
    ],
)
def test_skipped_times_are_the_end_of_the_gap_and_doubled_times_the_first(zone, wall, utc):
    assert instant(datetime(*wall), ZoneInfo(zone)).astimezone(UTC) == datetime(*utc, tzinfo=UTC)  # noqa: DTZ001

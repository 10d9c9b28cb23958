"""Families who are upset are offered the next times at which the teacher can really be called."""

from datetime import date, datetime, time, timedelta

from autoresponder.calls import next_calls
from config.calendar import SchoolCalendar
from config.settings import CallWindow, Holiday
from tests.autoresponder.sample import SETTINGS, TUESDAY_NOON

WINDOWS = (
    CallWindow(day="tue", opens=time(13, 0), closes=time(13, 20)),
    CallWindow(day="wed", opens=time(15, 0), closes=time(15, 20)),
    CallWindow(day="mon", opens=time(8, 0), closes=time(8, 20)),
)


def offered(now: datetime = TUESDAY_NOON, *holidays: Holiday) -> list[str]:
    school = SETTINGS.school.model_copy(update={"holidays": holidays})
    spans = next_calls(WINDOWS, now, now + timedelta(days=2), SchoolCalendar.of(school))
    return [f"{span.begins:%a %d %H:%M}–{span.ends:%H:%M}" for span in spans]


def test_the_next_two_are_offered_in_order_and_none_that_begins_too_soon() -> None:
    assert offered() == ["Wed 04 15:00–15:20", "Mon 09 08:00–08:20"]
    assert offered(TUESDAY_NOON - timedelta(hours=2)) == ["Tue 03 13:00–13:20", "Wed 04 15:00–15:20"]


def test_no_call_is_offered_on_a_day_without_school() -> None:
    holiday = Holiday(first=date(2026, 3, 4), last=date(2026, 3, 9))
    assert offered(TUESDAY_NOON, holiday) == ["Tue 10 13:00–13:20", "Wed 11 15:00–15:20"]


def test_the_wall_clock_holds_over_a_change_of_clocks() -> None:
    assert offered(TUESDAY_NOON + timedelta(days=3)) == ["Mon 09 08:00–08:20", "Tue 10 13:00–13:20"]


def test_a_teacher_without_windows_offers_none() -> None:
    assert next_calls((), TUESDAY_NOON, TUESDAY_NOON, SchoolCalendar.of(SETTINGS.school)) == ()

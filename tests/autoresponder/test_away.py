"""When a teacher is away: what the configuration says, and the days that nobody is promised an answer by."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresponder.away import configured_absences, days_away
from autoresponder.plan import Span
from autoresponder.planner import reply_facts
from config.calendar import NoSchoolDay, SchoolCalendar
from config.settings import CallWindow
from connectors.away import Absence
from connectors.labels import Tag
from tests.autoresponder.sample import SETTINGS, TEACHER, TUESDAY_NOON, ZONE

LONG_AGO, FAR_AHEAD = datetime.fromisoformat("1990-01-01"), datetime.fromisoformat("2090-01-01")
CALENDAR = SchoolCalendar.of(SETTINGS.school, SETTINGS.office)


def local(day: int, hour: int = 0, minute: int = 0) -> datetime:
    """A moment of March 2026; the 3rd is a Tuesday."""
    return datetime(2026, 3, day, hour, minute, tzinfo=ZONE)


def test_days_in_the_configuration_last_from_midnight_to_midnight() -> None:
    box = TEACHER.model_copy(update={"away": ("2026-03-04/2026-03-05", "2026-03-09/2026-03-09")})
    assert configured_absences(box, ZONE) == (
        Absence(begins=local(4), ends=local(6)),
        Absence(begins=local(9), ends=local(10)),
    )


@pytest.mark.parametrize(
    ("absence", "days"),
    [
        (Absence(begins=local(4), ends=local(6)), (4, 5)),
        # It begins after school and ends as school opens: neither day is lost.
        (Absence(begins=local(4, 15, 30), ends=local(6, 8)), (5, 5)),
        (Absence(begins=local(4, 15, 29), ends=local(6, 8, 1)), (4, 6)),
        (Absence(ends=local(6)), (3, 5)),
        (Absence(begins=local(2), ends=local(4)), (3, 3)),
    ],
)
def test_a_day_counts_as_lost_where_the_absence_takes_some_of_the_schools_hours(
    absence: Absence, days: tuple[int, int]
) -> None:
    assert days_away([absence], CALENDAR, TUESDAY_NOON) == (tuple(date(2026, 3, day) for day in days),)


@pytest.mark.parametrize(
    "absence",
    [
        Absence(begins=local(3, 16), ends=local(4, 7)),
        Absence(begins=local(1), ends=local(3)),
        Absence(begins=local(5), ends=local(4)),
    ],
)
def test_an_evening_a_past_absence_and_a_wrong_one_take_no_day(absence: Absence) -> None:
    assert days_away([absence], CALENDAR, TUESDAY_NOON) == ()


def facts_of(tag: Tag, *absences: Absence, windows: tuple[CallWindow, ...] = ()) -> tuple[date, tuple[Span, ...]]:
    box = TEACHER.model_copy(update={"call_windows": windows})
    facts = reply_facts(
        tag,
        ("en",),
        received_at=TUESDAY_NOON,
        mailbox=box,
        settings=SETTINGS,
        calendar=CALENDAR,
        now=TUESDAY_NOON + timedelta(minutes=1),
        absences=absences,
    )
    return facts.reply_by.date(), facts.call_windows


def test_the_promised_day_counts_from_the_return() -> None:
    assert facts_of(Tag.ROUTINE)[0] == date(2026, 3, 5)
    assert facts_of(Tag.ROUTINE, Absence(begins=local(4), ends=local(6)))[0] == date(2026, 3, 9)
    assert facts_of(Tag.CONFLICT, Absence(begins=local(4), ends=local(6)))[0] == date(2026, 3, 9)


def test_nobody_is_offered_a_call_while_the_teacher_is_away() -> None:
    thursday = CallWindow(day="thu", opens="12:10", closes="12:40")  # type: ignore[arg-type]
    (first, *_) = facts_of(Tag.CONFLICT, Absence(begins=local(4), ends=local(6)), windows=(thursday,))[1]
    assert first.begins == local(12, 12, 10)


def test_no_day_is_promised_where_nobody_knows_when_the_teacher_returns() -> None:
    with pytest.raises(NoSchoolDay):
        facts_of(Tag.ROUTINE, Absence(begins=local(4)))


def test_an_urgent_note_promises_no_day_and_so_waits_for_none() -> None:
    assert facts_of(Tag.URGENT, Absence(begins=local(4)))[0] == date(2026, 3, 5)


@given(st.datetimes(LONG_AGO, FAR_AHEAD, timezones=st.just(UTC)), st.integers(-5_000_000, 5_000_000), st.booleans())
def test_any_absence_takes_whole_days_in_order(begins: datetime, minutes: int, open_end: bool) -> None:
    absence = Absence(begins=begins, ends=None if open_end else begins + timedelta(minutes=minutes))
    for first, last in days_away([absence], CALENDAR, begins):
        assert first <= last

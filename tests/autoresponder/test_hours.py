"""School hours, against examples of the issue, laws that hold for every calendar, and a count minute by minute."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoresponder.hours import reply_by, school_hours_between
from config.calendar import NoSchoolDay, SchoolCalendar
from config.settings import WEEKDAYS, Holiday, School

ZONES = ("America/Chicago", "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata", "America/Havana", "UTC")
CHANGES = {
    "America/Chicago": (date(2026, 3, 8), date(2026, 11, 1)),
    "Europe/London": (date(2026, 3, 29), date(2026, 10, 25)),
    "Australia/Lord_Howe": (date(2026, 10, 4), date(2026, 4, 5)),  # half an hour
    "America/Havana": (date(2026, 3, 8), date(2026, 11, 1)),  # at midnight
    "Asia/Kolkata": (date(2026, 3, 8), date(2026, 2, 28)),
    "UTC": (date(2028, 2, 29), date(2026, 12, 31)),
}
MINUTE = timedelta(minutes=1)


def school(zone="America/Chicago", **changes) -> SchoolCalendar:
    return SchoolCalendar.of(School(name="Maple", timezone=zone, **changes))


def chicago(*when: int, fold: int = 0) -> datetime:
    return datetime(*when, tzinfo=ZoneInfo("America/Chicago"), fold=fold)


@st.composite
def calendars(draw, zones=ZONES):
    zone = draw(st.sampled_from(zones))
    minutes = sorted(draw(st.lists(st.integers(0, 24 * 60 - 1), min_size=2, max_size=2, unique=True)))
    opens, closes = (time(minute // 60, minute % 60) for minute in minutes)
    around = draw(st.sampled_from(CHANGES[zone]))
    starts = draw(st.lists(st.integers(-12, 30), max_size=4))
    holidays = tuple(
        Holiday(first=around + timedelta(days=ahead), last=around + timedelta(days=ahead + draw(st.integers(0, 12))))
        for ahead in starts
    )
    days = draw(st.sets(st.sampled_from(WEEKDAYS), min_size=1))
    return school(zone, opens=opens, closes=closes, days=tuple(days), holidays=holidays)


@st.composite
def instants(draw, calendar: SchoolCalendar, reach=timedelta(days=8)):
    """An instant near a change of clocks, in any zone."""
    around = datetime.combine(draw(st.sampled_from(CHANGES[calendar.zone.key])), time(2), calendar.zone)
    seconds = draw(st.integers(-int(reach.total_seconds()), int(reach.total_seconds())))
    zone = draw(st.sampled_from([calendar.zone, UTC, ZoneInfo("Pacific/Kiritimati")]))
    return (around.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(zone)


def hours_of_a_norm():
    return st.integers(0, 240 * 60).map(lambda minutes: minutes / 60)


@pytest.mark.parametrize(
    ("received", "due"),
    [
        (chicago(2026, 9, 1, 10, 0), chicago(2026, 9, 3, 10, 0)),
        (chicago(2026, 9, 4, 10, 0), chicago(2026, 9, 8, 10, 0)),
        (chicago(2026, 9, 4, 17, 0), chicago(2026, 9, 9, 8, 0)),
        (chicago(2026, 9, 6, 3, 0), chicago(2026, 9, 9, 8, 0)),
        (chicago(2026, 9, 1, 7, 59), chicago(2026, 9, 3, 8, 0)),
        (chicago(2026, 9, 1, 15, 30), chicago(2026, 9, 4, 8, 0)),
    ],
    ids=["in session", "over the weekend", "friday evening", "sunday", "before school", "at the bell"],
)
def test_a_norm_of_48_hours_ends_when_families_are_told_it_ends(received, due):
    assert reply_by(received, 48, school()) == due


def test_a_holiday_is_not_counted():
    thanksgiving = Holiday(first=date(2026, 11, 26), last=date(2026, 11, 27))
    calendar = school(holidays=(thanksgiving,))
    assert reply_by(chicago(2026, 11, 24, 10, 0), 48, calendar) == chicago(2026, 11, 30, 10, 0)


def test_a_change_of_clocks_does_not_move_the_time_of_day():
    everyday = school(days=WEEKDAYS)
    for received in (chicago(2026, 3, 7, 10, 0), chicago(2026, 10, 31, 10, 0)):
        assert reply_by(received, 48, everyday).timetz().replace(tzinfo=None) == time(10, 0)


def test_a_deadline_in_the_hour_that_clocks_skip_is_the_first_instant_after_it():
    night_school = school(days=WEEKDAYS, opens=time(0, 0), closes=time(23, 0))
    assert reply_by(chicago(2026, 3, 7, 2, 30), 24, night_school) == chicago(2026, 3, 8, 3, 0)


def test_an_hour_that_comes_twice_counts_once():
    night_school = school(days=WEEKDAYS, opens=time(0, 0), closes=time(23, 0))
    first, second = chicago(2026, 11, 1, 1, 30), chicago(2026, 11, 1, 1, 30, fold=1)
    assert school_hours_between(first, second, night_school) == 0.5
    assert reply_by(second, 1, night_school) == chicago(2026, 11, 1, 3, 0)


def test_leap_day_is_a_day_like_any_other():
    assert reply_by(chicago(2028, 2, 28, 10, 0), 48, school()) == chicago(2028, 3, 1, 10, 0)


def test_a_norm_that_runs_out_at_midnight_ends_as_the_next_school_day_begins():
    assert reply_by(chicago(2026, 9, 4, 10, 0), 14, school()) == chicago(2026, 9, 7, 0, 0)


def test_an_answer_before_the_clock_starts_took_no_school_hours():
    assert school_hours_between(chicago(2026, 9, 5, 9, 0), chicago(2026, 9, 6, 9, 0), school()) == 0


def test_an_answer_on_a_sunday_took_as_long_as_one_at_the_end_of_friday():
    assert school_hours_between(chicago(2026, 9, 4, 10, 0), chicago(2026, 9, 6, 12, 0), school()) == 14


@pytest.mark.parametrize("hours", [-1, float("nan"), float("inf"), 24 * 400])
def test_hours_that_no_norm_has_are_refused(hours):
    with pytest.raises(ValueError, match="school hours"):
        reply_by(chicago(2026, 9, 4, 10, 0), hours, school())


def test_a_calendar_without_school_days_is_an_error_and_no_endless_search():
    closed = school(holidays=(Holiday(first=date(2000, 1, 1), last=date(9999, 12, 31)),))
    with pytest.raises(NoSchoolDay, match=r"school\.holidays"):
        reply_by(chicago(2026, 9, 4, 10, 0), 48, closed)


@given(st.data(), calendars(), hours_of_a_norm())
def test_the_deadline_lies_on_a_school_day(data, calendar, hours):
    due = reply_by(data.draw(instants(calendar)), hours, calendar)
    assert calendar.is_school_day(due.date())
    assert due.tzinfo is calendar.zone


@given(st.data(), calendars(), hours_of_a_norm(), st.integers(0, 600))
def test_a_later_message_or_a_longer_norm_is_never_due_earlier(data, calendar, hours, more):
    early, late = sorted(data.draw(st.tuples(instants(calendar), instants(calendar))))
    due = reply_by(early, hours, calendar).timestamp()
    assert due <= reply_by(late, hours, calendar).timestamp()
    assert due <= reply_by(early, hours + more / 60, calendar).timestamp()


@given(st.data(), calendars(), hours_of_a_norm())
def test_the_deadline_is_the_first_instant_at_which_the_hours_have_passed(data, calendar, hours):
    received = data.draw(instants(calendar))
    due = reply_by(received, hours, calendar).astimezone(UTC)
    passed = school_hours_between(received, due, calendar)
    assert passed >= hours - 1e-9
    before = due - timedelta(seconds=1)
    if passed > hours + 1e-9:  # only a skipped hour makes a deadline wait
        assert before.astimezone(calendar.zone).utcoffset() != due.astimezone(calendar.zone).utcoffset()
    if hours and calendar.is_school_day(before.astimezone(calendar.zone).date()):
        assert school_hours_between(received, before, calendar) < hours


@given(st.data(), calendars(), hours_of_a_norm(), st.integers(1, 40), st.integers(0, 20))
def test_a_holiday_after_the_deadline_changes_nothing(data, calendar, hours, ahead, length):
    received = data.draw(instants(calendar))
    due = reply_by(received, hours, calendar)
    first = due.date() + timedelta(days=ahead)
    later = (first, first + timedelta(days=length))
    longer = SchoolCalendar(
        calendar.zone, calendar.weekdays, calendar.opens, calendar.closes, calendar.office_opens,
        calendar.office_closes, breaks=_with(calendar.breaks, later),
    )  # fmt: skip
    assert reply_by(received, hours, longer) == due


@given(st.data(), calendars())
def test_the_zone_in_which_an_instant_is_written_changes_nothing(data, calendar):
    received = data.draw(instants(calendar))
    written = {reply_by(received.astimezone(zone), 48, calendar).timestamp() for zone in map(ZoneInfo, ZONES)}
    assert len(written) == 1


@settings(max_examples=40)
@given(st.data(), calendars(), st.integers(0, 96))
@example(None, school("America/Chicago", days=WEEKDAYS, opens=time(0), closes=time(23, 59)), 25)
def test_hours_agree_with_a_count_minute_by_minute(data, calendar, hours):
    received = data.draw(instants(calendar)) if data else chicago(2026, 11, 1, 0, 10).astimezone(UTC)
    received = received.astimezone(UTC).replace(second=0, microsecond=0)
    due = reply_by(received, hours, calendar)
    assert due.astimezone(UTC) == _counted(received, hours, calendar)


def _counted(received: datetime, hours: int, calendar: SchoolCalendar) -> datetime:
    """The deadline by the definition alone: walks through real minutes and ticks off those minutes of the wall clock on
    school days that were not shown before; skipped ones are ticked off as they are jumped over."""
    now = received.astimezone(UTC)
    while not _in_session(now, calendar):
        now += MINUTE
    shown = max(_shown(now, calendar), *(_shown(now - MINUTE * ago, calendar) + MINUTE for ago in range(1, 180)))
    left = hours * 60
    while left > 0 or not calendar.is_school_day(_shown(now, calendar).date()):
        now += MINUTE
        reached = max(shown, _shown(now, calendar))
        while shown < reached:
            left -= calendar.is_school_day(shown.date())
            shown += MINUTE
    return now


def _in_session(at: datetime, calendar: SchoolCalendar) -> bool:
    shown = _shown(at, calendar)
    if not calendar.is_school_day(shown.date()):
        return False
    return calendar.opens_at(shown.date()).timestamp() <= at.timestamp() < calendar.closes_at(shown.date()).timestamp()


def _shown(at: datetime, calendar: SchoolCalendar) -> datetime:
    return at.astimezone(calendar.zone).replace(tzinfo=None, fold=0)


def _with(breaks, later):
    return tuple(sorted((*(b for b in breaks if b[0] < later[0]), later, *(b for b in breaks if b[0] >= later[0]))))

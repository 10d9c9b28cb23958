"""By when a hard conversation is taken up again."""

from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresponder.follow_up import follow_up_day
from config.calendar import NoSchoolDay, SchoolCalendar, Stretch

MONDAY_TO_FRIDAY = (0, 1, 2, 3, 4)
SUNDAY_TO_THURSDAY = (6, 0, 1, 2, 3)
MONDAY_TO_THURSDAY = (0, 1, 2, 3)
MONDAY_TO_SATURDAY = (0, 1, 2, 3, 4, 5)
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
WEEKS = (MONDAY_TO_FRIDAY, SUNDAY_TO_THURSDAY, MONDAY_TO_THURSDAY, MONDAY_TO_SATURDAY, EVERY_DAY)


def calendar(*breaks: Stretch, weekdays: tuple[int, ...] = MONDAY_TO_FRIDAY) -> SchoolCalendar:
    return SchoolCalendar(
        zone=ZoneInfo("America/Chicago"),
        weekdays=frozenset(weekdays),
        opens=time(8),
        closes=time(15, 30),
        office_opens=time(8),
        office_closes=time(15, 30),
        breaks=breaks,
    )


@pytest.mark.parametrize(
    ("today", "friday"),
    [
        (date(2026, 3, 2), date(2026, 3, 6)),  # Monday
        (date(2026, 3, 3), date(2026, 3, 6)),
        (date(2026, 3, 4), date(2026, 3, 13)),
        (date(2026, 3, 5), date(2026, 3, 13)),
        (date(2026, 3, 6), date(2026, 3, 13)),
        (date(2026, 3, 7), date(2026, 3, 13)),
        (date(2026, 3, 8), date(2026, 3, 13)),  # Sunday
    ],
)
def test_until_tuesday_it_is_this_weeks_friday_and_then_the_next_ones(today: date, friday: date) -> None:
    assert follow_up_day(today, calendar()) == friday


def test_a_friday_without_school_gives_way_to_the_weeks_last_school_day() -> None:
    free_friday = (date(2026, 3, 6), date(2026, 3, 6))
    assert follow_up_day(date(2026, 3, 2), calendar(free_friday)) == date(2026, 3, 5)


def test_a_week_that_holidays_make_too_short_leaves_it_to_the_next() -> None:
    thursday_and_friday = (date(2026, 3, 5), date(2026, 3, 6))
    assert follow_up_day(date(2026, 3, 2), calendar(thursday_and_friday)) == date(2026, 3, 13)


def test_the_week_after_the_holidays_is_the_next_school_week() -> None:
    winter = (date(2026, 12, 21), date(2027, 1, 1))
    for today in (date(2026, 12, 17), date(2026, 12, 18), date(2026, 12, 24), date(2027, 1, 3)):
        assert follow_up_day(today, calendar(winter)) == date(2027, 1, 8)


def test_a_next_school_week_of_a_single_day_is_still_the_next_school_week() -> None:
    tuesday_on = (date(2026, 3, 10), date(2026, 3, 13))
    assert follow_up_day(date(2026, 3, 5), calendar(tuesday_on)) == date(2026, 3, 9)


@pytest.mark.parametrize(
    ("weekdays", "today", "expected"),
    [
        (SUNDAY_TO_THURSDAY, date(2026, 3, 1), date(2026, 3, 5)),  # Sunday, to Thursday of the same week
        (SUNDAY_TO_THURSDAY, date(2026, 3, 4), date(2026, 3, 12)),
        (MONDAY_TO_THURSDAY, date(2026, 3, 2), date(2026, 3, 5)),
        (MONDAY_TO_SATURDAY, date(2026, 3, 3), date(2026, 3, 6)),
        (MONDAY_TO_SATURDAY, date(2026, 3, 7), date(2026, 3, 13)),
    ],
)
def test_a_school_with_other_school_days_has_other_weeks(
    weekdays: tuple[int, ...], today: date, expected: date
) -> None:
    assert follow_up_day(today, calendar(weekdays=weekdays)) == expected


def test_a_calendar_without_school_days_says_so() -> None:
    with pytest.raises(NoSchoolDay, match="no school day"):
        follow_up_day(date(2026, 3, 2), calendar((date(2026, 1, 1), date(2028, 1, 1))))


@st.composite
def stretches(draw: st.DrawFn) -> tuple[Stretch, ...]:
    """Up to four stretches of holidays, in order, not touching."""
    day, found = date(2026, 2, 20), []
    for _ in range(draw(st.integers(0, 4))):
        first = day + timedelta(days=draw(st.integers(0, 12)))
        last = first + timedelta(days=draw(st.integers(0, 16)))
        found.append((first, last))
        day = last + timedelta(days=2)
    return tuple(found)


@given(today=st.dates(date(2026, 2, 16), date(2026, 5, 1)), breaks=stretches(), weekdays=st.sampled_from(WEEKS))
def test_it_is_the_friday_of_this_school_week_or_the_next_whatever_the_holidays(
    today: date, breaks: tuple[Stretch, ...], weekdays: tuple[int, ...]
) -> None:
    school = calendar(*breaks, weekdays=weekdays)
    day = follow_up_day(today, school)
    sunday_first = weekdays is SUNDAY_TO_THURSDAY

    def week(of: date) -> list[date]:
        """The school days of the week that a day lies in, told from a printed calendar."""
        begin = of
        while begin.weekday() != (6 if sunday_first else 0):
            begin -= timedelta(days=1)
        return [each for ahead in range(7) if school.is_school_day(each := begin + timedelta(days=ahead))]

    this_week = week(today)
    coming = [school.next_school_day(today)]
    while coming[-1] < day:
        coming.append(school.next_school_day(coming[-1]))
    assert day > today
    assert coming[-1] == day
    fridays = [each for each in week(day) if each.weekday() == 4]
    assert day == (fridays[0] if fridays else week(day)[-1])
    if day in this_week:
        assert len(coming) >= 3
    else:
        after = next(
            each
            for ahead in range(1, 200)
            if (each := today + timedelta(days=ahead)) not in this_week
            and school.is_school_day(each)
            and week(each) != this_week
        )
        assert week(after) == week(day)
        end = next((each for each in this_week if each.weekday() == 4), this_week[-1] if this_week else today)
        assert sum(today < each <= end for each in this_week) < 3

"""The day by which a hard conversation is taken up again: the Friday of this school week or the next."""

from datetime import date, timedelta

from config.calendar import LONGEST_BREAK_DAYS, NoSchoolDay, SchoolCalendar

TIME_TO_ACT = 3
"""School days that a plan needs before anybody can say whether it helps: until Tuesday, it is this week's Friday."""
_FRIDAY = 4
_WEEK = 7


def follow_up_day(today: date, calendar: SchoolCalendar) -> date:
    """The Friday of this school week where at least three school days remain up to it, else that of the next school
    week.

    Where a week has no school on its Friday, its last school day stands for it. A week without a school day is none, so
    that the week after the holidays is the next one. Weeks begin after the longest stretch of free weekdays: on Monday,
    or on Sunday where school is from Sunday to Thursday. The answer is a school day after `today`, a local date. Raises
    `NoSchoolDay`.
    """
    week = _first_day(today, calendar)
    friday = _friday(week, calendar)
    if friday is not None and calendar.school_days_between(today, friday) >= TIME_TO_ACT:
        return friday
    for ahead in range(1, LONGEST_BREAK_DAYS // _WEEK + 1):
        if friday := _friday(week + timedelta(weeks=ahead), calendar):
            return friday
    raise NoSchoolDay(today)


def _friday(week: date, calendar: SchoolCalendar) -> date | None:
    """The Friday of the week that begins on `week`, or its last school day; None where it has none."""
    days = [day for ahead in range(_WEEK) if calendar.is_school_day(day := week + timedelta(days=ahead))]
    return next((day for day in days if day.weekday() == _FRIDAY), days[-1] if days else None)


def _first_day(today: date, calendar: SchoolCalendar) -> date:
    """The first day of the week that `today` lies in."""
    schooled = calendar.weekdays
    begins = [day for day in range(_WEEK) if day in schooled and (day - 1) % _WEEK not in schooled]
    monday_or_first = max(begins, key=lambda day: (_free_before(day, schooled), -day), default=0)
    return today - timedelta(days=(today.weekday() - monday_or_first) % _WEEK)


def _free_before(weekday: int, schooled: frozenset[int]) -> int:
    """How many weekdays without school lie directly before `weekday`."""
    return next(back - 1 for back in range(1, _WEEK + 1) if (weekday - back) % _WEEK in schooled)

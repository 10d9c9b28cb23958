"""School hours: how long a norm of so many hours lasts, when only school days count.

The norm's clock runs through all 24 hours of each school day and stands still on all other days. It starts when the
message arrives, if school is in session then, and otherwise at the next opening of the school. Hours are counted on the
wall clock (`config.wallclock`), so that a change of clocks does not move a deadline's time of day: Tuesday 10:00 and 48
hours make Thursday 10:00 whatever happens to the clocks in between. A deadline in the hour that clocks skip is the
first instant after it; an hour that comes twice counts once.

A norm that runs out on the stroke of midnight ends as the next school day begins, which is the same point of the count.
"""

from datetime import date, datetime, time, timedelta

from config.calendar import SchoolCalendar
from config.wallclock import instant, wall_clock

DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)
LONGEST_HOURS = 24 * 366


def reply_by(received_at: datetime, hours: float, calendar: SchoolCalendar) -> datetime:
    """The first instant, on a school day, by which `hours` school hours have passed since a message arrived.

    `received_at` is aware, in any zone; the answer is aware, in the school's zone. Raises `NoSchoolDay` where the
    calendar has no such day, ValueError for hours below 0 or above a year of them.
    """
    if not 0 <= hours <= LONGEST_HOURS:
        raise ValueError(f"school hours from 0 to {LONGEST_HOURS} are expected, not {hours}")
    wall = _clock_starts(received_at, calendar)
    left = timedelta(hours=hours)
    while left >= (today := _midnight_after(wall) - wall):
        left -= today
        wall = _midnight(calendar.next_school_day(wall.date()))
    deadline = instant(wall + left, calendar.zone)
    if calendar.is_school_day(deadline.date()):
        return deadline
    # Where clocks skip midnight, the end of a school day may lie on the day after it.
    return instant(_midnight(calendar.next_school_day(deadline.date())), calendar.zone)


def school_hours_between(start: datetime, end: datetime, calendar: SchoolCalendar) -> float:
    """How many school hours have passed at `end` for a message that arrived at `start`: the inverse of `reply_by`.

    Both are aware, in any zone. 0 where `end` comes before the clock starts. Raises `NoSchoolDay` where the clock never
    starts.
    """
    begins, ends = _clock_starts(start, calendar), wall_clock(end, calendar.zone)
    if ends <= begins:
        return 0.0
    first, last = begins.date(), ends.date()
    if first == last:
        return (ends - begins) / HOUR
    passed = _midnight_after(begins) - begins + DAY * calendar.school_days_between(first, last)
    if calendar.is_school_day(last):
        passed -= _midnight_after(ends) - ends
    return passed / HOUR


def _clock_starts(received_at: datetime, calendar: SchoolCalendar) -> datetime:
    """When the norm's clock starts, as the wall clock shows it. Always on a school day."""
    at = received_at if calendar.is_open(received_at) else calendar.next_opening(received_at)
    return wall_clock(at, calendar.zone)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)


def _midnight_after(wall: datetime) -> datetime:
    return _midnight(wall.date() + timedelta(days=1))

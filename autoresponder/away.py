"""When a teacher is away: the times in which their own out-of-office answer is on, and the school days those take."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.calendar import LONGEST_BREAK_DAYS, SchoolCalendar, Stretch
from config.settings import MailboxSettings
from config.wallclock import instant
from connectors.away import Absence

_DAY = timedelta(days=1)
_NO_END = timedelta(days=2 * LONGEST_BREAK_DAYS)
"""An absence without an end lasts longer than any calendar looks ahead: no day can be promised in it."""


def configured_absences(box: MailboxSettings, zone: ZoneInfo) -> tuple[Absence, ...]:
    """The absences that the configuration names, from midnight to midnight in the school's zone."""
    return tuple(
        Absence(begins=_midnight(first, zone), ends=_midnight(last + _DAY, zone)) for first, last in box.days_away
    )


def days_away(absences: Sequence[Absence], calendar: SchoolCalendar, start: datetime) -> tuple[Stretch, ...]:
    """The days from `start` (aware) on that the teacher is away for some of the school's hours: no promise is made for
    these. An absence that ends as school opens leaves that day free."""
    found = []
    for absence in absences:
        begins = max(absence.begins or start, start)
        ends = min(absence.ends or begins + _NO_END, begins + _NO_END)
        if ends <= begins:
            continue
        first = begins.astimezone(calendar.zone).date()
        last = ends.astimezone(calendar.zone).date()
        if calendar.closes_at(first) <= begins:
            first += _DAY
        if ends <= calendar.opens_at(last):
            last -= _DAY
        if first <= last:
            found.append((first, last))
    return tuple(found)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return instant(datetime.combine(day, time.min), zone)

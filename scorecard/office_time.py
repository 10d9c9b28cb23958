"""How long something took while the office was open. Pure."""

from datetime import UTC, datetime, timedelta

from config import SchoolCalendar
from config.wallclock import instant

_MINUTE = timedelta(minutes=1)


def office_minutes(start: datetime, end: datetime, calendar: SchoolCalendar) -> int:
    """The whole minutes from `start` to `end` (both aware) in which the office was open; 0 where `end` is not later."""
    open_for = timedelta()
    day, last = start.astimezone(calendar.zone).date(), end.astimezone(calendar.zone).date()
    # Python compares two times of one zone by their digits; as instants only across zones (PEP 495).
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    while day <= last:
        if calendar.is_school_day(day):
            opens, closes = (
                instant(datetime.combine(day, of_day), calendar.zone).astimezone(UTC)
                for of_day in (calendar.office_opens, calendar.office_closes)
            )
            open_for += max(min(closes, end) - max(opens, start), timedelta())
        day += timedelta(days=1)
    return open_for // _MINUTE

"""When a teacher can be called next."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from autoresponder.plan import Span
from config.calendar import SchoolCalendar
from config.settings import WEEKDAYS, CallWindow
from config.wallclock import instant

OFFERED = 2
"""How many windows a note names: a choice that is quickly made."""
_TIME_TO_ANSWER = timedelta(hours=2)
"""Nobody is offered a call that begins before they have read the offer."""
_LOOKED_AHEAD = 14
"""Days."""


def next_calls(
    windows: Sequence[CallWindow], now: datetime, deadline: datetime, calendar: SchoolCalendar
) -> tuple[Span, ...]:
    """The next windows on school days, at most two, in order, up to two weeks after `deadline`. Times are aware, those
    of the spans in the school's zone."""
    today = now.astimezone(calendar.zone).date()
    found = []
    for ahead in range((deadline.date() - today).days + _LOOKED_AHEAD):
        day = today + timedelta(days=ahead)
        if not calendar.is_school_day(day):
            continue
        for window in windows:
            if WEEKDAYS.index(window.day) != day.weekday():
                continue
            begins, ends = (instant(datetime.combine(day, at), calendar.zone) for at in (window.opens, window.closes))
            if begins - now >= _TIME_TO_ANSWER:
                found.append(Span(begins=begins, ends=ends))
    return tuple(sorted(found, key=lambda span: span.begins)[:OFFERED])

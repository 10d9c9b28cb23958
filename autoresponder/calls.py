"""When a teacher can be called next."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from autoresponder.plan import ShortCalls, Span
from config.calendar import SchoolCalendar
from config.settings import WEEKDAYS, CallWindow, PartnershipCalls
from config.wallclock import instant

OFFERED = 2
"""How many windows a note names: a choice that is quickly made."""
_TIME_TO_ANSWER = timedelta(hours=2)
"""Nobody is offered a call that begins before they have read the offer."""
_LOOKED_AHEAD = 14
"""Days."""
_MONTHS_AHEAD = 100
"""Days in which two dates of the month are found in spite of a long break."""


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


def next_partnership_calls(windows: Sequence[PartnershipCalls], now: datetime, calendar: SchoolCalendar) -> ShortCalls:
    """The next times of the month on school days in which a teacher can be called for a few minutes, at most two, in
    order. `now` is aware; the times are in the school's zone. Of windows for calls of different length, the shortest
    is what is offered."""
    today = now.astimezone(calendar.zone).date()
    found = []
    for ahead in range(_MONTHS_AHEAD):
        day = today + timedelta(days=ahead)
        for window in windows:
            nth = (day.day - 1) // 7 + 1
            if WEEKDAYS.index(window.day) != day.weekday() or nth not in window.weeks:
                continue
            begins, ends = (instant(datetime.combine(day, at), calendar.zone) for at in (window.opens, window.closes))
            if begins - now >= _TIME_TO_ANSWER and calendar.is_school_day(day):
                found.append(Span(begins=begins, ends=ends))
        if len(found) >= OFFERED:
            break
    spans = tuple(sorted(found, key=lambda span: span.begins)[:OFFERED])
    return ShortCalls(spans=spans, minutes=min((window.minutes for window in windows), default=ShortCalls().minutes))

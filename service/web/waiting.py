"""How long an item has waited, and how that stands against the norm. Pure.

The norm of what nobody has taken is the minutes of its desk; of everything else it is the school's own, by which
families are promised an answer. Both count school hours (`autoresponder.hours`).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from babel.units import format_unit

from autoresponder.hours import reply_by, school_hours_between
from autoresponder.items import ItemState
from autoresponder.wording import Wording
from config.calendar import NoSchoolDay, SchoolCalendar
from config.settings import Norm
from store.queue import Queued

_HOUR = timedelta(hours=1)
_HOURS_NOT_COUNTED_FROM = 2
"""Days of age."""
_WHOLE = 100


@dataclass(frozen=True, slots=True)
class Wait:
    """How an unfinished item stands."""

    age: timedelta
    """Since the family's first message came, by the clock on the wall."""
    due: datetime | None
    """When it goes on if nobody takes it; of what somebody has, by when the family is promised an answer."""
    left: timedelta
    """Until then; negative once it is over."""
    late: bool
    """Whether nobody took it in time, or the promise is broken."""
    used: int
    """How much of the norm is used up, of 100."""


def wait_of(queued: Queued, norm: Norm, calendar: SchoolCalendar, now: datetime) -> Wait:
    """How an unfinished item stands at `now` (aware)."""
    item = queued.item
    began = min((each.received_at for each in queued.messages), default=item.opened_at)
    waits = item.state is ItemState.OPEN and item.escalates_at is not None
    promised = _promised(began, norm, calendar)
    due = item.escalates_at if waits else promised
    hours = replace(calendar, opens=calendar.office_opens, closes=calendar.office_closes) if waits else calendar
    went_on = item.state is ItemState.OPEN and item.steps > 0
    return Wait(
        age=max(now - began, timedelta()),
        due=due,
        left=due - now if due is not None else timedelta(),
        late=went_on or (due is not None and now >= due) or (promised is not None and now >= promised),
        used=_used(item.stepped_at if waits else began, due, hours, now),
    )


def lasting(words: Wording, span: timedelta) -> str:
    """A stretch of time in words, to the minute: "12 minutes", "2 hours 5 minutes", "3 days"."""
    minutes = int(span / timedelta(minutes=1))
    hours, days = minutes // 60, span.days
    if days >= _HOURS_NOT_COUNTED_FROM:
        return _unit(words, days, "day")
    if minutes <= 0:
        return words.gettext("less than a minute")
    if hours == 0:
        return _unit(words, minutes, "minute")
    parts = [_unit(words, hours, "hour")]
    if minutes % 60:
        parts.append(_unit(words, minutes % 60, "minute"))
    return " ".join(parts)


def _unit(words: Wording, number: int, unit: str) -> str:
    return format_unit(number, f"duration-{unit}", length="long", locale=words.locale)


def _promised(began: datetime, norm: Norm, calendar: SchoolCalendar) -> datetime | None:
    try:
        return reply_by(began, norm.reply_within_hours[1], calendar)
    except NoSchoolDay:
        return None


def _used(began: datetime, due: datetime | None, hours: SchoolCalendar, now: datetime) -> int:
    if due is None or now >= due:
        return _WHOLE if due is not None else 0
    try:
        allowed = school_hours_between(began, due, hours)
        spent = school_hours_between(began, now, hours)
    except NoSchoolDay:
        allowed, spent = (due - began) / _HOUR, (now - began) / _HOUR
    return min(_WHOLE, max(0, round(_WHOLE * spent / allowed))) if allowed > 0 else _WHOLE

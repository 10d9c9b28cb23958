"""Which desk gets what, who that is at this hour, and where an item goes that nobody has taken. Pure.

The desks of a school form chains: the nurse, then the front office, then the administration. An item walks along one as
long as nobody takes it. Minutes are school minutes (`autoresponder.hours`), by the office's opening hours: a desk where
nobody sits has not failed to answer.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from autoresponder.hours import reply_by
from config.calendar import NoSchoolDay, SchoolCalendar
from config.settings import OFFICE_DESK, Settings

_MINUTES_IN_HOUR = 60


class StepKind(StrEnum):
    """What becomes of an item that nobody has taken in time."""

    NEXT = "next"
    """It goes to the next desk of the chain."""
    ON_CALL = "on call"
    """The office is closed: it goes to whoever is on call, and on along the chain when the office opens."""
    REMINDER = "reminder"
    """The chain has come to its end: every desk of it is reminded."""
    WAIT = "wait"
    """The office is closed and nobody is on call: nothing before it opens."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an item that nobody has taken."""

    kind: StepKind
    path: tuple[str, ...]
    """The desks that have had it, with this step's, the first first."""
    recipients: tuple[str, ...]
    next_at: datetime | None
    """When the following step is due; None where there is none."""


def desk_for(topic: str, settings: Settings) -> str:
    """The name of the desk that handles `topic`; the office where no other does."""
    return next((desk.name for desk in settings.desks if topic in desk.topics), OFFICE_DESK)


def recipients_of(desk: str, settings: Settings, *, urgent: bool, closed: bool) -> tuple[str, ...]:
    """Who gets the mail of a desk: its own people, the office where it wants to know, and whoever is on call while the
    office is `closed`. A desk that the configuration no longer knows is the office."""
    found = next((each for each in settings.desks if each.name == desk), None)
    addresses = [settings.office.address] if found is None else [*found.recipients]
    if found is not None and urgent and found.office_too:
        addresses.append(settings.office.address)
    if urgent and closed and settings.office.on_call is not None:
        addresses.append(settings.office.on_call)
    return tuple(dict.fromkeys(addresses))


def tells_office(topic: str, settings: Settings) -> bool:
    """Whether the front office itself gets urgent mail of this topic: what families are told."""
    return settings.office.address in recipients_of(desk_for(topic, settings), settings, urgent=True, closed=False)


def members_of(addresses: frozenset[str], settings: Settings) -> frozenset[str]:
    """Those of `addresses`, and the people who answer for them from addresses of their own."""
    people = set(addresses)
    if settings.office.address in addresses:
        people.update(settings.office.members)
    for desk in settings.desks:
        if addresses & set(desk.recipients):
            people.update(desk.members)
    return frozenset(people)


def first_due(desk: str, settings: Settings, calendar: SchoolCalendar, now: datetime) -> datetime | None:
    """When an urgent item that comes to `desk` now goes on if nobody takes it; None where it stays."""
    minutes = _minutes(desk, settings)
    if minutes is None:
        return None
    hours = replace(calendar, opens=calendar.office_opens, closes=calendar.office_closes)
    try:
        due = reply_by(now, minutes / _MINUTES_IN_HOUR, hours)
        if settings.office.on_call is None and not calendar.office_is_open(due):
            due = calendar.office_opens_at(due)
    except NoSchoolDay:  # a calendar that never opens must not keep an urgent item from anybody
        return now + timedelta(minutes=minutes)
    return due


def next_step(path: tuple[str, ...], settings: Settings, calendar: SchoolCalendar, now: datetime) -> Step:
    """What becomes, now, of an item that nobody has taken at the last desk of `path` (at least one)."""
    here = path[-1]
    if not calendar.office_is_open(now) and (opens := _opening(calendar, now)) is not None:
        if settings.office.on_call is None:
            return Step(StepKind.WAIT, path, (), opens)
        return Step(StepKind.ON_CALL, path, (settings.office.on_call,), first_due(here, settings, calendar, opens))
    following = _after(here, settings)
    if following is not None and following not in path:
        recipients = recipients_of(following, settings, urgent=True, closed=False)
        next_at = first_due(following, settings, calendar, now)
        return Step(StepKind.NEXT, (*path, following), recipients, next_at)
    everybody = [each for desk in path for each in recipients_of(desk, settings, urgent=True, closed=False)]
    # The next opening after this one: a reminder each school day, until somebody takes it.
    later = now + timedelta(minutes=1)
    next_at = _opening(calendar, later) or now + timedelta(days=1)
    return Step(StepKind.REMINDER, path, tuple(dict.fromkeys(everybody)), next_at)


def _opening(calendar: SchoolCalendar, at: datetime) -> datetime | None:
    try:
        return calendar.office_opens_at(at)
    except NoSchoolDay:
        return None


def _minutes(desk: str, settings: Settings) -> int | None:
    return next((each.minutes for each in settings.desks if each.name == desk), settings.office.minutes)


def _after(desk: str, settings: Settings) -> str | None:
    """The desk after `desk`, by the name it has in the configuration."""
    found = next((each for each in settings.desks if each.name == desk), None)
    wanted = (found.next or OFFICE_DESK) if found is not None else settings.office.next
    if wanted is None:
        return None
    return next((each.name for each in settings.desks if each.name.lower() == wanted.lower()), OFFICE_DESK)

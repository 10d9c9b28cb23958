"""What the administrator has to know of, given how the installation stands. Pure.

Silence needs judgement. A mailbox that cannot be looked at is a fault on any day; one that gets no mail is a fault only
where it otherwise gets some almost every school day, and only counted in school days: no alarm over the holidays, none
for the colleague whom hardly anybody writes to.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import islice

from autoresponder.alerts import AlertKind
from config import SchoolCalendar
from config.settings import Settings
from scorecard.office_time import office_minutes
from service.operating.standing import Standing
from store.alerts import Subject
from store.operating_tables import EVERYWHERE, QUEUE, Alert
from store.tables import DeliveryState
from store.vitals import URGENT

_HABIT_DAYS = 20
"""School days that a habit is judged by."""
_HABIT = 0.9
"""The share of them on which mail came."""
HABIT_SPAN = timedelta(days=60)
"""A span that holds so many school days, whatever break lies in it."""
_LONGEST_UNCLAIMED = timedelta(days=30)
"""Older items are no news to anybody."""

Times = Callable[[str, datetime], Sequence[datetime]]
"""When mail came to a mailbox, from a time on."""


def troubles_of(
    standing: Standing, settings: Settings, calendar: SchoolCalendar, without_mail: Mapping[str, datetime]
) -> Mapping[Subject, datetime]:
    """Everything that is wrong, and since when. `without_mail` are the mailboxes of `without_mail_of`, with the time of
    their last mail."""
    troubles: dict[Subject, datetime] = {}
    troubles.update({(AlertKind.SILENT, mailbox): since for mailbox, since in standing.silent.items()})
    reachable = len(settings.mailboxes) - len(standing.silent) - len(standing.parked)
    if len(without_mail) > max(1, reachable // 2):
        troubles[AlertKind.NO_MAIL, EVERYWHERE] = min(without_mail.values())
    else:
        troubles.update({(AlertKind.NO_MAIL, mailbox): since for mailbox, since in without_mail.items()})
    troubles.update(_queue(standing, settings))
    troubles.update(_office(standing, settings, calendar))
    return troubles


def still_silent(alerts: Sequence[Alert], standing: Standing) -> Mapping[Subject, datetime]:
    """Silences on record that nothing has ended: a restart is no look at a mailbox."""
    never = datetime.min.replace(tzinfo=UTC)
    return {
        (alert.kind, alert.subject): alert.since
        for alert in alerts
        if alert.kind is AlertKind.SILENT
        and alert.over_at is None
        and alert.subject in {*standing.looked_at, *standing.never_seen}
        and alert.subject not in standing.parked
        and standing.looked_at.get(alert.subject, never) < alert.noticed_at
    }


def without_mail_of(
    last_mail: Mapping[str, datetime], times: Times, standing: Standing, settings: Settings, calendar: SchoolCalendar
) -> Mapping[str, datetime]:
    """Mailboxes that can be read and have had no mail for `monitoring.no_mail_days` whole school days, where mail came
    on nearly every one of the twenty before; each with the time of its last mail."""
    days = settings.monitoring.no_mail_days
    today = standing.at.astimezone(calendar.zone).date()
    if days == 0 or not calendar.is_school_day(today):
        return {}
    readable = [each for each in standing.looked_at if each not in standing.silent and each not in standing.parked]
    return {
        mailbox: last_mail[mailbox]
        for mailbox in readable
        if mailbox in last_mail
        and _school_days_between(last_mail[mailbox], today, calendar) >= days
        and _has_a_habit(times(mailbox, last_mail[mailbox] - HABIT_SPAN), last_mail[mailbox], calendar)
    }


def _school_days_between(last: datetime, today: date, calendar: SchoolCalendar) -> int:
    """Whole school days after that of `last` and before `today`."""
    first = last.astimezone(calendar.zone).date() + timedelta(days=1)
    if (today - first).days > 366:  # gone for a year is gone
        return 0
    return sum(calendar.is_school_day(first + timedelta(days=each)) for each in range((today - first).days))


def _has_a_habit(times: Sequence[datetime], last: datetime, calendar: SchoolCalendar) -> bool:
    had = {at.astimezone(calendar.zone).date() for at in times}
    day = last.astimezone(calendar.zone).date()
    before = (day - timedelta(days=each) for each in range(HABIT_SPAN.days))
    looked_at = list(islice(filter(calendar.is_school_day, before), _HABIT_DAYS))
    return len(looked_at) == _HABIT_DAYS and sum(each in had for each in looked_at) >= _HABIT * _HABIT_DAYS


def _queue(standing: Standing, settings: Settings) -> Iterator[tuple[Subject, datetime]]:
    if standing.vitals is None:
        return
    too_long_ago = standing.at - timedelta(minutes=settings.monitoring.queue_minutes)
    waiting = [each for each in standing.vitals.waiting if each.state is DeliveryState.WAITING]
    # Each failed try puts an urgent mail off a little: when it was planned says how long the office has not had it.
    urgent = [each.planned_at for each in waiting if each.kind in URGENT and each.planned_at < too_long_ago]
    other = [each.due_since for each in waiting if each.kind not in URGENT and each.due_since < too_long_ago]
    if urgent:
        yield (AlertKind.URGENT_WAITS, QUEUE), min(urgent)
    if other:
        yield (AlertKind.QUEUE, QUEUE), min(other)
    for number, planned_at in standing.vitals.given_up:
        yield (AlertKind.GIVEN_UP, str(number)), planned_at


def _office(standing: Standing, settings: Settings, calendar: SchoolCalendar) -> Iterator[tuple[Subject, datetime]]:
    """By the day on which items were opened: an office that never says "taken" is asked about once a day at most, and
    one forgotten item does not hide tomorrow's."""
    minutes = settings.monitoring.unclaimed_minutes
    if standing.vitals is None or minutes == 0:
        return
    oldest: dict[str, datetime] = {}
    for item in standing.vitals.unclaimed:
        if standing.at - item.opened_at > _LONGEST_UNCLAIMED:
            continue
        if office_minutes(item.opened_at, standing.at, calendar) >= minutes:
            day = item.opened_at.astimezone(calendar.zone).date().isoformat()
            oldest.setdefault(day, item.opened_at)
    for day, opened_at in oldest.items():
        yield (AlertKind.UNCLAIMED, day), opened_at

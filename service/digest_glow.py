"""Which families the morning mail names who have had no good word yet."""

from datetime import date, datetime

import structlog

from autoresponder.digest import DigestFacts
from autoresponder.digest_glow import GlowLines
from config.calendar import SchoolCalendar
from config.settings import MailboxSettings
from service.good_news import GoodNews
from service.logs import place
from store.marks import monday_of

log = structlog.get_logger()

_LITTLE_ELSE = 3
"""On a day with more to tell than this, good news waits for another."""


def is_day_for_it(facts: DigestFacts, calendar: SchoolCalendar) -> bool:
    """Whether the mail has room for good news: there is little else in it. By itself it is no reason for a mail but on
    the first school day of a week: a mail that comes every day with nothing new is soon not read."""
    parts = (facts.waiting, facts.to_call, facts.follow_ups, facts.proposals, facts.handled)
    if facts.answers_paused_since is not None or sum(map(len, parts)) > _LITTLE_ELSE:
        return False
    return not facts.is_empty or _first_of_week(facts.today, calendar)


def glow_lines(
    news: GoodNews, box: MailboxSettings, facts: DigestFacts, now: datetime, calendar: SchoolCalendar
) -> GlowLines:
    """The families to name beside what `facts` tell `now` (aware)."""
    if not is_day_for_it(facts, calendar):
        return GlowLines()
    try:
        return GlowLines(tuple(family.students for family in news.to_name(box, now)))
    except Exception as error:  # noqa: BLE001 - who waits for an answer is told all the same
        log.error("families without a good word could not be looked up", mailbox=box.address, error=place(error))
        return GlowLines()


def _first_of_week(day: date, calendar: SchoolCalendar) -> bool:
    return not any(
        calendar.is_school_day(date.fromordinal(earlier))
        for earlier in range(monday_of(day).toordinal(), day.toordinal())
    )

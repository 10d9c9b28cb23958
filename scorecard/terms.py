"""The terms that figures are computed for, and their school weeks. Pure, but for `terms_of`, which asks the roster.

A school's own terms come from its roster, else from [[terms]] in the settings; without either the school year is one.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from sqlalchemy import Connection, func, select
from sqlmodel import col

from config import SchoolCalendar
from config.settings import Settings
from scorecard.report import SchoolTerm
from store.marks import monday_of
from store.roster_tables import RosterTerm
from store.tables import MailboxState

_EARLY_WEEKS = 4
"""In so many school weeks every family is to have had a good word."""
_YEAR_BEGINS = (8, 1)
"""Month and day on which a school year begins where nobody says."""


def terms_of(connection: Connection, settings: Settings, calendar: SchoolCalendar, today: date) -> list[SchoolTerm]:
    """The terms that have begun, the oldest first, as far as this service can tell of them: none that was over before
    the first mailbox was connected. `today` is the day in the school's time zone."""
    rows = connection.execute(
        select(
            col(RosterTerm.id), col(RosterTerm.title), col(RosterTerm.begins), col(RosterTerm.ends),
            col(RosterTerm.until),
        ).where(col(RosterTerm.is_year).is_(False))
    )  # fmt: skip
    # A list of this year need not name the terms of last year; one that it drops before its end was a mistake.
    listed = [
        (row.id, row.title, row.begins, row.ends)
        for row in rows
        if row.begins <= row.ends and (row.until is None or row.until > row.ends)
    ]
    own = [(f"settings:{term.title}", term.title, term.first, term.last) for term in settings.terms]
    connected = connection.execute(select(func.min(col(MailboxState.connected_at)))).scalar()
    since = today if connected is None else min(today, connected.astimezone(calendar.zone).date())
    terms = [
        SchoolTerm(name, title, first, last, fourth_week_ends(first, last, calendar))
        for name, title, first, last in listed or own or _school_years(since, today)
        if first <= today and last >= since
    ]
    return sorted(terms, key=lambda term: (term.first, term.last, term.id))


def fourth_week_ends(first: date, last: date, calendar: SchoolCalendar) -> date:
    """The Sunday of the fourth week of a term in which there is a day with school; where it has fewer, of the last of
    them, and where it has none, its last day."""
    mondays = school_weeks(first, last, calendar)[:_EARLY_WEEKS]
    return mondays[-1] + timedelta(days=6) if mondays else last


def school_weeks(first: date, last: date, calendar: SchoolCalendar) -> list[date]:
    """The Mondays of those weeks that have a day with school within the term."""
    days = (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))
    return list(dict.fromkeys(monday_of(day) for day in days if calendar.is_school_day(day)))


def contact_day(term: SchoolTerm) -> date:
    """The last day on which a first contact counts: the end of the fourth school week, or of a shorter term."""
    return min(term.fourth_week_ends, term.last)


def containing(terms: Iterable[SchoolTerm], day: date) -> list[SchoolTerm]:
    """The terms that a day lies in: several where terms overlap, none in a gap between them."""
    return [term for term in terms if term.first <= day <= term.last]


def running(terms: Sequence[SchoolTerm], today: date) -> SchoolTerm | None:
    """The term that people ask for today: of those that run the one that began last, else the last that ended; None
    where there is none."""
    return max(terms, key=lambda term: (min(term.last, today), term.first, term.id), default=None)


def before(terms: Sequence[SchoolTerm], term: SchoolTerm) -> SchoolTerm | None:
    """The term that one is compared with: of those that ended before it began, the last; None where there is none."""
    earlier = [each for each in terms if each.last < term.first]
    return max(earlier, key=lambda each: (each.last, each.first, each.id), default=None)


def _school_years(since: date, today: date) -> list[tuple[str, str, date, date]]:
    first, last = (day.year - ((day.month, day.day) < _YEAR_BEGINS) for day in (since, today))
    return [
        (f"year:{year}", f"{year}-{(year + 1) % 100:02}", date(year, *_YEAR_BEGINS), _day_before(year + 1))
        for year in range(first, last + 1)
    ]


def _day_before(year: int) -> date:
    return date(year, *_YEAR_BEGINS) - timedelta(days=1)

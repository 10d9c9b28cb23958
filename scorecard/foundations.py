"""What of the settings, the terms and the calendar the figures rest on, and what of it has changed."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from functools import cached_property

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, select
from sqlmodel import col

from config import SchoolCalendar
from config.settings import Settings
from scorecard.report import SchoolTerm
from scorecard.terms import terms_of
from store.roster_tables import RosterTerm


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TermDays(_Part):
    """When a term of the scorecard is."""

    first: date
    last: date
    fourth_week_ends: date


class ClassDays(_Part):
    """When a term of the roster is, in which classes are held."""

    begins: date
    ends: date


class Mailbox(_Part):
    """What a mailbox is to the figures."""

    aliases: tuple[str, ...]
    team: str


class Foundations(_Part):
    """All of it, as it is put on record beside the figures."""

    calendar: str
    """Checksum of the calendar, the time zone and the norm."""
    terms: Mapping[str, TermDays]
    """By identifier; those that have begun."""
    class_terms: Mapping[str, ClassDays]
    """By identifier; those of the roster, school years with them."""
    mailboxes: Mapping[str, Mailbox]
    """By address."""

    @cached_property
    def digest(self) -> str:
        """SHA-256, hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Changes(_Part):
    """What is no longer as it was."""

    calendar: bool
    terms: frozenset[str]
    """Terms that are new, gone, or on other days."""
    gone: frozenset[str]
    """Those of them that had figures: these no longer hold."""
    since: date
    """The first day of any of those terms, then or now."""
    class_terms: frozenset[str]
    mailboxes: frozenset[str]
    """Mailboxes that are new, gone, of another team, or with other aliases."""


def foundations_of(
    connection: Connection,
    settings: Settings,
    calendar: SchoolCalendar,
    today: date,
    known: "tuple[Foundations, list[SchoolTerm]] | None" = None,
) -> tuple[Foundations, list[SchoolTerm]]:
    """What the figures rest on today, and the terms that there are figures of: those `known` of the same settings and
    calendar, where the roster's terms are as they were then."""
    terms = terms_of(connection, settings, calendar, today)
    columns = (col(RosterTerm.id), col(RosterTerm.begins), col(RosterTerm.ends))
    listed = {
        row.id: ClassDays(begins=row.begins, ends=row.ends)
        for row in sorted(connection.execute(select(*columns)), key=lambda row: row.id)
    }
    if known is not None and known[1] == terms and known[0].class_terms == listed:
        return known
    foundations = Foundations(
        calendar=_checksum(settings, calendar),
        terms={
            term.id: TermDays(first=term.first, last=term.last, fourth_week_ends=term.fourth_week_ends)
            for term in terms
        },
        class_terms=listed,
        mailboxes={
            box.address: Mailbox(aliases=tuple(sorted(box.aliases)), team=box.team)
            for box in sorted(settings.mailboxes, key=lambda box: box.address)
        },
    )
    return foundations, terms


def changes(was: Foundations, now: Foundations, today: date) -> Changes:
    """What changed from one to the other."""
    terms = _differing(was.terms, now.terms)
    days = [each[term].first for each in (was.terms, now.terms) for term in terms if term in each]
    return Changes(
        calendar=was.calendar != now.calendar,
        terms=terms,
        gone=terms & was.terms.keys(),
        since=min(days, default=today),
        class_terms=_differing(was.class_terms, now.class_terms),
        mailboxes=_differing(was.mailboxes, now.mailboxes),
    )


def class_terms_between(terms: Mapping[str, ClassDays], early: date, late: date) -> frozenset[str]:
    """The roster's terms that begin or end between two days: that held on the one and not on the other."""
    return frozenset(term for term, days in terms.items() if early < days.begins <= late or early <= days.ends < late)


def _differing(was: Mapping[str, _Part], now: Mapping[str, _Part]) -> frozenset[str]:
    return frozenset(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))


def _checksum(settings: Settings, calendar: SchoolCalendar) -> str:
    days = asdict(calendar) | {"weekdays": sorted(calendar.weekdays), "warnings": ()}
    words: Iterable[object] = (sorted(days.items(), key=lambda each: each[0]), settings.norm.reply_within_hours[1])
    return hashlib.sha256(repr(words).encode()).hexdigest()

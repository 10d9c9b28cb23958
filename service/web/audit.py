"""The audit page: who saw and did what, and whether the record is as it was written. Looking at it is in it too.

Administrators see all of it. Leaders see what was done about families and their messages, but not when people come and
go: that is for whoever looks after the access, and measures nobody's work.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request, Response

from autoresponder.wording import Wording
from config.settings import Role
from service.web.acts import COMING_AND_GOING, LOOKED, about_in, act_in
from service.web.rendering import page, words_for
from service.web.site import Site, site_of
from service.web.visits import MAY_LOOK, Visit, one_of
from store import audit
from store.audit_names import names_in, read_out
from store.audit_reading import Wanted, acts, newest, people
from store.web_tables import AuditEntry

router = APIRouter()

PER_PAGE = 100
_UNKNOWN = "-"
"""Stands for whoever is none of the staff."""

Overseer = Annotated[Visit, Depends(one_of(*MAY_LOOK))]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the form asks for, checked."""

    person: str = ""
    act: str = ""
    first: date | None = None
    last: date | None = None
    before: int | None = None

    def wanted(self, site: Site, hidden: frozenset[str]) -> Wanted:
        """The same, for the store."""
        return Wanted(
            person=("" if self.person == _UNKNOWN else self.person) if self.person else None,
            act=self.act or None,
            since=_midnight(self.first, site),
            until=_midnight(self.last + timedelta(days=1), site) if self.last else None,
            hidden=hidden,
        )

    @property
    def query(self) -> str:
        """For the address of another page of the same."""
        fields = {"person": self.person, "act": self.act, "first": self.first, "last": self.last}
        return urlencode({name: str(value) for name, value in fields.items() if value})

    @property
    def in_words(self) -> str:
        """For the audit log itself: what was looked at."""
        parts = (
            f"of {'somebody unknown' if self.person == _UNKNOWN else self.person}" if self.person else "",
            f"only: {self.act}" if self.act else "",
            f"from {self.first}" if self.first else "",
            f"to {self.last}" if self.last else "",
            f"before entry {self.before}" if self.before else "",
        )
        return ", ".join(part for part in parts if part) or "all of it"


@dataclass(frozen=True, slots=True)
class Line:
    """One entry, as it is shown."""

    number: int
    at: datetime
    who: str
    address: str
    act: str
    about: str


@router.get("/audit")
def audit_page(
    request: Request,
    visit: Overseer,
    person: str = "",
    act: str = "",
    first: str = "",
    last: str = "",
    before: str = "",
) -> Response:
    """A page of the log, the newest first."""
    site, words = site_of(request), words_for(request)
    hidden = frozenset() if Role.ADMINISTRATOR in visit.person.roles else COMING_AND_GOING
    everybody, everything = people(site.database, hidden), acts(site.database, hidden)
    chosen = Chosen(
        person=_one_of(person, [_UNKNOWN, *everybody]),
        act=_one_of(act, everything),
        first=_day(first),
        last=_day(last),
        before=_number(before),
    )
    now = site.clock()
    with site.database.write() as connection:
        audit.append(connection, at=now, person=visit.person.address, act=LOOKED, about=chosen.in_words)
    found = newest(site.database, chosen.wanted(site, hidden), before=chosen.before, most=PER_PAGE + 1)
    lines = _lines(found[:PER_PAGE], site, words)
    return page(
        request,
        "audit.html.j2",
        visit=visit,
        chosen=chosen,
        unknown=_UNKNOWN,
        everybody=[(address, _name(site, address)) for address in everybody],
        everything=[(each, act_in(words, each)) for each in sorted(everything, key=lambda each: act_in(words, each))],
        days=[(day, list(lines)) for day, lines in groupby(lines, lambda line: line.at.date())],
        older=found[PER_PAGE - 1].number if len(found) > PER_PAGE else None,
        chain=audit.check(site.database),
        checked_at=now,
        narrowed=bool(hidden),
        kept=chosen.query,
    )


def _lines(found: list[AuditEntry], site: Site, words: Wording) -> list[Line]:
    _ = words.gettext
    names = names_in(site.database, [entry.about for entry in found])
    return [
        Line(
            number=entry.number,
            at=entry.at.astimezone(site.settings.school.zone),
            who=_name(site, entry.person) if entry.person else _("Somebody unknown"),
            address=entry.person or "",
            act=act_in(words, entry.act),
            about=about_in(words, read_out(entry.about, names)),
        )
        for entry in found
    ]


def _name(site: Site, address: str) -> str:
    """What the school calls somebody; the address of who has left."""
    found = site.people.find(address)
    return found.name if found else address


def _midnight(day: date | None, site: Site) -> datetime | None:
    return datetime.combine(day, time(0), site.settings.school.zone) if day else None


def _one_of(said: str, known: list[str]) -> str:
    """What was said, where it is one of those that the form offers. Raises HTTPException 404."""
    if said and said not in known:
        raise HTTPException(404)
    return said


def _day(said: str) -> date | None:
    """A day of the form. Raises HTTPException 400."""
    try:
        return date.fromisoformat(said) if said else None
    except ValueError as error:
        raise HTTPException(400) from error


def _number(said: str) -> int | None:
    if not said:
        return None
    if not re.fullmatch("[1-9][0-9]{0,15}", said):
        raise HTTPException(400)
    return int(said)

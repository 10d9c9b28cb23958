"""The scorecard's pages: for leaders the school with all that is theirs to see, for a teacher what is theirs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from autoresponder.wording import Wording
from config.settings import Role
from scorecard.readers import reader_of
from scorecard.reading import WHOLE, Scope, first_look, read_report
from scorecard.report import Group, Indicator, Report
from scorecard.saying import as_of
from scorecard.terms import terms_of
from service.web.rendering import page, words_for
from service.web.scorecard_view import Paths, View, groups_shown, view_of
from service.web.site import Site, site_of
from service.web.visits import Visit, one_of
from store.scorecard_tables import Grouping

router = APIRouter()

PATH = "/scorecard"
_LONGEST_KEY = 320

ScorecardReader = Annotated[Visit, Depends(one_of(Role.LEADER, Role.TEACHER))]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which group's figures, in which term."""

    group: Group
    term: str
    """Its id; empty for the one that runs."""

    def path(self, prefix: str = "", **more: str | int) -> str:
        """The address of a page about it."""
        kind = "" if self.group.grouping is Grouping.ALL and not prefix else f"/{self.group.grouping}"
        fields = {"of": self.group.key, "term": self.term, **more}
        query = urlencode({name: str(value) for name, value in fields.items() if value})
        return f"{PATH}{prefix}{kind}" + (f"?{query}" if query else "")


@router.get("/scorecard")
def whole(request: Request, visit: ScorecardReader, term: str = "") -> Response:
    """Everybody's figures: in one minute, whether the alliance works."""
    return _show(request, visit, Asked(Group(Grouping.ALL, ""), term))


@router.get("/scorecard/{grouping}")
def of_group(request: Request, visit: ScorecardReader, grouping: Grouping, of: str = "", term: str = "") -> Response:
    """The same of a school, a grade, a team or a teacher. HTTPException 404 for one that there is not, that is too
    small to be shown, or that is not theirs to see: nobody learns which of them it is."""
    return _show(request, visit, Asked(asked_group(grouping, of), term))


def _show(request: Request, visit: Visit, asked: Asked) -> Response:
    site, words = site_of(request), words_for(request)
    report = report_for(site, visit, asked, words)
    view: View | None = None
    if report is not None:
        view = view_of(asked.group, report, words, _paths(report, asked.term))
    hidden = report is not None and asked.group not in groups_shown(report)
    if report is not None and view is None and asked.group.grouping is Grouping.ALL:
        # Where the school less oneself would be one colleague, a teacher sees no figures but their own.
        own = _own_path(report, visit, asked)
        if own:
            return RedirectResponse(own, 303)
    if (view is None or hidden) and (asked.group.grouping is not Grouping.ALL or asked.term):
        raise HTTPException(404)
    return page(
        request,
        "scorecard.html.j2",
        visit=visit,
        view=view,
        terms=_terms(site) if report is not None else [],
        term=report.term.id if report is not None else "",
        of=asked.group.key,
        here=Asked(Group(asked.group.grouping, ""), "").path(),
        own_path=_own_path(report, visit, asked) if report is not None else "",
        whole_path=Asked(Group(Grouping.ALL, ""), asked.term).path(),
        as_of=as_of(report, words, site.settings.school.zone) if report is not None else "",
    )


def report_for(site: Site, visit: Visit, asked: Asked, words: Wording) -> Report | None:
    """The scorecard as far as it is for this person, with all that the asked group's page shows; None where there is
    none. HTTPException 404 for a term that there is not."""
    if asked.term and asked.term not in {known for known, _title in _terms(site)}:
        raise HTTPException(404)
    with site.database.read() as connection:
        return read_report(
            connection,
            site.settings,
            site.calendar,
            site.clock(),
            reader_of(site.settings, visit.person.address),
            term=asked.term or None,
            scope=_scope(site, asked.group),
            words=words,
        )


def _scope(site: Site, group: Group) -> Scope:
    at_first = first_look(site.settings)
    if at_first == WHOLE:
        return WHOLE
    match group.grouping:
        case Grouping.SCHOOL:
            return Scope(school=group.key)
        case Grouping.GRADE:
            return Scope(school=group.key.rpartition("/")[0])
        case Grouping.TEAM:
            return Scope(team=group.key)
        case Grouping.TEACHER:
            team = next((box.team for box in site.settings.mailboxes if box.address == group.key), None)
            return Scope(team=team or "")
        case Grouping.ALL:
            return at_first


def _terms(site: Site) -> Sequence[tuple[str, str]]:
    """Id and title of each term, the newest first."""
    today = site.clock().astimezone(site.calendar.zone).date()
    with site.database.read() as connection:
        terms = terms_of(connection, site.settings, site.calendar, today)
    return [(term.id, term.title) for term in reversed(terms)]


def _paths(report: Report, term: str) -> Paths:
    pages = set(groups_shown(report))

    def group(each: Group) -> str:
        return Asked(each, term).path() if each in pages else ""

    def events(each: Group, indicator: Indicator) -> str:
        return Asked(each, term).path(f"/events/{indicator}")

    return Paths(group, events)


def _own_path(report: Report, visit: Visit, asked: Asked) -> str:
    """Where a teacher finds their own figures; empty where there are none to be shown, or these are they."""
    own = Group(Grouping.TEACHER, visit.person.address)
    return Asked(own, asked.term).path() if own in groups_shown(report) and own != asked.group else ""


def asked_group(grouping: Grouping, key: str) -> Group:
    """The group that an address names. HTTPException 404 where it can be none."""
    if len(key) > _LONGEST_KEY or (grouping is Grouping.ALL) != (not key):
        raise HTTPException(404)
    return Group(grouping, key)

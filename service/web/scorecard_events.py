"""What stands behind a figure of the scorecard: identifiers and days, a page at a time. That somebody looked is on
record: a list of identifiers says more than a figure does."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from autoresponder.wording import Wording
from scorecard.charts import short_day
from scorecard.events import Behind, events_behind
from scorecard.plain import columns_of, rows_of
from scorecard.readers import reader_of
from scorecard.report import Indicator, Share
from scorecard.saying import NO_FIGURE, count, definition_of, name_of, percent, school_days, share_of, title_of
from service.web.rendering import page, words_for
from service.web.scorecard import Asked, ScorecardReader, asked_group
from service.web.site import site_of
from store import audit
from store.scorecard_tables import Grouping

router = APIRouter()

PER_PAGE = 100
_MOST_PAGES = 10_000
LOOKED = "opened a figure"
"""The act, in the audit log."""


@router.get("/scorecard/events/{indicator}/{grouping}")
def behind(
    request: Request,
    visit: ScorecardReader,
    indicator: Indicator,
    grouping: Grouping,
    of: str = "",
    term: str = "",
    at: Annotated[int, Query(ge=1, le=_MOST_PAGES)] = 1,
) -> Response:
    """A page of the events behind a group's figure. HTTPException 404 where the figure is withheld, not theirs to see,
    or not there: nobody learns which."""
    site, words = site_of(request), words_for(request)
    group = asked_group(grouping, of)
    with site.database.read() as connection:
        found = events_behind(
            connection,
            site.settings,
            site.calendar,
            site.clock(),
            reader_of(site.settings, visit.person.address),
            (group.grouping, group.key),
            indicator,
            term=term or None,
            first=(at - 1) * PER_PAGE,
            most=PER_PAGE,
        )
    if found is None or (at > 1 and not found.events):
        raise HTTPException(404)
    about = f"{indicator} of {group.grouping} {group.key}".strip() + f", {found.term.id}, page {at}"
    with site.database.write() as connection:
        audit.append(connection, at=site.clock(), person=visit.person.address, act=LOOKED, about=about)
    asked = Asked(group, term)
    prefix = f"/events/{indicator}"
    return page(
        request,
        "scorecard_events.html.j2",
        visit=visit,
        name=name_of(indicator, words),
        group=title_of(found.figures.group, words),
        term=found.term.title,
        figure=_figure(found, words),
        definition=definition_of(indicator, words),
        named=found.named,
        columns=[_column(each, words) for each in columns_of(found)],
        rows=[[_cell(cell, words) for cell in row] for row in rows_of(found)],
        total=count(found.total, words),
        back=asked.path(),
        earlier=asked.path(prefix, at=at - 1) if at > 1 else "",
        later=asked.path(prefix, at=at + 1) if at * PER_PAGE < found.total else "",
    )


def _figure(found: Behind, words: Wording) -> str:
    _ = words.gettext
    if found.indicator is Indicator.RESOLUTION:
        median = found.figures.resolution.median
        return NO_FIGURE if median is None else school_days(median, words)
    share: Share = share_of(found.figures, found.indicator)
    of = _("{met} of {of}").format(met=count(share.met, words), of=count(share.of, words))
    return f"{percent(share, words)} ({of})"


def _column(name: str, words: Wording) -> str:
    _ = words.gettext
    return {
        "family": _("Family"),
        "case": _("Conversation"),
        "student": _("Student"),
        "incident": _("Incident"),
        "counted": _("Counted as"),
        "positive": _("First good news"),
        "positive_record": _("On record as"),
        "written": _("First written to"),
        "written_record": _("On record as"),
        "answered": _("First answer"),
        "answered_record": _("On record as"),
        "opened": _("Began"),
        "agreed": _("Plan agreed"),
        "school_days": _("School days"),
        "day": _("Day"),
        "baseline": _("Back to baseline"),
        "again": _("Next incident"),
    }[name]


def _cell(cell: object, words: Wording) -> str:
    if cell is None or cell == "":
        return NO_FIGURE
    if isinstance(cell, date):
        return short_day(cell, words)
    return _counted(cell, words) if isinstance(cell, str) else str(cell)


def _counted(said: str, words: Wording) -> str:
    """What an event counted as; anything else, such as an identifier, stands as it is."""
    _ = words.gettext
    return {
        "introduced": _("good news in time"),
        "later": _("good news after week 4"),
        "not yet": _("no good news yet"),
        "two-way": _("two-way"),
        "one-way": _("no answer yet"),
        "resolved": _("plan agreed"),
        "open": _("still open"),
        "recovered": _("back to baseline"),
        "not recovered": _("not within two weeks"),
        "pending": _("within its two weeks"),
        "earlier": _("an earlier incident"),
    }.get(said, said)

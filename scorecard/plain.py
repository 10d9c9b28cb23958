"""The scorecard for machines: one JSON object, or CSV (RFC 4180). Pure.

docs/reference/scorecard-files.md describes both. What is withheld is null, or an empty cell, and named as withheld.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, fields

from autoresponder.wording import OFFICE, wording
from scorecard.events import Behind, CaseEvent, Event, FamilyEvent, IncidentEvent
from scorecard.report import Counts, GroupFigures, Indicator, Report, SchoolTerm, Share, Standing
from scorecard.saying import definition_of
from scorecard.spreadsheet import table
from store.scorecard_tables import Grouping

SCHEMA = "alliance-scorecard/1"
EVENTS_SCHEMA = "alliance-scorecard-events/1"
COUNTED = frozenset({Grouping.ALL, Grouping.TEAM, Grouping.TEACHER})
"""Groupings that have the service's own counts."""

Json = dict[str, object]
"""A JSON object, on its way out."""
_COUNTS = tuple(each.name for each in fields(Counts))
_FAMILY_COLUMNS = {
    Indicator.FIRST_CONTACT: ("family", "counted", "positive", "positive_record"),
    Indicator.TWO_WAY: ("family", "counted", "written", "written_record", "answered", "answered_record"),
}


def report_as_json(report: Report, groups: Sequence[GroupFigures], *, weeks: bool = False) -> Json:
    """The figures of `groups`, which are some of the report's."""
    words = wording("en", OFFICE)
    return {
        "schema": SCHEMA,
        "school": report.school,
        "as_of": report.as_of.isoformat(),
        "threshold": report.threshold,
        "term": _term(report.term),
        "term_before": _term(report.before) if report.before else None,
        "definitions": {each.value: definition_of(each, words) for each in Indicator},
        "groups": [_group(each, report, weeks=weeks) for each in groups],
        "restated": [
            {
                "grouping": each.group.grouping,
                "key": each.group.key,
                "indicator": each.indicator,
                "week": each.monday.isoformat(),
                "told": each.told,
                "now": each.now,
            }
            for each in report.restated
        ],
    }


def _term(term: SchoolTerm) -> Json:
    return {
        "id": term.id,
        "title": term.title,
        "first": term.first.isoformat(),
        "last": term.last.isoformat(),
        "fourth_week_ends": term.fourth_week_ends.isoformat(),
    }


def _group(each: GroupFigures, report: Report, *, weeks: bool) -> Json:
    group, before = each.group, report.before_of(each.group)
    within = None if group.within is None else {"grouping": group.within[0], "key": group.within[1]}
    plain: Json = {"grouping": group.grouping, "key": group.key, "title": group.title, "within": within}
    plain |= _figures(each)
    plain["before"] = _figures(before) if before is not None else None
    if weeks:
        plain["weeks"] = [] if each.withheld else [_week(standing, each) for standing in each.weeks]
    return plain


def _figures(each: GroupFigures) -> Json:
    return {
        "withheld": withheld_names(each),
        "families": None if each.withheld else each.families,
        "first_contact": None if _is_hidden(each, Indicator.FIRST_CONTACT) else _share(each.first_contact),
        "two_way": None if _is_hidden(each, Indicator.TWO_WAY) else _share(each.two_way),
        "resolution": None if _is_hidden(each, Indicator.RESOLUTION) else asdict(each.resolution),
        "recovery": None if _is_hidden(each, Indicator.RECOVERY) else _share(each.recovery, pending=True),
        "counts": asdict(each.counts) if has_counts(each) else None,
    }


def has_counts(each: GroupFigures) -> bool:
    """Whether a group has the service's own counts, and they are shown."""
    return each.group.grouping in COUNTED and not each.withheld and not each.counts_withheld


def withheld_names(each: GroupFigures) -> list[str]:
    """What of a group is withheld: "all", or indicators and "counts"."""
    if each.withheld:
        return ["all"]
    hidden = [indicator.value for indicator in Indicator if indicator in each.hidden]
    return [*hidden, "counts"] if each.counts_withheld and each.group.grouping in COUNTED else hidden


def _is_hidden(each: GroupFigures, indicator: Indicator) -> bool:
    return each.withheld or indicator in each.hidden


def _share(share: Share, *, pending: bool = False) -> Json:
    plain: Json = {"met": share.met, "of": share.of, "value": share.value}
    return plain | ({"pending": share.pending} if pending else {})


def _week(standing: Standing, each: GroupFigures) -> Json:
    return {
        "monday": standing.monday.isoformat(),
        "first_contact": _share(standing.first_contact),
        "two_way": _share(standing.two_way),
        "counts": asdict(each.by_week.get(standing.monday, Counts())) if has_counts(each) else None,
    }


def report_as_csv(report: Report, groups: Sequence[GroupFigures], *, weeks: bool = False) -> str:
    """A row for each group and term, or, with `weeks`, for each group and week of the term. Lines end with CRLF."""
    if weeks:
        return table(_WEEK_COLUMNS, (row for each in groups for row in _week_rows(each, report.term)))
    rows = [_row(each, report.term) for each in groups]
    if report.before is not None:
        known = (report.before_of(each.group) for each in groups)
        rows += [_row(each, report.before) for each in known if each is not None]
    return table(_COLUMNS, rows)


_GROUP_COLUMNS = ("term", "term_title", "grouping", "key", "title", "withheld")
_COLUMNS = (
    *_GROUP_COLUMNS,
    "families",
    *("first_contact_met", "first_contact_of", "two_way_met", "two_way_of"),
    *("resolved", "open", "mean_days", "median_days", "censored_median_days"),
    *("recovery_met", "recovery_of", "recovery_pending"),
    *_COUNTS,
)
_WEEK_COLUMNS = (
    *_GROUP_COLUMNS,
    *("monday", "first_contact_met", "first_contact_of", "two_way_met", "two_way_of"),
    *_COUNTS,
)


def _of_group(each: GroupFigures, term: SchoolTerm) -> tuple[object, ...]:
    return (term.id, term.title, each.group.grouping, each.group.key, each.group.title, ";".join(withheld_names(each)))


def _row(each: GroupFigures, term: SchoolTerm) -> tuple[object, ...]:
    lasted, recovery = each.resolution, each.recovery
    return (
        *_of_group(each, term),
        None if each.withheld else each.families,
        *_cells(each.first_contact, hidden=_is_hidden(each, Indicator.FIRST_CONTACT)),
        *_cells(each.two_way, hidden=_is_hidden(each, Indicator.TWO_WAY)),
        *(
            (None,) * 5
            if _is_hidden(each, Indicator.RESOLUTION)
            else (lasted.resolved, lasted.open, lasted.mean, lasted.median, lasted.censored_median)
        ),
        *_cells(recovery, hidden=_is_hidden(each, Indicator.RECOVERY)),
        None if _is_hidden(each, Indicator.RECOVERY) else recovery.pending,
        *_counts(each, each.counts),
    )


def _week_rows(each: GroupFigures, term: SchoolTerm) -> Iterator[tuple[object, ...]]:
    for week in () if each.withheld else each.weeks:
        yield (
            *_of_group(each, term),
            week.monday,
            *_cells(week.first_contact),
            *_cells(week.two_way),
            *_counts(each, each.by_week.get(week.monday, Counts())),
        )


def _cells(share: Share, *, hidden: bool = False) -> tuple[int | None, int | None]:
    return (None, None) if hidden else (share.met, share.of)


def _counts(each: GroupFigures, counts: Counts) -> tuple[int | None, ...]:
    return tuple(getattr(counts, name) if has_counts(each) else None for name in _COUNTS)


def events_as_json(behind: Behind) -> Json:
    """The events behind a figure."""
    group = behind.figures.group
    return {
        "schema": EVENTS_SCHEMA,
        "term": _term(behind.term),
        "grouping": group.grouping,
        "key": group.key,
        "title": group.title,
        "indicator": behind.indicator,
        "figure": _figures(behind.figures)[behind.indicator],
        "named": behind.named,
        "events": [dict(zip(columns_of(behind), _plain_cells(row), strict=True)) for row in rows_of(behind)],
    }


def events_as_csv(behind: Behind) -> str:
    """The same as rows."""
    return table(columns_of(behind), rows_of(behind))


def columns_of(behind: Behind) -> tuple[str, ...]:
    """What the cells of `rows_of` are."""
    match behind.indicator:
        case Indicator.RESOLUTION:
            return ("case", "counted", "opened", "agreed", "school_days")
        case Indicator.RECOVERY:
            return ("student", "incident", "counted", "day", "baseline", "again")
        case _:
            return _FAMILY_COLUMNS[behind.indicator]


def rows_of(behind: Behind) -> list[tuple[object, ...]]:
    """The events as cells: text, numbers, days, None."""
    columns = columns_of(behind)
    return [_cells_of(each, columns) for each in behind.events]


def _cells_of(event: Event, columns: Sequence[str]) -> tuple[object, ...]:
    match event:
        case FamilyEvent() | CaseEvent() | IncidentEvent():
            return tuple(getattr(event, column) for column in columns)


def _plain_cells(row: Iterable[object]) -> list[object]:
    return [cell if isinstance(cell, str | int | float | None) else str(cell) for cell in row]

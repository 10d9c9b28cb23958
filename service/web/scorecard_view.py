"""The scorecard's page, put into words and drawings for one group: four figures, their charts, and the groups below.
Pure but for the drawing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from autoresponder.wording import Wording
from scorecard import drawing
from scorecard.charts import Chart, by_group, short_day, trend
from scorecard.group_charts import days_to_a_plan, recovered
from scorecard.report import Counts, Group, GroupFigures, Indicator, Report, Restated, Share
from scorecard.saying import (
    NO_FIGURE,
    Said,
    Turn,
    count,
    definition_of,
    name_of,
    number,
    percent,
    percent_of,
    said,
    share_of,
    shown,
    title_before,
    title_of,
    withheld_because,
)
from store.scorecard_tables import Grouping

_IN_ORDER = (Grouping.SCHOOL, Grouping.GRADE, Grouping.TEAM, Grouping.TEACHER)


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the parts of the page lead; each empty where it leads nowhere."""

    group: Callable[[Group], str]
    events: Callable[[Group, Indicator], str]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart with its drawing."""

    chart: Chart
    svg: Markup


@dataclass(frozen=True, slots=True)
class Card:
    """One of the four figures of the group."""

    said: Said
    definition: str
    drawn: Drawn | None
    events: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure of a group in a table."""

    name: str
    figure: str
    of: str
    turn: Turn
    comparison: str


@dataclass(frozen=True, slots=True)
class Row:
    """A group in a table."""

    title: str
    path: str
    families: str
    cells: tuple[Cell, ...]
    withheld: bool


@dataclass(frozen=True, slots=True)
class Part:
    """The groups of one kind that the group is made of."""

    key: str
    title: str
    rows: tuple[Row, ...]
    drawn: Drawn | None
    reason: str
    """Why figures of some of them are withheld; empty where none are."""


@dataclass(frozen=True, slots=True)
class CountRow:
    """One of the service's own counts, with the term before."""

    name: str
    now: str
    before: str


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows of a group."""

    anchor: str
    title: str
    is_whole: bool
    term: str
    before: str
    families: str
    cards: tuple[Card, ...]
    parts: tuple[Part, ...]
    counts: tuple[CountRow, ...]
    counts_reason: str
    restated: tuple[str, ...]
    definitions: tuple[tuple[Indicator, str, str], ...]


def view_of(group: Group, report: Report, words: Wording, paths: Paths) -> View | None:
    """The page of one of the report's groups; None where the report has none such."""
    figures = report.of(group.grouping, group.key)
    if figures is None:
        return None
    anchor = anchor_of(group)
    below = _below(figures.group, report)
    known = report.before_of(figures.group)
    return View(
        anchor=anchor,
        title=title_of(figures.group, words),
        is_whole=group.grouping is Grouping.ALL,
        term=report.term.title,
        before=title_before(report, words),
        families="" if figures.withheld else count(figures.families, words),
        cards=tuple(_cards(figures, below, report, words, paths, anchor)),
        parts=tuple(_parts(below, report, words, paths, anchor)),
        counts=tuple(_counts(figures, known, words)),
        counts_reason=withheld_because(report, words) if _counts_withheld(figures) else "",
        restated=tuple(_restated(each, words) for each in report.restated if each.group == figures.group),
        definitions=tuple((each, name_of(each, words), definition_of(each, words)) for each in Indicator),
    )


def anchor_of(group: Group) -> str:
    """A name for a group in a document: letters, digits and hyphens."""
    return f"{group.grouping}-{group.key.encode().hex()}" if group.key else str(group.grouping)


def _below(group: Group, report: Report) -> dict[Grouping, list[GroupFigures]]:
    """The groups that this one is made of, by kind. A school that is the only one is passed over."""
    within = (group.grouping, group.key)
    found = [each for each in report.groups if each.group.within == within]
    schools = [each for each in found if each.group.grouping is Grouping.SCHOOL]
    if len(schools) == 1:
        only = (Grouping.SCHOOL, schools[0].group.key)
        found = [each for each in found if each is not schools[0]]
        found += [each for each in report.groups if each.group.within == only]
    if group.grouping is Grouping.ALL:
        # A school that names none for its grades, and a leader sees teachers at once.
        found += [each for each in report.groups if each.group.grouping is Grouping.GRADE and not each.group.within]
    kinds = {kind: [each for each in found if each.group.grouping is kind] for kind in _IN_ORDER}
    return {kind: groups for kind, groups in kinds.items() if groups}


def _cards(
    figures: GroupFigures,
    below: dict[Grouping, list[GroupFigures]],
    report: Report,
    words: Wording,
    paths: Paths,
    anchor: str,
) -> Iterator[Card]:
    compared = [figures, *next((groups for groups in below.values()), [])]
    charts = {
        Indicator.FIRST_CONTACT: trend(Indicator.FIRST_CONTACT, figures, report, words),
        Indicator.TWO_WAY: trend(Indicator.TWO_WAY, figures, report, words),
        Indicator.RESOLUTION: days_to_a_plan(compared, report, words),
        Indicator.RECOVERY: recovered(compared, report, words),
    }
    for indicator in Indicator:
        visible = shown(figures, indicator)
        chart = charts[indicator] if visible else None
        yield Card(
            said=said(indicator, figures, report, words),
            definition=definition_of(indicator, words),
            drawn=Drawn(chart, drawing.svg(chart, prefix=f"{anchor}-")) if chart else None,
            events=paths.events(figures.group, indicator) if visible else "",
        )


def _parts(
    below: dict[Grouping, list[GroupFigures]], report: Report, words: Wording, paths: Paths, anchor: str
) -> Iterator[Part]:
    _ = words.gettext
    titles = {
        Grouping.SCHOOL: _("By school"),
        Grouping.GRADE: _("By grade"),
        Grouping.TEAM: _("By team"),
        Grouping.TEACHER: _("By teacher"),
    }
    for kind, groups in below.items():
        # No picture sets teachers side by side: a line can be read wrong from across the room.
        chart = by_group(Indicator.FIRST_CONTACT, groups, report, words) if kind is not Grouping.TEACHER else None
        some_withheld = any(not shown(each, indicator) for each in groups for indicator in Indicator)
        yield Part(
            key=str(kind),
            title=titles[kind],
            rows=tuple(_row(each, report, words, paths) for each in groups),
            drawn=Drawn(chart, drawing.svg(chart, prefix=f"{anchor}-")) if chart else None,
            reason=withheld_because(report, words) if some_withheld else "",
        )


def _row(figures: GroupFigures, report: Report, words: Wording, paths: Paths) -> Row:
    return Row(
        title=title_of(figures.group, words),
        path=paths.group(figures.group),
        families=NO_FIGURE if figures.withheld else count(figures.families, words),
        cells=tuple(_cell(indicator, figures, report, words) for indicator in Indicator),
        withheld=figures.withheld,
    )


def _cell(indicator: Indicator, figures: GroupFigures, report: Report, words: Wording) -> Cell:
    _ = words.gettext
    told = said(indicator, figures, report, words)
    if told.withheld:
        return Cell(told.title, _("not shown"), "", Turn.NONE, "")
    if indicator is Indicator.RESOLUTION:
        open_cases = figures.resolution.open
        of = _("{count} open").format(count=count(open_cases, words)) if open_cases else ""
        figure = told.figure if not told.unit else f"{told.figure} {told.unit}"
        return Cell(told.title, figure, of, told.turn, told.comparison)
    share = share_of(figures, indicator)
    of = _("{met} of {of}").format(met=count(share.met, words), of=count(share.of, words)) if share.of else ""
    return Cell(told.title, told.figure, of, told.turn, told.comparison)


def _counts_withheld(figures: GroupFigures) -> bool:
    return figures.withheld or figures.counts_withheld


def _counts(figures: GroupFigures, before: GroupFigures | None, words: Wording) -> Iterator[CountRow]:
    if _counts_withheld(figures) or figures.counts == Counts():
        return
    known = before.counts if before is not None and not _counts_withheld(before) else None
    then = dict(_worded(known, words)) if known is not None and known != Counts() else {}
    for name, now in _worded(figures.counts, words):
        yield CountRow(name, now, then.get(name, NO_FIGURE))


def _worded(counts: Counts, words: Wording) -> Iterator[tuple[str, str]]:
    _ = words.gettext
    yield _("Urgent messages"), count(counts.urgent, words)
    yield _("Conflicts"), count(counts.conflict, words)
    yield _("Routine messages"), count(counts.routine, words)
    yield _("Handed to the office"), count(counts.routed, words)
    minutes = counts.claim_minutes / counts.claimed if counts.claimed else None
    yield _("Office minutes until somebody took it, on average"), number(minutes, words)
    yield _("Taken within 30 office minutes"), _part_of(counts.claimed_soon, counts.claimed, words)
    yield _("Answers sent automatically"), count(counts.answered, words)
    kept = _part_of(counts.norm_kept, counts.norm_kept + counts.norm_missed, words)
    yield _("Answered by the teacher within the norm"), kept
    yield _("Norm still running"), count(counts.norm_open, words)
    yield _("Labels that a teacher was asked to check"), count(counts.unsure, words)
    yield _("Labels that somebody corrected"), count(counts.corrected, words)


def _part_of(some: int, of: int, words: Wording) -> str:
    if not of:
        return NO_FIGURE
    share = words.gettext("{met} of {of}").format(met=count(some, words), of=count(of, words))
    return f"{percent(Share(some, of), words)} ({share})"


def _restated(restated: Restated, words: Wording) -> str:
    _ = words.gettext
    week = short_day(restated.monday, words)
    name = name_of(restated.indicator, words)
    told = _valued(restated.indicator, restated.told, words)
    if restated.now is None:
        return _("{indicator}, week of {day}: told as {told}, now withheld or without a figure.").format(
            indicator=name, day=week, told=told
        )
    return _("{indicator}, week of {day}: told as {told}, now {now}, after late data.").format(
        indicator=name, day=week, told=told, now=_valued(restated.indicator, restated.now, words)
    )


def _valued(indicator: Indicator, value: float, words: Wording) -> str:
    return number(value, words) if indicator is Indicator.RESOLUTION else percent_of(round(100 * value), words)


def groups_shown(report: Report) -> Sequence[Group]:
    """The groups that have a page of their own: all but those that are withheld as a whole."""
    return [each.group for each in report.groups if not each.withheld]

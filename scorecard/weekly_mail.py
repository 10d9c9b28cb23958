"""The principal's mail of the week: the four figures, two charts, the grades and teams, what was restated. Pure but for
the drawing.

It says what the page says, in the same words, and less of it: no teacher stands in it, and nothing that is withheld.
The subject is read by whoever looks over a shoulder, so it has two figures of the whole school and no name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from pydantic import TypeAdapter

from autoresponder.identifiers import derived_message_id
from autoresponder.note import Block, Figure, Link, Note, Paragraph, Picture, Row, Rows, Section
from autoresponder.wording import Wording
from scorecard import drawing
from scorecard.chart_style import WIDE
from scorecard.charts import Chart, short_day, trend
from scorecard.report import Counts, GroupFigures, Indicator, Report, Share, Standing
from scorecard.saying import (
    Turn,
    count,
    name_of,
    number,
    percent,
    percent_of,
    said,
    share_of,
    shown,
    titled,
)
from store.scorecard_tables import Grouping

_SHARES_OF_FAMILIES = (Indicator.FIRST_CONTACT, Indicator.TWO_WAY)
_LISTED = 16
"""Groups of one kind that are listed; of a district's, the rest is on the page."""
_KINDS = (Grouping.SCHOOL, Grouping.GRADE, Grouping.TEAM)


@dataclass(frozen=True, slots=True)
class Telling:
    """A figure as the mail tells it: what is kept, to be compared with what is true later."""

    indicator: Indicator
    value: float


@dataclass(frozen=True, slots=True)
class Week:
    """What one mail tells."""

    monday: date
    """Of the last week that is over."""
    report: Report
    """As it stood at the end of that week, and no more of it than the mail says."""

    def as_json(self) -> str:
        """For keeping: figures and names of groups, of no person."""
        return _KEPT.dump_json(self).decode()

    @classmethod
    def of_json(cls, kept: str) -> "Week":
        """What was kept. Raises pydantic's ValidationError for anything else."""
        return _KEPT.validate_json(kept)

    def tellings(self) -> list[Telling]:
        """The shares of families of everybody that it tells, at the end of its week."""
        whole = _whole(self.report)
        return [
            Telling(indicator, share.met / share.of)
            for indicator in _SHARES_OF_FAMILIES
            if whole is not None and shown(whole, indicator) and (share := share_of(whole, indicator)).of
        ]


_KEPT = TypeAdapter(Week)


def week_of(report: Report, today: date) -> Week | None:
    """What a mail of `today` tells: the standing at the end of the last week that is over. None where there is nothing
    to tell: no family is on the roster, the term has no week behind it, or is over since more than a week."""
    whole = _whole(report)
    over = [each for each in whole.weeks if (today - each.monday).days >= 7] if whole is not None else []
    if whole is None or whole.withheld or not whole.families or not over:
        return None
    monday = over[-1].monday
    if (today - monday).days >= 14 or not any(shown(whole, each) for each in _SHARES_OF_FAMILIES):
        return None
    groups = [_as_of(whole, over)]
    groups += [_without_weeks(each) for each in report.groups if _is_told(each)]
    told = {each.group for each in groups}
    before = [each for each in report.groups_before if each.group in told]
    before = [each if each.group == whole.group else _without_weeks(each) for each in before]
    restated = [each for each in report.restated if each.group == whole.group]
    reduced = replace(report, groups=groups, groups_before=[_bare(each) for each in before], restated=restated)
    return Week(monday, reduced)


def weekly_message_id(leader: str, monday: date, sender: str) -> str:
    """The Message-ID, without angle brackets, of somebody's mail of a week: the same week, the same id."""
    return derived_message_id(f"scorecard of {monday.isoformat()} for {leader}", "notice", sender)


def weekly_note(week: Week, name: str, page: str, words: Wording) -> Note:
    """The mail to a leader of this name; its title is the subject. `page` is the address of the scorecard's page; empty
    where the school serves none."""
    worded = _Weekly(week, name, page, words)
    return Note(worded.subject(), (Section(words.language, words.direction, tuple(worded.blocks())),))


@dataclass(frozen=True, slots=True)
class _Weekly:
    week: Week
    name: str
    page: str
    words: Wording

    @property
    def whole(self) -> GroupFigures:
        return self.week.report.groups[0]

    def subject(self) -> str:
        _ = self.words.gettext
        first, two_way = (
            percent(share_of(self.whole, each), self.words) if shown(self.whole, each) else ""
            for each in _SHARES_OF_FAMILIES
        )
        if first and two_way:
            # Translators: a subject line. Both are percentages of families.
            return _("Alliance Scorecard: good news {first}, two-way {two_way}").format(first=first, two_way=two_way)
        return _("Alliance Scorecard: {term}").format(term=self.week.report.term.title)

    def blocks(self) -> Iterator[Block]:
        _ = self.words.gettext
        report = self.week.report
        yield Paragraph(
            _("Good morning, {name}. This is how school and families stood after the week of {day}, in {term}.").format(
                name=self.name, day=short_day(self.week.monday, self.words), term=report.term.title
            )
        )
        for indicator in Indicator:
            yield from self._figure(indicator)
        yield from self._groups()
        yield from self._counted()
        for each in report.restated:
            yield Paragraph(self._restated(each.indicator, each.monday, each.told, each.now))
        if self.page:
            yield Link(_("Open the scorecard"), self.page)
        yield Paragraph(
            _(
                "Figures of fewer than {threshold} families, and those that would give them away, are left out. What "
                "each figure counts stands beside it on the page. This mail was written automatically; your "
                "administrator can turn it off."
            ).format(threshold=report.threshold)
        )

    def _figure(self, indicator: Indicator) -> Iterator[Block]:
        if not shown(self.whole, indicator):
            return
        told = said(indicator, self.whole, self.week.report, self.words)
        mark = {Turn.BETTER: "▲ ", Turn.WORSE: "▼ "}.get(told.turn, "")
        text = self.words.sentences([each for each in (told.sentence, mark + told.comparison) if each.strip()])
        yield Figure(told.title, f"{told.figure} {told.unit}".strip(), text)
        if indicator in _SHARES_OF_FAMILIES:
            chart = trend(indicator, self.whole, self.week.report, self.words)
            if chart is not None:
                yield _picture(chart)

    def _groups(self) -> Iterator[Block]:
        _ = self.words.gettext
        names = {
            Grouping.SCHOOL: _("Good news and two-way, by school"),
            Grouping.GRADE: _("Good news and two-way, by grade"),
            Grouping.TEAM: _("Good news and two-way, by team"),
        }
        for kind, name in names.items():
            groups = [each for each in self.week.report.groups if each.group.grouping is kind]
            lines = [self._line(title, each) for title, each in titled(groups, self.words)]
            more = len(lines) - _LISTED
            if lines:
                rest = (_("and {count} more").format(count=more),) if more > 0 else ()
                yield Rows((Row(name, (*lines[:_LISTED], *rest)),))

    def _line(self, title: str, figures: GroupFigures) -> str:
        _ = self.words.gettext
        values = [
            percent(share_of(figures, each), self.words) if shown(figures, each) else _("not shown")
            for each in _SHARES_OF_FAMILIES
        ]
        return _("{group}: {first} and {two_way}").format(group=title, first=values[0], two_way=values[1])

    def _counted(self) -> Iterator[Block]:
        _ = self.words.gettext
        counts = self.whole.by_week.get(self.week.monday)
        if counts is None or counts == Counts() or self.whole.counts_withheld:
            return
        judged = counts.norm_kept + counts.norm_missed
        lines = [
            _("{count} messages from families, {urgent} of them urgent, {conflict} conflicts").format(
                count=count(counts.urgent + counts.conflict + counts.routine, self.words),
                urgent=count(counts.urgent, self.words),
                conflict=count(counts.conflict, self.words),
            )
        ]
        if judged:
            lines.append(
                _("{met} of {of} conversations answered within the norm").format(
                    met=count(counts.norm_kept, self.words), of=count(judged, self.words)
                )
            )
        if counts.claimed:
            lines.append(
                _("{minutes} office minutes until an urgent message was taken, on average").format(
                    minutes=number(counts.claim_minutes / counts.claimed, self.words)
                )
            )
        yield Rows((Row(_("That week"), tuple(lines)),))

    def _restated(self, indicator: Indicator, monday: date, told: float, now: float | None) -> str:
        _ = self.words.gettext
        told_as = percent_of(round(100 * told), self.words)
        if now is None:
            return _("Told otherwise before: {indicator} in the week of {day} was {told}.").format(
                indicator=name_of(indicator, self.words), day=short_day(monday, self.words), told=told_as
            )
        return _(
            "Told otherwise before: {indicator} in the week of {day} was {told}, and is {now} with late data."
        ).format(
            indicator=name_of(indicator, self.words),
            day=short_day(monday, self.words),
            told=told_as,
            now=percent_of(round(100 * now), self.words),
        )


def _picture(chart: Chart) -> Picture:
    return Picture(drawing.png(chart), f"{chart.title}. {chart.summary}", WIDE + 80)


def _whole(report: Report) -> GroupFigures | None:
    return next((each for each in report.groups if each.group.grouping is Grouping.ALL), None)


def _is_told(figures: GroupFigures) -> bool:
    """Whether a group is named beside everybody: no teacher, and none of which nothing may be shown."""
    told = any(shown(figures, each) for each in _SHARES_OF_FAMILIES)
    return figures.group.grouping in _KINDS and told


def _as_of(figures: GroupFigures, weeks: list[Standing]) -> GroupFigures:
    """The figures of families as they stood at the end of the last of these weeks; the others as they are."""
    last = weeks[-1]
    by_week = {monday: counts for monday, counts in figures.by_week.items() if monday == last.monday}
    first = last.first_contact if shown(figures, Indicator.FIRST_CONTACT) else Share(0, 0)
    two_way = last.two_way if shown(figures, Indicator.TWO_WAY) else Share(0, 0)
    return replace(figures, first_contact=first, two_way=two_way, weeks=weeks, counts=Counts(), by_week=by_week)


def _without_weeks(figures: GroupFigures) -> GroupFigures:
    return replace(figures, weeks=(), counts=Counts(), by_week={})


def _bare(figures: GroupFigures) -> GroupFigures:
    return replace(figures, counts=Counts(), by_week={})

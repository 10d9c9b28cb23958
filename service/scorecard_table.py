"""The scorecard in a terminal: the four figures by group, how they moved, and the service's own counts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from autoresponder.wording import Wording
from scorecard.events import Behind
from scorecard.plain import columns_of, has_counts, rows_of
from scorecard.report import Counts, GroupFigures, Indicator, Report, SchoolTerm, Share
from scorecard.saying import Turn, name_of, percent, said, whole_percent
from scorecard.saying import titled as titles_of
from store.scorecard_tables import Grouping

_HEADINGS = {
    Indicator.FIRST_CONTACT: "good news\nby week 4",
    Indicator.TWO_WAY: "two-way\nmail",
    Indicator.RESOLUTION: "conflict to\nplan, days",
    Indicator.RECOVERY: "back to\nbaseline",
}
_SECTIONS = {
    Grouping.SCHOOL: "By school",
    Grouping.GRADE: "By grade",
    Grouping.TEAM: "By team",
    Grouping.TEACHER: "By teacher",
}
_TURNS = {
    Turn.BETTER: Text(" ▲", "green"),
    Turn.WORSE: Text(" ▼", "red"),
    Turn.SAME: Text(" =", "dim"),
    Turn.NONE: Text("  "),
}
_BARS = "▁▂▃▄▅▆▇█"
_WIDE = 110
"""Characters from which on there is room for the trends."""
_LONGEST_TREND = 18
_COUNTS = ("urgent", "conflict", "routine", "unsure", "answered", "routed", "corrected")
_NARROW = {
    "conflict": "con-\nflict",
    "routine": "rou-\ntine",
    "unsure": "un-\nsure",
    "answered": "an-\nswered",
    "corrected": "cor-\nrected",
}


@dataclass(frozen=True, slots=True)
class Screen:
    """Shows a report. `groups` are those that were asked for."""

    console: Console
    report: Report
    groups: Sequence[GroupFigures]
    words: Wording
    hours: int
    """The norm, in school hours."""

    def show(self, *, weeks: bool = False) -> None:
        """Prints it."""
        self._print(self._heading())
        whole = self.report.of(Grouping.ALL)
        if whole is not None and not whole.withheld and not whole.families:
            self._say(
                "No families are on the roster, so the four figures have nothing to count. `alliance roster import` "
                "brings the school's lists in: a OneRoster export, or a simple list."
            )
        else:
            self._print(self._figures())
            self._print(Text.assemble(*self._legend(), style="dim"))
        counted = [each for each in self.groups if any_count(each)]
        if counted:
            self._print(self._counts(counted))
        if weeks:
            for each in self.groups:
                if not each.withheld and each.weeks:
                    self._print(self._weeks(each))
        for sentence in self._restated():
            self._say(sentence)

    def _print(self, what: RenderableType) -> None:
        self.console.print(Padding(what, (0, 0, 1, 0), expand=False), highlight=False)

    def _say(self, sentence: str) -> None:
        self._print(Text(sentence))

    def _heading(self) -> Text:
        report, zoned = self.report, self.report.as_of
        at = f"{self.words.day(zoned.date())}, {self.words.clock(zoned)}"
        against = f" Compared with {report.before.title}." if report.before else ""
        return Text.assemble(
            (f"{report.school} · {_named(report.term)}", "bold"),
            (f"\nAs of {at}.{against}", "dim"),
        )

    @property
    def _wide(self) -> bool:
        return self.console.width >= _WIDE

    def _figures(self) -> Table:
        table = _table()
        table.add_column("", overflow="fold", min_width=12)
        table.add_column("families", justify="right")
        for indicator, heading in _HEADINGS.items():
            table.add_column(heading, justify="right", no_wrap=True)
            if self._wide and indicator in {Indicator.FIRST_CONTACT, Indicator.TWO_WAY}:
                table.add_column(Text("week by week", "dim"), no_wrap=True)
        last = Grouping.ALL
        for title, each in self._titled():
            grouping = each.group.grouping
            if grouping is not last:
                table.add_section()
                table.add_row(Text(_SECTIONS[grouping], "bold"))
                last = grouping
            indent = "" if grouping is Grouping.ALL else "  "
            families = Text("–", "dim") if each.withheld else Text(str(each.families))
            table.add_row(Text(f"{indent}{title}"), families, *self._cells(each))
        return table

    def _titled(self) -> Iterator[tuple[str, GroupFigures]]:
        for grouping in Grouping:
            yield from titles_of([each for each in self.groups if each.group.grouping is grouping], self.words)

    def _cells(self, each: GroupFigures) -> Iterator[Text]:
        for indicator in _HEADINGS:
            figure = said(indicator, each, self.report, self.words)
            yield Text("withheld", "dim") if figure.withheld else Text(figure.figure) + _TURNS[figure.turn]
            if self._wide and indicator is Indicator.FIRST_CONTACT:
                yield Text(_trend([week.first_contact for week in each.weeks]), "dim")
            if self._wide and indicator is Indicator.TWO_WAY:
                yield Text(_trend([week.two_way for week in each.weeks]), "dim")

    def _legend(self) -> Iterator[str]:
        few = f"fewer than {self.report.threshold} families, or than three conflicts"
        shown = [each for each in self.groups if not each.withheld]
        if len(shown) < len(self.groups) or any(each.hidden or each.counts_withheld for each in shown):
            yield f"withheld: {few}, or it would give away a figure that is. "
        if self.report.before is not None:
            yield f"▲ better, ▼ worse than {self.report.before.title}. "
        yield "– nothing to count yet. docs/scorecard.md defines each figure."

    def _counts(self, counted: Sequence[GroupFigures]) -> RenderableType:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title="Family mail", title_justify="left")
        table.title_style = "bold"
        table.add_column("", overflow="fold", min_width=12)
        for name in _COUNTS:
            table.add_column(_NARROW.get(name, name), justify="right")
        table.add_column("norm", justify="right")
        table.add_column("min", justify="right")
        for title, each in titles_of(counted, self.words):
            table.add_row(Text(title), *_numbers(each.counts))
        note = Text(
            f"norm: conversations that the teacher answered within {self.hours} school hours, of all whose time is up "
            "or that were answered; in brackets those whose time still runs. min: office minutes until somebody took "
            "an urgent message, on average.",
            "dim",
        )
        return Group(table, note)

    def _weeks(self, each: GroupFigures) -> Table:
        title = {figures.group: title for title, figures in self._titled()}[each.group]
        table = _table(f"{title}, week by week")
        table.add_column("week of")
        table.add_column("good news\nby week 4", justify="right")
        table.add_column("two-way\nmail", justify="right")
        own = has_counts(each)
        for name in ("urgent", "conflict", "routine", "norm") if own else ():
            table.add_column(name, justify="right")
        for standing in each.weeks:
            shares = (percent(standing.first_contact, self.words), percent(standing.two_way, self.words))
            counts = each.by_week.get(standing.monday, Counts())
            numbers = (*(_number(getattr(counts, name)) for name in _COUNTS[:3]), _norm(counts)) if own else ()
            table.add_row(standing.monday.isoformat(), *shares, *numbers)
        return table

    def _restated(self) -> Iterator[str]:
        for each in self.report.restated:
            now = "nothing" if each.now is None else f"{each.now:.0%}"
            yield (
                f"Told otherwise before: {name_of(each.indicator, self.words)} in the week of {each.monday} was "
                f"{each.told:.0%}, and is {now} with what came later."
            )


def events_table(behind: Behind, words: Wording) -> RenderableType:
    """The events behind a figure, and what they come to."""
    group = behind.figures.group
    title = Text(f"{name_of(behind.indicator, words)} · {group.title or group.key} · {_named(behind.term)}", "bold")
    table = _table()
    for column in columns_of(behind):
        table.add_column(column.replace("_", "\n"), overflow="fold")
    for row in rows_of(behind):
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    parts: list[RenderableType] = [title, table]
    if not behind.named:
        parts.append(
            Text(
                "Without names: some of these belong to a group that is withheld, and the lists of the other groups "
                "would tell who does.",
                "dim",
            )
        )
    return Group(*parts)


def any_count(each: GroupFigures) -> bool:
    """Whether a group has own counts to show."""
    return has_counts(each) and each.counts != Counts()


def _table(title: str | None = None) -> Table:
    bold = Text(title, "bold") if title else None
    return Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, title=bold, title_justify="left")


def _named(term: SchoolTerm) -> str:
    return f"{term.title} ({term.first} to {term.last})"


def _numbers(counts: Counts) -> Iterator[str]:
    for name in _COUNTS:
        yield _number(getattr(counts, name))
    yield _norm(counts)
    yield str(round(counts.claim_minutes / counts.claimed)) if counts.claimed else "–"


def _number(number: int) -> str:
    return str(number or "·")


def _norm(counts: Counts) -> str:
    whole = whole_percent(Share(counts.norm_kept, counts.norm_kept + counts.norm_missed))
    kept = "–" if whole is None else f"{whole}%"
    return f"{kept} ({counts.norm_open})" if counts.norm_open else kept


def _trend(shares: Sequence[Share]) -> str:
    """A bar for each of the last weeks, from nothing to all."""
    values = [share.value for share in shares if share.value is not None][-_LONGEST_TREND:]
    return "".join(_BARS[min(int(value * len(_BARS)), len(_BARS) - 1)] for value in values)

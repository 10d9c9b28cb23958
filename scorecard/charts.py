"""The scorecard's charts as Vega-Lite specifications, each with the same figures as a table. Pure; nothing is drawn.

A chart is made from figures that may be shown, and from no others: what is withheld is in no specification, so it can
stand in no drawing made of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from babel.dates import format_date

from autoresponder.wording import Wording
from scorecard.chart_style import HIGH, INK, NOW, PAPER, SOFT, WIDE, Spec, specification, two_terms
from scorecard.report import GroupFigures, Indicator, Report, Share, Standing
from scorecard.saying import (
    NO_FIGURE,
    count,
    name_of,
    percent,
    percent_of,
    share_of,
    shown,
    title_before,
    titled,
    week_share,
    whole_percent,
)

MOST_SMALL = 12
"""Groups that a chart of many shows; the table beside it has all."""
_SMALL_WIDE, _SMALL_HIGH = 118, 80
_SHORTEST_TERM = 8


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, and what somebody reads who does not see it."""

    key: str
    """Tells it from the others of its page: letters and hyphens."""
    spec: str
    """Vega-Lite, JSON."""
    title: str
    summary: str
    """What it shows, in a sentence or two."""
    columns: tuple[str, ...]
    """Of the table; the first names the row."""
    rows: tuple[tuple[str, ...], ...]


def trend(indicator: Indicator, figures: GroupFigures, report: Report, words: Wording) -> Chart | None:
    """How a share of families stood week by week, with the term before as a thin line; None where nothing may be
    shown. Raises KeyError for an indicator that has no weeks."""
    if not shown(figures, indicator) or not any(week_share(each, indicator).of for each in figures.weeks):
        return None
    _ = words.gettext
    before = _weeks_before(figures, indicator, report)
    terms = _terms(report, words, before)
    values = [*_points(figures.weeks, indicator, terms[0]), *_points(before, indicator, terms[-1])]
    longest = max(len(figures.weeks), len(before), _SHORTEST_TERM)
    view: Spec = {"width": WIDE, "height": HIGH, "layer": _lines(terms, longest, indicator, report, figures, words)}
    return Chart(
        key=str(indicator).replace("_", "-"),
        spec=specification(values, view),
        title=_("{indicator}, week by week").format(indicator=name_of(indicator, words)),
        summary=_trend_in_words(indicator, figures.weeks, before, report, words),
        columns=(_("Week"), _("From"), _("Families"), report.term.title, *([terms[1]] if before else [])),
        rows=tuple(_trend_rows(indicator, figures.weeks, before, words)),
    )


def by_group(indicator: Indicator, groups: Sequence[GroupFigures], report: Report, words: Wording) -> Chart | None:
    """The weeks of several groups side by side, small, on one scale; None where fewer than two may be shown."""
    fit = [each for each in groups if shown(each, indicator) and any(week_share(w, indicator).of for w in each.weeks)]
    fit = fit[:MOST_SMALL]
    names = {each.group: title for title, each in titled(fit, words)}
    if len(fit) < 2:
        return None
    before = {each.group: _weeks_before(each, indicator, report) for each in fit}
    terms = _terms(report, words, [week for weeks in before.values() for week in weeks])
    values: list[Spec] = []
    for each in fit:
        values += _points(each.weeks, indicator, terms[0], group=names[each.group])
        values += _points(before[each.group], indicator, terms[-1], group=names[each.group])
    longest = max([_SHORTEST_TERM, *(len(each.weeks) for each in fit), *(len(weeks) for weeks in before.values())])
    layers = [
        _fourth_week(report, fit[0].weeks),
        {"mark": _LINE, "encoding": _along(terms, longest, words, small=True)},
    ]
    view: Spec = {
        "facet": {"field": "group", "type": "nominal", "sort": list(names.values())},
        "columns": 4 if len(fit) > 3 else len(fit),
        "spacing": {"row": 14, "column": 18},
        "spec": {"width": _SMALL_WIDE, "height": _SMALL_HIGH, "layer": layers},
    }
    _ = words.gettext
    last = _("; ").join(
        _("{group}: {figure}").format(group=names[each.group], figure=percent(share_of(each, indicator), words))
        for each in fit
    )
    return Chart(
        key=f"{indicator}-by-{fit[0].group.grouping}".replace("_", "-"),
        spec=specification(values, view),
        title=_("{indicator}, side by side").format(indicator=name_of(indicator, words)),
        summary=_("A small line for each group, week by week, all on one scale. At the end: {figures}.").format(
            figures=last
        ),
        columns=(_("Group"), *terms),
        rows=tuple(_group_rows(indicator, fit, report, words)),
    )


def _weeks_before(figures: GroupFigures, indicator: Indicator, report: Report) -> Sequence[Standing]:
    known = report.before_of(figures.group)
    return known.weeks if known is not None and shown(known, indicator) else ()


def _terms(report: Report, words: Wording, before: Sequence[Standing]) -> list[str]:
    """The names under which the lines stand: this term's, and that of the one before where it has a line."""
    return [report.term.title, title_before(report, words)] if before and report.before else [report.term.title]


def _points(weeks: Sequence[Standing], indicator: Indicator, term: str, **more: str) -> Iterator[Spec]:
    for week, standing in enumerate(weeks, start=1):
        if (whole := whole_percent(week_share(standing, indicator))) is not None:
            yield {"week": week, "percent": whole, "term": term, **more}


def _fourth(report: Report, weeks: Sequence[Standing]) -> int:
    """Which week of the list is the fourth with school."""
    return sum(each.monday <= report.term.fourth_week_ends for each in weeks) if len(weeks) > 4 else 4


def _fourth_week(report: Report, weeks: Sequence[Standing]) -> Spec:
    return {
        "data": {"values": [{"week": _fourth(report, weeks)}]},
        "mark": {"type": "rule", "color": SOFT, "strokeDash": [1, 3], "strokeWidth": 1.5},
        "encoding": {"x": {"field": "week", "type": "quantitative"}},
    }


_LINE: Spec = {"type": "line", "interpolate": "monotone", "strokeCap": "round", "strokeJoin": "round"}


def _along(terms: Sequence[str], longest: int, words: Wording, *, small: bool = False) -> Spec:
    """Weeks to the right, shares upwards, terms by colour and line."""
    sign = percent_sign(words)
    upwards = {"values": [0, 50, 100] if small else [0, 25, 50, 75, 100], "labelExpr": f"datum.value + '{sign}'"}
    weeks = {"values": [1, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44], "format": "d"}
    titled = words.gettext("School week") if not small else None
    return {
        "x": {
            "field": "week",
            "type": "quantitative",
            "scale": {"domain": [1, longest], "nice": False, "padding": 8},
            "axis": {**weeks, "title": titled},
        },
        "y": {
            "field": "percent",
            "type": "quantitative",
            "scale": {"domain": [0, 100]},
            "axis": {**upwards, "title": None},
        },
        **two_terms(terms[0], terms[1] if len(terms) > 1 else "", legend=not small),
    }


def _lines(
    terms: Sequence[str],
    longest: int,
    indicator: Indicator,
    report: Report,
    figures: GroupFigures,
    words: Wording,
) -> list[Spec]:
    layers: list[Spec] = [{"mark": _LINE, "encoding": _along(terms, longest, words)}]
    if indicator is Indicator.FIRST_CONTACT:
        week = _fourth(report, figures.weeks)
        label = {
            "data": {"values": [{"week": week, "said": words.gettext("end of week 4")}]},
            "mark": {"type": "text", "align": "left", "dx": 6, "color": SOFT, "fontSize": 13, "baseline": "bottom"},
            "encoding": {
                "x": {"field": "week", "type": "quantitative"},
                "y": {"datum": 0},
                "text": {"field": "said"},
            },
        }
        layers = [_fourth_week(report, figures.weeks), *layers, label]
    counted = [
        (n, week_share(each, indicator)) for n, each in enumerate(figures.weeks, 1) if week_share(each, indicator).of
    ]
    last, share = counted[-1]
    end = {"data": {"values": [{"week": last, "percent": whole_percent(share), "said": percent(share, words)}]}}
    place = {"x": {"field": "week", "type": "quantitative"}, "y": {"field": "percent", "type": "quantitative"}}
    dot = {"type": "point", "filled": True, "color": NOW, "size": 90, "opacity": 1, "stroke": PAPER, "strokeWidth": 2}
    text = {"type": "text", "dy": -16, "color": INK, "fontSize": 15, "fontWeight": "bold"}
    text["align"] = "right" if last > longest - 2 else "center"
    layers += [{**end, "mark": dot, "encoding": place}]
    layers += [{**end, "mark": text, "encoding": {**place, "text": {"field": "said"}}}]
    return layers


def _trend_in_words(
    indicator: Indicator, weeks: Sequence[Standing], before: Sequence[Standing], report: Report, words: Wording
) -> str:
    _ = words.gettext
    counted = [week_share(each, indicator) for each in weeks if week_share(each, indicator).of]
    sentences = [
        _("From {first} in the first week to {last} in week {week}.").format(
            first=percent(counted[0], words), last=percent(counted[-1], words), week=len(weeks)
        )
    ]
    if (
        before
        and report.before is not None
        and len(before) >= len(weeks)
        and week_share(before[len(weeks) - 1], indicator).of
    ):
        sentences.append(
            _("In {term} it was {figure} in the same week.").format(
                term=title_before(report, words), figure=percent(week_share(before[len(weeks) - 1], indicator), words)
            )
        )
    return words.sentences(sentences)


def _trend_rows(
    indicator: Indicator, weeks: Sequence[Standing], before: Sequence[Standing], words: Wording
) -> Iterator[tuple[str, ...]]:
    for number_, week in enumerate(weeks, start=1):
        share = week_share(week, indicator)
        row = (str(number_), short_day(week.monday, words), met_of(share, words), percent(share, words))
        then = percent(week_share(before[number_ - 1], indicator), words) if number_ <= len(before) else NO_FIGURE
        yield (*row, then) if before else row


def _group_rows(
    indicator: Indicator, groups: Sequence[GroupFigures], report: Report, words: Wording
) -> Iterator[tuple[str, ...]]:
    with_before = any(_weeks_before(each, indicator, report) for each in groups)
    for title, each in titled(groups, words):
        known = report.before_of(each.group)
        then = share_of(known, indicator) if known is not None and shown(known, indicator) else Share(0, 0)
        now = percent(share_of(each, indicator), words)
        yield (title, now, percent(then, words)) if with_before else (title, now)


def met_of(share: Share, words: Wording) -> str:
    """ "59 of 212"; a dash of nothing."""
    if not share.of:
        return NO_FIGURE
    return words.gettext("{met} of {of}").format(met=count(share.met, words), of=count(share.of, words))


def percent_sign(words: Wording) -> str:
    """What stands behind a number of percent: "%", " %"."""
    return percent_of(50, words).replace("50", "")


def short_day(day: date, words: Wording) -> str:
    """A day for a table: "Sep 28"."""
    # Translators: a date pattern of Unicode TR 35, short, for a table: Sep 28.
    return str(format_date(day, words.gettext("MMM d"), locale=words.locale))

"""Charts that set groups side by side in one number each: how soon a plan was agreed, how many came back. Pure."""

import math
from collections.abc import Sequence

from autoresponder.wording import Wording
from scorecard.chart_style import BEFORE, INK, NOW, PAPER, WIDE, Spec, specification
from scorecard.charts import Chart, met_of, percent_sign
from scorecard.report import GroupFigures, Indicator, Report, Share
from scorecard.saying import count, number, percent, shown, title_before, titled, whole_percent

_ROW = 30
_UPRIGHT = "M0,-1L0,1"


def days_to_a_plan(groups: Sequence[GroupFigures], report: Report, words: Wording) -> Chart | None:
    """School days to an agreed plan, a line for each group: the median of now and of the term before, and the median
    with the open ones counted in. None where there is no plan yet."""
    fit = [
        (title, each)
        for title, each in titled(groups, words)
        if shown(each, Indicator.RESOLUTION) and each.resolution.median is not None
    ]
    if not fit:
        return None
    _ = words.gettext
    kinds = [report.term.title, _("open ones counted in")]
    before = title_before(report, words)
    kinds += [before] if before else []
    values: list[Spec] = []
    rows = []
    for title, each in fit:
        now, then = each.resolution, None
        if (known := report.before_of(each.group)) is not None and shown(known, Indicator.RESOLUTION):
            then = known.resolution
        last = then.median if then else None
        found = [(kinds[0], now.median), (kinds[1], now.censored_median)]
        if before:
            found.append((before, last))
        values += [{"group": title, "kind": kind, "days": day} for kind, day in found if day is not None]
        agreed = _("{resolved} ({open} open)").format(resolved=count(now.resolved, words), open=count(now.open, words))
        days = (now.median, now.mean, now.censored_median, *([last] if before else []))
        rows.append((title, agreed, *(number(day, words) for day in days)))
    columns: tuple[str, ...] = (
        _("Group"),
        _("Plans agreed"),
        _("Median"),
        _("Average"),
        _("Median, open ones counted in"),
    )
    if before:
        columns = (*columns, _("Median, {term}").format(term=before))
    top = math.ceil(max(float(each["days"]) for each in values)) + 1
    return Chart(
        key="resolution",
        spec=specification(values, _dots([title for title, _each in fit], kinds, top, _("School days"))),
        title=_("School days to an agreed plan"),
        summary=_("A row for each group; further left is faster."),
        columns=columns,
        rows=tuple(rows),
    )


def recovered(groups: Sequence[GroupFigures], report: Report, words: Wording) -> Chart | None:
    """The share of students back to baseline, a bar for each group, and a mark where it stood the term before. None
    where no incident lies two weeks back."""
    fit = [(t, each) for t, each in titled(groups, words) if shown(each, Indicator.RECOVERY) and each.recovery.of]
    if not fit:
        return None
    _ = words.gettext
    values: list[Spec] = []
    rows = []
    for title, each in fit:
        known = report.before_of(each.group)
        then = known.recovery if known is not None and shown(known, Indicator.RECOVERY) else Share(0, 0)
        point = {"group": title, "now": whole_percent(each.recovery), "said": percent(each.recovery, words)}
        if then.of:
            point["before"] = whole_percent(then)
        values.append(point)
        of = met_of(each.recovery, words)
        rows.append((title, of, percent(each.recovery, words), *([percent(then, words)] if report.before else [])))
    before = title_before(report, words)
    return Chart(
        key="recovery",
        spec=specification(values, _bars([title for title, _each in fit], words)),
        title=_("Students back to baseline within two weeks"),
        summary=_("A bar for each group; the upright mark is {term}.").format(term=before)
        if before
        else _("A bar for each group."),
        columns=(_("Group"), _("Students"), report.term.title, *([before] if before else [])),
        rows=tuple(rows),
    )


def _dots(groups: Sequence[str], kinds: Sequence[str], top: int, title: str) -> Spec:
    """A row for each group, a shape for each kind of number."""
    which = {"field": "kind", "type": "nominal", "sort": list(kinds)}

    def scale(*values: object) -> Spec:
        return {**which, "scale": {"domain": list(kinds), "range": list(values)[: len(kinds)]}}

    return {
        "width": WIDE - 60,
        "height": max(len(groups), 2) * _ROW,
        "mark": {"type": "point", "strokeWidth": 2.5, "opacity": 1},
        "encoding": {
            "y": {"field": "group", "type": "nominal", "sort": list(groups), "axis": {"title": None, "grid": True}},
            "x": {
                "field": "days",
                "type": "quantitative",
                "scale": {"domain": [0, top], "nice": True},
                "axis": {"title": title, "grid": True, "tickCount": 6, "format": "d"},
            },
            "shape": scale("circle", "diamond", _UPRIGHT),
            "stroke": scale(NOW, INK, BEFORE),
            "fill": scale(NOW, "transparent", "transparent"),
            "size": scale(100, 300, 150),
            "order": {"field": "kind", "sort": "descending"},
        },
    }


def _bars(groups: Sequence[str], words: Wording) -> Spec:
    sign = percent_sign(words)
    rows: Spec = {"field": "group", "type": "nominal", "sort": list(groups), "axis": {"title": None, "domain": False}}
    axis = {"values": [0, 25, 50, 75, 100], "labelExpr": f"datum.value + '{sign}'", "title": None, "grid": True}
    across: Spec = {"type": "quantitative", "scale": {"domain": [0, 100]}, "axis": axis}
    return {
        "width": WIDE - 60,
        "height": max(len(groups), 2) * _ROW,
        "encoding": {"y": rows},
        "layer": [
            {"mark": {"type": "bar", "color": NOW, "height": 14}, "encoding": {"x": {"field": "now", **across}}},
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "color": INK, "fontSize": 13, "fontWeight": "bold"},
                "encoding": {"x": {"field": "now", **across}, "text": {"field": "said"}},
            },
            *(
                {
                    "transform": [{"filter": "isValid(datum.before)"}],
                    "mark": {"type": "tick", "color": colour, "thickness": thick, "size": 24, "opacity": 1},
                    "encoding": {"x": {"field": "before", **across}},
                }
                for colour, thick in ((PAPER, 7), (INK, 3))
            ),
        ],
    }

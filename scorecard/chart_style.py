"""How charts look: few colours, each with a line style or a shape of its own, so that print and every eye can tell.

The colours stand in the drawing as attributes; the page's style sheet gives each another value in the dark and on paper
(service/web/static/scorecard.css), so that one drawing serves all three.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Spec: TypeAlias = Mapping[str, Any]
"""A part of a Vega-Lite specification (https://vega.github.io/vega-lite/docs/), JSON."""

NOW, BEFORE, INK, SOFT, GRID, PAPER = "#1d4f91", "#6b7684", "#1a2230", "#4b5768", "#dbe1e9", "#ffffff"
"""This term, the one before, text, lesser text, lines of the ground, and the ground."""
EVERY_COLOUR = (NOW, BEFORE, INK, SOFT, GRID, PAPER)
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
"""Liberation Sans comes with vl-convert, so that a server without fonts draws the same; it is as wide as Arial."""
WIDE, HIGH = 350, 180
"""Of a chart alone, in pixels: on a phone its text is still readable."""
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
"""A name; nothing is fetched from there."""
_CONFIG: Spec = {
    "aria": False,  # the page says in its own words what the drawing shows, and has a table of the same figures
    "font": FONT,
    "background": None,
    "padding": {"left": 4, "right": 14, "top": 6, "bottom": 4},
    "view": {"stroke": None},
    "axis": {
        "labelColor": SOFT,
        "labelFontSize": 13,
        "titleColor": SOFT,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "gridColor": GRID,
        "domainColor": BEFORE,
        "tickColor": BEFORE,
        "labelLimit": 170,
    },
    "axisY": {"domain": False, "ticks": False, "labelPadding": 6},
    "axisX": {"grid": False},
    "legend": {
        "orient": "top",
        "title": None,
        "labelColor": INK,
        "labelFontSize": 13,
        "symbolSize": 260,
        "symbolStrokeWidth": 2.5,
        "columnPadding": 22,
        "padding": 0,
        "offset": 10,
        "labelLimit": 190,
    },
    "header": {"labelColor": INK, "labelFontSize": 14, "labelFontWeight": "bold", "title": None, "labelLimit": 150},
}


def specification(values: Sequence[Spec], view: Spec, **config: object) -> str:
    """A whole specification, as JSON text: the same values give the same text."""
    whole = {"$schema": _SCHEMA, "data": {"values": list(values)}, "config": {**_CONFIG, **config}, **view}
    return json.dumps(whole, sort_keys=True, ensure_ascii=False)


def two_terms(now: str, before: str, *, legend: bool) -> Mapping[str, Spec]:
    """The encodings by which this term is told from the one before: colour, line, width."""
    terms = [now, before] if before else [now]
    field: Spec = {"field": "term", "type": "nominal", "sort": terms, **({} if legend else {"legend": None})}
    return {
        "color": {**field, "scale": {"domain": terms, "range": [NOW, BEFORE][: len(terms)]}},
        "strokeDash": {**field, "scale": {"domain": terms, "range": [[1, 0], [5, 4]][: len(terms)]}},
        "strokeWidth": {**field, "scale": {"domain": terms, "range": [3, 1.75][: len(terms)]}},
    }

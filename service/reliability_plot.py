"""The reliability plot: what probability the classifier gave, and how often it was so."""

from collections.abc import Mapping, Sequence
from typing import Any

import vl_convert

from classifier.calibration import Bin
from classifier.decision import Question

_SIDE = 280  # pixels
_TITLES = {Question.URGENT: "urgent?", Question.CONFLICT: "conflict? (of what is not urgent)"}


def reliability_svg(bins: Mapping[Question, Sequence[Bin]]) -> str:
    """Both questions side by side, as SVG: a dot on the diagonal is a probability that holds what it promises. The dots
    are as large as there are messages in them."""
    panels = [_panel(_TITLES[question], found) for question, found in bins.items()]
    return vl_convert.vegalite_to_svg({"hconcat": panels, "background": "white"})


def _panel(title: str, bins: Sequence[Bin]) -> dict[str, Any]:
    dots = [{"probability": one.probability, "share": one.share, "messages": one.n} for one in bins]
    unit = {"domain": [0, 1]}
    across = {"field": "probability", "type": "quantitative", "scale": unit, "axis": {"title": "probability given"}}
    up = {"field": "share", "type": "quantitative", "scale": unit, "axis": {"title": "share that was so"}}
    return {
        "title": title,
        "width": _SIDE,
        "height": _SIDE,
        "layer": [
            {
                "data": {"values": [{"probability": end, "share": end} for end in (0, 1)]},
                "mark": {"type": "line", "strokeDash": [4, 4], "color": "#888"},
                "encoding": {"x": across, "y": up},
            },
            {
                "data": {"values": dots},
                "mark": {"type": "line", "color": "#1f5f8b"},
                "encoding": {"x": across, "y": up},
            },
            {
                "data": {"values": dots},
                "mark": {"type": "circle", "color": "#1f5f8b", "opacity": 1},
                "encoding": {
                    "x": across,
                    "y": up,
                    "size": {"field": "messages", "type": "quantitative", "legend": {"title": "messages"}},
                },
            },
        ],
    }

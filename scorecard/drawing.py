"""Draws charts: SVG for the page, PNG for the mail, by vl-convert, which needs neither a browser nor the network.

What was drawn is kept, by the specification: the same figures are not drawn twice. The first drawing of a process takes
about a second, since the engine starts; each after it some 30 ms.
"""

import json
import re
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from scorecard.chart_style import PAPER

if TYPE_CHECKING:
    from scorecard.charts import Chart

_VERSION = "5.21"
"""Of Vega-Lite: named, so that a newer vl-convert draws as this one."""
_KEPT = 256
_MARGIN = 12
_NOWHERE: list[str] = []
"""Whence the engine may fetch something."""
_ENGINE_NAMES = re.compile(r' (?:class|role|aria-[a-z]+)="[^"<>]*"')
"""What the engine calls its parts: of no use to who cannot see them, and the page has classes of its own."""
_lock = Lock()
"""The engine draws one at a time."""


def svg(chart: "Chart", *, prefix: str = "") -> Markup:
    """The drawing as an element for a page: named and described for who does not see it, and without a style of its
    own, which the pages' policy would refuse. `prefix` tells two pages' charts apart in one document."""
    key = escape(f"{prefix}{chart.key}")
    drawn = _svg(chart.spec)
    opening = re.match(r"<svg [^>]*?viewBox=\"(?P<box>[0-9.]+ [0-9.]+ (?P<wide>[0-9.]+) [0-9.]+)\">", drawn)
    if opening is None:
        raise ValueError("vl-convert's SVG does not begin as this version knows it; install the locked one")
    named = Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="chart" width="{wide}" viewBox="{box}" role="img" '
        'aria-labelledby="{key}-title {key}-summary"><title id="{key}-title">{title}</title>'
        '<desc id="{key}-summary">{summary}</desc>'
    ).format(box=opening["box"], wide=opening["wide"], key=key, title=chart.title, summary=chart.summary)
    return named + Markup(_ENGINE_NAMES.sub("", drawn[opening.end() :]))  # noqa: S704 - of our own engine, which escapes what it writes


def png(chart: "Chart", *, scale: float = 2) -> bytes:
    """The drawing as a picture on white, `scale` times as many pixels as it is wide: sharp on a phone."""
    return _png(chart.spec, scale)


@lru_cache(maxsize=_KEPT)
def _svg(spec: str) -> str:
    import vl_convert  # noqa: PLC0415 - a large library, which most commands do without

    with _lock:
        return str(vl_convert.vegalite_to_svg(spec, vl_version=_VERSION, allowed_base_urls=_NOWHERE))


@lru_cache(maxsize=_KEPT)
def _png(spec: str, scale: float) -> bytes:
    import vl_convert  # noqa: PLC0415 - as above

    on_white = {**json.loads(spec), "background": PAPER, "padding": _MARGIN}
    with _lock:
        return bytes(vl_convert.vegalite_to_png(on_white, vl_version=_VERSION, scale=scale, allowed_base_urls=_NOWHERE))

"""Which figures late data has changed since a weekly mail told them. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from scorecard.report import GroupFigures, Indicator, Restated, Share
from store.scorecard_tables import Told

_A_PERCENT = 0.01


def restated(told: Iterable[Told], groups: Sequence[GroupFigures]) -> tuple[Restated, ...]:
    """Those that are another whole percentage now, of groups and indicators that are shown."""
    return tuple(_changed(told, {(each.group.grouping, each.group.key): each for each in groups}))


def _changed(told: Iterable[Told], groups: dict[tuple[object, str], GroupFigures]) -> Iterator[Restated]:
    for each in told:
        figures = groups.get((each.grouping, each.key))
        if figures is None or figures.withheld or each.measure not in set(Indicator):
            continue
        indicator = Indicator(each.measure)
        if indicator in figures.hidden:
            continue
        share = _share(figures, indicator, each)
        now = share.value if share is not None else None
        if now is None or abs(now - each.value) >= _A_PERCENT / 2:
            yield Restated(figures.group, indicator, each.monday, each.value, now)


def _share(figures: GroupFigures, indicator: Indicator, told: Told) -> Share | None:
    """How it stood at the end of the week that was told of, as known today."""
    week = next((each for each in reversed(figures.weeks) if each.monday <= told.monday), None)
    if week is None:
        return None
    return {Indicator.FIRST_CONTACT: week.first_contact, Indicator.TWO_WAY: week.two_way}.get(indicator)

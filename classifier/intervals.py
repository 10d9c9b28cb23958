"""How far figures would move had other messages of the same kind been asked: the percentile bootstrap (Efron 1979)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from connectors.labels import Tag

ROUNDS = 1000
_SEED = 20260210
_TAGS = tuple(Tag)
_URGENT = _TAGS.index(Tag.URGENT)

Interval = tuple[float, float]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Between which two numbers the figure lies in 95 of 100 draws; None where no message is labelled urgent."""

    macro_f1: Interval
    urgent_recall: Interval | None
    urgent_precision: Interval | None


def bootstrap(judged: Sequence[tuple[Tag, Tag]], families: Sequence[str | None]) -> Intervals:
    """The intervals of `judged`, (label, tag) by message, of which there must be one at least. Messages with the same
    name in `families`, the two of a pair, are drawn together or not at all; None stands alone. The same input gives the
    same numbers."""
    counts = _counts(judged, families)
    dice = np.random.default_rng(_SEED)
    size = len(counts)
    drawn = np.stack([np.bincount(dice.integers(size, size=size), minlength=size) @ counts for _ in range(ROUNDS)])
    tables = drawn.reshape(ROUNDS, len(_TAGS), len(_TAGS))
    right = np.diagonal(tables, axis1=1, axis2=2)
    labelled, tagged = tables.sum(axis=2), tables.sum(axis=1)
    present = labelled > 0
    f1 = _divided(2 * right, labelled + tagged)
    macro_f1 = (f1 * present).sum(axis=1) / present.sum(axis=1)
    asked = present[:, _URGENT]
    if not asked.any():
        return Intervals(_middle(macro_f1), None, None)
    urgent = right[asked, _URGENT]
    return Intervals(
        _middle(macro_f1),
        _middle(_divided(urgent, labelled[asked, _URGENT])),
        _middle(_divided(urgent, tagged[asked, _URGENT])),
    )


def _counts(judged: Sequence[tuple[Tag, Tag]], families: Sequence[str | None]) -> Matrix:
    """How often each family was labelled and tagged how: (families, tags times tags)."""
    places: dict[str, int] = {}
    rows = []
    alone = 0
    for family in families:
        if family is None:
            alone += 1
            rows.append(-alone)
        else:
            rows.append(places.setdefault(family, len(places)))
    counts = np.zeros((len(places) + alone, len(_TAGS) ** 2))
    for row, (label, tag) in zip(rows, judged, strict=True):
        counts[row, _TAGS.index(label) * len(_TAGS) + _TAGS.index(tag)] += 1  # those alone fill it from the end
    return counts


def _divided(part: Matrix, whole: Matrix) -> Matrix:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _middle(draws: Matrix) -> Interval:
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(low), float(high)

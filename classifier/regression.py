"""Logistic regression on sparse rows, in numpy alone, so that `alliance train` needs nothing that the service does not.

Minimises the sum of the logistic losses plus |w|²/(2C) by L-BFGS (Nocedal and Wright, Numerical Optimization, 2nd ed.,
algorithms 7.4 and 7.5, with a backtracking line search). The same rows give the same weights: nothing is drawn.
"""

from collections import deque
from collections.abc import Callable

import numpy as np

from classifier.features import Floats, Rows, Singles
from classifier.ngrams import Integers

Loss = Callable[[Floats], tuple[float, Floats]]

_MEMORY = 8
_ROUNDS = 200
_GRADIENT = 1e-3
"""Stops when the gradient has shrunk to this part of its first length; the probabilities no longer change then."""


def fit(
    rows: Rows, answers: Floats, chosen: Integers, columns: int, strength: float, counts: Floats | None = None
) -> tuple[Floats, float]:
    """Weights (one per column) and bias that answer yes (1.0) or no (0.0) for the `chosen` rows. `strength` is C;
    `counts` says how often each row counts, once where left out."""
    renumbered = np.full(rows.count, -1, dtype=np.int64)
    renumbered[chosen] = np.arange(len(chosen))
    row, picked = renumbered[rows.row], renumbered[rows.row] >= 0
    used, column = np.unique(rows.column[picked], return_inverse=True)
    by_row = _Sums(row[picked], column, rows.value[picked], len(chosen))
    by_column = _Sums(column, row[picked], rows.value[picked], len(used))
    signs = 2 * answers[chosen] - 1
    often = np.ones(len(chosen)) if counts is None else counts[chosen]

    def loss(point: Floats) -> tuple[float, Floats]:
        margin = signs * (by_row.of(point) + point[-1])
        slope = -signs * _sigmoid(-margin) * often
        gradient = np.append(by_column.of(slope) + point[:-1] / strength, slope.sum())
        return float(_dot(often, np.logaddexp(0, -margin)) + _dot(point[:-1], point[:-1]) / (2 * strength)), gradient

    point = minimum(loss, np.zeros(len(used) + 1))
    weights = np.zeros(columns)
    weights[used] = point[:-1]
    return weights, float(point[-1])


class _Sums:
    """For each group, the sum of value * vector[index] over its entries: a sparse matrix times a vector. Entries are
    laid out by group once, which makes each product several times faster than numpy.bincount."""

    def __init__(self, group: Integers, index: Integers, value: Floats, count: int) -> None:
        order = np.argsort(group, kind="stable")
        filled, self._starts = np.unique(group[order], return_index=True)
        self._filled = filled if len(filled) < count else slice(None)
        self._index, self._value, self._count = index[order].astype(np.int32), value[order], count

    def of(self, vector: Floats) -> Floats:
        sums = np.zeros(self._count)
        if len(self._value):
            sums[self._filled] = np.add.reduceat(self._value * vector[self._index], self._starts)
        return sums


def scores(rows: Rows, weights: Floats | Singles, bias: float) -> Floats:
    """The score (log odds) of every row."""
    value = rows.value * weights[rows.column]
    return np.bincount(rows.row, weights=value, minlength=rows.count).astype(np.float64) + bias


def probability(score: Floats) -> Floats:
    """The probability that belongs to a score."""
    return _sigmoid(score)


def platt(score: Floats, answers: Floats) -> tuple[float, float]:
    """Slope and offset that make scores of messages not learned from into probabilities (Platt 1999, with his smoothed
    targets)."""
    yes, no = float(answers.sum()), float(len(answers) - answers.sum())
    target = np.where(answers > 0, (yes + 1) / (yes + 2), 1 / (no + 2))

    def loss(point: Floats) -> tuple[float, Floats]:
        line = point[0] * score + point[1]
        slope = _sigmoid(line) - target
        return float((np.logaddexp(0, line) - target * line).sum()), np.array([_dot(slope, score), slope.sum()])

    slope, offset = minimum(loss, np.array([1.0, 0.0]), 1e-8)
    return float(slope), float(offset)


def _dot(one: Floats, other: Floats) -> float:
    """The scalar product, summed by numpy itself: BLAS would split it among threads, and the result and the time taken
    would depend on how many there are."""
    return float(np.sum(one * other))


def _sigmoid(score: Floats) -> Floats:
    small = np.exp(-np.abs(score))
    return np.where(score >= 0, 1 / (1 + small), small / (1 + small))


def minimum(loss: Loss, point: Floats, shrunk: float = _GRADIENT) -> Floats:
    """Where `loss` (value and gradient) is least, from `point` on; until the gradient has shrunk to `shrunk`."""
    value, gradient = loss(point)
    goal = shrunk * _dot(gradient, gradient) ** 0.5
    history: deque[tuple[Floats, Floats]] = deque(maxlen=_MEMORY)
    for _ in range(_ROUNDS):
        if _dot(gradient, gradient) ** 0.5 <= goal:
            break
        direction = _direction(gradient, history)
        slope, step = _dot(gradient, direction), 1.0 if history else _dot(gradient, gradient) ** -0.5
        while True:
            ahead = point + step * direction
            new_value, new_gradient = loss(ahead)
            if new_value <= value + 1e-4 * step * slope:
                break
            step /= 2
            if step < 1e-9:
                return point  # as near as floating point comes
        moved, turned = ahead - point, new_gradient - gradient
        if _dot(moved, turned) > 1e-12:
            history.append((moved, turned))
        point, value, gradient = ahead, new_value, new_gradient
    return point


def _direction(gradient: Floats, history: deque[tuple[Floats, Floats]]) -> Floats:
    rest, kept = gradient.copy(), []
    for moved, turned in reversed(history):
        part = _dot(moved, rest) / _dot(moved, turned)
        rest -= part * turned
        kept.append(part)
    if history:
        moved, turned = history[-1]
        rest *= _dot(moved, turned) / _dot(turned, turned)
    for (moved, turned), part in zip(history, reversed(kept), strict=True):
        rest += (part - _dot(turned, rest) / _dot(moved, turned)) * moved
    return -rest

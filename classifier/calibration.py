"""Whether probabilities hold what they promise: of a hundred messages at 0.3, thirty should be so."""

from collections.abc import Sequence
from dataclasses import dataclass

BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Messages with about the same probability."""

    n: int
    probability: float
    """Their mean probability, 0 to 1."""
    share: float
    """How many of them are so indeed, 0 to 1."""


def reliability(probabilities: Sequence[float], answers: Sequence[bool]) -> tuple[Bin, ...]:
    """The bins, of equal width, that hold any message, from 0 to 1."""
    members: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for probability, answer in zip(probabilities, answers, strict=True):
        members[min(int(probability * BINS), BINS - 1)].append((probability, answer))
    return tuple(
        Bin(
            n=len(inside),
            probability=sum(probability for probability, _ in inside) / len(inside),
            share=sum(answer for _, answer in inside) / len(inside),
        )
        for inside in members
        if inside
    )


def expected_error(bins: Sequence[Bin]) -> float | None:
    """The expected calibration error: how far probability and share are apart, a mean over all messages, 0 to 1 (Naeini
    et al. 2015). None where there is no message."""
    total = sum(one.n for one in bins)
    return sum(one.n * abs(one.probability - one.share) for one in bins) / total if total else None

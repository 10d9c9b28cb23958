"""How long things take while some of them are still going on: Kaplan and Meier's median (1958). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Lasted:
    """How long something took, or has taken so far."""

    days: int
    over: bool
    """False where it is still going on (censored): it takes at least so long."""


def censored_median(observed: Mapping[Lasted, int]) -> int | None:
    """The first number of days by which at most half are estimated to be still going on, of so many of each; None where
    that is not in sight. Of one day, what is over ended before what goes on was lost sight of."""
    going_on, at_risk = Fraction(1), sum(observed.values())
    for days in sorted({one.days for one in observed}):
        over, lost = (observed.get(Lasted(days, over=each), 0) for each in (True, False))
        if not over + lost:
            continue
        going_on *= 1 - Fraction(over, at_risk)
        if going_on <= Fraction(1, 2):
            return days
        at_risk -= over + lost
    return None

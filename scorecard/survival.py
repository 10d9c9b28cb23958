"""How long things take while some of them are still going on: Kaplan and Meier's median (1958). Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Lasted:
    """How long something took, or has taken so far."""

    days: int
    over: bool
    """False where it is still going on (censored): it takes at least so long."""


def censored_median(observed: Iterable[Lasted]) -> int | None:
    """The first number of days by which at most half are estimated to be still going on; None where that is not in
    sight. Of one day, what is over ended before what goes on was lost sight of."""
    each = sorted(observed, key=lambda one: one.days)
    going_on, at_risk = Fraction(1), len(each)
    for days in sorted({one.days for one in each}):
        here = [one for one in each if one.days == days]
        going_on *= 1 - Fraction(sum(one.over for one in here), at_risk)
        if going_on <= Fraction(1, 2):
            return days
        at_risk -= len(here)
    return None

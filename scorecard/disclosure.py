"""What shown groups tell of others: which sets of units some combination of shown groups picks out. Pure.

Groups overlap: a team may be half a grade, and then the grade less the other team is that team. Whatever is added up
over the units of groups, a number of a set is known from those of shown groups exactly where the set is a linear
combination of them; a combination that misses the set by little gives the number by little less.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scorecard.report import Group
from store.scorecard_tables import Grouping

Patterns = Mapping[frozenset[Group], int]
"""How many units there are of each kind; units of a kind are in the same groups."""

_NEARLY = 0.25
"""A combination is as good as a set where the squares of what they differ in come to less than this share of it."""
_EXACTLY = 1e-9
"""What rounding leaves of nothing."""
_PART = 0.1
"""A group takes part in a combination from this share of the largest part on; what is less is the price of overlaps."""
_Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Leak:
    """Something withheld that shown groups tell."""

    group: Group | None
    """None where it is a set of units and no group."""
    told_by: tuple[Group, ...]
    """The shown groups that tell, in order."""


def leaks(
    shown: frozenset[Group], hidden: frozenset[Group], small: frozenset[Group], patterns: Patterns, threshold: int
) -> Iterator[Leak]:
    """What shown groups tell of withheld ones: exactly, or nearly where they are `small`; and nearly of those units of
    a shown group that are in withheld ones alone where they are fewer than the threshold. School by school, each group
    where most of its units are; of one school, what is small comes first."""
    homes, schools = _homes(patterns, hidden), _by_school(patterns)
    for place in sorted(schools, key=lambda each: each.key if each else ""):
        block = _Block(schools[place])
        # Of a school's families everybody's numbers tell what the school's do.
        telling = [group for group in block.groups if group in shown and (place is None or group.within is not None)]
        here = sorted(group for group, home in homes.items() if home == place and group != place)
        targets = [_Target(group, block.inside([group])[:, 0], group in small) for group in here]
        targets += [_Target(None, column, True) for column in _remainders(block, telling, hidden, threshold)]
        targets.sort(key=lambda target: not target.nearly)
        if targets and telling:
            yield from _told(block, telling, targets)


def _by_school(patterns: Patterns) -> Mapping[Group | None, Patterns]:
    """A unit in two schools is in both; those in none are together."""
    blocks: dict[Group | None, dict[frozenset[Group], int]] = defaultdict(dict)
    for pattern, units in patterns.items():
        schools: list[Group | None] = [group for group in pattern if group.grouping is Grouping.SCHOOL]
        for school in schools or [None]:
            blocks[school][pattern] = units
    return blocks


def _homes(patterns: Patterns, groups: frozenset[Group]) -> Mapping[Group, Group | None]:
    """The school in which each group has most of its units."""
    units: dict[Group, Counter[Group | None]] = defaultdict(Counter)
    for school, block in _by_school(patterns).items():
        for pattern, number in block.items():
            for group in pattern & groups:
                units[group][school] += number
    return {
        group: min(schools, key=lambda each: (-schools[each], each.key if each else ""))
        for group, schools in units.items()
    }


@dataclass(frozen=True, slots=True)
class _Target:
    """What must not be told."""

    group: Group | None
    column: _Numbers
    """1 for the patterns whose units are meant."""
    nearly: bool
    """Whether not nearly, either."""


class _Block:
    """The units of one school."""

    def __init__(self, patterns: Patterns) -> None:
        self.rows = sorted(patterns, key=sorted)  # rounding goes by it: the same order, the same decision
        self.units = np.array([patterns[row] for row in self.rows], dtype=float)
        self.groups = sorted({group for row in self.rows for group in row})

    def inside(self, groups: Sequence[Group]) -> _Numbers:
        """A row per pattern, a column per group: 1 where those units are in it."""
        table = [[group in row for group in groups] for row in self.rows]
        return np.array(table, dtype=float).reshape(len(self.rows), len(groups))


def _told(block: _Block, telling: Sequence[Group], targets: Sequence[_Target]) -> Iterator[Leak]:
    weights = np.sqrt(block.units)[:, None]
    of_shown = block.inside(telling) * weights
    wanted = np.stack([target.column for target in targets], axis=1) * weights
    parts = np.linalg.lstsq(of_shown, wanted, rcond=None)[0]
    off = np.sum((of_shown @ parts - wanted) ** 2, axis=0)
    for place, target in enumerate(targets):
        if off[place] <= (_NEARLY if target.nearly else _EXACTLY) * float(target.column @ block.units):
            mine = np.abs(parts[:, place])
            taking_part = mine > _PART * float(np.max(mine))
            yield Leak(target.group, tuple(group for group, part in zip(telling, taking_part, strict=True) if part))


def _remainders(
    block: _Block, telling: Sequence[Group], hidden: frozenset[Group], threshold: int
) -> Iterator[_Numbers]:
    """For each shown group, and each way of grouping: its units in withheld groups alone, where they are few."""
    of_shown = block.inside(telling)
    seen: set[bytes] = set()
    for groupings in ((Grouping.SCHOOL,), (Grouping.GRADE,), (Grouping.TEAM,), (Grouping.TEACHER,)):
        mine = [group for group in block.groups if group.grouping in groupings]
        open_ = block.inside([group for group in mine if group not in hidden]).sum(axis=1) > 0
        shut = block.inside([group for group in mine if group in hidden]).sum(axis=1) > 0
        for place in range(len(telling)):
            column = of_shown[:, place] * (shut & ~open_)
            if 0 < float(column @ block.units) < threshold and column.tobytes() not in seen:
                seen.add(column.tobytes())
                yield column

"""What shown groups tell of others: which sets of units some combination of shown groups picks out. Pure.

Groups overlap: a team may be half a grade, and then the grade less the other team is that team. Whatever is added up
over the units of groups, a number of a set is known from those of shown groups exactly where the set is a linear
combination of them; a combination that misses the set by little gives the number by little less.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from scorecard.report import Group
from store.scorecard_tables import Grouping

Patterns = Mapping[frozenset[Group], int]
"""How many units there are of each kind; units of a kind are in the same groups."""
Place = Group | None
"""A school, or None for the units without one."""

_NEARLY = 0.25
"""A combination is as good as a set where the squares of what they differ in come to less than this share of it."""
_EXACTLY = 1e-9
"""What rounding leaves of nothing."""
_PART = 0.1
"""A group takes part in a combination from this share of the largest part on; what is less is the price of overlaps."""
_GROUPINGS = (Grouping.SCHOOL, Grouping.GRADE, Grouping.TEAM, Grouping.TEACHER)
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
    overlaps = Overlaps(patterns)
    for place in overlaps.places:
        yield from overlaps.leaks(place, shown, hidden, small, threshold)


@dataclass(frozen=True)
class Overlaps:
    """Who shares units with whom. What it takes long to find out is found out once, and school by school: whoever asks
    again for a school after something changed at another gets the answer of before."""

    patterns: Patterns
    _told: dict[tuple[object, ...], tuple[Leak, ...]] = field(default_factory=dict)

    @cached_property
    def places(self) -> Sequence[Place]:
        """The schools, in the order in which they are looked at; units of none first."""
        return sorted(self._blocks, key=lambda each: each.key if each else "")

    @cached_property
    def homes(self) -> Mapping[Group, Place]:
        """The school in which each group has most of its units."""
        units: dict[Group, Counter[Place]] = defaultdict(Counter)
        for school, block in self._by_school.items():
            for pattern, number in block.items():
                for group in pattern:
                    units[group][school] += number
        return {
            group: min(schools, key=lambda each: (-schools[each], each.key if each else ""))
            for group, schools in units.items()
        }

    @cached_property
    def places_of(self) -> Mapping[Group, Sequence[Place]]:
        """The schools in which each group has units."""
        found: dict[Group, list[Place]] = defaultdict(list)
        for place in self.places:
            for group in self._blocks[place].groups:
                found[group].append(place)
        return found

    def groups_at(self, place: Place) -> frozenset[Group]:
        """The groups that have units at a school."""
        return self._blocks[place].known

    def beside(self, groups: Iterable[Group]) -> set[Group]:
        """The groups that share a unit with one of these, these with them where they have any."""
        found: set[Group] = set()
        for group in groups:
            found |= self._neighbours(group)
        return found

    def leaks(
        self, place: Place, shown: frozenset[Group], hidden: frozenset[Group], small: frozenset[Group], threshold: int
    ) -> Sequence[Leak]:
        """What shown groups tell of those withheld ones that are at home at a school."""
        block = self._blocks[place]
        asked = (place, shown & block.known, hidden & block.known, small & block.known, threshold)
        if asked not in self._told:
            self._told[asked] = tuple(self._told_at(place, shown, hidden, small, threshold))
        return self._told[asked]

    def _told_at(
        self, place: Place, shown: frozenset[Group], hidden: frozenset[Group], small: frozenset[Group], threshold: int
    ) -> Iterator[Leak]:
        block = self._blocks[place]
        # Of a school's families everybody's numbers tell what the school's do.
        telling = [group for group in block.groups if group in shown and (place is None or group.within is not None)]
        here = [group for group in block.groups if group in hidden and self.homes[group] == place and group != place]
        targets = [_Target(group, block.inside([group])[:, 0], group in small) for group in here]
        targets += [_Target(None, column, True) for column in _remainders(block, telling, hidden, threshold)]
        targets.sort(key=lambda target: not target.nearly)
        if targets and telling:
            yield from _told(block, telling, targets)

    @cached_property
    def _by_school(self) -> Mapping[Place, Patterns]:
        """A unit in two schools is in both; those in none are together."""
        blocks: dict[Place, dict[frozenset[Group], int]] = defaultdict(dict)
        for pattern, units in self.patterns.items():
            schools: list[Place] = [group for group in pattern if group.grouping is Grouping.SCHOOL]
            for school in schools or [None]:
                blocks[school][pattern] = units
        return blocks

    @cached_property
    def _blocks(self) -> Mapping[Place, "_Block"]:
        groups = sorted({group for pattern in self.patterns for group in pattern})
        rank = {group: place for place, group in enumerate(groups)}
        return {school: _Block(patterns, rank) for school, patterns in self._by_school.items()}

    @cached_property
    def _patterns_of(self) -> Mapping[Group, Sequence[frozenset[Group]]]:
        found: dict[Group, list[frozenset[Group]]] = defaultdict(list)
        for pattern in self.patterns:
            for group in pattern:
                found[group].append(pattern)
        return found

    @cached_property
    def _known_neighbours(self) -> dict[Group, frozenset[Group]]:
        return {}

    def _neighbours(self, group: Group) -> frozenset[Group]:
        found = self._known_neighbours.get(group)
        if found is None:
            found = self._known_neighbours[group] = frozenset().union(*self._patterns_of.get(group, ()))
        return found


@dataclass(frozen=True, slots=True)
class _Target:
    """What must not be told."""

    group: Group | None
    column: _Numbers
    """1 for the patterns whose units are meant."""
    nearly: bool
    """Whether not nearly, either."""


class _Block:
    """The units of one school. `rank` is the place of each group in the order of all."""

    def __init__(self, patterns: Patterns, rank: Mapping[Group, int]) -> None:
        # Rounding goes by the order: the same order, the same decision.
        ranked = sorted((sorted(rank[group] for group in row), row) for row in patterns)
        self.units = np.array([patterns[row] for _ranks, row in ranked], dtype=float)
        self.groups = sorted({group for row in patterns for group in row}, key=rank.__getitem__)
        self.known = frozenset(self.groups)
        self._column = {rank[group]: place for place, group in enumerate(self.groups)}
        self._place = {group: place for place, group in enumerate(self.groups)}
        self._inside = np.zeros((len(ranked), len(self.groups)))
        for place, (ranks, _row) in enumerate(ranked):
            self._inside[place, [self._column[each] for each in ranks]] = 1.0
        self.weights = np.sqrt(self.units)[:, None]

    def inside(self, groups: Sequence[Group]) -> _Numbers:
        """A row per pattern, a column per group: 1 where those units are in it."""
        table: _Numbers = self._inside[:, [self._place[group] for group in groups]]
        return table


def _told(block: _Block, telling: Sequence[Group], targets: Sequence[_Target]) -> Iterator[Leak]:
    of_shown = block.inside(telling) * block.weights
    wanted = np.stack([target.column for target in targets], axis=1) * block.weights
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
    for grouping in _GROUPINGS:
        mine = [group for group in block.groups if group.grouping is grouping]
        open_ = block.inside([group for group in mine if group not in hidden]).sum(axis=1) > 0
        shut = block.inside([group for group in mine if group in hidden]).sum(axis=1) > 0
        alone = of_shown * (shut & ~open_)[:, None]
        units = block.units @ alone
        for place in np.flatnonzero((units > 0) & (units < threshold)):
            column = alone[:, place].copy()
            if column.tobytes() not in seen:
                seen.add(column.tobytes())
                yield column

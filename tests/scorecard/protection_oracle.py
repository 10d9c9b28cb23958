"""What is withheld, decided the slow and obvious way: everything is looked at again after every step. The decisions of
`scorecard.protection` must be the same to the last group."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scorecard.disclosure import Leak
from scorecard.protection import EVERYBODY
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


def withheld(
    sizes: Mapping[Group, int],
    threshold: int,
    members: Iterable[frozenset[Group]] = (),
    *,
    already: frozenset[Group] = frozenset(),
    harmless: frozenset[Group] = frozenset(),
    empty_is_small: bool = True,
) -> frozenset[Group]:
    """The groups among `sizes` (units of each) that are not to be shown.

    `members` are the groups of one unit each, for the units that overlaps are judged by: at least all of those schools
    that a withheld group has a part in. `already` are withheld for another reason; `harmless` are those of them that
    are so for others' sake, and not few by anything: of them alone something may be told. Where empty groups are not
    small, that a group has no units is shown.
    """
    small = frozenset(group for group, size in sizes.items() if size < threshold and (size or empty_is_small))
    hidden = small | frozenset(already & sizes.keys())
    if not hidden:
        return hidden
    patterns = Counter(members)
    for level in sorted(set(map(_level, sizes))):
        # In order, coarse or fine alike, so that the same is chosen every day.
        mine = tuple(sorted((group for group in sizes if _level(group) <= level), key=_coarsest_first))
        hidden = _Choice(mine, sizes, small, harmless - small, patterns, threshold).of(hidden)
    return hidden


def _level(group: Group) -> int:
    """Which are decided first. A teacher without a team stands beside the teams."""
    if group.grouping is Grouping.TEACHER:
        return 2 if group.within == (Grouping.ALL, "") else 3
    return {Grouping.ALL: 0, Grouping.SCHOOL: 1, Grouping.GRADE: 2, Grouping.TEAM: 2}[group.grouping]


def _coarsest_first(group: Group) -> tuple[int, Group]:
    return _level(group), group


def _siblings(group: Group) -> tuple[object, bool]:
    """The same for parts of the same whole. By mailboxes, teachers without a team are parts beside teams."""
    return group.within, group.grouping in {Grouping.TEAM, Grouping.TEACHER}


@dataclass(frozen=True, slots=True)
class _Choice:
    """The choice among the groups of one level and those above it."""

    mine: Sequence[Group]
    sizes: Mapping[Group, int]
    small: frozenset[Group]
    harmless: frozenset[Group]
    patterns: Patterns
    threshold: int

    def of(self, hidden: frozenset[Group]) -> frozenset[Group]:
        """`hidden`, and what has to be withheld with it."""
        while True:
            hidden = self._with_parts(hidden)
            one_more = self._complement(hidden) or self._gives_way(hidden)
            if one_more is None:
                return hidden
            hidden |= {one_more}

    def _with_parts(self, hidden: frozenset[Group]) -> frozenset[Group]:
        now = set(hidden)
        for pattern in self.patterns:
            if any(group.grouping is Grouping.SCHOOL and group in hidden for group in pattern):
                now |= {group for group in pattern if group.grouping not in {Grouping.ALL, Grouping.SCHOOL}}
        for group in self.mine:  # wholes before their parts
            if group.within is not None and Group(*group.within) in now:
                now.add(group)
        return frozenset(now)

    def _complement(self, hidden: frozenset[Group]) -> Group | None:
        """The part that goes with others of its whole (rule 2) next; None where none has to. One whose numbers shown
        groups would tell all the same hides nothing: where every part is so, rule 3 has to do."""
        parts: dict[object, list[Group]] = defaultdict(list)
        for group in self.mine:
            parts[_siblings(group)].append(group)
        for siblings in parts.values():
            gone = frozenset(each for each in siblings if each in hidden)
            together = sum(self.sizes[each] for each in gone)
            if not gone or (len(gone) > 1 and (together == 0 or together >= self.threshold)):
                continue
            beside = {group for pattern in self.patterns if gone & pattern for group in pattern} - {EVERYBODY}
            near = {group for pattern in self.patterns if beside & pattern for group in pattern}
            # Those of the same grades and schools first. One without units adds nothing to hide behind: it comes last.
            left = sorted(set(siblings) - hidden, key=lambda each: (not self.sizes[each], each not in near, each))
            for candidate in left:
                if not any({leak.group} & (gone | {candidate}) for leak in self._leaks(hidden | {candidate})):
                    return candidate
        return None

    def _gives_way(self, hidden: frozenset[Group]) -> Group | None:
        """What rule 3 withholds next: the finest that takes part in telling, one beside what it tells of before
        others; None where nothing is told. Everybody stays: what everybody's numbers tell is no group's secret."""
        for leak in self._leaks(hidden):
            candidates = [group for group in leak.told_by if group != EVERYBODY]
            if candidates:
                beside = _siblings(leak.group) if leak.group else None
                return min(candidates, key=lambda group: (-_level(group), _siblings(group) != beside, group))
        return None

    def _leaks(self, hidden: frozenset[Group]) -> Iterable[Leak]:
        here = frozenset(self.mine)
        found = leaks(here - hidden, hidden & here, self.small, self.patterns, self.threshold)
        return (leak for leak in found if leak.group not in self.harmless)

"""Which groups are withheld, so that no figure of a few families is shown or can be computed from those that are. Pure.

What is withheld follows from who belongs where, never from what happened: the choice itself tells nothing, holds for
every number of a group and every week alike, and stays the same from one day to the next. Three rules, for coarse
groups before fine ones, so that the fine give way:

1. A group of fewer units (families, for most figures) than the threshold is withheld, and what is within it; with a
   school, whatever has families there.
2. Where one of several parts of a whole is withheld, so is another, and further ones until those withheld have the
   threshold together: the whole less the shown parts would tell. Which, their keys say and not their sizes: a choice
   by size would change with it, and two days' scorecards together would tell what neither does.
3. Where shown groups tell of withheld ones across their overlaps (`scorecard.disclosure`), another gives way.

None or all of a shown group is shown like any other number: it is said of so many at once. (Complementary suppression:
Hundepool and others, Handbook on Statistical Disclosure Control, chapter 4.)
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scorecard.disclosure import Leak, Patterns, leaks
from scorecard.report import Group
from store.scorecard_tables import Grouping

EVERYBODY = Group(Grouping.ALL, "")
FEWEST_CASES = 3
"""Of fewer conflicts no time to resolution is shown: who knows of one would learn of the other. They are conflicts of
a group that has the threshold's families, so that three are enough."""


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

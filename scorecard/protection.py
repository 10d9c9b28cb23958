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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from scorecard.disclosure import Leak, Overlaps, Place
from scorecard.report import Group
from store.scorecard_tables import Grouping

EVERYBODY = Group(Grouping.ALL, "")
_COARSE = (Grouping.ALL, Grouping.SCHOOL)
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
    known = _Known(sizes, small, harmless - small, Overlaps(Counter(members)), threshold)
    # In order, coarse or fine alike, so that the same is chosen every day.
    in_order = sorted(sizes, key=_coarsest_first)
    for level in sorted(set(map(_level, sizes))):
        hidden = _Choice([group for group in in_order if _level(group) <= level], known, hidden).of()
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


class _Choice:
    """The choice among the groups `mine` of one level and those above it. What is withheld only ever grows, so each
    step looks again at just what the last one changed."""

    def __init__(self, mine: Sequence[Group], known: "_Known", hidden: frozenset[Group]) -> None:
        self._mine, self._known = frozenset(mine), known
        self._mine_at: dict[Place, frozenset[Group]] = {}
        self._near: dict[int, frozenset[Group]] = {}
        self.hidden = set(hidden)
        self._within: dict[Group, list[Group]] = defaultdict(list)
        parts: dict[object, list[Group]] = defaultdict(list)
        for group in mine:
            parts[_siblings(group)].append(group)
            if group.within is not None:
                self._within[Group(*group.within)].append(group)
        self._parts = list(parts.values())
        self._part_of = {group: place for place, siblings in enumerate(self._parts) for group in siblings}
        self._gone: list[set[Group]] = [set(siblings) & self.hidden for siblings in self._parts]
        self._stuck: dict[int, frozenset[Group]] = {}
        self._spread: set[Group] = set()
        self._gives: dict[Place, Group | None] = {}

    def of(self) -> frozenset[Group]:
        """What is withheld, and what has to be withheld with it."""
        new = set(self.hidden)
        while True:
            self._add(self._with_parts(new))
            one_more = self._complement() or self._gives_way()
            if one_more is None:
                return frozenset(self.hidden)
            self._add({one_more})
            new = {one_more}

    def _add(self, groups: Iterable[Group]) -> None:
        for group in groups:
            self.hidden.add(group)
            if group in self._part_of:
                self._gone[self._part_of[group]].add(group)
            for place in self._known.overlaps.places_of.get(group, ()):
                self._gives.pop(place, None)

    def _with_parts(self, new: set[Group]) -> set[Group]:
        """What is within `new`, and at schools that are withheld."""
        schools = {group for group in self.hidden if group.grouping is Grouping.SCHOOL} - self._spread
        self._spread |= schools
        found: set[Group] = set()
        for school in schools:
            found |= self._known.parts_at(school)
        found -= self.hidden
        waiting = [*new, *found]
        while waiting:
            for group in self._within.get(waiting.pop(), ()):
                if group not in self.hidden and group not in found:
                    found.add(group)
                    waiting.append(group)
        return found

    def _complement(self) -> Group | None:
        """The part that goes with others of its whole (rule 2) next; None where none has to. One whose numbers shown
        groups would tell all the same hides nothing: where every part is so, rule 3 has to do."""
        sizes, threshold = self._known.sizes, self._known.threshold
        for place, siblings in enumerate(self._parts):
            gone = self._gone[place]
            if not gone:
                continue
            if len(gone) > 1:
                together = sum(sizes[each] for each in gone)
                if together == 0 or together >= threshold:
                    continue
            here = frozenset(self.hidden & self._groups_near(place))
            if self._stuck.get(place) == here:
                continue
            candidate = self._candidate(siblings, frozenset(gone))
            if candidate is not None:
                return candidate
            self._stuck[place] = here
        return None

    def _candidate(self, siblings: Sequence[Group], gone: frozenset[Group]) -> Group | None:
        overlaps, sizes = self._known.overlaps, self._known.sizes
        near = overlaps.beside(overlaps.beside(gone) - {EVERYBODY})
        # Those of the same grades and schools first. One without units adds nothing to hide behind: it comes last.
        left = sorted(set(siblings) - self.hidden, key=lambda each: (not sizes[each], each not in near, each))
        for candidate in left:
            together = gone | {candidate}
            homes = {overlaps.homes[group] for group in together if group in overlaps.homes}
            if not any(leak.group in together for place in homes for leak in self._leaks(place, candidate)):
                return candidate
        return None

    def _groups_near(self, part: int) -> frozenset[Group]:
        """The groups at the schools of the parts of one whole, by its number."""
        if part not in self._near:
            overlaps, siblings = self._known.overlaps, self._parts[part]
            places = {overlaps.homes[group] for group in siblings if group in overlaps.homes}
            self._near[part] = frozenset(siblings).union(*map(overlaps.groups_at, places))
        return self._near[part]

    def _gives_way(self) -> Group | None:
        """What rule 3 withholds next; None where nothing is told."""
        for place in self._known.overlaps.places:
            if place not in self._gives:
                self._gives[place] = self._gives_way_at(place)
            found = self._gives[place]
            if found is not None:
                return found
        return None

    def _gives_way_at(self, place: Place) -> Group | None:
        """The finest that takes part in telling at a school, one beside what it tells of before others; None where
        nothing is told. Everybody stays: what everybody's numbers tell is no group's secret."""
        for leak in self._leaks(place):
            candidates = [group for group in leak.told_by if group != EVERYBODY]
            if candidates:
                beside = _siblings(leak.group) if leak.group else None
                return min(candidates, key=lambda group: (-_level(group), _siblings(group) != beside, group))
        return None

    def _leaks(self, place: Place, *more: Group) -> Iterator[Leak]:
        """What is told at a school where `more` are withheld, too."""
        known = self._known
        if place not in self._mine_at:
            self._mine_at[place] = self._mine & known.overlaps.groups_at(place)
        mine = self._mine_at[place]
        hidden = mine & (self.hidden.union(more))
        found = known.overlaps.leaks(place, mine - hidden, hidden, known.small, known.threshold)
        return (leak for leak in found if leak.group not in known.harmless)


@dataclass(frozen=True)
class _Known:
    """What every choice goes by."""

    sizes: Mapping[Group, int]
    small: frozenset[Group]
    harmless: frozenset[Group]
    overlaps: Overlaps
    threshold: int

    def parts_at(self, school: Group) -> set[Group]:
        """The groups that have a unit at a school, themselves none."""
        return {group for group in self.overlaps.beside([school]) if group.grouping not in _COARSE}

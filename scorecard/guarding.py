"""Takes out of a term's figures what is withheld (`scorecard.protection`)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from scorecard.protection import EVERYBODY, FEWEST_CASES, withheld
from scorecard.report import Counts, Group, GroupFigures, Indicator, Resolution, Share
from store.scorecard_tables import Grouping


@dataclass(frozen=True, slots=True)
class Kept:
    """What is not shown in a term."""

    groups: frozenset[Group]
    """Withheld as a whole."""
    indicators: Mapping[Indicator, frozenset[Group]]
    """Beside those, groups of which an indicator is."""
    counts: frozenset[Group]
    """Beside those, groups of which the service's own counts are."""

    def taken_out(self, figures: GroupFigures) -> GroupFigures:
        """The figures without what is withheld: it is gone, not marked."""
        group = figures.group
        if group in self.groups:
            return GroupFigures(group, withheld=True, counts_withheld=True, hidden=frozenset(Indicator))
        hidden = frozenset(indicator for indicator, groups in self.indicators.items() if group in groups)
        counts = group in self.counts
        return replace(
            figures,
            resolution=Resolution(0, 0) if Indicator.RESOLUTION in hidden else figures.resolution,
            recovery=Share(0, 0) if Indicator.RECOVERY in hidden else figures.recovery,
            counts=Counts() if counts else figures.counts,
            by_week={} if counts else figures.by_week,
            hidden=hidden,
            counts_withheld=counts,
        )


def few(enrolled: int, written: int, threshold: int) -> int:
    """How many families figures stand for, of those that are enrolled and those that were written to: where either are
    few, those; 0 where there are none."""
    return enrolled if 0 < enrolled < threshold else max(enrolled, written)


def kept(
    sizes: Mapping[Group, int],
    threshold: int,
    families: Iterable[frozenset[Group]],
    cases: Iterable[frozenset[Group]],
    students: Iterable[frozenset[Group]],
    recovered_of: Mapping[Group, int],
    teams: Mapping[str, str],
) -> Kept:
    """What of a term is not shown. `sizes` are families, by group; `families` the groups of each family, `cases` and
    `students` those that each case, and each student with an incident, counts for; `recovered_of` are students whose
    time is over, by group. `teams` are the teams of all mailboxes, "" for none."""
    # Of a group that no family on the roster belongs to nothing is said of few families.
    groups = _of_families(sizes, threshold, families)
    if EVERYBODY in groups:
        groups = frozenset(sizes)
    harmless = frozenset(group for group in groups if sizes[group] >= threshold)
    by_indicator = {
        Indicator.RESOLUTION: _of_units(cases, sizes, groups, harmless, FEWEST_CASES, {}),
        Indicator.RECOVERY: _of_units(students, sizes, groups, harmless, threshold, recovered_of),
    }
    return Kept(groups, by_indicator, _counts(sizes, groups, teams))


def _of_families(sizes: Mapping[Group, int], threshold: int, families: Iterable[frozenset[Group]]) -> frozenset[Group]:
    """The groups that are withheld as a whole. Overlaps are judged at the schools that a withheld group has a part in:
    in a district they are few."""
    at = [(_places(of), of) for of in families]
    hidden = frozenset(group for group, size in sizes.items() if 0 < size < threshold)
    places: set[Group | None] = set()
    while True:
        # One that is withheld for another's sake may be at a school that nothing small is at.
        more = {place for theirs, of in at if not hidden.isdisjoint(of) for place in theirs} - places
        if not more and places:
            return hidden
        places |= more
        near = [of for theirs, of in at if not places.isdisjoint(theirs)]
        hidden = withheld(sizes, threshold, near, empty_is_small=False)
        if not near:
            return hidden


def _places(of: frozenset[Group]) -> frozenset[Group | None]:
    """The schools of a family; None for one without."""
    schools: frozenset[Group | None] = frozenset(group for group in of if group.grouping is Grouping.SCHOOL)
    return schools or frozenset({None})


def _of_units(
    units: Iterable[frozenset[Group]],
    sizes: Mapping[Group, int],
    groups: frozenset[Group],
    harmless: frozenset[Group],
    threshold: int,
    judged: Mapping[Group, int],
) -> frozenset[Group]:
    """The groups of which a figure is withheld that is of these units. Where fewer than the threshold are judged,
    they are few, however many wait."""
    counted: dict[Group, int] = dict.fromkeys(sizes, 0)
    members = [frozenset(of & sizes.keys()) | {EVERYBODY} for of in units]
    for of in members:
        for group in of & sizes.keys():
            counted[group] += 1
    fewest = {
        group: judged[group] if group in judged and 0 < judged[group] < number else number
        for group, number in counted.items()
    }
    return withheld(fewest, threshold, members, already=groups, harmless=harmless, empty_is_small=False) - groups


def _counts(sizes: Mapping[Group, int], groups: frozenset[Group], teams: Mapping[str, str]) -> frozenset[Group]:
    """The groups of which the service's own counts are withheld: these are sums over mailboxes, whatever families they
    share."""
    known = {group: group for group in sizes}
    parts: list[frozenset[Group]] = []
    for group in known:
        if group.grouping is Grouping.TEACHER:
            team = known.get(Group(Grouping.TEAM, teams.get(group.key, "")))
            parts.append(frozenset({group, EVERYBODY, *([team] if team else [])}))
    with_teachers = {group for part in parts for group in part}
    parts += [
        frozenset({group, EVERYBODY})
        for group in known
        if group.grouping is Grouping.TEAM and group not in with_teachers
    ]
    numbers: dict[Group, int] = Counter(group for part in parts for group in part)
    hidden = withheld(numbers, 1, parts, already=groups, empty_is_small=False)
    # Where all mail is a withheld group's, everybody's counts are theirs.
    alone = any(numbers[group] == len(parts) for group in groups & numbers.keys())
    return (hidden | ({EVERYBODY} if alone else frozenset())) - groups

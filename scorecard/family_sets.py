"""Which students are one family, and which identifier it has. Decides; the import writes it down."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Before:
    """The family that a student belonged to last, and whether they still did."""

    family: str
    still: bool


def families_after(
    guardians: Mapping[str, frozenset[str]], before: Mapping[str, Before], new_family: Callable[[], str]
) -> Mapping[str, str]:
    """The family of each student, of whom `guardians` names those who look after them.

    Students with the same guardians are one family, students without are one each. A family keeps its identifier as
    long as one of its students stays in it. Where families become one, that of most of its students is kept, of equals
    the one with the smallest identifier. Where one becomes several, those have it among whom most of its students are,
    of equals those with the smallest student; the others get what `new_family` makes. A student who comes back finds
    their family, unless it is somebody else's by then.
    """
    groups: dict[tuple[str, ...] | str, list[str]] = defaultdict(list)
    for student in sorted(guardians):
        groups[tuple(sorted(guardians[student])) or student].append(student)
    claims = sorted(_claims(groups.values(), before))
    identifiers: dict[str, str] = {}
    taken: set[str] = set()
    for claim in claims:
        if claim.group not in identifiers and claim.family not in taken:
            identifiers[claim.group] = claim.family
            taken.add(claim.family)
    after: dict[str, str] = {}
    for students in groups.values():
        family = identifiers.get(students[0]) or new_family()
        after |= dict.fromkeys(students, family)
    return after


@dataclass(frozen=True, slots=True, order=True)
class _Claim:
    """A group's claim to an identifier; the first in order has it."""

    left: bool
    fewer: int
    family: str
    group: str
    """Its smallest student."""


def _claims(groups: Iterable[list[str]], before: Mapping[str, Before]) -> Iterable[_Claim]:
    for students in groups:
        there = Counter(before[student] for student in students if student in before)
        for family, count in there.items():
            yield _Claim(not family.still, -count, family.family, students[0])

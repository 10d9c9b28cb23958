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
    guardians: Mapping[str, frozenset[str]],
    before: Mapping[str, Before],
    new_family: Callable[[], str],
    addresses: Mapping[str, frozenset[str]],
    known_by: Mapping[frozenset[str], str],
) -> Mapping[str, str]:
    """The family of each student, of whom `guardians` names those who look after them.

    Students with the same guardians are one family, students without are one each. A family keeps its identifier as
    long as one of its students stays in it. Where families become one, that of most of its students is kept, of equals
    the one with the smallest identifier. Where one becomes several, those have it among whom most of its students are,
    of equals those with the smallest student; the others get what `new_family` makes. A student who comes back finds
    their family, unless it is somebody else's by then.

    A school that changes its student system gives everybody another identifier. So students whom nobody knew are the
    family that the very same addresses meant before: `addresses` are those of each guardian, `known_by` names the
    families by all their addresses.
    """
    groups: dict[tuple[str, ...] | str, list[str]] = defaultdict(list)
    for student in sorted(guardians):
        groups[tuple(sorted(guardians[student])) or student].append(student)
    claims = list(_claims(groups.values(), before))
    for students in groups.values():
        home = frozenset().union(*(addresses.get(each, frozenset()) for each in guardians[students[0]]))
        if home and home in known_by:
            claims.append(_Claim(2, 0, known_by[home], students[0]))
    identifiers: dict[str, str] = {}
    taken: set[str] = set()
    for claim in sorted(claims):
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

    by: int
    """0 for students who belonged to the family, 1 for those who once did, 2 for the family's addresses."""
    fewer: int
    family: str
    group: str
    """Its smallest student."""


def _claims(groups: Iterable[list[str]], before: Mapping[str, Before]) -> Iterable[_Claim]:
    for students in groups:
        there = Counter(before[student] for student in students if student in before)
        for family, count in there.items():
            yield _Claim(0 if family.still else 1, -count, family.family, students[0])

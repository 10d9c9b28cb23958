"""What a school's lists say, whatever system wrote them: schools, terms, classes, people, who looks after whom.

Every entry has the identifier that its source gives it, which is stable from one export to the next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path

from config.faults import file_fault

_MOST_REJECTED = 200_000
"""Rows of one export. Lists of the largest districts lack the address of that many guardians; a file with more is no
such list, and telling of each row would take the memory of the machine."""


class PersonKind(StrEnum):
    """What somebody is to the school."""

    STUDENT = "student"
    GUARDIAN = "guardian"
    TEACHER = "teacher"
    STAFF = "staff"


class Listed(StrEnum):
    """What a list is of."""

    SCHOOLS = "schools"
    TERMS = "terms"
    CLASSES = "classes"
    PEOPLE = "people"
    MEMBERSHIPS = "memberships"


@dataclass(frozen=True, slots=True)
class School:
    """A school, or what has schools below it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Term:
    """A stretch of the school year; `begins` is its first day, `ends` its last."""

    id: str
    title: str
    begins: date
    ends: date
    is_year: bool = False
    """True for a whole school year, False for what it consists of."""


@dataclass(frozen=True, slots=True)
class SchoolClass:
    """A class or course section."""

    id: str
    title: str
    school: str
    grades: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """Anybody on the lists."""

    id: str
    kinds: frozenset[PersonKind]
    """All that the person is: a teacher's own child may go to the school. None where a delta does not say."""
    given_name: str
    family_name: str
    addresses: tuple[str, ...] = ()
    """E-mail addresses, in small letters."""
    grades: tuple[str, ...] = ()
    language: str | None = None
    """ISO 639-1 code of the language at home."""
    schools: tuple[str, ...] = ()
    """Identifiers of the schools that they belong to; none where the list does not say."""

    @property
    def name(self) -> str:
        """As people say it."""
        return f"{self.given_name} {self.family_name}".strip()


@dataclass(frozen=True, slots=True)
class Membership:
    """Somebody's place in a class. `begins` and `ends` (its last day) are None where the list does not say."""

    id: str
    person: str
    school_class: str
    begins: date | None = None
    ends: date | None = None


@dataclass(frozen=True, slots=True)
class Care:
    """Somebody looks after a student."""

    student: str
    guardian: str
    by_guardian: bool = False
    """Whether the guardian's row says so, not the student's: only that row can take it back."""


@dataclass(frozen=True, slots=True)
class RoleChange:
    """An incomplete list says that somebody has become something at a school, or is it no more."""

    person: str
    kind: PersonKind
    school: str = ""
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row, or a part of it, that was left out: where it stands (lines count from 1), and why."""

    file: str
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        """`users.csv:17: email: …`."""
        place = f"{self.file}:{self.line}:"
        return f"{place} {self.column}: {self.reason}" if self.column else f"{place} {self.reason}"


def leave_out(rejected: list[Rejected], row: Rejected) -> None:
    """Adds a row to those that were left out. Raises `ConfigError` where they are too many to be a list at all."""
    if len(rejected) >= _MOST_REJECTED:
        advice = f"{len(rejected):,} rows before this one were left out too; the first: {rejected[0].reason}"
        raise file_fault(Path(row.file), "a list most of which can be read", line=row.line, advice=advice)
    rejected.append(row)


@dataclass(frozen=True, slots=True)
class SchoolLists:
    """One export, each row checked by itself; whether what it refers to exists is seen when it is imported."""

    complete: frozenset[Listed]
    """The lists that are whole: what they do not hold is no more. Of the others, only what changed is there."""
    schools: Sequence[School] = ()
    terms: Sequence[Term] = ()
    classes: Sequence[SchoolClass] = ()
    people: Sequence[Person] = ()
    role_changes: Sequence[RoleChange] = ()
    cares: Sequence[Care] = ()
    """Of the students among `people` all that their rows say, of the guardians all that theirs do."""
    memberships: Sequence[Membership] = ()
    gone: Mapping[Listed, frozenset[str]] = field(default_factory=dict)
    """Identifiers that an incomplete list takes away."""
    unread: Mapping[Listed, frozenset[str]] = field(default_factory=dict)
    """Identifiers of rows that are on a list and could not be used: they stay as they were."""
    rejected: Sequence[Rejected] = ()

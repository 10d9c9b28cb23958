"""Who belonged where on which day: students, their families, schools, grades, classes and teachers. Pure.

A slice of the roster, with only those people in it that a question is about. Days are in the school's time zone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import TypeAlias

from scorecard.report import SchoolTerm
from store.scorecard_tables import Grouping

GroupKey: TypeAlias = tuple[Grouping, str]

EVERYBODY: GroupKey = (Grouping.ALL, "")


@dataclass(frozen=True, slots=True)
class Stretch:
    """From a day until before another; None where it has no such end."""

    since: date | None
    until: date | None

    def __contains__(self, day: date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)

    def last_until(self, day: date) -> date:
        """Its last day, or `day` where that comes first; before its first day where it has none."""
        return day if self.until is None or self.until > day else self.until - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class FamilyPlace:
    """A student belongs to a family."""

    number: int
    """Of two that begin on one day, the higher stands."""
    family: str
    held: Stretch


@dataclass(frozen=True, slots=True)
class GradePlace:
    """A student's grade, and the schools that the list names with it."""

    grade: str
    schools: tuple[str, ...]
    held: Stretch


@dataclass(frozen=True, slots=True)
class ClassPlace:
    """Somebody's place in a class."""

    school_class: str
    held: tuple[Stretch, ...]
    """It holds on a day that lies in all of these."""


@dataclass(frozen=True, slots=True)
class SchoolClass:
    """A class: its school, and when it is held; always where nobody says."""

    school: str
    held: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True)
class TeachingPlace:
    """The owner of a mailbox teaches a class; holds on a day that lies in all of `held`."""

    mailbox: str
    held: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class TeamPlace:
    """A mailbox belongs to a team, or, where that is empty, to none."""

    team: str
    held: Stretch


@dataclass(frozen=True, slots=True)
class CarePlace:
    """Mail from or to an address concerns a student; on a day that lies in all of `held`."""

    student: str
    held: tuple[Stretch, ...]


@dataclass(frozen=True)
class Places:
    """The slice. Every mapping is by the identifier of who or what it is about."""

    families: Mapping[str, Sequence[FamilyPlace]] = field(default_factory=dict)
    """By student."""
    grades: Mapping[str, Sequence[GradePlace]] = field(default_factory=dict)
    """By student."""
    classes_of: Mapping[str, Sequence[ClassPlace]] = field(default_factory=dict)
    """By student."""
    classes: Mapping[str, SchoolClass] = field(default_factory=dict)
    teaching: Mapping[str, Sequence[TeachingPlace]] = field(default_factory=dict)
    """By class."""
    teams: Mapping[str, Sequence[TeamPlace]] = field(default_factory=dict)
    """By mailbox; one that is not here was never connected."""
    cares: Mapping[str, Sequence[CarePlace]] = field(default_factory=dict)
    """By address."""

    @cached_property
    def _students_by_day(self) -> dict[tuple[str, date], frozenset[str]]:
        return {}

    @cached_property
    def _groups_by_day(self) -> dict[tuple[str, date], frozenset[GroupKey]]:
        return {}

    @cached_property
    def _teachers_by_day(self) -> dict[tuple[str, date], frozenset[str]]:
        return {}

    @cached_property
    def _team_by_day(self) -> dict[tuple[str, date], str | None]:
        return {}

    def students_of(self, address: str, day: date) -> frozenset[str]:
        """The students in the care of whoever had an address on that day."""
        found = self._students_by_day.get((address, day))
        if found is None:
            places = self.cares.get(address, ())
            found = frozenset(place.student for place in places if _all_hold(place.held, day))
            self._students_by_day[address, day] = found
        return found

    def family_in(self, student: str, term: SchoolTerm, today: date) -> str | None:
        """The family that a student counts with in a term: that of its last day, or of today where it still runs; for
        who has left, the last one in the term. None for who was not there in the term."""
        as_of = min(today, term.last)
        listed = self.families.get(student, ())
        if len(listed) == 1:
            there = listed[0].held.last_until(as_of) >= max(term.first, listed[0].held.since or date.min)
            return listed[0].family if there else None
        # The last day first: what began later may have been over at once, as where a clock was set back.
        days = {
            (last_day, place.held.since or date.min, place.number): place.family
            for place in listed
            if (last_day := place.held.last_until(as_of)) >= max(term.first, place.held.since or date.min)
        }
        return days[max(days)] if days else None

    def is_enrolled(self, student: str, day: date) -> bool:
        """Whether a student goes to the school on a day."""
        return _one_holds(self.families.get(student, ()), day)

    def groups(self, students: Iterable[str], day: date) -> frozenset[GroupKey]:
        """The groups that any of these students belong to on a day: everybody, schools, grades, teachers whose mailbox
        is connected, and their teams. None for those who do not go to the school then."""
        found: set[GroupKey] = set()
        for student in students:
            if self.is_enrolled(student, day):
                found.add(EVERYBODY)
                found |= self.schools_and_grades(student, day)
                for mailbox in self.teachers(student, day):
                    team = self.team(mailbox, day)
                    if team is not None:
                        found.add((Grouping.TEACHER, mailbox))
                        found |= {(Grouping.TEAM, team)} if team else set()
        return frozenset(found)

    def schools_and_grades(self, student: str, day: date) -> frozenset[GroupKey]:
        """A student's schools and grades on a day. Where the list names no school with the grade, it is those of the
        student's classes."""
        found = self._groups_by_day.get((student, day))
        if found is None:
            grades = [place for place in self.grades.get(student, ()) if day in place.held]
            named = {school for place in grades for school in place.schools}
            schools = named or {self.classes[each].school for each in self._classes_on(student, day)} - {""}
            keys: set[GroupKey] = {(Grouping.SCHOOL, school) for school in schools}
            for place in grades:
                if place.grade:
                    own = place.schools or schools or ("",)
                    keys |= {(Grouping.GRADE, f"{school}/{place.grade}") for school in own}
            found = self._groups_by_day[student, day] = frozenset(keys)
        return found

    def teachers(self, student: str, day: date) -> frozenset[str]:
        """The mailboxes of those who teach a class of a student's on a day."""
        found = self._teachers_by_day.get((student, day))
        if found is None:
            found = frozenset(
                place.mailbox
                for each in self._classes_on(student, day)
                for place in self.teaching.get(each, ())
                if _all_hold(place.held, day)
            )
            self._teachers_by_day[student, day] = found
        return found

    def team(self, mailbox: str, day: date) -> str | None:
        """The team of a mailbox on a day, "" for none; None where the mailbox was not connected then."""
        asked = (mailbox, day)
        if asked not in self._team_by_day:
            places = self.teams.get(mailbox, ())
            self._team_by_day[asked] = next((place.team for place in places if day in place.held), None)
        return self._team_by_day[asked]

    def _classes_on(self, student: str, day: date) -> list[str]:
        """The classes that a student is in on a day on which they are held."""
        return [
            place.school_class
            for place in self.classes_of.get(student, ())
            if _all_hold(place.held, day) and self._is_held(place.school_class, day)
        ]

    def _is_held(self, school_class: str, day: date) -> bool:
        held = self.classes.get(school_class)
        return held is not None and (not held.held or any(day in stretch for stretch in held.held))


def _all_hold(held: Iterable[Stretch], day: date) -> bool:
    for stretch in held:  # noqa: SIM110 - asked millions of times: a generator would take twice as long
        if day not in stretch:
            return False
    return True


def _one_holds(places: Iterable[FamilyPlace], day: date) -> bool:
    for place in places:  # noqa: SIM110 - as above
        if day in place.held:
            return True
    return False

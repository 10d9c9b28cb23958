"""How a family stands with each group in a term, from what happened between them and the school. Pure.

docs/scorecard.md says in plain words what is computed here.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from scorecard.places import EVERYBODY, GroupKey, Places
from scorecard.report import SchoolTerm
from scorecard.terms import contact_day
from store.marks import monday_of
from store.scorecard_tables import Grouping, Measure

MOST_RECIPIENTS = 3
"""A mail to more addresses outside the school is a circular: it introduces nobody."""


@dataclass(frozen=True, slots=True)
class Happened:
    """Something between a family and the school."""

    day: date
    mailbox: str
    """Of the teacher; of a contact, whoever it was."""
    to_family: bool = False
    """Whether the school turned to the family."""
    positive: bool = False
    """Whether that was a positive contact."""
    from_family: bool = False
    """Whether the family wrote, replied or was spoken with."""
    record: str = ""
    """Where it stands: "message" or "contact", and its number."""


@dataclass(frozen=True, slots=True)
class Stands:
    """How a family stands with a group in a term (`store.scorecard_tables.FamilyStanding`)."""

    enrolled: bool
    positive_on: date | None = None
    written_on: date | None = None
    answered_on: date | None = None


_ENROLLED = Stands(enrolled=True)


@dataclass(slots=True)
class _Firsts:
    """When each thing first happened."""

    positive: date | None = None
    written: date | None = None
    wrote: date | None = None

    def add(self, event: Happened) -> None:
        if event.positive:
            self.positive = _earlier(self.positive, event.day)
        if event.to_family:
            self.written = _earlier(self.written, event.day)
        if event.from_family:
            self.wrote = _earlier(self.wrote, event.day)

    def stands(self, *, enrolled: bool, written: date | None) -> Stands:
        """How a family stands to whom all this happened."""
        answered = max(written, self.wrote) if written is not None and self.wrote is not None else None
        return Stands(enrolled, self.positive, written, answered)


def family_standings(
    students: Iterable[str], term: SchoolTerm, today: date, events: Collection[Happened], places: Places
) -> dict[GroupKey, Stands]:
    """How the family of these students stands with every group that it belonged to at the end of the fourth school week
    (today, where that is yet to come), or that wrote to it. `events` are all of the family's in the term."""
    students = tuple(students)
    belongs = places.groups(students, min(today, contact_day(term)))
    anybody = _Firsts()
    by_group: dict[GroupKey, _Firsts] = {}
    for event in events:
        anybody.add(event)
        for group in _of_mailbox(event, places):
            by_group.setdefault(group, _Firsts()).add(event)
    placed = _placed(students, {event.day for event in events if event.to_family}, places)
    written = {group for group, firsts in by_group.items() if firsts.written is not None}
    standings: dict[GroupKey, Stands] = {}
    for group in belongs | written | placed.keys() | ({EVERYBODY} if anybody.written else set()):
        if group == EVERYBODY:
            standings[group] = anybody.stands(enrolled=group in belongs, written=anybody.written)
        elif group[0] in {Grouping.TEACHER, Grouping.TEAM}:
            theirs = by_group.get(group)
            # Most families hear nothing from most teachers.
            standings[group] = _ENROLLED if theirs is None else theirs.stands(
                enrolled=group in belongs, written=theirs.written
            )  # fmt: skip
        else:
            standings[group] = anybody.stands(enrolled=group in belongs, written=placed.get(group))
    return standings


def counted(stands: Stands, term: SchoolTerm) -> Iterator[tuple[Measure, str]]:
    """What a standing adds to its group's numbers, and under what."""
    if stands.enrolled:
        yield Measure.ENROLLED, week_of(term.first)
        if stands.positive_on is not None:
            yield Measure.HEARD, ""
            if stands.positive_on <= contact_day(term):
                yield Measure.POSITIVE, week_of(stands.positive_on)
    if stands.written_on is not None:
        yield Measure.WRITTEN, week_of(stands.written_on)
        if stands.answered_on is not None:
            yield Measure.TWO_WAY, week_of(stands.answered_on)


@lru_cache(maxsize=10_000)
def week_of(day: date) -> str:
    """The Monday of a day's week, ISO 8601: what weekly numbers are kept by."""
    return monday_of(day).isoformat()


def _placed(students: Collection[str], days: Iterable[date], places: Places) -> dict[GroupKey, date]:
    """The schools and grades that these students belonged to on one of `days`, with the first of those."""
    placed: dict[GroupKey, date] = {}
    for day in sorted(days):
        for student in students:
            if places.is_enrolled(student, day):
                for group in places.schools_and_grades(student, day):
                    placed.setdefault(group, day)
    return placed


def _of_mailbox(event: Happened, places: Places) -> Iterator[GroupKey]:
    if event.mailbox in places.teams:
        yield Grouping.TEACHER, event.mailbox
        team = places.team(event.mailbox, event.day)
        if team:
            yield Grouping.TEAM, team


def _earlier(one: date | None, other: date) -> date:
    return other if one is None else min(one, other)

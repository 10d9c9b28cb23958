"""Reads from the database what a scorecard is made of: a fixed number of queries, however many groups there are."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select
from sqlmodel import col

from scorecard.outcomes import CaseDays, IncidentDays
from scorecard.places import GroupKey
from scorecard.tallied import Counted
from store.scorecard_tables import (
    CaseStanding,
    FamilyStanding,
    Grouping,
    IncidentStanding,
    Measure,
    Tally,
    Told,
)

_COARSE = (Grouping.ALL, Grouping.SCHOOL)


@dataclass(frozen=True, slots=True)
class TallyRows:
    """Reads the tables of one term or two."""

    connection: Connection
    terms: Collection[str]

    def sizes(self, wanted: "Wanted") -> dict[str, dict[GroupKey, tuple[int, int]]]:
        """By term, for each group that anything was counted of: the families enrolled, and those written to."""
        of = Tally

        def of_measure(measure: Measure) -> ColumnElement[int]:
            return func.sum(case((col(of.measure) == measure, col(of.n)), else_=0))

        query = (
            select(
                col(of.term),
                col(of.grouping),
                col(of.key),
                of_measure(Measure.ENROLLED).label("enrolled"),
                of_measure(Measure.WRITTEN).label("written"),
            )
            .where(col(of.term).in_(self.terms), wanted.of(of))
            .group_by(col(of.term), col(of.grouping), col(of.key))
        )
        found: dict[str, dict[GroupKey, tuple[int, int]]] = {term: {} for term in self.terms}
        for row in self.connection.execute(query):
            found[row.term][row.grouping, row.key] = int(row.enrolled), int(row.written)
        return found

    def tallies(self, wanted: "Wanted") -> dict[tuple[str, GroupKey], list[Counted]]:
        """What was counted, by term and group."""
        of = Tally
        query = select(
            col(of.term), col(of.grouping), col(of.key), col(of.monday), col(of.measure), col(of.n)
        ).where(col(of.term).in_(self.terms), wanted.of(of))  # fmt: skip
        found: dict[tuple[str, GroupKey], list[Counted]] = defaultdict(list)
        for row in self.connection.execute(query):
            found[row.term, (row.grouping, row.key)].append(Counted(row.monday, row.measure, row.n))
        return found

    def cases(self, wanted: "Wanted") -> dict[str, dict[GroupKey, list[CaseDays]]]:
        """Cases by term and group."""
        of = CaseStanding
        query = select(
            col(of.term), col(of.grouping), col(of.key), col(of.case_id), col(of.opened_on), col(of.agreed_on)
        ).where(col(of.term).in_(self.terms), wanted.of(of))  # fmt: skip
        found: dict[str, dict[GroupKey, list[CaseDays]]] = {term: defaultdict(list) for term in self.terms}
        for row in self.connection.execute(query):
            found[row.term][row.grouping, row.key].append(CaseDays(row.case_id, row.opened_on, row.agreed_on))
        return found

    def incidents(self, wanted: "Wanted") -> dict[str, dict[GroupKey, list[IncidentDays]]]:
        """Incidents by term and group."""
        of = IncidentStanding
        query = select(
            col(of.term), col(of.grouping), col(of.key), col(of.incident_id), col(of.student), col(of.on_day),
            col(of.baseline_day), col(of.again_on),
        ).where(col(of.term).in_(self.terms), wanted.of(of))  # fmt: skip
        found: dict[str, dict[GroupKey, list[IncidentDays]]] = {term: defaultdict(list) for term in self.terms}
        for row in self.connection.execute(query):
            found[row.term][row.grouping, row.key].append(
                IncidentDays(row.incident_id, row.student, row.on_day, row.baseline_day, row.again_on)
            )
        return found

    def told(self, term: str, wanted: "Wanted") -> list[Told]:
        """The figures of a term as mails told them, the oldest first."""
        of = Told
        query = select(col(of.grouping), col(of.key), col(of.monday), col(of.measure), col(of.value), col(of.told_at))
        rows = self.connection.execute(query.where(col(of.term) == term, wanted.of(of)))
        told = [Told(term=term, **row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's own way to name columns
        return sorted(told, key=lambda each: (each.monday, each.grouping, each.key, each.measure))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which groups' figures are asked for: everybody and every school, and beside them these."""

    groupings: frozenset[Grouping]
    """All groups of these."""
    keys: frozenset[GroupKey] = frozenset()
    """Single ones of others."""
    school: str | None = None
    """Where given, of grades only this school's."""

    def has(self, group: GroupKey) -> bool:
        """Whether a group is."""
        grouping, key = group
        if grouping in _COARSE or group in self.keys:
            return True
        return grouping in self.groupings and (
            grouping is not Grouping.GRADE or self.school is None or key.startswith(f"{self.school}/")
        )

    def of(self, table: Any) -> ColumnElement[bool]:
        """The condition on a table by group."""
        whole = [each for each in self.groupings if each is not Grouping.GRADE or self.school is None]
        conditions: list[ColumnElement[bool]] = [col(table.grouping).in_([*_COARSE, *whole])]
        if Grouping.GRADE in self.groupings and self.school is not None:
            grades = col(table.key).startswith(f"{self.school}/", autoescape=True)
            conditions.append(and_(col(table.grouping) == Grouping.GRADE, grades))
        by_grouping: dict[Grouping, list[str]] = defaultdict(list)
        for grouping, key in self.keys:
            by_grouping[grouping].append(key)
        conditions += [
            and_(col(table.grouping) == grouping, col(table.key).in_(keys)) for grouping, keys in by_grouping.items()
        ]
        return or_(*conditions)


def schools_of(connection: Connection, term: str, groups: Iterable[GroupKey]) -> set[str]:
    """The schools that any family of these groups has a part in."""
    mine = select(col(FamilyStanding.family)).where(col(FamilyStanding.term) == term, _any_of(groups))
    query = select(col(FamilyStanding.key)).where(
        col(FamilyStanding.term) == term,
        col(FamilyStanding.grouping) == Grouping.SCHOOL,
        col(FamilyStanding.family).in_(mine),
    )
    return set(connection.execute(query.distinct()).scalars())


def teams_in(connection: Connection, term: str, school: str) -> set[str]:
    """The teams that have a family at a school in a term."""
    of = FamilyStanding
    mine = select(col(of.family)).where(
        col(of.term) == term, col(of.grouping) == Grouping.SCHOOL, col(of.key) == school
    )  # fmt: skip
    query = select(col(of.key)).where(
        col(of.term) == term, col(of.grouping) == Grouping.TEAM, col(of.family).in_(mine)
    )  # fmt: skip
    return set(connection.execute(query.distinct()).scalars())


def families_of(
    connection: Connection, term: str, groupings: Collection[Grouping], schools: Collection[str] | None
) -> Mapping[str, set[GroupKey]]:
    """The groups of each family, of those families that belong to one of these schools; None for every family."""
    of = FamilyStanding
    query = select(col(of.family), col(of.grouping), col(of.key)).where(
        col(of.term) == term, col(of.grouping).in_(groupings)
    )
    if schools is not None:
        there = (col(of.term) == term, col(of.grouping) == Grouping.SCHOOL, col(of.key).in_(schools))
        query = query.where(col(of.family).in_(select(col(of.family)).where(*there)))
    found: dict[str, set[GroupKey]] = defaultdict(set)
    for row in connection.execute(query):
        found[row.family].add((row.grouping, row.key))
    return found


def _any_of(groups: Iterable[GroupKey]) -> ColumnElement[bool]:
    by_grouping: dict[Grouping, list[str]] = defaultdict(list)
    for grouping, key in groups:
        by_grouping[grouping].append(key)
    conditions = [
        and_(col(FamilyStanding.grouping) == grouping, col(FamilyStanding.key).in_(keys))
        for grouping, keys in by_grouping.items()
    ]
    return or_(*conditions)

"""Reads from the database what a scorecard is made of: a fixed number of queries, however many groups there are."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, or_, select
from sqlmodel import col

from scorecard.outcomes import CaseDays, IncidentDays
from scorecard.packing import groups_in, measures_in, named_in
from scorecard.places import GroupKey
from store.scorecard_tables import (
    CaseStanding,
    Grouping,
    IncidentStanding,
    Measure,
    Tally,
    Told,
)

_COARSE = (Grouping.ALL, Grouping.SCHOOL)
GroupNumbers: TypeAlias = Mapping[Measure, Mapping[str, int]]
"""By what is counted, and by what it is counted by (`Measure`)."""


@dataclass(frozen=True, slots=True)
class TallyRows:
    """Reads the tables of one term or two."""

    connection: Connection
    terms: Collection[str]

    def numbers(self, wanted: "Wanted | None" = None) -> dict[str, dict[GroupKey, GroupNumbers]]:
        """What was counted, by term and group; of all groups where nothing is `wanted`."""
        of = Tally
        query = select(col(of.term), col(of.grouping), col(of.key), col(of.numbers)).where(
            col(of.term).in_(self.terms), *([] if wanted is None else [wanted.of(of)])
        )
        found: dict[str, dict[GroupKey, GroupNumbers]] = {term: {} for term in self.terms}
        for row in self.connection.execute(query):
            found[row.term][row.grouping, row.key] = dict(measures_in(row.numbers))
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


def cases_in(
    connection: Connection, term: str, group: GroupKey | None = None
) -> Iterator[tuple[CaseDays, frozenset[GroupKey]]]:
    """The cases of a term with the groups that each counts for; of one group where it is given."""
    of = CaseStanding
    query = select(
        col(of.case_id), col(of.opened_on), col(of.agreed_on), col(of.school_days), col(of.groups)
    ).where(col(of.term) == term, *_of_group(of.groups, group))  # fmt: skip
    for row in connection.execute(query):
        groups = groups_in(row.groups)
        if group is None or group in groups:
            yield CaseDays(row.case_id, row.opened_on, row.agreed_on, row.school_days), groups


def incidents_in(connection: Connection, term: str) -> Iterator[tuple[IncidentDays, frozenset[GroupKey]]]:
    """The incidents of a term with the groups that each counts for."""
    of = IncidentStanding
    query = select(
        col(of.incident_id), col(of.student), col(of.on_day), col(of.baseline_day), col(of.again_on),
        col(of.recovered), col(of.groups),
    ).where(col(of.term) == term)  # fmt: skip
    for row in connection.execute(query):
        incident = IncidentDays(
            row.incident_id, row.student, row.on_day, row.baseline_day, row.again_on, row.recovered
        )  # fmt: skip
        yield incident, groups_in(row.groups)


def teams_at(connection: Connection, terms: Collection[str], school: str) -> set[str]:
    """The teams that have a family at a school in one of these terms."""
    query = select(col(Tally.numbers)).where(
        col(Tally.term).in_(terms), col(Tally.grouping) == Grouping.SCHOOL, col(Tally.key) == school
    )
    rows = (dict(measures_in(text)) for text in connection.execute(query).scalars())
    return {team for numbers in rows for team in numbers.get(Measure.TEAM, {})}


def _of_group(column: Any, group: GroupKey | None) -> list[ColumnElement[bool]]:
    return [] if group is None else [col(column).contains(named_in(group), autoescape=True)]

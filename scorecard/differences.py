"""How figures differ from those that stood before, and by how much numbers change with them. Reads, and writes nothing.

A row is written only where its text changes; a group's numbers are corrected by the difference.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

from sqlalchemy import Connection, select
from sqlmodel import SQLModel, col

from scorecard.mailbox_weeks import CountedWeek, WeekKey
from scorecard.outcomes import students_counted
from scorecard.packing import groups_in, packed_standings, standings_in
from scorecard.places import GroupKey
from scorecard.report import SchoolTerm
from scorecard.roster_slice import AnyRow, Query, rows_in
from scorecard.standings import Stands, counted
from scorecard.week_text import numbers_of_week, week_as_text
from store.scorecard_tables import (
    CaseStanding,
    FamilyStanding,
    Grouping,
    IncidentStanding,
    Measure,
    WeekStanding,
)

FamilyKey: TypeAlias = tuple[str, str]
"""Family and term."""
TallyRow: TypeAlias = tuple[str, Grouping, str, Measure, str]
"""Term, group, what is counted, and by what."""
Values: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Differences:
    """What is to be written (`scorecard.writing`)."""

    gone: dict[type[SQLModel], list[Values]] = field(default_factory=lambda: defaultdict(list))
    """Primary keys of rows that are no more, by table."""
    put: dict[type[SQLModel], list[Values]] = field(default_factory=lambda: defaultdict(list))
    """Rows that are new or other than before, by table."""
    tallies: Counter[TallyRow] = field(default_factory=Counter)
    """By how much each number changes."""
    regrouped: set[str] = field(default_factory=set)
    """Terms in which it changes who belongs where: what is withheld is to be judged again."""

    @property
    def rows(self) -> int:
        """How many rows that makes, groups with them."""
        of_groups = {row[:3] for row, n in self.tallies.items() if n}
        return sum(map(len, self.gone.values())) + sum(map(len, self.put.values())) + len(of_groups)


def family_differences(
    connection: Connection,
    wanted: Mapping[str, Collection[str]],
    standings: Mapping[FamilyKey, Mapping[GroupKey, Stands]],
    terms: Mapping[str, SchoolTerm],
    into: Differences,
) -> None:
    """How `standings`, all of the families `wanted` in each term, differ from those on record."""
    of = FamilyStanding
    query: Query = select(col(of.family), col(of.term), col(of.standings))
    before: dict[FamilyKey, str] = {
        (row.family, row.term): row.standings
        for some, families in _together(wanted)
        for row in rows_in(connection, query.where(col(of.term).in_(some)), of.family, families)
    }
    for family, term in sorted(before.keys() | standings.keys()):
        was = before.get((family, term))
        groups = standings.get((family, term), {})
        now = packed_standings(groups) if groups else None
        if was == now:
            continue
        names = {"family": family, "term": term}
        stood = standings_in(was) if was is not None else {}
        _count_family(terms[term], stood, -1, into)
        _count_family(terms[term], groups, 1, into)
        if term not in into.regrouped and _belonging(stood) != _belonging(groups):
            into.regrouped.add(term)
        if now is None:
            into.gone[of].append(names)
        else:
            into.put[of].append(names | {"standings": now})


def _count_family(term: SchoolTerm, standings: Mapping[GroupKey, Stands], sign: int, into: Differences) -> None:
    schools = [key for grouping, key in standings if grouping is Grouping.SCHOOL]
    tallies, name = into.tallies, term.id
    for (grouping, key), stands in standings.items():
        for measure, by in counted(stands, term):
            tallies[name, grouping, key, measure, by] += sign
        if grouping is Grouping.TEAM:
            for school in schools:
                tallies[name, Grouping.SCHOOL, school, Measure.TEAM, key] += sign


def _belonging(standings: Mapping[GroupKey, Stands]) -> dict[GroupKey, tuple[bool, bool]]:
    """What of standings it depends on whether groups are small, and which overlap."""
    return {group: (stands.enrolled, stands.written_on is not None) for group, stands in standings.items()}


def _together(wanted: Mapping[str, Collection[str]]) -> Iterator[tuple[list[str], frozenset[str]]]:
    """Families with the terms in which they are wanted, those of the same terms together."""
    terms: dict[str, list[str]] = defaultdict(list)
    for term, families in wanted.items():
        for family in families:
            terms[family].append(term)
    families_of: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for family, those in terms.items():
        families_of[tuple(those)].add(family)
    for some, of_them in families_of.items():
        yield list(some), frozenset(of_them)


def week_differences(
    connection: Connection,
    weeks: Collection[WeekKey],
    mailboxes: Collection[str],
    counts: Mapping[WeekKey, CountedWeek],
    into: Differences,
) -> None:
    """How `counts`, all of `weeks` and of all weeks of `mailboxes`, differ from those on record."""
    of = WeekStanding
    query: Query = select(col(of.mailbox), col(of.monday), col(of.numbers), col(of.due_at), col(of.passed_at))
    before: dict[WeekKey, AnyRow] = {
        (row.mailbox, row.monday): row for row in rows_in(connection, query, of.mailbox, mailboxes)
    }
    by_monday: dict[date, set[str]] = defaultdict(set)
    for mailbox, monday in weeks:
        by_monday[monday].add(mailbox)
    for monday, theirs in by_monday.items():
        for row in rows_in(connection, query.where(col(of.monday) == monday), of.mailbox, theirs):
            before[row.mailbox, row.monday] = row
    for key in sorted(before.keys() | counts.keys()):
        was, now = before.get(key), counts.get(key)
        mailbox, monday = key
        numbers = week_as_text(now) if now is not None else "[]"
        if was is None or was.numbers != numbers:
            for text, sign in ((was.numbers if was is not None else "[]", -1), (numbers, 1)):
                for (term, grouping, name, measure), n in numbers_of_week(text, mailbox):
                    into.tallies[term, grouping, name, measure, monday.isoformat()] += sign * n
        names = {"mailbox": mailbox, "monday": monday}
        if now is None:
            into.gone[of].append(names)
        elif was is None or (was.numbers, was.due_at, was.passed_at) != (numbers, now.due_at, now.passed_at):
            into.put[of].append(names | {"numbers": numbers, "due_at": now.due_at, "passed_at": now.passed_at})


def case_differences(
    connection: Connection, cases: Collection[int], standings: Iterable[CaseStanding], into: Differences
) -> None:
    """How the `standings` of `cases` differ from those on record."""
    for was, now in _rows_differing(connection, CaseStanding, CaseStanding.case_id, cases, standings, into):
        if was is None or now is None or was["groups"] != now["groups"]:
            into.regrouped |= {row["term"] for row in (was, now) if row is not None}
        for row, sign in ((was, -1), (now, 1)):
            if row is not None:
                days = row["school_days"]
                counts = (Measure.OPEN, row["opened_on"].isoformat()) if days is None else (Measure.RESOLVED, str(days))
                for grouping, key in groups_in(row["groups"]):
                    into.tallies[row["term"], grouping, key, *counts] += sign


def incident_differences(
    connection: Connection, students: Collection[str], standings: Iterable[IncidentStanding], into: Differences
) -> None:
    """How the `standings` of students' incidents differ from those on record."""
    of = IncidentStanding
    before: dict[tuple[str, str], list[IncidentStanding]] = defaultdict(list)
    now: dict[tuple[str, str], list[IncidentStanding]] = defaultdict(list)
    query: Query = select(*of.__table__.columns)  # type: ignore[attr-defined]
    for row in rows_in(connection, query, of.student, students):
        before[row.student, row.term].append(of(**row._mapping))  # noqa: SLF001 - SQLAlchemy's own way to name columns
    for each in standings:
        now[each.student, each.term].append(each)
    changed = set()
    for student, term in before.keys() | now.keys():
        was, is_ = before[student, term], now[student, term]
        if sorted(map(repr, was)) != sorted(map(repr, is_)):
            into.regrouped.add(term)
            for rows, sign in ((was, -1), (is_, 1)):
                for (grouping, group), counts in students_counted(rows).items():
                    for measure in counts:
                        into.tallies[term, grouping, group, measure, ""] += sign
            changed.add((student, term))
    for key in sorted(changed):
        there = {row.incident_id: row for row in now[key]}
        gone = [row.incident_id for row in before[key] if row.incident_id not in there]
        into.gone[of] += [{"incident_id": number, "term": key[1]} for number in gone]
        into.put[of] += [row.model_dump() for row in there.values()]


def _rows_differing(
    connection: Connection,
    table: type[SQLModel],
    column: Any,
    wanted: Collection[Any],
    standings: Iterable[SQLModel],
    into: Differences,
) -> Iterator[tuple[Values | None, Values | None]]:
    """Rows as they were and as they are, where these differ; what is to be written of them is noted."""
    names = tuple(each.name for each in table.__table__.primary_key.columns)  # type: ignore[attr-defined]
    query: Query = select(*table.__table__.columns)  # type: ignore[attr-defined]
    before: dict[tuple[Any, ...], Values] = {
        tuple(getattr(row, name) for name in names): dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's own way to name columns
        for row in rows_in(connection, query, column, wanted)
    }
    now = {tuple(getattr(each, name) for name in names): each.model_dump() for each in standings}
    for key in sorted(before.keys() | now.keys()):
        was, is_ = before.get(key), now.get(key)
        if was == is_:
            continue
        if is_ is None:
            into.gone[table].append(dict(zip(names, key, strict=True)))
        else:
            into.put[table].append(is_)
        yield was, is_

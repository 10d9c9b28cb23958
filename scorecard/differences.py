"""Writes figures over those that stood before, and corrects the tallies by the difference.

Every write is for many rows at once. The caller's transaction holds them together.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, and_, bindparam, delete, select
from sqlmodel import SQLModel, col

from scorecard.mailbox_weeks import CountedWeek, WeekKey
from scorecard.report import SchoolTerm
from scorecard.roster_slice import Query, rows_in
from scorecard.standings import Stands, counted
from store.database import dialect_of
from store.scorecard_tables import (
    CaseStanding,
    FamilyStanding,
    Grouping,
    IncidentStanding,
    Measure,
    Tally,
    WeekStanding,
)

FamilyKey: TypeAlias = tuple[str, Grouping, str, str]
"""Term, group and family."""
TallyRow: TypeAlias = tuple[str, Grouping, str, date, Measure]
_Values: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Differences:
    """What is to be written."""

    gone: dict[type[SQLModel], list[_Values]] = field(default_factory=dict)
    """Primary keys of rows that are no more, by table."""
    put: dict[type[SQLModel], list[_Values]] = field(default_factory=dict)
    """Rows that are new or other than before, by table."""
    tallies: Counter[TallyRow] = field(default_factory=Counter)
    """By how much each tally changes."""

    def write(self, connection: Connection) -> None:
        """Writes them."""
        for table, keys in self.gone.items():
            _delete(connection, table, keys)
        for table, rows in self.put.items():
            _upsert(connection, table, rows)
        _add_to_tallies(connection, self.tallies)


def family_differences(
    connection: Connection,
    wanted: Mapping[str, Collection[str]],
    standings: Mapping[FamilyKey, Stands],
    terms: Mapping[str, SchoolTerm],
    into: Differences,
) -> None:
    """How `standings`, all of the families `wanted` in each term, differ from those on record."""
    of = FamilyStanding
    query: Query = select(
        col(of.term), col(of.grouping), col(of.key), col(of.family), col(of.enrolled), col(of.positive_on),
        col(of.written_on), col(of.answered_on),
    )  # fmt: skip
    before: dict[FamilyKey, Stands] = {
        (row.term, row.grouping, row.key, row.family): Stands(
            row.enrolled, row.positive_on, row.written_on, row.answered_on
        )
        for some, families in _together(wanted)
        for row in rows_in(connection, query.where(col(of.term).in_(some)), of.family, families)
    }
    put, gone = into.put.setdefault(of, []), into.gone.setdefault(of, [])
    for key in before.keys() | standings.keys():
        was, now = before.get(key), standings.get(key)
        if was == now:
            continue
        term, grouping, name, family = key
        names = {"term": term, "grouping": grouping, "key": name, "family": family}
        for stands, sign in ((was, -1), (now, 1)):
            for monday, measure in counted(stands, terms[term]) if stands is not None else ():
                into.tallies[term, grouping, name, monday, measure] += sign
        if now is None:
            gone.append(names)
        else:
            put.append(
                names
                | {
                    "enrolled": now.enrolled,
                    "positive_on": now.positive_on,
                    "written_on": now.written_on,
                    "answered_on": now.answered_on,
                }
            )


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
    wanted = set(weeks)
    before = {
        (row.mailbox, row.monday): row
        for row in rows_in(connection, query, of.mailbox, set(mailboxes) | {mailbox for mailbox, _ in weeks})
        if row.mailbox in mailboxes or (row.mailbox, row.monday) in wanted
    }
    put, gone = into.put.setdefault(of, []), into.gone.setdefault(of, [])
    for key in before.keys() | counts.keys():
        was, now = before.get(key), counts.get(key)
        mailbox, monday = key
        numbers = _as_text(now) if now is not None else "[]"
        for text, sign in ((was.numbers if was is not None else "[]", -1), (numbers, 1)):
            for term, grouping, name, measure, n in json.loads(text):
                into.tallies[term, Grouping(grouping), name, monday, Measure(measure)] += sign * n
        names = {"mailbox": mailbox, "monday": monday}
        if now is None:
            gone.append(names)
        elif was is None or (was.numbers, was.due_at, was.passed_at) != (numbers, now.due_at, now.passed_at):
            put.append(names | {"numbers": numbers, "due_at": now.due_at, "passed_at": now.passed_at})


def list_differences(
    connection: Connection, cases: Collection[int], incidents: Collection[str],
    standings: Iterable[CaseStanding | IncidentStanding], into: Differences,
) -> None:  # fmt: skip
    """How the `standings` of `cases` and of students' `incidents` differ from those on record."""
    for table, column, wanted in (
        (CaseStanding, CaseStanding.case_id, cases),
        (IncidentStanding, IncidentStanding.student, incidents),
    ):
        names = _key_names(table)
        query: Query = select(*_table(table).columns)
        columns = [column.name for column in _table(table).columns]
        before = {
            tuple(getattr(row, name) for name in names): dict(zip(columns, row, strict=True))
            for row in rows_in(connection, query, column, wanted)
        }
        now = {
            tuple(getattr(each, name) for name in names): each.model_dump()
            for each in standings
            if isinstance(each, table)
        }
        gone = [dict(zip(names, key, strict=True)) for key in before.keys() - now.keys()]
        into.gone.setdefault(table, []).extend(gone)
        into.put.setdefault(table, []).extend(row for key, row in now.items() if before.get(key) != row)


def _as_text(week: CountedWeek) -> str:
    numbers = sorted((term, grouping, key, measure, n) for (term, grouping, key, measure), n in week.numbers.items())
    return json.dumps(numbers, ensure_ascii=False, separators=(",", ":"))


def _delete(connection: Connection, table: type[SQLModel], keys: Sequence[_Values]) -> None:
    if keys:
        names = _key_names(table)
        same = and_(*(_table(table).c[name] == bindparam(f"the_{name}") for name in names))
        connection.execute(delete(table).where(same), [{f"the_{name}": key[name] for name in names} for key in keys])


def _upsert(connection: Connection, table: type[SQLModel], rows: Sequence[_Values]) -> None:
    if rows:
        statement = dialect_of(connection).insert(table)
        names = _key_names(table)
        values = {name: statement.excluded[name] for name in rows[0] if name not in names}
        connection.execute(statement.on_conflict_do_update(index_elements=names, set_=values), rows)


def _add_to_tallies(connection: Connection, changes: Counter[TallyRow]) -> None:
    names = _key_names(Tally)
    rows: list[_Values] = [dict(zip(names, key, strict=True)) | {"n": n} for key, n in sorted(changes.items()) if n]
    if not rows:
        return
    statement = dialect_of(connection).insert(Tally)
    added = _table(Tally).c.n + statement.excluded.n
    connection.execute(statement.on_conflict_do_update(index_elements=names, set_={"n": added}), rows)
    fallen = [row for row in rows if row["n"] < 0]
    if fallen:
        same = and_(*(_table(Tally).c[name] == bindparam(f"the_{name}") for name in names))
        nothing = delete(Tally).where(same, col(Tally.n) == 0)
        connection.execute(nothing, [{f"the_{name}": row[name] for name in names} for row in fallen])


def _key_names(table: type[SQLModel]) -> tuple[str, ...]:
    return tuple(column.name for column in _table(table).primary_key.columns)


def _table(model: type[SQLModel]) -> Table:
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table

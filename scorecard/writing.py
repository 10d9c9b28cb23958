"""Writes what differs, many rows at once. The caller's transaction holds it together, and nobody else writes figures
while it lasts: numbers are read and written over."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, Table, and_, bindparam, delete, select
from sqlmodel import SQLModel, col

from scorecard.differences import Differences, TallyRow, Values
from scorecard.packing import Numbers, numbers_in, packed_numbers
from store.chunks import chunks
from store.database import dialect_of
from store.scorecard_tables import Grouping, Tally, Withholding

_AT_ONCE = 200
"""Groups that are asked for in one query."""


def write(connection: Connection, differences: Differences) -> None:
    """Writes them."""
    for table, keys in differences.gone.items():
        _delete(connection, table, keys)
    for table, rows in differences.put.items():
        _upsert(connection, table, rows)
    add_to_tallies(connection, differences.tallies)
    _regrouped(connection, differences.regrouped)


def _regrouped(connection: Connection, terms: Iterable[str]) -> None:
    """Takes down that it has changed who belongs where in these terms."""
    rows = [{"term": term, "changed": 1, "rests_on": "", "withheld": ""} for term in sorted(terms)]
    if rows:
        statement = dialect_of(connection).insert(Withholding)
        on = {"changed": _table(Withholding).c.changed + 1}
        connection.execute(statement.on_conflict_do_update(index_elements=["term"], set_=on), rows)


def _delete(connection: Connection, table: type[SQLModel], keys: Sequence[Values]) -> None:
    if keys:
        names = _key_names(table)
        same = and_(*(_table(table).c[name] == bindparam(f"the_{name}") for name in names))
        connection.execute(delete(table).where(same), [{f"the_{name}": key[name] for name in names} for key in keys])


def _upsert(connection: Connection, table: type[SQLModel], rows: Sequence[Values]) -> None:
    if rows:
        statement = dialect_of(connection).insert(table)
        names = _key_names(table)
        values = {name: statement.excluded[name] for name in rows[0] if name not in names}
        connection.execute(statement.on_conflict_do_update(index_elements=names, set_=values), rows)


def add_to_tallies(connection: Connection, changes: Mapping[TallyRow, int]) -> None:
    """Corrects numbers by so much each. What is withheld is judged again where groups come or go by that."""
    by_group: dict[tuple[str, Grouping, str], Numbers] = defaultdict(Counter)
    for (term, grouping, key, measure, by), n in changes.items():
        if n:
            by_group[term, grouping, key][measure, by] = n
    stood = _numbers(connection, by_group)
    put: list[Values] = []
    gone: list[Values] = []
    regrouped: set[str] = set()
    for group in sorted(by_group):
        numbers = numbers_in(stood.get(group, ""))
        for counted, n in by_group[group].items():
            numbers[counted] += n
        text = packed_numbers(numbers)
        row: Values = dict(zip(("term", "grouping", "key"), group, strict=True))
        if text:
            put.append(row | {"numbers": text})
        elif group in stood:
            gone.append(row)
        if bool(text) != (group in stood):
            regrouped.add(group[0])
    _delete(connection, Tally, gone)
    _upsert(connection, Tally, put)
    _regrouped(connection, regrouped)


def _numbers(
    connection: Connection, groups: Iterable[tuple[str, Grouping, str]]
) -> Mapping[tuple[str, Grouping, str], str]:
    of, found = Tally, {}
    kinds: dict[tuple[str, Grouping], list[str]] = defaultdict(list)
    for term, grouping, key in groups:
        kinds[term, grouping].append(key)
    query = select(col(of.term), col(of.grouping), col(of.key), col(of.numbers))
    for (term, grouping), keys in kinds.items():
        for some in chunks(sorted(keys), _AT_ONCE):
            there = query.where(col(of.term) == term, col(of.grouping) == grouping, col(of.key).in_(some))
            for row in connection.execute(there):
                found[row.term, row.grouping, row.key] = row.numbers
    return found


def _key_names(table: type[SQLModel]) -> tuple[str, ...]:
    return tuple(column.name for column in _table(table).primary_key.columns)


def _table(model: type[SQLModel]) -> Table:
    table: Table = model.__table__  # type: ignore[attr-defined]
    return table

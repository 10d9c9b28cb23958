"""Rows that say what holds from one day to another: brought up to what holds now, so that the past stays as it was."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update
from sqlmodel import SQLModel, col

from store.chunks import chunks

Fact: TypeAlias = tuple[Any, ...]
"""What a row says, without its days and its number."""


_AT_ONCE = 10_000
"""Rows written at once: a district's places in classes are hundreds of thousands."""


@dataclass(frozen=True, slots=True)
class Turned:
    """What began and what ended."""

    began: Sequence[Fact]
    ended: Sequence[Fact]


class DatedRows:
    """The rows of one table, each with `since` and `until`."""

    def __init__(self, table: type[SQLModel], *columns: str, number: str = "id", only: Any = None) -> None:
        """`columns` are what a row says, `number` is the column that numbers it; rows that are not `only` such are left
        alone."""
        self._table: Any = table
        self._columns = columns
        self._number = col(getattr(table, number))
        self._only = only

    def holding(self, connection: Connection) -> set[Fact]:
        """What holds now."""
        return set(self._now(connection))

    def bring(
        self,
        connection: Connection,
        wanted: Collection[Fact],
        *,
        today: date,
        since: Callable[[Fact], date | None],
        may_end: Callable[[Fact], bool],
        beside: Callable[[Fact], Mapping[str, Any]] = lambda _: {},
    ) -> Turned:
        """From `today` on what is `wanted` holds, and of the rest what may not end. What begins has held `since` a day,
        or for ever, and its row says `beside` what else there is.

        What ends on the day on which it began held on none, and goes; what ended today and is wanted again did not end.
        """
        now, ended_today, begun_today = self._now(connection), {}, set()
        columns = self._select(col(self._table.since)).where(
            or_(col(self._table.until) == today, col(self._table.until).is_(None) & (col(self._table.since) == today))
        )
        for row in connection.execute(columns.add_columns(col(self._table.until))):
            fact = tuple(row[1:-2])
            if row[-1] is None:
                begun_today.add(row[0])
            else:
                ended_today[fact] = row[0]
        wanted = set(wanted)
        began = sorted(wanted - now.keys())
        ended = sorted(fact for fact in now if fact not in wanted and may_end(fact))
        self._until(connection, [ended_today[fact] for fact in began if fact in ended_today], None)
        self._insert(
            connection,
            (
                dict(zip(self._columns, fact, strict=True)) | {**beside(fact), "since": since(fact), "until": None}
                for fact in began
                if fact not in ended_today
            ),
        )
        numbers = [now[fact] for fact in ended]
        self._until(connection, [number for number in numbers if number not in begun_today], today)
        self._delete(connection, [number for number in numbers if number in begun_today])
        return Turned(began, ended)

    def _select(self, *more: Any) -> Any:
        statement = select(self._number, *(col(getattr(self._table, name)) for name in self._columns), *more)
        return statement if self._only is None else statement.where(self._only)

    def _now(self, connection: Connection) -> dict[Fact, Any]:
        rows = connection.execute(self._select().where(col(self._table.until).is_(None)))
        return {tuple(row[1:]): row[0] for row in rows}

    def _insert(self, connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
        for some in chunks(rows, _AT_ONCE):
            connection.execute(insert(self._table), some)

    def _until(self, connection: Connection, numbers: Sequence[Any], until: date | None) -> None:
        if numbers:
            statement = update(self._table.__table__).where(self._number == bindparam("the_number")).values(until=until)
            connection.execute(statement, [{"the_number": number} for number in numbers])

    def _delete(self, connection: Connection, numbers: Sequence[Any]) -> None:
        if numbers:
            statement = delete(self._table.__table__).where(self._number == bindparam("the_number"))
            connection.execute(statement, [{"the_number": number} for number in numbers])

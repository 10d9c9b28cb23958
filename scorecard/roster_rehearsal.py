"""An import into an SQLite file, worked out on copies of the roster's tables: whoever keeps mail waits for its rows to
be written, and not for everything that has to be found out first, which takes a district half a minute.

The copies are temporary tables of one connection, under the names of the real ones: on that connection they stand in
front of them (https://www.sqlite.org/lang_naming.html). They are written over the real ones in one transaction, row by
row where something differs, if the roster is still the one that was copied.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlmodel import SQLModel

from store.database import Database
from store.erasure_tables import Tombstone
from store.roster_tables import (
    RosterAddress,
    RosterCare,
    RosterClass,
    RosterFamily,
    RosterGrade,
    RosterImport,
    RosterMatch,
    RosterMembership,
    RosterPerson,
    RosterSchool,
    RosterTerm,
)
from store.scorecard_tables import Mark

_COPIED: Sequence[type[SQLModel]] = (
    RosterPerson, RosterSchool, RosterTerm, RosterClass, RosterAddress, RosterCare, RosterFamily, RosterGrade,
    RosterMembership,
)  # fmt: skip
"""What an import writes, whoever is referred to first."""
_IN_FRONT: Sequence[type[SQLModel]] = (*_COPIED, Mark)
_BESIDE: Sequence[type[SQLModel]] = (RosterImport, RosterMatch, Tombstone)
"""What an import goes by, beside those."""


class Overtaken(Exception):
    """The roster has changed meanwhile; nothing was written."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The connection, with copies in front of the roster's tables, and how these were."""

    connection: Connection
    before: Sequence[Any]

    @contextmanager
    def carried_over(self) -> Iterator[Connection]:
        """Writes what differs over the real tables, and hands out the transaction for what else belongs in it. Raises
        Overtaken."""
        self.connection.execution_options(alliance_writes=True)
        with self.connection.begin():
            if _signature(self.connection) != self.before:
                raise Overtaken
            for table in reversed(_COPIED):
                self._take_away(table)
            for table in _COPIED:
                self._write_over(table)
            self.connection.exec_driver_sql(
                "INSERT INTO main.scorecard_mark (kind, key) SELECT kind, key FROM temp.scorecard_mark ORDER BY id"
            )
            for table in reversed(_IN_FRONT):  # whoever refers to others first
                self.connection.exec_driver_sql(f"DROP TABLE temp.{_name(table)}")
            yield self.connection

    def _take_away(self, table: type[SQLModel]) -> None:
        name, key = _name(table), _key(table)
        self.connection.exec_driver_sql(f"DELETE FROM main.{name} WHERE {key} NOT IN (SELECT {key} FROM temp.{name})")  # noqa: S608 - our tables' own names

    def _write_over(self, table: type[SQLModel]) -> None:
        name, key, columns = _name(table), _key(table), _columns(table)
        listed = ", ".join(columns)
        put = ", ".join(f"{column} = excluded.{column}" for column in columns if column != key)
        self.connection.exec_driver_sql(
            f"INSERT INTO main.{name} ({listed}) SELECT {listed} FROM "  # noqa: S608 - our tables' own names
            f"(SELECT {listed} FROM temp.{name} EXCEPT SELECT {listed} FROM main.{name}) WHERE true "
            f"ON CONFLICT ({key}) DO UPDATE SET {put}"
        )


@contextmanager
def rehearsal(database: Database) -> Iterator[Rehearsal]:
    """Copies the roster of an SQLite file. The copies are gone at the end of the block, whatever happened in it."""
    with database.engine.connect() as connection:
        try:
            with connection.begin():
                before = _signature(connection)
                for table in _IN_FRONT:
                    _copy(connection, table, rows=table is not Mark)
            yield Rehearsal(connection, before)
        finally:
            connection.invalidate()


def _copy(connection: Connection, table: type[SQLModel], *, rows: bool) -> None:
    name = _name(table)
    asked = text("SELECT sql FROM main.sqlite_master WHERE name = :name")
    made: str = connection.execute(asked, {"name": name}).scalar_one()
    connection.exec_driver_sql(made.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))
    if rows:
        listed = ", ".join(_columns(table))
        connection.exec_driver_sql(f"INSERT INTO temp.{name} ({listed}) SELECT {listed} FROM main.{name}")  # noqa: S608 - our tables' own names


def _signature(connection: Connection) -> Sequence[Any]:
    """What no change of the roster leaves as it was: how many rows there are, the number of the last, how many of them
    have ended, and the same of what an import goes by."""
    found = []
    for table in (*_COPIED, *_BESIDE):
        ended = ", count(until)" if "until" in _columns(table) else ""
        rows = connection.exec_driver_sql(f"SELECT count(*), max(rowid){ended} FROM main.{_name(table)}")  # noqa: S608 - our tables' own names
        found.append(tuple(rows.one()))
    return found


def _name(table: type[SQLModel]) -> str:
    return str(table.__tablename__)


def _key(table: type[SQLModel]) -> str:
    (key,) = table.__table__.primary_key.columns  # type: ignore[attr-defined]
    return str(key.name)


def _columns(table: type[SQLModel]) -> Sequence[str]:
    return [column.name for column in table.__table__.columns]  # type: ignore[attr-defined]

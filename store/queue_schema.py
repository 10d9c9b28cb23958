"""Procrastinate's own tables, brought up to date as ours are: which of its steps were taken is on record.

It marks each of its migrations as one to take before the new program runs ("pre"), while the old one still does, or
after the last old one has ended ("post"); those of old carry no mark and count as "pre". A new database gets its whole
schema at once. https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, insert, text
from sqlmodel import col, select

from store.database import Database
from store.worker_tables import QueueMigration
from store.workers import NOW

_MIGRATING = 0x71756575
"""The number of the lock that lets one at a time change these tables."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Steps that were not taken yet."""

    first: Sequence[str]
    """Those that a new program needs, and an old one does not mind."""
    last: Sequence[str]
    """Those to take when no old program runs any more."""


class QueueSchema:
    """Procrastinate's tables in one PostgreSQL database."""

    def __init__(self, database: Database) -> None:
        """`database` has our own tables already."""
        self._database = database

    def pending(self) -> Pending:
        """What is still to be done; all of it where the tables lack. Changes nothing."""
        with self._database.read() as connection:
            return _pending(connection)

    def migrate(self, *, finish: bool = False) -> Sequence[str]:
        """Takes the steps that a new program needs; with `finish`, those too that no old program survives. Returns
        what it did."""
        with self._database.write() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATING})
            if not _exists(connection):
                _run(connection, SchemaManager.get_schema())
                _note(connection, [path.stem for path in _steps()])
                return ["the whole schema"]
            pending = _pending(connection)
            names = sorted([*pending.first, *(pending.last if finish else ())])
            paths = {path.stem: path for path in _steps()}
            for name in names:
                _run(connection, paths[name].read_text("utf-8"))
            _note(connection, names)
            return names


def _pending(connection: Connection) -> Pending:
    if not _exists(connection):
        return Pending(first=["the whole schema"], last=())
    taken = set(connection.execute(select(col(QueueMigration.name))).scalars())
    open_steps = [path.stem for path in _steps() if path.stem not in taken]
    last = [name for name in open_steps if "_post_" in name]
    return Pending(first=[name for name in open_steps if name not in last], last=last)


def _exists(connection: Connection) -> bool:
    return connection.execute(text("SELECT to_regclass('procrastinate_jobs')")).scalar() is not None


def _steps() -> list[Path]:
    return sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))


def _note(connection: Connection, names: Sequence[str]) -> None:
    for name in names:
        connection.execute(insert(QueueMigration).values(name=name, applied_at=text(NOW)))


def _run(connection: Connection, script: str) -> None:
    """Several statements at once, without parameters: psycopg sends them as they are."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(script)
    finally:
        cursor.close()

"""Copies of the whole database, each as of one moment, made while the service runs; and databases made of copies.

An SQLite file is copied by SQLite's own online backup (https://www.sqlite.org/backup.html). Of a PostgreSQL, each table
is copied as text within one snapshot (`COPY`, https://www.postgresql.org/docs/current/sql-copy.html), so that neither
side needs PostgreSQL's own programs, and the same copy goes into any later version of them. The queue is not copied: it
is made anew from the tables.
"""

import gzip
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, inspect, text

from store.database import Database, Shape, StoreError, migrations_of

FILE = "alliance.db"
"""The copy of an SQLite database."""
_ENDING = ".copy.gz"
_VERSION = "alembic_version"
_CHUNK = 1 << 20


def copy_out(database: Database, folder: Path) -> str:
    """Copies the database into the empty folder `folder`. Returns which migration its tables have. Raises StoreError
    where the tables are not there, OSError where the folder cannot be written."""
    with database.read() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        raise StoreError(f"database {database.url.render_as_string()} has no tables: there is nothing to copy")
    if database.file is not None:
        with closing(database.engine.raw_connection()) as connection:
            reading: Any = connection.driver_connection
            _copy_file(reading, folder / FILE)
    else:
        _copy_tables_out(database.engine, folder)
    return revision


def copy_in(database: Database, folder: Path, revision: str) -> None:
    """Makes an empty database into the one whose copy lies in `folder`, its tables of `revision`, and brings them up to
    date. Nothing of it stays where that fails. Raises StoreError where it is not empty, or the copy is a newer
    version's or of another kind of database."""
    is_file = (folder / FILE).exists()
    if is_file != (database.file is not None):
        kind = "an SQLite file" if is_file else "a database server"
        raise StoreError(f"the copy is one of {kind}, and service.database names the other kind")
    if database.file is not None:
        if database.file.exists():
            raise StoreError(f"{database.file} is there already: move it away first, with its -wal and -shm")
        with closing(sqlite3.connect(f"file:{folder / FILE}?mode=ro", uri=True)) as copy:
            _copy_file(copy, database.file)
    else:
        with database.write() as connection:
            if inspect(connection).has_table(_VERSION):
                raise StoreError(f"database {database.url.render_as_string()} has tables already: name an empty one")
            _make_tables(connection, revision)
            _copy_tables_in(connection, folder)
    if database.shape() is Shape.NEWER:
        database.close()
        if database.file is not None:
            database.file.unlink()
        raise StoreError("the copy is of a newer version of alliance-inbox: install that version first")
    database.migrate()


def is_sound(folder: Path) -> bool:
    """Whether the copy of an SQLite database is whole, as SQLite sees it; true for others, which checksums cover."""
    file = folder / FILE
    if not file.exists():
        return True
    try:
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))
    except sqlite3.DatabaseError:
        return False


def rows_of(database: Database) -> Mapping[str, int]:
    """How many rows each table has."""
    with database.read() as connection:
        names = _tables(connection)
        return {name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in names}  # noqa: S608 - names of our tables


def _copy_file(reading: sqlite3.Connection, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=0o600, exist_ok=False)
    with closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")  # one file, whatever the original had beside it


def _copy_tables_out(engine: Engine, folder: Path) -> None:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection, connection.begin():
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        for name in _tables(connection):
            with gzip.open(folder / f"{name}{_ENDING}", "wb", compresslevel=6) as file:
                columns = ", ".join(f'"{each["name"]}"' for each in inspect(connection).get_columns(name))
                file.write(f"{columns}\n".encode())
                with _cursor(connection) as cursor, cursor.copy(f'COPY "{name}" ({columns}) TO STDOUT') as copying:
                    for chunk in copying:
                        file.write(chunk)


def _copy_tables_in(connection: Connection, folder: Path) -> None:
    for name in _tables(connection):
        file = folder / f"{name}{_ENDING}"
        if not file.exists():
            raise StoreError(f"the copy lacks {file.name}")
        # What the migrations filled in; the audit log, which nothing may empty, is empty here.
        if connection.exec_driver_sql(f'SELECT EXISTS (SELECT 1 FROM "{name}")').scalar():  # noqa: S608
            connection.exec_driver_sql(f'TRUNCATE "{name}" CASCADE')
    for name in _tables(connection):
        with gzip.open(folder / f"{name}{_ENDING}", "rb") as lines:
            columns = lines.readline().decode().strip()
            with _cursor(connection) as cursor, cursor.copy(f'COPY "{name}" ({columns}) FROM STDIN') as copying:
                while chunk := lines.read(_CHUNK):
                    copying.write(chunk)
        _set_sequence(connection, name)


def _make_tables(connection: Connection, revision: str) -> None:
    try:
        command.upgrade(migrations_of(connection), revision)
    except Exception as error:
        if "Can't locate revision" in str(error):
            raise StoreError("the copy is of a newer version of alliance-inbox: install that version first") from error
        raise


def _set_sequence(connection: Connection, name: str) -> None:
    """The next number of a table that numbers its rows is the one after those that were copied."""
    for column in inspect(connection).get_columns(name):
        query = text("SELECT pg_get_serial_sequence(:table, :column)")
        sequence = connection.execute(query, {"table": f'"{name}"', "column": column["name"]}).scalar()
        if sequence is not None:
            highest = connection.exec_driver_sql(f'SELECT max("{column["name"]}") FROM "{name}"').scalar()  # noqa: S608
            following = text("SELECT setval(:sequence, :number, :called)")
            values = {"sequence": sequence, "number": highest or 1, "called": highest is not None}
            connection.execute(following, values)


def _tables(connection: Connection) -> list[str]:
    """Our tables in an order in which each comes after those it refers to, the version's last. The queue's are left
    out: they are made anew."""
    inspector = inspect(connection)
    ours = [name for name in inspector.get_table_names() if not name.startswith("procrastinate_")]
    ordered: list[str] = []
    while len(ordered) < len(ours):
        ready = [
            name
            for name in ours
            if name not in ordered
            and all(key["referred_table"] in {*ordered, name} for key in inspector.get_foreign_keys(name))
        ]
        ordered += sorted(ready)
    return ordered


@contextmanager
def _cursor(connection: Connection) -> Iterator[Any]:
    """psycopg's own cursor, in the transaction of `connection`."""
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        yield cursor

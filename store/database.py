"""Opens the database: SQLite with the safety settings that the delivery promise needs, or any SQLAlchemy URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import QueuePool

_BUSY_SECONDS = 30
_KEPT_CONNECTED = 16
"""Connections to a server that a process with many threads keeps, as it has needed them at once: each new one is a
process there, and knows no statement yet."""
_KEPT_PREPARED = 400
"""Statements that a connection to PostgreSQL keeps prepared; a worker has some two hundred, each in several lengths."""
_MIGRATING = 0x616C6C69
"""The number of the lock that lets one worker at a time bring the tables of a PostgreSQL up to date."""


class StoreError(Exception):
    """The database cannot be used. The text says which, why, and what to do."""


class Shape(Enum):
    """How a database's tables compare to those of this version."""

    EMPTY = "no tables yet"
    OLDER = "of an older version"
    CURRENT = "of this version"
    AHEAD = "of a newer version, and this one can work with them"
    NEWER = "of a newer version"

    @property
    def fits(self) -> bool:
        """Whether this version's program can work with them as they are."""
        return self in {Shape.CURRENT, Shape.AHEAD}


class Database:
    """One database, shared by all threads. `read` and `write` hand out connections inside a transaction."""

    def __init__(self, url: URL, connections: int = _KEPT_CONNECTED) -> None:
        """As `at`."""
        self.url = url
        options: dict[str, Any] = {"hide_parameters": True}  # an error's text ends in logs: no address, no subject
        if url.get_backend_name() == "sqlite":
            options["connect_args"] = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
            if url.database in {None, "", ":memory:"}:
                # It lives as long as its one connection, which threads have one after the other: two at once would
                # begin a transaction within the other's.
                options |= {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": _BUSY_SECONDS}
        else:
            options |= {"pool_size": connections, "max_overflow": _KEPT_CONNECTED, "pool_use_lifo": True}
        try:
            self.engine: Engine = create_engine(url, **options)
        except (ArgumentError, ImportError) as error:
            extra = "; install alliance-inbox[postgresql]" if getattr(error, "name", "") == "psycopg" else ""
            raise StoreError(f"database {url.render_as_string()}: {error}{extra}") from error
        if url.get_backend_name() == "sqlite":
            event.listen(self.engine, "connect", _set_pragmas)
            event.listen(self.engine, "begin", _begin)
        elif self.engine.dialect.driver == "psycopg":
            event.listen(self.engine, "connect", _keep_prepared)

    @classmethod
    def open(cls, location: str, *, folder: Path | None = None) -> "Database":
        """Opens `location`, an SQLAlchemy URL or a file name relative to `folder`, and brings its tables up to date.

        Raises StoreError where that fails: no such folder, no rights, disk full, a newer version's tables.
        """
        database = cls.at(location, folder=folder)
        try:
            database.migrate()
        except (DatabaseError, OSError) as error:
            reason = getattr(error, "orig", None) or error
            raise StoreError(
                f"database {database.url.render_as_string()}: {reason}. "
                "Check that its folder exists, that this user may write there, and that the disk has room."
            ) from error
        return database

    @classmethod
    def at(cls, location: str, *, folder: Path | None = None, connections: int = _KEPT_CONNECTED) -> "Database":
        """The same without touching anything: not even connected yet. Of the connections to a server that are needed at
        once, so many are kept. Raises StoreError for an impossible location."""
        return cls(_url(location, folder), connections)

    @property
    def file(self) -> Path | None:
        """The file of an SQLite database; None where it is in memory or on a server."""
        return _file(self.url)

    @classmethod
    def in_memory(cls) -> "Database":
        """A database that is forgotten when closed: for previews and tests."""
        return cls.open("sqlite://")

    def migrate(self) -> None:
        """Brings the tables to this version's shape. Does nothing where they have it, or where a newer version made
        them and says that this one can work with them. Raises StoreError where it cannot."""
        with self.write() as connection:
            if connection.dialect.name == "postgresql":  # SQLite's write lock is held already
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATING)))
            if _shape(connection) is Shape.AHEAD:
                return
            try:
                command.upgrade(migrations_of(connection), "head")
            except Exception as error:
                if "Can't locate revision" in str(error):
                    raise StoreError(
                        f"database {self.url.render_as_string()}: its tables belong to a newer version of "
                        "alliance-inbox. Install that version, or restore the backup made before the upgrade."
                    ) from error
                raise

    def shape(self) -> Shape:
        """Whose version's tables these are. Changes nothing."""
        with self.read() as connection:
            return _shape(connection)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees one moment of the database: that of its first statement."""
        with self.engine.connect() as connection:
            if connection.dialect.name != "postgresql":
                yield connection
                return
            # Where each statement else sees what was committed before it.
            connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():  # ends in a commit: at a rollback psycopg forgets what the server has prepared
                yield connection

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """For one statement that only reads. On a server it goes without a transaction around it, which would take two
        more turns there and back."""
        with self.engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="AUTOCOMMIT")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block and rolls back on any exception.

        On SQLite it takes the write lock at once (BEGIN IMMEDIATE), so that two writers queue instead of failing.
        """
        with self.engine.connect().execution_options(alliance_writes=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def write_at_once(self) -> Iterator[Connection]:
        """For one statement that writes: on a server it goes without a transaction around it, as in `glance`, and
        stands as soon as it is carried out. An exception later in the block takes nothing back there."""
        if self.engine.dialect.name != "postgresql":
            with self.write() as connection:
                yield connection
            return
        with self.glance() as connection:
            yield connection

    def close(self) -> None:
        """Lets go of every connection."""
        self.engine.dispose()


def dialect_of(connection: Connection) -> Any:
    """The module of the database's dialect: its `insert` knows what to do about a row that is there already."""
    return postgresql if connection.dialect.name == "postgresql" else sqlite


def file_of(location: str) -> Path | None:
    """The file of the SQLite database at `location`; None where it is in memory or on a server. Touches nothing. Raises
    StoreError for an impossible location."""
    return _file(_url(location, None))


def _file(url: URL) -> Path | None:
    in_file = url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}
    return Path(str(url.database)) if in_file else None


def _url(location: str, folder: Path | None) -> URL:
    if "://" in location:
        try:
            return make_url(location)
        except ArgumentError as error:
            raise StoreError(f"database {location!r} is neither a file name nor an SQLAlchemy URL") from error
    path = Path(location) if folder is None else folder / location
    return URL.create("sqlite", database=str(path))


def _shape(connection: Connection) -> Shape:
    current, known = MigrationContext.configure(connection).get_current_revision(), _known_revisions()
    if current is None:
        return Shape.EMPTY
    if current == known[0]:
        return Shape.CURRENT
    if current in known:
        return Shape.OLDER
    return Shape.AHEAD if _floor(connection) in known else Shape.NEWER


@cache
def _known_revisions() -> tuple[str, ...]:
    """This version's migrations, the newest first."""
    return tuple(each.revision for each in ScriptDirectory.from_config(migrations_of(None)).walk_revisions())


def _floor(connection: Connection) -> str | None:
    """The oldest migration whose program can work with these tables; None where nobody said so."""
    if not inspect(connection).has_table("schema_floor"):
        return None
    found: str | None = connection.exec_driver_sql("SELECT revision FROM schema_floor").scalar()
    return found


def _set_pragmas(connection: Any, _record: object) -> None:
    """WAL lets readers go on beside the writer. FULL, because a commit that a power cut undoes would be a second
    answer to a family. What is deleted is overwritten (secure_delete): it is gone, not only no longer listed."""
    connection.isolation_level = None  # we say BEGIN ourselves, see `_begin`
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        f"busy_timeout={_BUSY_SECONDS * 1000}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _keep_prepared(connection: Any, _record: object) -> None:
    """Every statement that a worker asks again and again stays prepared; planning one takes longer than carrying it
    out."""
    connection.prepared_max = _KEPT_PREPARED


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("alliance_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrations_of(connection: Connection | None) -> Config:
    """Alembic's own settings, for its commands on a connection; None where they only read the migrations."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config

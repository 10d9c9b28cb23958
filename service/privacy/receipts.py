"""Receipts of what was erased, and making its bytes go, too."""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection, LargeBinary, MetaData, String, cast, func, insert, or_, select, types, update
from sqlmodel import col

from store.database import Database
from store.erasing import Erased
from store.erasure_tables import Erasure

_TRIES = 50
_BETWEEN = 0.2
_ROWS_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Receipt:
    """That something was erased."""

    reference: str
    act: str
    at: datetime
    rows: Mapping[str, int]
    """How many rows went, by table."""
    scrubbed_at: datetime | None
    """When the bytes were gone, too; None where that is still to be done."""

    @property
    def total(self) -> int:
        """How many rows went."""
        return sum(self.rows.values())


def write_receipt(connection: Connection, act: str, erased: Erased, now: datetime) -> str:
    """Puts a receipt on record, within the erasing transaction. Returns its reference."""
    reference = token_hex(6)
    counts = json.dumps(dict(sorted(erased.rows.items())))
    connection.execute(insert(Erasure).values(reference=reference, act=act, at=now, counts=counts))
    return reference


def receipts(database: Database) -> list[Receipt]:
    """Every receipt, the oldest first."""
    of = Erasure
    query = select(col(of.reference), col(of.act), col(of.at), col(of.counts), col(of.scrubbed_at)).order_by(col(of.id))
    with database.read() as connection:
        return [
            Receipt(row.reference, row.act, row.at, json.loads(row.counts), row.scrubbed_at)
            for row in connection.execute(query)
        ]


def scrub(database: Database, now: datetime, *, rewrite: bool = False) -> bool:
    """Has the database overwrite what was erased and not yet scrubbed, and notes it on the receipts. False where
    somebody else is reading just now, so that it has to be done again: nothing is lost, and the next run does it.

    SQLite writes the whole file anew and empties its write-ahead log. PostgreSQL removes dead rows (VACUUM), with
    `rewrite` by writing the tables anew, for which they are locked meanwhile (VACUUM FULL).
    """
    with database.read() as connection:
        waiting = connection.execute(select(col(Erasure.id)).where(col(Erasure.scrubbed_at).is_(None))).scalars().all()
    if not waiting and not rewrite:
        return True
    done = _scrub_file(database) if database.url.get_backend_name() == "sqlite" else _scrub_server(database, rewrite)
    if done:
        with database.write() as connection:
            connection.execute(update(Erasure).where(col(Erasure.id).in_(waiting)).values(scrubbed_at=now))
    return done


def places_with(database: Database, names: Collection[str]) -> list[str]:
    """Where any of these texts stands in the database, in whatever column: on SQLite also in the bytes of the files, so
    in what was deleted and not overwritten. Empty where none does."""
    needles = sorted({name for name in names if name})
    if not needles:
        return []
    return [*_columns_with(database, needles), *_files_with(database, needles)]


def _columns_with(database: Database, needles: Collection[str]) -> Iterator[str]:
    with database.read() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            for column in table.columns:
                if isinstance(column.type, String | LargeBinary | types.JSON | types.NullType):
                    text: Any = func.lower(cast(column, String))
                    if isinstance(column.type, LargeBinary):
                        continue  # the installation's secret
                    found = or_(*(text.contains(needle.lower(), autoescape=True) for needle in needles))
                    if connection.execute(select(1).select_from(table).where(found).limit(1)).first() is not None:
                        yield f"{table.name}.{column.name}"


def _files_with(database: Database, needles: Collection[str]) -> Iterator[str]:
    if database.file is None:
        return
    wanted = [needle.lower().encode("utf-8", "surrogatepass") for needle in needles]
    longest = max(map(len, wanted))
    for path in (database.file, Path(f"{database.file}-wal")):
        if path.exists():
            before = b""
            with path.open("rb") as stream:
                while block := stream.read(_ROWS_AT_ONCE):
                    text = before + block.lower()
                    if any(needle in text for needle in wanted):
                        yield path.name
                        break
                    before = text[-longest:]


def _scrub_file(database: Database) -> bool:
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        if raw is None:  # pragma: no cover - there is one as long as the connection is open
            return False
        raw.execute("PRAGMA secure_delete = ON")
        raw.execute("VACUUM")
        for _ in range(_TRIES):
            busy, _in_log, _done = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return True
            time.sleep(_BETWEEN)  # a reader holds an old page; it is done in a moment
        return False


def _scrub_server(database: Database, rewrite: bool) -> bool:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM (FULL, ANALYZE)" if rewrite else "VACUUM (ANALYZE)")
        connection.exec_driver_sql("CHECKPOINT") if rewrite and _may_checkpoint(connection) else None
    return True


def _may_checkpoint(connection: Connection) -> bool:
    query = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    return bool(connection.exec_driver_sql(query).scalar())

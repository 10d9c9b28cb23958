"""The database opens safely, or says why not."""

import sqlite3
from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

from store import tables
from store.database import Database, Shape, StoreError


def test_the_migrations_build_exactly_the_tables_that_the_code_expects() -> None:
    database = Database.in_memory()
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_opening_twice_changes_nothing(tmp_path: Path) -> None:
    Database.open("alliance.db", folder=tmp_path).close()
    before = (tmp_path / "alliance.db").read_bytes()
    Database.open("alliance.db", folder=tmp_path).close()
    assert (tmp_path / "alliance.db").read_bytes() == before


def test_a_commit_survives_a_power_cut_and_readers_do_not_block_the_writer(tmp_path: Path) -> None:
    database = Database.open("alliance.db", folder=tmp_path)
    with database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("SELECT count(*) FROM installation").scalar() == 0
        with database.write() as writer:
            writer.exec_driver_sql("INSERT INTO installation (id, key) VALUES (1, x'00')")
        assert connection.exec_driver_sql("SELECT count(*) FROM installation").scalar() == 0


def test_tables_of_a_newer_version_are_refused_with_advice(tmp_path: Path) -> None:
    Database.open("alliance.db", folder=tmp_path).close()
    with sqlite3.connect(tmp_path / "alliance.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from-the-future'")
        connection.execute("UPDATE schema_floor SET revision = 'from-the-future'")
    with pytest.raises(StoreError, match="newer version"):
        Database.open("alliance.db", folder=tmp_path)


def test_tables_of_a_newer_version_that_only_added_something_are_worked_with_and_left_as_they_are(
    tmp_path: Path,
) -> None:
    Database.open("alliance.db", folder=tmp_path).close()
    with sqlite3.connect(tmp_path / "alliance.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'from-the-future'")
        connection.execute("ALTER TABLE message ADD COLUMN mood VARCHAR")
    database = Database.open("alliance.db", folder=tmp_path)
    assert database.shape() is Shape.AHEAD
    assert database.shape().fits
    with database.read() as reading:
        assert reading.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "from-the-future"


@pytest.mark.parametrize("location", ["no/such/folder/alliance.db", "nonsense://", "mysql+nothere://x/y"])
def test_a_database_that_cannot_be_opened_is_named_with_the_reason(location: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="database"):
        Database.open(location, folder=tmp_path)


def test_a_file_that_is_no_database_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ms. Rivera, " * 100)
    with pytest.raises(StoreError, match="not a database"):
        Database.open("letter.txt", folder=tmp_path)
    assert (tmp_path / "letter.txt").read_text().startswith("Dear Ms. Rivera")


def test_a_password_in_the_url_is_not_shown() -> None:
    with pytest.raises(StoreError) as refused:
        Database.open("mysql+nothere://alliance:geheim@db.example/x")
    assert "geheim" not in str(refused.value)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        tables.UtcDateTime().process_bind_param(datetime(2026, 3, 2, 9), None)  # type: ignore[arg-type] # noqa: DTZ001


def test_a_full_disk_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    database = Database.open("alliance.db", folder=tmp_path)
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO installation (id, key) VALUES (1, x'0102')")
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    too_long = ("x" * 10_000_000,)
    statement = "INSERT INTO mailbox (address, cursor, connected_at) VALUES ('a@maple.example', ?, '2026-01-01')"
    with database.write() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        with pytest.raises(OperationalError, match="full"):
            connection.exec_driver_sql(statement, too_long)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT key FROM installation").scalar() == b"\x01\x02"
        assert connection.exec_driver_sql("SELECT count(*) FROM mailbox").scalar() == 0

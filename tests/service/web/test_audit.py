"""The audit log stands as it was written, or says that it does not."""

import json
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError
from typer.testing import CliRunner, Result

from service.cli import app
from store import audit
from store.database import Database

AT = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
LEE, PARK = "lee@maple.example", "park@maple.example"
TAMPERING = {
    "another person": "UPDATE audit SET person = 'rivera@maple.example' WHERE number = 2",
    "another act": "UPDATE audit SET act = 'looked' WHERE number = 2",
    "another time": "UPDATE audit SET at = '2026-03-04 00:00:00.000000' WHERE number = 2",
    "something else": "UPDATE audit SET about = '' WHERE number = 2",
    "one taken out": "DELETE FROM audit WHERE number = 2",
    "one taken out and the rest moved up": "DELETE FROM audit WHERE number = 2; UPDATE audit SET number = number - 1 "
    "WHERE number > 2",
    "the end cut off": "DELETE FROM audit WHERE number > 2",
    "everything gone": "DELETE FROM audit",
    "one slipped in": "INSERT INTO audit SELECT 6, at, person, act, about, 'x' FROM audit WHERE number = 2",
}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.open("alliance.db", folder=tmp_path)


def write(database: Database, count: int = 5) -> None:
    for number in range(count):
        with database.write() as connection:
            person = (LEE, PARK, None)[number % 3]
            audit.append(
                connection, at=AT + timedelta(days=number), person=person, act="opened", about=f"item {number}"
            )


def tamper(folder: Path, statements: str) -> None:
    """What somebody does who has the database's file and knows about triggers."""
    with closing(sqlite3.connect(folder / "alliance.db")) as connection:
        connection.executescript("DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete;" + statements)
        connection.commit()


def test_a_log_that_nobody_touched_is_whole(database: Database) -> None:
    assert audit.check(database).entries == 0
    write(database)
    chain = audit.check(database)
    assert (chain.entries, chain.broken_at, chain.head_stands) == (5, None, True)
    assert [entry.about for entry in audit.entries(database, person=LEE)] == ["item 0", "item 3"]
    assert [entry.number for entry in audit.entries(database, since=AT + timedelta(days=3))] == [4, 5]


@pytest.mark.parametrize("how", TAMPERING)
def test_whatever_is_changed_afterwards_shows(database: Database, tmp_path: Path, how: str) -> None:
    write(database)
    tamper(tmp_path, TAMPERING[how])
    assert audit.check(database).broken_at is not None


def test_a_log_that_is_written_anew_from_some_point_on_shows_by_an_earlier_digest(
    database: Database, tmp_path: Path
) -> None:
    write(database)
    noted = audit.check(database).head
    write(database, 2)
    assert audit.check(database, noted).head_stands
    tamper(tmp_path, "DELETE FROM audit; DELETE FROM audit_head;")
    write(database, 7)
    chain = audit.check(database, noted)
    assert chain.broken_at is None
    assert chain.head_stands  # the same acts at the same times are the same log
    tamper_again = "DELETE FROM audit; DELETE FROM audit_head;"
    with closing(sqlite3.connect(tmp_path / "alliance.db")) as connection:
        connection.executescript(tamper_again)
    write(database, 4)
    assert not audit.check(database, noted).head_stands


@pytest.mark.parametrize("statement", ["UPDATE audit SET act = 'x'", "DELETE FROM audit WHERE number = 1"])
def test_the_database_itself_refuses_changes(database: Database, statement: str) -> None:
    write(database)
    with pytest.raises(DatabaseError, match="stays as it is"), database.write() as connection:
        connection.exec_driver_sql(statement)
    assert audit.check(database).broken_at is None


def test_an_act_that_is_rolled_back_leaves_no_entry_and_no_gap(database: Database) -> None:
    write(database, 1)

    def fail_after_the_entry() -> None:
        with database.write() as connection:
            audit.append(connection, at=AT, person=LEE, act="signed in")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_the_entry()
    write(database, 1)
    assert [entry.number for entry in audit.entries(database)] == [1, 2]
    assert audit.check(database).broken_at is None


def test_many_who_write_at_once_make_one_chain(database: Database, tmp_path: Path) -> None:
    others = [Database.open("alliance.db", folder=tmp_path) for _ in range(4)]
    threads = [threading.Thread(target=write, args=(other, 10)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chain = audit.check(database)
    assert (chain.entries, chain.broken_at) == (40, None)
    for other in others:
        other.close()


CONFIGURATION = """
[school]
name = "Maple"
timezone = "America/Chicago"
[office]
address = "office@maple.example"
phone = "555-0100"
[imap]
host = "imap.maple.example"
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
"""


class TestTheCommand:
    def run(self, folder: Path, *arguments: str) -> Result:
        (folder / "alliance.toml").write_text(CONFIGURATION)
        return CliRunner().invoke(app, ["audit", "--config", str(folder / "alliance.toml"), *arguments])

    def test_it_lists_who_did_what_in_the_school_s_time(self, database: Database, tmp_path: Path) -> None:
        write(database)
        result = self.run(tmp_path)
        assert result.exit_code == 0
        assert f"1  2026-03-03 10:00:00  {LEE}  opened (item 0)" in result.stdout
        assert "3  2026-03-05 10:00:00  somebody unknown  opened (item 2)" in result.stdout
        assert f"--head {audit.check(database).head}" in result.stdout

    def test_it_can_be_narrowed_down(self, database: Database, tmp_path: Path) -> None:
        write(database)
        told = json.loads(self.run(tmp_path, "--json", "--person", LEE.upper(), "--since", "2026-03-05").stdout)
        assert [entry["number"] for entry in told["entries"]] == [4]
        assert told["whole"]

    def test_it_fails_where_something_was_changed(self, database: Database, tmp_path: Path) -> None:
        write(database)
        tamper(tmp_path, TAMPERING["another act"])
        result = self.run(tmp_path)
        assert result.exit_code == 1
        assert "Entry 2 is not as it was written" in result.output

    def test_it_fails_where_an_earlier_digest_is_gone(self, database: Database, tmp_path: Path) -> None:
        write(database)
        result = self.run(tmp_path, "--head", "f" * 64)
        assert result.exit_code == 1
        assert "does not stand in the record" in result.output

"""Two versions side by side: the old one goes on, and can be started again, beside tables that only grew."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app
from store.database import Database, Shape, StoreError
from tests.servers.postgres import Postgres
from tests.service.maple import ANA, BO, SCHOOL_TOML, Maple

_WIDER = (
    "ALTER TABLE message ADD COLUMN mood VARCHAR",
    "ALTER TABLE delivery ADD COLUMN colour VARCHAR",
    "CREATE TABLE kite (id INTEGER PRIMARY KEY, string VARCHAR)",
    "UPDATE alembic_version SET version_num = 'next'",
)
"""What the next version's migration does, which this version has never heard of."""


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "alliance.db")
    postgres_server: Postgres = request.getfixturevalue("postgres_server")
    return postgres_server.database()


def widened(location: str, *also: str) -> None:
    """The next version has brought the tables up to date."""
    database = Database.at(location)
    for statement in (*_WIDER, *also):
        with database.write() as connection:
            connection.exec_driver_sql(statement)
    database.close()


def test_an_old_worker_goes_on_over_an_upgrade_and_starts_again_after_it(location: str) -> None:
    maple = Maple(database=Database.open(location))
    maple.round()
    maple.write("urgent where is he", ANA)
    maple.sweep()  # planned by the old version, not sent yet
    widened(location)
    maple.write("routine question", BO)
    maple.rounds(3)
    assert (len(maple.answers(ANA)), len(maple.answers(BO))) == (1, 1)
    assert maple.routed() == ["urgent where is he"]
    maple.database.close()

    again = Maple(database=Database.open(location))  # rolled back: the old version starts beside the new tables
    again.system, again.clock, again._letters = maple.system, maple.clock, maple._letters
    again.write("urgent now", BO)
    again.rounds(3)
    assert len(again.answers(ANA)) == 1
    assert sorted(again.routed()) == ["urgent now", "urgent where is he"]
    assert again.database.shape() is Shape.AHEAD
    again.database.close()


def test_a_version_that_the_tables_are_too_narrow_for_refuses_to_start_and_says_what_to_do(location: str) -> None:
    Database.open(location).close()
    widened(location, "UPDATE schema_floor SET revision = 'next'")
    with pytest.raises(StoreError, match="Install that version, or restore the backup"):
        Database.open(location)


def test_the_command_refuses_too_and_changes_nothing(tmp_path: Path) -> None:
    location = str(tmp_path / "alliance.db")
    Database.open(location).close()
    widened(location, "UPDATE schema_floor SET revision = 'next'")
    before = Path(location).read_bytes()
    (tmp_path / "alliance.toml").write_text(
        SCHOOL_TOML + '[service]\ndatabase = "alliance.db"\n[[mailboxes]]\naddress = "rivera@maple.example"\n'
        'teacher = "Ms. Rivera"\nconnector = "maildir"\nmaildir.path = "mail"\nmaildir.outgoing = "outgoing"\n'
    )
    for command in (["run", "--once"], ["status"]):
        said = CliRunner().invoke(app, [*command, "-c", str(tmp_path / "alliance.toml")])
        assert said.exit_code == 2
        assert "newer version" in said.output
    assert Path(location).read_bytes() == before

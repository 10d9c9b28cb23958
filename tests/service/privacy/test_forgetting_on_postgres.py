"""Forgetting on a real PostgreSQL: no value of a family's is left in a dump, and the other figures are true."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.privacy.receipts import places_with, scrub
from store.database import Database
from tests.scorecard.history import HISTORIES, STEPS
from tests.servers.postgres import Postgres
from tests.service.maple import ANA, BO, Maple
from tests.service.privacy.test_forgetting import OF_ANA, a_school_day, forgets
from tests.service.privacy.test_forgetting_truth import forgets_and_stays_true
from tests.service.roster_of_maple import fill_roster

pytestmark = pytest.mark.server("postgres")


@pytest.fixture(scope="module")
def empty(postgres_server: Postgres) -> Callable[[], Database]:
    return postgres_server.school


def dumped(database: Database) -> bytes:
    """What a backup of the database holds."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))
    done = subprocess.run([str(tools[-1]), "--inserts", url], capture_output=True, check=True, env=os.environ)
    return done.stdout.lower()


def test_a_dump_holds_nothing_of_a_forgotten_family_and_tables_written_anew_neither(
    postgres_server: Postgres,
) -> None:
    database = postgres_server.school()
    fill_roster(database)
    maple = Maple(database=database, settings={"keep_subjects": True})
    maple.round()
    maple.clock.forward(minutes=5)
    a_school_day(maple)
    assert ANA.encode() in dumped(database)
    forgets(maple, anyway=True)
    assert scrub(database, maple.clock())
    dump = dumped(database)
    assert BO.encode() in dump
    assert {name for name in OF_ANA if name.lower().encode() in dump} == set()
    assert places_with(database, OF_ANA) == []
    (own,) = files_with(postgres_server, database, BO)
    assert own
    assert scrub(database, maple.clock(), rewrite=True)
    assert files_with(postgres_server, database, *OF_ANA) == [set()] * len(OF_ANA)
    assert files_with(postgres_server, database, BO) != [set()]
    database.close()


def files_with(server: Postgres, database: Database, *values: str) -> list[set[str]]:
    """For each value the files in which PostgreSQL keeps this database, every page of a table written out, that hold
    it. Its write-ahead log, which goes with the next ones (docs/privacy.md), is not among them."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CHECKPOINT")
        (number,) = connection.exec_driver_sql("SELECT oid FROM pg_database WHERE datname = current_database()").one()
    folder = Path(server.socket).parent / "cluster" / "base" / str(number)
    held = {path.name: path.read_bytes().lower() for path in folder.iterdir() if path.is_file()}
    return [{name for name, content in held.items() if value.lower().encode() in content} for value in values]


@settings(max_examples=1, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS["import"], HISTORIES, st.integers(0, 4), st.sampled_from([0, 100]))
def test_after_any_history_a_family_is_forgotten_and_the_rest_is_true(
    empty: Callable[[], Database], lists: dict[str, Any], steps: list[tuple[str, Any]], which: int, days: int
) -> None:
    database = empty()
    try:
        forgets_and_stays_true(database, lists, steps, which, days)
    finally:
        database.close()

"""Forgetting on a real PostgreSQL: no value of a family's is left in a dump, and the other figures are true."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.privacy.receipts import places_with, scrub
from store.database import Database
from tests.scorecard.history import HISTORIES, STEPS
from tests.servers.postgres import postgres
from tests.service.maple import ANA, BO, Maple
from tests.service.privacy.test_forgetting import OF_ANA, a_school_day, forgets
from tests.service.privacy.test_forgetting_truth import forgets_and_stays_true
from tests.service.roster_of_maple import fill_roster

pytestmark = pytest.mark.server("postgres")


@pytest.fixture(scope="module")
def empty() -> Iterator[Callable[[], Database]]:
    with postgres() as server:
        yield server.school


def dumped(database: Database) -> bytes:
    """What a backup of the database holds."""
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))
    done = subprocess.run([str(tools[-1]), "--inserts", url], capture_output=True, check=True, env=os.environ)
    return done.stdout.lower()


def test_a_dump_holds_nothing_of_a_forgotten_family(empty: Callable[[], Database]) -> None:
    database = empty()
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
    assert scrub(database, maple.clock(), rewrite=True)
    database.close()


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

"""Every figure of the scorecard is true on a real PostgreSQL too, after any history."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from store.database import Database
from tests.scorecard.history import HISTORIES, STEPS
from tests.scorecard.test_truth import go_through, small_steps
from tests.servers.postgres import Postgres

__all__ = ["small_steps"]

pytestmark = pytest.mark.server("postgres")


@pytest.fixture(scope="module")
def empty(postgres_server: Postgres) -> Callable[[], Database]:
    return postgres_server.school


@settings(max_examples=7, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS["import"], HISTORIES)
def test_after_any_history_every_figure_is_what_counting_from_the_start_gives(
    empty: Callable[[], Database], lists: dict[str, Any], steps: list[tuple[str, Any]]
) -> None:
    database = empty()
    try:
        go_through(database, lists, steps)
    finally:
        database.close()

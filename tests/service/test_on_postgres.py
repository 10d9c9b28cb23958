"""What is promised for any order of mail, corrections, crashes and workers holds on a real PostgreSQL too."""

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from store.database import Database
from tests.servers.postgres import Postgres
from tests.service import maple
from tests.service.test_any_case import AnyCase
from tests.service.test_any_item import AnyItem
from tests.service.test_any_order import AnyOrder, AnyOrderWhereTheSystemCanTell

pytestmark = pytest.mark.server("postgres")


@pytest.fixture(autouse=True)
def towns_on_postgres(postgres_server: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every town of these tests has a database of its own there."""
    opened: list[Database] = []

    def empty() -> Database:
        # A town that a machine has left is not asked for again: its connections are let go of.
        while opened:
            opened.pop().close()
        opened.append(postgres_server.school())
        return opened[0]

    monkeypatch.setattr(maple, "_empty_database", empty)
    monkeypatch.setattr(maple, "_SPARE", [])  # a town gives its database back there, for other tests to use
    yield
    while opened:
        opened.pop().close()


def without_backups(machine: type[RuleBasedStateMachine]) -> type[RuleBasedStateMachine]:
    """The same machine but for its backups, which are copies of an SQLite file."""
    return type(machine.__name__, (machine,), dict.fromkeys(("the_record_is_backed_up", "the_record_is_restored")))


@pytest.mark.parametrize("machine", [AnyOrder, AnyOrderWhereTheSystemCanTell, AnyItem, AnyCase])
def test_whatever_happens_in_whatever_order(machine: type[RuleBasedStateMachine]) -> None:
    few = settings(max_examples=4, stateful_step_count=20, phases=[Phase.generate])
    run_state_machine_as_test(without_backups(machine), settings=few)

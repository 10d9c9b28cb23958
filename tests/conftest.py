"""What all tests share: how hypothesis runs, and which servers are needed."""

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from connectors.allowance import share
from connectors.backoff import wait_at_most
from tests.servers.postgres import Postgres, postgres
from tests.servers.required import required

pytest.register_assert_rewrite("connectors.contract")

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")

_OBJECTS_BEFORE_COLLECTING = 20_000
_SERVERS = {
    "dovecot": ("dovecot", "dovecot-imapd dovecot-lmtpd"),
    "doveadm": ("doveadm", "dovecot-core"),
    "postfix": ("postfix", "postfix"),
    "postgres": ("pg_isready", "postgresql"),
    "chromium": ("chromium", "chromium chromium-driver"),
    "davmail": ("davmail-server", "davmail-server"),
    "mbsync": ("mbsync", "isync"),
}
"""Program and Debian package of each server that `@pytest.mark.server(name)` may name."""


def pytest_collection_finish() -> None:
    """Thousands of tests, and what they import, stay to the end: the collector need not look at them each time, nor
    look for what it may free after every seven hundred objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTING)


def pytest_runtest_teardown() -> None:
    """What one test's provider asked of all mailboxes of this process is not the next test's."""
    share(None)
    wait_at_most(None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test that is marked to need a server is skipped where the server lacks; with ALLIANCE_REQUIRE_SERVERS set it
    fails instead, so that a green run means that the real servers took part."""
    for marker in item.iter_markers("server"):
        for name in marker.args:
            program, package = _SERVERS.get(name, (name, name))
            required(program, package)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL for all tests of this process that need no more than databases of their own."""
    with postgres() as running:
        yield running

"""Microsoft 365 keeps the contract of every mailbox: with application permissions, and as a teacher who signed in."""

from collections.abc import Iterator
from itertools import count

import pytest

from connectors.contract import MailboxContract
from tests.connectors.graph_world import GraphWorld
from tests.servers import network
from tests.servers.graph import GraphServer, running


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return count()


@pytest.fixture
def server() -> Iterator[GraphServer]:
    with running() as server:
        yield server


class TestGraphMailbox(MailboxContract):
    @pytest.fixture
    def harness(self, server: GraphServer) -> Iterator[GraphWorld]:
        with network.running() as between:
            world = GraphWorld(server, network=between)
            yield world
            world.close()


class TestDelegatedGraphMailbox(MailboxContract):
    @pytest.fixture
    def harness(self, server: GraphServer) -> Iterator[GraphWorld]:
        world = GraphWorld(server, auth="device-code")
        yield world
        world.close()

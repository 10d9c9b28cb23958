"""Microsoft 365 keeps the contract of every mailbox: with application permissions, and as a teacher who signed in."""

from collections.abc import Iterator

import pytest

from connectors.contract import MailboxContract
from connectors.contract.labelling import LabellingContract
from connectors.contract.sending import SendingContract
from tests.connectors.graph_world import GraphWorld
from tests.servers import network
from tests.servers.graph import running


class TestGraphMailbox(MailboxContract):
    @pytest.fixture
    def harness(self) -> Iterator[GraphWorld]:
        with running() as server, network.running() as between:
            world = GraphWorld(server, network=between)
            yield world
            world.close()


class TestDelegatedGraphMailbox(LabellingContract, SendingContract):
    """The paths begin with /me then; the rest is the same code."""

    @pytest.fixture
    def harness(self) -> Iterator[GraphWorld]:
        with running() as server, network.running() as between:
            world = GraphWorld(server, auth="device-code", network=between)
            yield world
            world.close()

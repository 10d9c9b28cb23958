"""Exchange keeps the contract of every mailbox: with a service account that impersonates over NTLM."""

from collections.abc import Iterator

import pytest

from connectors.contract import MailboxContract
from tests.connectors.exchange_world import ExchangeWorld
from tests.servers import ews, network


class TestExchangeMailbox(MailboxContract):
    @pytest.fixture
    def harness(self) -> Iterator[ExchangeWorld]:
        with ews.running() as server, network.running() as line:
            world = ExchangeWorld(server, network=line)
            yield world
            world.close()

"""Exchange keeps the contract of every mailbox: with a service account that impersonates over NTLM, and elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.contract import MailboxContract
from connectors.contract.labelling import LabellingContract
from connectors.contract.sending import SendingContract
from connectors.contract.trouble import TroubleContract
from tests.connectors.exchange_world import ExchangeWorld
from tests.servers import ews, network
from tests.servers.certificates import make_certificates


class TestExchangeMailbox(MailboxContract):
    @pytest.fixture
    def harness(self, request: pytest.FixtureRequest) -> Iterator[ExchangeWorld]:
        with ews.running() as server, network.running() as line:
            # What counts memory counts this process's all: the network would keep pieces of what passes through it.
            direct = "never_held_as_a_whole" in request.node.name
            world = ExchangeWorld(server, network=None if direct else line)
            yield world
            world.close()


class TestWithItsOwnUser(SendingContract, LabellingContract):
    """The mailbox's own user, over Basic, on an older server."""

    @pytest.fixture
    def harness(self) -> Iterator[ExchangeWorld]:
        with ews.running(version="2016", kinds=("basic",)) as server:
            world = ExchangeWorld(server, auth="basic", own_user=True)
            yield world
            world.close()


class TestAnApplication(TroubleContract):
    """An application's tokens, over TLS with the school's own authority."""

    @pytest.fixture
    def harness(self, tmp_path: Path) -> Iterator[ExchangeWorld]:
        certificates = make_certificates(tmp_path)
        with ews.running(version="SE", kinds=("bearer",), certificates=certificates) as server:
            world = ExchangeWorld(server, auth="oauth", ca_file=certificates.authority)
            yield world
            world.close()

"""The connector keeps the contract of every mailbox."""

from collections.abc import Iterator

import pytest
from connectors.contract import MailboxContract

from jmap_server import running
from jmap_world import JmapWorld


class TestJmap(MailboxContract):
    @pytest.fixture
    def harness(self) -> Iterator[JmapWorld]:
        with running("rivera@maple.example") as server:
            yield JmapWorld(server)

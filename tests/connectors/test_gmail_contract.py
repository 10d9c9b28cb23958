"""Gmail keeps the contract of every mailbox, through the real client library and held against Google's documents."""

from collections.abc import Iterator
from itertools import count

import pytest

from connectors.contract import MailboxContract
from tests.connectors.gmail_world import GmailWorld, google
from tests.servers import network
from tests.servers.gmail_front import GmailFront

USERS = [f"t{number}@school.example" for number in range(160)]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[GmailFront, Iterator[int]]]:
    """One Google; each test gets a user of its own."""
    with google(USERS) as front:
        yield front, count()


class TestGmailMailbox(MailboxContract):
    @pytest.fixture
    def harness(self, server: tuple[GmailFront, Iterator[int]]) -> Iterator[GmailWorld]:
        front, numbers = server
        with network.running() as between:
            world = GmailWorld(front, USERS[next(numbers)], between)
            yield world
            world.close()
            assert front.violations == []

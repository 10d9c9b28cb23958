"""IMAP keeps the contract of every mailbox: on a Dovecot with all it can do, and on servers that can do less."""

from collections.abc import Iterator
from itertools import count

import pytest

from connectors.contract import MailboxContract
from tests.connectors.imap_world import ImapWorld
from tests.servers import dovecot, network, smtp_sink

pytestmark = pytest.mark.server("dovecot")
USERS = [f"t{number}@maple.example" for number in range(200)]
LESS: dict[str, tuple[str, ...]] = {
    "all it can do": (),
    "a plain server": ("CONDSTORE", "QRESYNC", "IDLE", "MOVE", "UIDPLUS", "ENABLE", "SPECIAL-USE", "NAMESPACE"),
}


@pytest.fixture(scope="module", params=LESS.values(), ids=LESS.keys())
def server(request: pytest.FixtureRequest) -> Iterator[tuple[dovecot.Dovecot, Iterator[int]]]:
    """One Dovecot per kind of server; each test gets a user of its own."""
    with dovecot.running(users=USERS, hide=request.param, storage=dovecot.MDBOX) as server:
        yield server, count()


class TestImapMailbox(MailboxContract):
    @pytest.fixture
    def harness(self, server: tuple[dovecot.Dovecot, Iterator[int]]) -> Iterator[ImapWorld]:
        running, numbers = server
        with smtp_sink.running() as sink, network.running() as line:
            world = ImapWorld(running, sink, USERS[next(numbers)], network=line)
            yield world
            world.close()

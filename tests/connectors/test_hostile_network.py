"""Whatever the network does between a connector and its server, the day ends as on a calm one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from tests.connectors.imap_world import ImapWorld
from tests.connectors.school_day import Evening, World, lived_through
from tests.servers import dovecot, network, smtp_sink
from tests.servers.network import Storm

USERS = [f"t{number}@maple.example" for number in range(60)]
_numbers = count()

NewWorld = Callable[[], World]
"""An empty mailbox of its own."""


@pytest.fixture(scope="module")
def imap() -> Iterator[NewWorld]:
    with dovecot.running(users=USERS, storage=dovecot.MDBOX) as server, ExitStack() as open_worlds:

        def new_world() -> ImapWorld:
            world = ImapWorld(server, open_worlds.enter_context(smtp_sink.running()), USERS[next(_numbers)])
            open_worlds.callback(world.close)
            return world

        yield new_world


@pytest.fixture(scope="module")
def calm_day(imap: NewWorld) -> Evening:
    return lived_through(imap())


@pytest.mark.parametrize("seed", range(8))
def test_the_day_ends_as_on_a_calm_one(imap: NewWorld, calm_day: Evening, seed: int) -> None:
    with network.running(Storm(seed)) as weather:
        evening = lived_through(imap(), weather)
    assert len(weather.happened) > 10, "hardly anything happened on the network"
    assert calm_day.doubtful == frozenset()
    assert all(evening.departed.count(message_id) <= 1 for message_id in evening.doubtful)
    assert evening.without(evening.doubtful) == calm_day.without(evening.doubtful)

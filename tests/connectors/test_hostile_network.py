"""Whatever the network does between a connector and its server, the day ends as on a calm one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest

from tests.connectors import jmap_example
from tests.connectors.exchange_world import ExchangeWorld
from tests.connectors.gmail_world import GmailWorld, google
from tests.connectors.graph_world import GraphWorld
from tests.connectors.imap_world import ImapWorld
from tests.connectors.jmap_example import NetworkedJmapWorld
from tests.connectors.school_day import Evening, World, lived_through
from tests.servers import dovecot, ews, graph, network, smtp_sink
from tests.servers.network import Exchange, Fault, Storm

SEEDS = (3, 8, 9, 12, 24, 29)
NewWorld = Callable[[], World]
"""An empty mailbox on a server of its own, or among others on one."""


@contextmanager
def imap() -> Iterator[NewWorld]:
    """A teacher of a Dovecot that serves many."""
    users = [f"t{number}@maple.example" for number in range(1 + len(SEEDS))]
    numbers = count()
    with dovecot.running(users=users, storage=dovecot.MDBOX) as server, ExitStack() as opened:

        def new_world() -> ImapWorld:
            world = ImapWorld(server, opened.enter_context(smtp_sink.running()), users[next(numbers)])
            opened.callback(world.close)
            return world

        yield new_world


@contextmanager
def microsoft365() -> Iterator[NewWorld]:
    """A teacher of the stand-in for Graph."""
    with ExitStack() as opened:

        def new_world() -> GraphWorld:
            world = GraphWorld(opened.enter_context(graph.running()))
            opened.callback(world.close)
            return world

        yield new_world


@contextmanager
def exchange() -> Iterator[NewWorld]:
    """A teacher of the stand-in for Exchange Server, over NTLM."""
    with ExitStack() as opened:

        def new_world() -> ExchangeWorld:
            world = ExchangeWorld(opened.enter_context(ews.running()))
            opened.callback(world.close)
            return world

        yield new_world


@contextmanager
def gmail() -> Iterator[NewWorld]:
    """A teacher of the emulated Google that serves many."""
    users = [f"t{number}@school.example" for number in range(1 + len(SEEDS))]
    numbers = count()
    with google(users) as front, ExitStack() as opened:

        def new_world() -> GmailWorld:
            world = GmailWorld(front, users[next(numbers)])
            opened.callback(world.close)
            return world

        yield new_world


@contextmanager
def example() -> Iterator[NewWorld]:
    """An account of the worked example's server."""
    with ExitStack() as opened:
        yield lambda: NetworkedJmapWorld(opened.enter_context(jmap_example.running("rivera@maple.example")))


SYSTEMS = (
    pytest.param(imap, marks=pytest.mark.server("dovecot"), id="imap"),
    pytest.param(gmail, id="gmail"),
    pytest.param(microsoft365, id="graph"),
    pytest.param(exchange, id="exchange"),
    pytest.param(example, id="the worked example"),
)


@pytest.fixture(scope="module", params=SYSTEMS)
def new_world(request: pytest.FixtureRequest) -> Iterator[NewWorld]:
    with request.param() as worlds:
        yield worlds


@pytest.fixture(scope="module")
def calm_day(new_world: NewWorld) -> Evening:
    with network.running() as calm:
        evening = lived_through(new_world(), calm)
    assert evening.doubtful == frozenset()
    assert calm.happened == []
    return evening


def test_the_storms_know_every_fault_and_each_seed_is_a_storm_of_its_own() -> None:
    exchange = Exchange(1, "http", "GET / HTTP/1.1")
    storms = {seed: [storm(exchange) for _ in range(200)] for seed in SEEDS for storm in [Storm(seed)]}
    assert len({tuple(fate.fault for fate in fates) for fates in storms.values()}) == len(storms)
    assert {fate.fault for fates in storms.values() for fate in fates} == set(Fault)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_day_ends_as_on_a_calm_one(new_world: NewWorld, calm_day: Evening, seed: int) -> None:
    with network.running(Storm(seed)) as storm:
        evening = lived_through(new_world(), storm)
    assert len(storm.happened) > 5, "hardly anything happened on the network"
    assert all(evening.departed.count(message_id) <= 1 for message_id in evening.doubtful)
    assert evening.without(evening.doubtful) == calm_day.without(evening.doubtful)

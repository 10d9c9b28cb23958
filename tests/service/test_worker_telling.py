"""What reaches one process and concerns another: notifications, bells and quotas go by way of the database."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connectors import allowance, bells, graph_push
from connectors.graph_push import Lifecycle
from service.worker.telling import DistrictPurse, Rung, listening, receiver
from store.allowances import Allowances
from store.database import Database
from store.mailbox_turns import Ended, MailboxTurns
from store.push_tickets import PushTickets
from store.worker_tables import Pace
from store.workers import Workers
from tests.servers.postgres import Postgres

RIVERA = "rivera@maple.example"
LONG = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> Iterator[Database]:
    opened = postgres_server.school()
    yield opened
    opened.close()


@pytest.mark.server("postgres")
def test_a_notification_that_reaches_the_pages_brings_the_mailbox_its_turn_with_a_worker(database: Database) -> None:
    Workers(database).sign("bo", "1")
    turns = MailboxTurns(database, "bo")
    turns.add({RIVERA: "graph"}, 0)
    (turn,) = turns.take("graph", 1, [Pace.LIVE])
    turns.give_back([Ended(turn, Pace.LIVE, 3600)])
    PushTickets(database).keep("ticket.secret", RIVERA, LONG)
    take = receiver(database)
    assert not take("ticket.guessed", None)
    assert not take("unknown.secret", Lifecycle.MISSED)
    assert turns.take("graph", 1, [Pace.LIVE]) == []
    assert take("ticket.secret", None)
    assert [each.mailbox for each in turns.take("graph", 1, [Pace.LIVE])] == [RIVERA]


@pytest.mark.server("postgres")
def test_while_a_worker_listens_its_bells_subscriptions_and_quotas_are_the_districts(database: Database) -> None:
    rung = Rung()
    with listening(database, DistrictPurse(Allowances(database, "bo")), rung):
        bells.ring(RIVERA)
        graph_push._registrars[-1]("other.secret", RIVERA, LONG)
        shared = allowance.shared()
        assert shared is not None
        assert shared.book("gmail oak", 60, 60, 5) == 0
        assert shared.book("gmail oak", 60, 60, 5) > 30
    bells.ring("okafor@maple.example")
    assert rung.taken() == {RIVERA}
    assert rung.taken() == set()
    assert PushTickets(database).mailbox_of("other.secret") == RIVERA
    assert allowance.shared() is None


@pytest.mark.server("postgres")
def test_what_a_provider_asks_of_all_mailboxes_one_worker_hears_and_the_others_know_within_a_look(
    database: Database,
) -> None:
    now = [0.0]
    told, other = (
        DistrictPurse(Allowances(opened, name), lambda: now[0])
        for opened, name in (
            (database, "bo"),
            (Database.at(database.url.render_as_string(hide_password=False)), "victor"),
        )
    )
    assert other.held("graph app") == 0
    told.hold("graph app", 120)
    assert told.holds("graph") == 120
    assert told.holds("gmail") == 0
    assert other.held("graph app") == 0  # it looked a moment ago
    now[0] += 1
    assert 100 < other.holds("graph") <= 120


def test_beside_sqlite_a_strange_notification_is_nobodys() -> None:
    assert not receiver(Database.in_memory())("ticket.secret", None)


def test_with_the_database_away_little_is_spent_and_nothing_breaks() -> None:
    nowhere = Database.at("postgresql+psycopg://nobody@127.0.0.1:1/none")
    purse = DistrictPurse(Allowances(nowhere, "bo"))
    assert purse.book("gmail maple", 1, 60, 5) > 0
    purse.hold("gmail maple", 60)
    assert purse.held("gmail maple") > 50
    assert purse.held("gmail oak") == 0

"""What a provider asks of a whole account, all its mailboxes do at once; what it asks of one mailbox, that one does
alone. Through the real connectors, against the servers' stand-ins."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connectors import allowance
from connectors.backoff import wait_at_most
from connectors.errors import Throttled
from connectors.gmail_errors import read_refusal
from tests.connectors.exchange_world import ExchangeWorld
from tests.connectors.graph_world import GraphWorld
from tests.servers import ews
from tests.servers import graph as graph_service
from tests.servers.ews.server import ExchangeServer
from tests.servers.ews.troubles import busy
from tests.servers.graph import GraphServer

RIVERA, OKAFOR = "rivera@school.example", "okafor@school.example"
TENANT = "Tenant_Application/ReadWrite/9a3d526c/0785ef7c"
NOW = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with graph_service.running() as server:
        yield server


@pytest.fixture
def exchange() -> Iterator[ExchangeServer]:
    with ews.running() as server:
        yield server


@pytest.mark.parametrize(
    ("status", "reason", "text", "of_all"),
    [
        (403, "rateLimitExceeded", "Rate Limit Exceeded", True),
        (429, "rateLimitExceeded", "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'", True),
        (403, "dailyLimitExceeded", "Daily Limit Exceeded", True),
        (403, "userRateLimitExceeded", "User Rate Limit Exceeded", False),
        (429, "rateLimitExceeded", "User-rate limit exceeded.  Retry after 2026-10-01T00:00:30.000Z", False),
        (429, "rateLimitExceeded", "Too many concurrent requests for user.", False),
        (429, "rateLimitExceeded", "Quota exceeded for limit 'Queries per minute per user' of consumer 'p:1'", False),
        (403, "forbidden", "Forbidden", False),
        (503, "rateLimitExceeded", "Backend Error", False),
    ],
)
def test_google_says_whether_the_project_or_one_mailbox_asked_for_too_much(
    status: int, reason: str, text: str, *, of_all: bool
) -> None:
    body = f'{{"error": {{"code": {status}, "message": "{text}", "errors": [{{"reason": "{reason}"}}]}}}}'
    assert read_refusal(status, {}, body.encode(), NOW).is_project_quota is of_all


class TestGraph:
    """https://learn.microsoft.com/graph/throttling-limits."""

    def test_a_limit_of_the_application_pauses_every_mailbox_without_another_request(self, graph: GraphServer) -> None:
        wait_at_most(2)
        rivera, okafor = (GraphWorld(graph, who).open() for who in (RIVERA, OKAFOR))
        graph.throttle(RIVERA, retry_after="120", scope=TENANT)
        with pytest.raises(Throttled) as first:
            rivera.check()
        assert first.value.retry_after == 120
        graph.log.clear()
        for mailbox in (rivera, okafor):
            with pytest.raises(Throttled) as later:
                mailbox.check()
            assert 100 < (later.value.retry_after or 0) <= 120
        assert graph.log == []

    @pytest.mark.parametrize("scope", [None, "User/ReadWrite/9a3d526c/rivera"])
    def test_a_mailboxs_own_limit_holds_that_mailbox_alone(self, graph: GraphServer, scope: str | None) -> None:
        wait_at_most(2)
        rivera, okafor = (GraphWorld(graph, who).open() for who in (RIVERA, OKAFOR))
        graph.throttle(RIVERA, retry_after="120", scope=scope, times=None)
        with pytest.raises(Throttled):
            rivera.check()
        assert okafor.check()

    def test_a_sign_in_that_is_put_off_is_that_of_all_mailboxes(self, graph: GraphServer) -> None:
        wait_at_most(2)
        rivera, okafor = (GraphWorld(graph, who).open() for who in (RIVERA, OKAFOR))
        graph.fail(429, "throttled", on="POST /{tenant}/token", retry_after="120", times=None)
        for mailbox in (rivera, okafor):
            with pytest.raises(Throttled):
                mailbox.check()
        assert len([one for one in graph.log if one.status == 429]) == 1


class TestExchange:
    """https://learn.microsoft.com/exchange/client-developer/exchange-web-services/ews-throttling-in-exchange."""

    def test_a_delegates_budget_is_that_of_all_mailboxes_that_it_opens(self, exchange: ExchangeServer) -> None:
        worlds = [ExchangeWorld(exchange, who) for who in (RIVERA, OKAFOR)]
        exchange.order(busy(120_000), times=None)
        for world in worlds:
            with pytest.raises(Throttled):
                world.open(impersonation=False).check()
        assert worlds[1].slept == []
        assert 100 < allowance.holds().held(f"exchange {worlds[0].settings.username}") <= 120

    def test_a_teachers_own_budget_is_that_mailboxs_alone(self, exchange: ExchangeServer) -> None:
        worlds = [ExchangeWorld(exchange, who) for who in (RIVERA, OKAFOR)]
        exchange.order(busy(120_000))
        with pytest.raises(Throttled):
            worlds[0].open().check()
        assert worlds[1].open().check()

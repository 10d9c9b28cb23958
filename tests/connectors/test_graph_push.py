"""Change notifications from end to end: the Graph stand-in posts to the real receiver, and bells ring."""

import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from config.faults import ConfigError, Fault
from config.secrets import Secrets
from config.vault import NoVault
from connectors import bells
from connectors.contract.mails import family_id, family_mail
from connectors.contract.robustness import RobustnessContract
from connectors.errors import AuthenticationFailed, ConnectFailed, MailboxError
from connectors.graph import GraphMailbox
from connectors.graph_errors import Refused, failure_of
from connectors.graph_push import LIFETIME, RENEWED_BEFORE, Lifecycle, Push, receive
from service.notifications import create_app, serving
from tests.connectors.graph_world import GraphWorld
from tests.servers import graph
from tests.servers.graph import Box, GraphServer
from tests.servers.network import Network

URL = "https://alliance.maple.example/graph"
PATIENCE = 30.0
_numbers = count()


@pytest.fixture(scope="module")
def receiver() -> Iterator[str]:
    with serving(create_app(URL), "127.0.0.1:0") as address:
        yield address


@pytest.fixture
def address() -> str:
    """A mailbox for each test: bells are the whole process's."""
    return f"push{next(_numbers)}@maple.example"


@pytest.fixture
def server(receiver: str, address: str) -> Iterator[GraphServer]:
    with graph.running(address) as server:
        server.subscriptions.reachable[URL] = f"{receiver}/graph"
        yield server


@pytest.fixture
def box(server: GraphServer, address: str) -> Box:
    return server.box(address)


class Asking:
    """Requests to the stand-in, as the connector sends them."""

    def __init__(self, server: GraphServer) -> None:
        self.server = server
        self.url = f"{server.url}/v1.0"
        self.asked: list[str] = []
        self.fails: MailboxError | None = None

    def __call__(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        self.asked.append(f"{method} /{path.split('/')[1]}")
        if self.fails is not None:
            raise self.fails
        headers = {"Authorization": f"Bearer {self.server.login.token()}"}
        answer = httpx.request(method, self.url + path, json=body, headers=headers, trust_env=False, timeout=PATIENCE)
        if answer.is_error:
            failure = failure_of(answer.status_code, answer.json()["error"]["code"], "", None)
            if failure.code == "ResourceNotFound":  # what the connector takes for a missing user
                raise AuthenticationFailed("no such user") from Refused(failure)
            raise Refused(failure)
        return answer.json() if answer.content else None


@pytest.fixture
def ask(server: GraphServer) -> Asking:
    return Asking(server)


@pytest.fixture
def secrets() -> Secrets:
    return Secrets.in_memory()


@pytest.fixture
def push(server: GraphServer, address: str, ask: Asking, secrets: Secrets) -> Iterator[Push]:
    push = new(server, address, ask, secrets)
    yield push
    push.close()


def new(server: GraphServer, address: str, ask: Asking, secrets: Secrets) -> Push:
    return Push(address, f"/users/{address}", URL, ask=ask, secrets=secrets, clock=server.now)


def live(server: GraphServer) -> list[str]:
    return list(server.subscriptions.live)


def state(server: GraphServer) -> str:
    (found,) = server.subscriptions.live.values()
    return found.state


class TestBeingTold:
    def test_new_mail_ends_a_wait(self, push: Push, box: Box) -> None:
        push.prepare()
        outcome: list[bool] = []
        waiting = threading.Thread(target=lambda: outcome.append(push.wait(PATIENCE)), daemon=True)
        waiting.start()
        box.deliver(family_mail(1, box.address))
        waiting.join(PATIENCE)
        assert outcome == [True]

    def test_mail_that_comes_between_two_waits_ends_the_next(self, server: GraphServer, push: Push, box: Box) -> None:
        push.prepare()
        box.deliver(family_mail(1, box.address))
        server.subscriptions.settle()
        assert push.wait(PATIENCE) is True
        assert push.wait(0) is False

    def test_sent_mail_and_marks_do_not_ring(self, server: GraphServer, push: Push, box: Box) -> None:
        box.deliver(family_mail(1, box.address))
        push.prepare()
        box.put("sentitems", family_mail(2, box.address))
        box.mark(family_id(1), read=True)
        server.subscriptions.settle()
        assert push.wait(0) is False

    def test_one_mailboxs_mail_does_not_ring_anothers_bell(
        self, server: GraphServer, push: Push, ask: Asking, secrets: Secrets
    ) -> None:
        other = server.box("other.push@maple.example")
        others = new(server, other.address, ask, secrets)
        push.prepare()
        others.prepare()
        other.deliver(family_mail(1, other.address))
        server.subscriptions.settle()
        assert (push.wait(0), others.wait(0)) == (False, True)
        others.close()

    def test_before_anybody_subscribed_waiting_returns_at_once(self, push: Push) -> None:
        assert push.wait(PATIENCE * 100) is False

    def test_another_thread_can_interrupt_a_wait(self, push: Push) -> None:
        push.prepare()
        outcome: list[bool] = []
        waiting = threading.Thread(target=lambda: outcome.append(push.wait(PATIENCE * 10)), daemon=True)
        waiting.start()
        push.interrupt()
        waiting.join(PATIENCE)
        assert outcome == [False]


class TestTheSecret:
    def test_only_the_whole_client_state_rings(self, server: GraphServer, push: Push, address: str) -> None:
        push.prepare()
        right = state(server)
        ticket, _, secret = right.partition(".")
        for wrong in ("", ".", ticket, f"{ticket}.", f"{ticket}.{secret[:-1]}", f".{secret}", right + "x", "é.ß"):
            assert receive(wrong) is False
        assert push.wait(0) is False
        assert receive(right) is True
        assert push.wait(0) is True

    def test_it_is_long_random_and_within_microsofts_limit(
        self, server: GraphServer, push: Push, ask: Asking, address: str
    ) -> None:
        push.prepare()
        first = state(server)
        push.end()
        push.prepare()
        assert first != state(server)
        assert 64 <= len(first) <= 128

    def test_a_closed_mailbox_hears_nothing(self, server: GraphServer, push: Push, address: str) -> None:
        push.prepare()
        right = state(server)
        push.close()
        assert receive(right) is False
        assert bells.wait(address, 0) is False


class TestKeepingIt:
    def test_most_calls_ask_nothing(self, push: Push, ask: Asking) -> None:
        for _ in range(5):
            push.prepare()
        assert ask.asked == ["POST /subscriptions"]

    def test_it_is_renewed_before_it_ends(self, server: GraphServer, push: Push, ask: Asking) -> None:
        push.prepare()
        (before,) = server.subscriptions.live.values()
        first = before.expires
        server.advance(LIFETIME - RENEWED_BEFORE + timedelta(minutes=1))
        push.prepare()
        push.prepare()
        assert ask.asked == ["POST /subscriptions", "PATCH /subscriptions"]
        (after,) = server.subscriptions.live.values()
        assert after.id == before.id
        assert after.expires > first

    def test_one_that_ended_is_made_anew(self, server: GraphServer, push: Push, box: Box) -> None:
        push.prepare()
        server.advance(LIFETIME + timedelta(hours=1))
        assert push.wait(PATIENCE * 100) is False
        push.prepare()
        box.deliver(family_mail(1, box.address))
        assert push.wait(PATIENCE) is True

    def test_a_restart_goes_on_with_the_same_one(
        self, server: GraphServer, push: Push, ask: Asking, secrets: Secrets, box: Box
    ) -> None:
        push.prepare()
        before = live(server)
        push.close()
        again = new(server, box.address, ask, secrets)
        again.prepare()
        assert live(server) == before
        box.deliver(family_mail(1, box.address))
        assert again.wait(PATIENCE) is True
        again.close()

    def test_a_restart_without_a_vault_in_the_same_process_goes_on_too(
        self, server: GraphServer, ask: Asking, address: str
    ) -> None:
        for _ in range(2):
            push = new(server, address, ask, Secrets({}, NoVault()))
            push.prepare()
            push.close()
        assert ask.asked == ["POST /subscriptions", "PATCH /subscriptions"]
        assert len(live(server)) == 1

    @pytest.mark.parametrize("kept", ["nonsense", "{}", '{"id": 1}'])
    def test_one_that_cannot_be_read_is_made_anew(
        self, server: GraphServer, ask: Asking, address: str, kept: str
    ) -> None:
        push = new(server, address, ask, Secrets.in_memory({f"graph/subscription/{address}": kept}))
        push.prepare()
        assert len(live(server)) == 1
        push.close()

    def test_one_for_another_public_address_is_not_used(
        self, server: GraphServer, push: Push, ask: Asking, secrets: Secrets, address: str
    ) -> None:
        push.prepare()
        push.close()
        moved = f"{URL}?moved"
        again = Push(address, f"/users/{address}", moved, ask=ask, secrets=secrets, clock=server.now)
        again.prepare()
        assert [one.url for one in server.subscriptions.live.values()] == [URL, moved]
        again.close()

    def test_one_that_microsoft_no_longer_knows_is_made_anew_after_a_restart(
        self, server: GraphServer, push: Push, ask: Asking, secrets: Secrets, address: str
    ) -> None:
        push.prepare()
        push.close()
        server.subscriptions.live.clear()
        again = new(server, address, ask, secrets)
        again.prepare()
        assert len(live(server)) == 1
        assert "Microsoft tells of new mail" in again.fact
        again.close()

    def test_two_instances_on_one_mailbox_share_one_and_either_may_close(
        self, server: GraphServer, push: Push, ask: Asking, secrets: Secrets, box: Box
    ) -> None:
        other = new(server, box.address, ask, secrets)
        push.prepare()
        other.prepare()
        assert len(live(server)) == 1
        other.close()
        box.deliver(family_mail(1, box.address))
        assert push.wait(PATIENCE) is True

    def test_the_end_ends_it_at_microsoft_too(self, server: GraphServer, push: Push, secrets: Secrets) -> None:
        push.prepare()
        push.end()
        assert live(server) == []
        assert secrets.vault.names() == {}


class TestLifecycle:
    def test_a_removed_one_is_made_anew(self, server: GraphServer, push: Push, box: Box) -> None:
        push.prepare()
        before = live(server)
        server.subscriptions.lifecycle("subscriptionRemoved", box)
        server.subscriptions.settle()
        assert push.wait(PATIENCE * 100) is False, "nobody would tell"
        push.prepare()
        assert len(live(server)) == 1
        assert live(server) != before
        box.deliver(family_mail(1, box.address))
        assert push.wait(PATIENCE) is True

    def test_one_that_wants_to_be_authorised_again_is_renewed(
        self, server: GraphServer, push: Push, ask: Asking, box: Box
    ) -> None:
        push.prepare()
        server.subscriptions.lifecycle("reauthorizationRequired", box)
        assert push.wait(PATIENCE) is True, "the mailbox is read, and prepared before"
        push.prepare()
        push.prepare()
        assert ask.asked == ["POST /subscriptions", "PATCH /subscriptions"]

    def test_what_was_missed_is_read(self, server: GraphServer, push: Push, ask: Asking, box: Box) -> None:
        push.prepare()
        server.subscriptions.muted = True
        box.deliver(family_mail(1, box.address))
        server.subscriptions.settle()
        assert push.wait(0) is False
        server.subscriptions.muted = False
        server.subscriptions.lifecycle("missed", box)
        assert push.wait(PATIENCE) is True
        push.prepare()
        assert ask.asked == ["POST /subscriptions"]


class PushedWorld(GraphWorld):
    """A mailbox that Microsoft tells of, as the connector itself sees to it."""

    push = True

    def open(self, through: Network | None = None, **settings: Any) -> GraphMailbox:
        return super().open(through, **({"notification_url": URL} | settings))


class TestPushedMailbox(RobustnessContract):
    """The connector's own wait, and everything else that more than one thread does."""

    large = 1024 * 1024 * 2

    @pytest.fixture
    def harness(self, server: GraphServer, address: str) -> Iterator[PushedWorld]:
        world = PushedWorld(server, address)
        yield world
        world.close()


class TestFailing:
    def test_an_address_that_microsoft_cannot_reach_means_polling_and_a_later_attempt(
        self, server: GraphServer, push: Push, ask: Asking, caplog: pytest.LogCaptureFixture
    ) -> None:
        reachable = server.subscriptions.reachable.pop(URL)
        server.subscriptions.reachable[URL] = "http://127.0.0.1:1/nobody"
        push.prepare()
        assert (live(server), push.wait(PATIENCE * 100)) == ([], False)
        assert "notification_url" in caplog.text
        assert "polled" in push.fact
        push.prepare()
        assert len(ask.asked) == 1, "it is not asked at every poll"
        server.subscriptions.reachable[URL] = reachable
        server.advance(timedelta(minutes=6))
        push.prepare()
        assert len(live(server)) == 1

    def test_attempts_grow_rarer(self, server: GraphServer, push: Push, ask: Asking) -> None:
        ask.fails = ConnectFailed("no network")
        for _ in range(24 * 60):
            push.prepare()
            server.advance(timedelta(minutes=1))
        assert 20 <= len(ask.asked) <= 30

    def test_a_renewal_that_fails_is_tried_again_while_the_old_one_lives(
        self, server: GraphServer, push: Push, ask: Asking, box: Box
    ) -> None:
        push.prepare()
        before = live(server)
        server.subscriptions.lifecycle("reauthorizationRequired", box)
        server.subscriptions.settle()
        assert push.wait(PATIENCE) is True
        ask.fails = ConnectFailed("no network")
        push.prepare()
        ask.fails = None
        box.deliver(family_mail(1, box.address))
        assert push.wait(PATIENCE) is True
        server.advance(timedelta(minutes=6))
        push.prepare()
        assert ask.asked == ["POST /subscriptions", "PATCH /subscriptions", "PATCH /subscriptions"]
        assert live(server) == before

    def test_the_answer_may_be_lost_and_no_secret_stays_behind(
        self, server: GraphServer, push: Push, ask: Asking
    ) -> None:
        ask.fails = ConnectFailed("broken")
        push.prepare()
        ask.fails = None
        assert (live(server), push.wait(0)) == ([], False)

    def test_a_lacking_right_means_polling(self, server: GraphServer, push: Push, ask: Asking) -> None:
        server.login.rights.discard("Mail.ReadWrite")
        push.prepare()
        assert (live(server), push.wait(PATIENCE * 100)) == ([], False)

    def test_an_unreadable_answer_means_polling(self, server: GraphServer, address: str) -> None:
        for answer in (None, {}, {"id": "x"}, {"id": "x", "expirationDateTime": "soon"}, []):
            push = Push(address, "/me", URL, ask=lambda *_: answer, secrets=Secrets.in_memory(), clock=server.now)  # noqa: B023
            push.prepare()
            assert push.wait(PATIENCE * 100) is False

    def test_a_vault_that_fails_does_not_stop_the_mail(self, server: GraphServer, ask: Asking, address: str) -> None:
        class Broken(NoVault):
            def get(self, name: str, *_: str) -> str | None:
                raise ConfigError([Fault("vault", name, "a readable file")])

            put = forget = get

        push = new(server, address, ask, Secrets({}, Broken()))
        push.prepare()
        assert receive(state(server), Lifecycle.SUBSCRIPTION_REMOVED) is True
        push.prepare()
        assert push.wait(0) in (True, False)
        push.close()

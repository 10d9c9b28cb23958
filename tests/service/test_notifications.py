"""The receiver of change notifications: quick, bounded, and of no use to strangers."""

import socket
from collections.abc import Iterator
from contextlib import closing, suppress

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from config import ConfigError
from config.settings import Graph, Settings
from connectors.graph_push import Lifecycle
from service.notifications import LARGEST, create_app, receiving, serving

URL = "https://alliance.maple.example/graph/told"
RIGHT = "ticket.secret"
PATIENCE = 30.0
"""Seconds after which a busy machine is taken to hang."""


class Taken:
    """What the receiver passed on."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Lifecycle | None]] = []

    def __call__(self, client_state: str, lifecycle: Lifecycle | None) -> bool:
        self.calls.append((client_state, lifecycle))
        return client_state == RIGHT


@pytest.fixture(scope="module")
def taken() -> Taken:
    return Taken()


@pytest.fixture(scope="module")
def receiver(taken: Taken) -> Iterator[httpx.Client]:
    with (
        serving(create_app(URL, taken), "127.0.0.1:0") as address,
        httpx.Client(base_url=address, trust_env=False, timeout=PATIENCE) as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def nothing_taken(taken: Taken) -> None:
    taken.calls.clear()


PATH = "/graph/told"


@pytest.mark.parametrize("token", ["Validation: Testing client application reachability &+%é", "<script>x</script>"])
def test_a_validation_token_comes_back_as_plain_text(receiver: httpx.Client, taken: Taken, token: str) -> None:
    answer = receiver.post(PATH, params={"validationToken": token}, headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.text) == (200, token)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert taken.calls == []


@pytest.mark.parametrize("token", ["", "x" * 2049, "a\r\nb", "\x00"])
def test_what_is_no_token_is_not_repeated(receiver: httpx.Client, token: str) -> None:
    answer = receiver.post(PATH, params={"validationToken": token})
    assert (answer.status_code, answer.content) == (400, b"")


def test_notifications_are_passed_on_and_accepted(receiver: httpx.Client, taken: Taken) -> None:
    body = {
        "value": [
            {"clientState": RIGHT, "changeType": "created", "resourceData": {"id": "x"}, "tenantId": "t"},
            {"clientState": RIGHT, "lifecycleEvent": "subscriptionRemoved", "subscriptionId": "s"},
            {"clientState": RIGHT, "lifecycleEvent": "something new"},
        ]
    }
    answer = receiver.post(PATH, json=body)
    assert (answer.status_code, answer.content) == (202, b"")
    assert taken.calls == [(RIGHT, None), (RIGHT, Lifecycle.SUBSCRIPTION_REMOVED), (RIGHT, None)]


def test_a_stranger_gets_the_same_answer_and_leaves_no_words_in_the_log(receiver: httpx.Client) -> None:
    with structlog.testing.capture_logs() as logs:
        right, wrong = (
            receiver.post(PATH, json={"value": [{"clientState": state, "resource": "Users/mia@family.example"}]})
            for state in (RIGHT, "a guess")
        )
    assert (wrong.status_code, wrong.content) == (right.status_code, right.content) == (202, b"")
    assert [entry["notifications"] for entry in logs] == [1]
    assert not any("guess" in str(entry) or "family" in str(entry) for entry in logs)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"value": 1}',
        b'{"value": [1]}',
        b"\xff\xfe",
        b'{"value": [{"clientState": "' + b"x" * 129 + b'"}]}',
        b'{"value": [{"clientState": "\\ud800"}]}',
        b'{"value": [' + b"{}," * 1000 + b"{}]}",
    ],
)
def test_what_is_no_notification_is_refused(receiver: httpx.Client, taken: Taken, body: bytes) -> None:
    answer = receiver.post(PATH, content=body)
    assert (answer.status_code, answer.content, taken.calls) == (400, b"", [])


@given(body=st.binary(max_size=200))
def test_no_body_whatsoever_is_an_error_of_ours(receiver: httpx.Client, body: bytes) -> None:
    assert receiver.post(PATH, content=body).status_code in (202, 400)


def test_more_than_a_little_is_not_read(receiver: httpx.Client, taken: Taken) -> None:
    assert receiver.post(PATH, content=b" " * (LARGEST + 1)).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 65536

    with suppress(httpx.WriteError):  # hung up on while it was still talking, which is as good
        assert receiver.post(PATH, content=endless()).status_code == 413
    assert receiver.post(PATH, json={"value": []}).status_code == 202
    assert taken.calls == []


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("PUT", PATH), ("POST", "/"), ("GET", "/docs")])
def test_nothing_else_is_served(receiver: httpx.Client, method: str, path: str) -> None:
    assert receiver.request(method, path).status_code in (404, 405)


def test_the_server_does_not_say_what_it_is(receiver: httpx.Client) -> None:
    assert "server" not in receiver.post(PATH, json={"value": []}).headers


def test_it_stops_with_its_block_and_frees_the_address() -> None:
    app = create_app(URL, Taken())
    with serving(app, "127.0.0.1:0") as address:
        listen = address.removeprefix("http://")
        assert httpx.post(address + PATH, json={"value": []}, trust_env=False, timeout=PATIENCE).status_code == 202
    with pytest.raises(httpx.ConnectError):
        httpx.post(address + PATH, json={"value": []}, trust_env=False, timeout=PATIENCE)
    with serving(app, listen) as again:
        assert again == address


def test_an_installation_listens_only_where_microsoft_is_told_an_address() -> None:
    silent = Settings.model_construct(graph=None)
    told = Settings.model_construct(
        graph=Graph(tenant="t", client_id="c", notification_url=URL, notification_listen="127.0.0.1:0")
    )
    with receiving(silent) as nowhere, receiving(told) as address:
        assert nowhere is None
        assert address is not None
        assert httpx.post(address + PATH, json={"value": []}, trust_env=False, timeout=PATIENCE).status_code == 202


def test_an_address_that_is_taken_is_an_error_that_names_the_setting() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"notification_listen.*{listen}"), serving(create_app(URL), listen):
            pass


@pytest.mark.parametrize("listen", ["127.0.0.1:99999", "no.such.host.example:1"])
def test_an_address_that_is_none_is_an_error_that_names_the_setting(listen: str) -> None:
    with pytest.raises(ConfigError, match="notification_listen"), serving(create_app(URL), listen):
        pass

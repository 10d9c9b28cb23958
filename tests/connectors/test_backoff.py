"""Patience with a busy server: what it asks for is kept, and no call waits for ever."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.backoff import Busy, Patience, retry_after
from connectors.errors import FetchFailed, Throttled

NOW = datetime(2026, 9, 7, 8, 0, tzinfo=UTC)


class Server:
    """Answers after so many refusals, and notes the pauses that were made."""

    def __init__(self, *refusals: float | None) -> None:
        self.refusals = list(refusals)
        self.pauses: list[float] = []

    def ask(self) -> str:
        if self.refusals:
            raise Busy("429", self.refusals.pop(0))
        return "answer"

    def patience(self, **settings: float) -> Patience:
        return Patience(sleep=self.pauses.append, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("Mon, 07 Sep 2026 08:01:30 GMT", 90),
        ("Mon, 07 Sep 2026 07:00:00 GMT", 0),
        ("999999999999", 24 * 3600),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.text())
def test_nonsense_in_retry_after_is_never_an_error_and_never_in_the_past(value: str) -> None:
    assert (retry_after(value, NOW) or 0) >= 0


def test_a_pause_that_the_server_names_is_kept() -> None:
    server = Server(7, 3)
    assert server.patience().run(server.ask) == "answer"
    assert server.pauses == [7, 3]


def test_without_a_named_pause_they_grow_and_stay_bounded() -> None:
    server = Server(*[None] * 6)
    assert server.patience(first=1, longest=4, seconds=100).run(server.ask) == "answer"
    assert len(server.pauses) == 6
    assert all(pause <= most for pause, most in zip(server.pauses, (1, 2, 4, 4, 4, 4), strict=True))
    assert len(set(server.pauses)) == 6, "pauses without jitter"


def test_a_pause_longer_than_a_call_may_take_is_left_to_the_runner() -> None:
    server = Server(300)
    with pytest.raises(Throttled) as error:
        server.patience(seconds=60).run(server.ask)
    assert (error.value.retry_after, server.pauses) == (300, [])


def test_patience_ends_after_so_many_attempts() -> None:
    server = Server(*[0.0] * 50)
    with pytest.raises(Throttled):
        server.patience(attempts=8).run(server.ask)
    assert len(server.pauses) == 7


def test_other_errors_pass_at_once() -> None:
    def broken() -> None:
        raise FetchFailed("no")

    with pytest.raises(FetchFailed):
        Patience(sleep=lambda _: pytest.fail("it waits")).run(broken)

"""Patience with a server that is busy: how long to pause, and when to give up (RFC 9110 §10.2.3, §15.5.30, §15.6.4).

For systems over HTTP. A pause that the server names is kept; without one the pauses double, with jitter, so that many
mailboxes do not come back at once. What takes longer than a call may take ends in `Throttled`: the runner then waits.
Where many mailboxes share few threads, a call may hardly wait at all (`wait_at_most`): the wait is the mailbox's alone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from connectors.errors import Throttled

_Answer = TypeVar("_Answer")
_LONGEST_NAMED = 24 * 3600.0
"""Seconds: what a server asks beyond it is taken for a mistake."""


class Busy(Exception):
    """One request met a server that is busy, or a fault that passes. `after` are the seconds that the server named."""

    of_this_alone = False
    """Whether the fault may lie in what was asked for: how often it was asked for then decides what becomes of it, and
    every pause is taken where it is met."""

    def __init__(self, text: str, after: float | None = None) -> None:
        super().__init__(text)
        self.after = after


def retry_after(value: str | None, now: datetime) -> float | None:
    """The seconds that a Retry-After field asks for (RFC 9110 §10.2.3: seconds or a date); None where it is absent or
    unreadable. `now` is aware."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_NAMED)
    try:
        date = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max(0.0, (date - now).total_seconds()), _LONGEST_NAMED)


_waits: list[float] = []


def wait_at_most(seconds: float | None) -> None:
    """From now on no call of this process pauses for longer than so many seconds, all in all, because a server is busy
    or a quota is used up: it raises `Throttled` instead. None: each call as long as its own patience."""
    _waits[:] = [] if seconds is None else [seconds]


def longest_wait(wanted: float) -> float:
    """Seconds that a call may pause which would pause so long in a thread of its own."""
    return min([wanted, *_waits])


@dataclass(frozen=True)
class Patience:
    """Repeats a request while the server is busy."""

    seconds: float = 60.0
    """Pauses that would add up to more are left to the runner."""
    first: float = 1.0
    """Seconds: upper end of the first pause where the server names none."""
    longest: float = 30.0
    """Seconds: upper end of any such pause."""
    attempts: int = 8
    sleep: Callable[[float], None] = time.sleep

    def run(self, request: Callable[[], _Answer]) -> _Answer:
        """What `request` returns. It is repeated while it raises `Busy`; every other error passes. Only for requests
        that may be repeated. Raises `Throttled` where patience ends."""
        named = wait_random_exponential(multiplier=self.first, max=self.longest)

        def pause(state: RetryCallState) -> float:
            after = _busy(state).after
            return named(state) if after is None else after

        def enough(state: RetryCallState) -> bool:
            longest = self.seconds if _busy(state).of_this_alone else longest_wait(self.seconds)
            return state.attempt_number >= self.attempts or state.idle_for + state.upcoming_sleep > longest

        retrying = Retrying(
            retry=retry_if_exception_type(Busy), wait=pause, stop=enough, sleep=self.sleep, reraise=True
        )
        try:
            return retrying(request)
        except Busy as error:
            raise Throttled(str(error), error.after) from error


def _busy(state: RetryCallState) -> Busy:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, Busy) else Busy("")

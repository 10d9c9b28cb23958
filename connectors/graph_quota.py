"""What Microsoft Graph allows an application: requests of all its mailboxes together, and pauses of all.

https://learn.microsoft.com/graph/throttling-limits. One `Budget` for each application in this process; where several
processes share it, they book requests in portions (`connectors.allowance`). What Outlook allows (10,000 requests in ten
minutes, 4 at a time) it allows each application for each mailbox: one worker at a time is at a mailbox, and what is
asked of that mailbox, to wait, is its own.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from connectors.allowance import Holds, Portions, holds
from connectors.graph_errors import Failure

PER_MINUTE = 6 * 130_000
"""Requests of one application, in whichever tenant: 130,000 within ten seconds. Each part of a batch is one."""
_UNNAMED = 10.0
"""Seconds that an application pauses where Microsoft names none."""


@dataclass
class Budget:
    """One application's requests. Threads share it."""

    client_id: str
    holds: Holds = field(default_factory=Holds)
    """Their purse is where other processes book for the same application; without one, this process alone does not come
    near the limit."""
    clock: Callable[[], float] = time.monotonic
    """Tells seconds, from any start."""
    _portions: Portions | None = field(init=False)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        purse = self.holds.purse
        self._portions = None if purse is None else Portions(self.account, PER_MINUTE, purse)

    @property
    def account(self) -> str:
        """What the application's allowance is called."""
        return f"graph {self.client_id}"

    def take(self, requests: int, at_most: float = inf) -> float:
        """Books so many requests. Returns the seconds to wait before they are made; where those are more than
        `at_most`, none is booked."""
        held = self.holds.held(self.account)
        if held > at_most or self._portions is None:
            return held
        with self._lock:
            return max(held, self._portions.take(requests, self.clock(), at_most))

    def pause(self, seconds: float | None) -> None:
        """The application is to make no request for so long, in no process; for a while where it is not said how
        long."""
        self.holds.hold(self.account, seconds or _UNNAMED)

    def refused(self, failure: Failure) -> None:
        """A request was refused. What that says of the whole application holds for all its mailboxes."""
        if failure.of_application:
            self.pause(failure.retry_after)


_budgets: dict[str, Budget] = {}
_budgets_lock = threading.Lock()


def budget_of(client_id: str) -> Budget:
    """The budget that all mailboxes of an application share in this process, and with others where there is a purse."""
    current = holds()
    with _budgets_lock:
        found = _budgets.get(client_id)
        if found is None or found.holds is not current:
            found = _budgets[client_id] = Budget(client_id, current)
        return found

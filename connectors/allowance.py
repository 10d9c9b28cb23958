"""What a provider allows a whole district: a connector books here what it is about to spend, in portions, and leaves
all mailboxes of an account alone where the provider asks that of the account and not of one mailbox.

One process alone keeps to a provider's limits by itself. Where several workers share a limit, somebody else keeps the
sum: they hand in a `Purse`, and connectors book from it. A connector that knows no such limit has nothing to do here.
An account's name begins with its connector's: "gmail maple-inbox" is a Cloud project.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

BURST_SECONDS = 5.0
"""Units of so many seconds may be booked at once, by all together."""
_GOOD_FOR = 5.0
"""Seconds after which what is left of a portion is let go: spent later, it would stand in another minute."""
_PORTION_SECONDS = 1.0
LONGEST_HOLD = 300.0
"""Seconds: however long a provider asks to leave a whole account alone, one mailbox asks again after these. If it was
meant, the answer is the same; if it was a mistake, it has not stopped a district for a day."""
STEADY = 1 - (BURST_SECONDS + _GOOD_FOR) / 60
"""The share of a minute's units that is handed out steadily, so that no minute has more than all of them."""


class Purse(Protocol):
    """Keeps the sum of what all workers spend. Any thread may call it."""

    def book(
        self, account: str, portion: float, per_minute: float, burst_seconds: float, at_most: float = inf
    ) -> float:
        """Books `portion` units of an account that allows so many `per_minute`, and those of `burst_seconds` at once.
        Returns the seconds after which they may be spent; where those are more than `at_most`, nothing is booked.
        Raises nothing."""
        ...

    def hold(self, account: str, seconds: float) -> None:
        """Nobody is to ask an account for anything for so long. Raises nothing."""
        ...

    def held(self, account: str) -> float:
        """The seconds for which nobody is to ask an account for anything, as it was known a moment ago. Raises
        nothing."""
        ...


_purse: list[Purse] = []


def share(purse: Purse | None) -> None:
    """From now on the mailboxes that this process opens book from `purse`; None: each process keeps to the limits by
    itself. What it knew of accounts that are left alone is forgotten."""
    _purse[:] = [] if purse is None else [purse]
    _holds[:] = [Holds(purse)]


def shared() -> Purse | None:
    """The purse that is shared with other processes; None where there is none."""
    return _purse[0] if _purse else None


@dataclass
class Holds:
    """The accounts that a provider asked to be left alone, as this process knows, and by its purse the others. Threads
    share it."""

    purse: Purse | None = None
    clock: Callable[[], float] = time.monotonic
    """Tells seconds, from any start."""
    _until: dict[str, float] = field(init=False, default_factory=dict)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def hold(self, account: str, seconds: float) -> None:
        """The provider asks to leave all mailboxes of an account alone for so long."""
        seconds = min(seconds, LONGEST_HOLD)
        with self._lock:
            self._until[account] = max(self._until.get(account, 0.0), self.clock() + seconds)
        if self.purse is not None:
            self.purse.hold(account, seconds)

    def held(self, account: str) -> float:
        """Seconds for which no mailbox of an account is to be asked for anything."""
        with self._lock:
            own = max(0.0, self._until.get(account, 0.0) - self.clock())
        return own if self.purse is None else max(own, self.purse.held(account))


_holds: list[Holds] = [Holds()]


def holds() -> Holds:
    """What this process's mailboxes look at before they ask a provider for anything."""
    return _holds[0]


@dataclass(slots=True)
class Portions:
    """What this process has booked of one account and not spent yet. The caller sees to it that one thread uses it at a
    time."""

    account: str
    per_minute: float
    purse: Purse
    _left: float = 0.0
    _ready_at: float = 0.0
    _good_until: float = 0.0

    def wait(self, units: float, now: float) -> float:
        """Seconds that a request of so many units would have to wait, as far as that is known here: asks nobody."""
        return 0.0 if self._has(units, now) else max(0.0, self._ready_at - now)

    def free(self, now: float) -> float:
        """Units that may be spent at once; where none are left, as many as a new portion holds."""
        if self._ready_at > now:
            return 0.0
        return self._left if self._has(1, now) else self._portion

    def take(self, units: float, now: float, at_most: float = inf) -> float:
        """Spends units, booked before or now. Returns the seconds to wait first; where those are more than `at_most`,
        nothing is spent."""
        if (wait := self._ready_at - now) > at_most:
            return wait
        if not self._has(units, now):
            self._left = min(self._left, 0.0) if now > self._good_until else self._left
            portion = max(self._portion, units - self._left)
            wait = self.purse.book(self.account, portion, self.per_minute * STEADY, BURST_SECONDS, at_most)
            if wait > at_most:
                return wait
            self._left += portion
            self._ready_at = max(self._ready_at, now + wait)
            self._good_until = self._ready_at + _GOOD_FOR
        self._left -= units
        return max(0.0, self._ready_at - now)

    def give_back(self, units: float) -> None:
        """Units that were taken, and are not spent after all."""
        self._left += units

    def hold(self, seconds: float, now: float) -> None:
        """None is to be spent for so long: the provider says so."""
        self._left, self._ready_at = min(self._left, 0.0), max(self._ready_at, now + seconds)

    def _has(self, units: float, now: float) -> bool:
        return self._left >= units and now <= self._good_until

    @property
    def _portion(self) -> float:
        return self.per_minute / 60 * _PORTION_SECONDS


class Little(Protocol):
    """What a process may spend without booking."""

    def little(self, units: float, now: float) -> float:
        """Spends so many units where they are there, and returns 0; otherwise the seconds until they are."""
        ...

    def hold(self, seconds: float, now: float) -> None:
        """None is to be spent for so long."""
        ...


@dataclass(slots=True)
class Trickle:
    """An account of which every process may spend a little without booking, so that a look at a quiet mailbox asks
    nobody."""

    little: Little
    portions: Portions

    def wait(self, units: float, now: float) -> float:
        """As `Portions.wait`."""
        return self.portions.wait(units, now)

    def free(self, now: float) -> float:
        """As `Portions.free`."""
        return self.portions.free(now)

    def take(self, units: float, now: float, at_most: float = inf) -> float:
        """As `Portions.take`."""
        return 0.0 if self.little.little(units, now) == 0 else self.portions.take(units, now, at_most)

    def hold(self, seconds: float, now: float) -> None:
        """As `Portions.hold`."""
        self.little.hold(seconds, now)
        self.portions.hold(seconds, now)

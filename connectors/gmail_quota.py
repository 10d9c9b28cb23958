"""Google's quota units: what each request costs, and a pace that keeps to the limits.

developers.google.com/workspace/gmail/api/reference/quota. One `Pace` for each Cloud project in this process, shared by
all its mailboxes, so that a district's thousandth teacher does not take the first one's turn. Where several processes
share a project, they book what they spend in portions (`connectors.allowance`).
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from connectors.allowance import Holds, Portions, Purse, Trickle, shared

UNITS = {
    "gmail.users.getProfile": 1,
    "gmail.users.history.list": 2,
    "gmail.users.labels.create": 5,
    "gmail.users.labels.list": 1,
    "gmail.users.messages.batchModify": 50,
    "gmail.users.messages.get": 5,
    "gmail.users.messages.list": 5,
    "gmail.users.messages.modify": 5,
    "gmail.users.threads.get": 10,
    "gmail.users.settings.getVacation": 1,
    "gmail.users.drafts.create": 10,
    "gmail.users.drafts.delete": 10,
    "gmail.users.drafts.get": 5,
    "gmail.users.drafts.list": 5,
    "gmail.users.drafts.send": 100,
    "gmail.users.watch": 100,
}
"""Units by method id of the discovery document."""
_BURST_SECONDS = 10.0
"""Units of so many seconds may be spent at once; the steady rate is lower by as much, so that no minute has more."""
_WITHOUT_BOOKING = 0.05
"""The share of a mailbox's units that a process may spend without booking it with the others."""
_AT_ONE_MAILBOX = 4
"""So many processes come to one mailbox within a minute, and hardly ever more than one."""


class _Limit(Protocol):
    """One limit."""

    def wait(self, units: float, now: float) -> float:
        """Seconds until so many units may be spent."""
        ...

    def free(self, now: float) -> float:
        """Units that may be spent at once."""
        ...

    def take(self, units: float, now: float, at_most: float = inf) -> float:
        """Spends so many units. Returns the seconds to wait before they are used; where those are more than `at_most`,
        none is spent."""
        ...

    def hold(self, seconds: float, now: float) -> None:
        """None is to be spent for so long."""
        ...


class _Common(_Limit, Protocol):
    """A limit that all mailboxes share."""

    def give_back(self, units: float) -> None:
        """Units that were taken, and are not spent after all."""
        ...


@dataclass
class _Meter:
    """One limit: when all that was spent so far is paid for (the generic cell rate algorithm, ITU-T I.371)."""

    per_minute: float
    paid_at: float = 0.0

    def wait(self, units: float, now: float) -> float:
        """Seconds until so many units may be spent."""
        burst = self.per_minute * _BURST_SECONDS / 60
        owed = max(self.paid_at, now) + min(units, burst) / self._rate
        return max(0.0, owed - now - burst / self._rate)

    def free(self, now: float) -> float:
        """Units that may be spent at once."""
        return max(0.0, self.per_minute * _BURST_SECONDS / 60 - max(0.0, self.paid_at - now) * self._rate)

    def take(self, units: float, now: float, at_most: float = inf) -> float:
        """Spends so many units. Returns the seconds to wait before they are used; where those are more than `at_most`,
        none is spent."""
        pause = self.wait(units, now)
        if pause <= at_most:
            self.paid_at = max(self.paid_at, now) + units / self._rate
        return pause

    def give_back(self, units: float) -> None:
        """Units that were taken, and are not spent after all."""
        self.paid_at -= units / self._rate

    def hold(self, seconds: float, now: float) -> None:
        """None is to be spent for so long."""
        self.paid_at = max(self.paid_at, now + seconds)

    def little(self, units: float, now: float) -> float:
        """Spends so many units where they are there, and returns 0; otherwise the seconds until they are."""
        wait = self.wait(units, now)
        return wait if wait > 0 else self.take(units, now)

    @property
    def _rate(self) -> float:
        return self.per_minute * (1 - _BURST_SECONDS / 60) / 60


@dataclass
class Pace:
    """The pace of one Cloud project. May be used by many threads at once."""

    per_minute: int
    """Units a minute for the whole project."""
    per_minute_per_user: int
    """Units a minute for one mailbox."""
    clock: Callable[[], float] = time.monotonic
    """Tells seconds, from any start."""
    project: str = ""
    purse: Purse | None = None
    """Where other processes spend of the same limits: what keeps the sum, under the project's name."""
    _project: _Common = field(init=False)
    _holds: Holds = field(init=False)
    _users: dict[str, _Limit] = field(init=False, default_factory=dict)
    _spent: dict[str, int] = field(init=False, default_factory=dict)
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._project = (
            _Meter(self.per_minute) if self.purse is None else Portions(self.account, self.per_minute, self.purse)
        )
        self._holds = Holds(self.purse, self.clock)

    @property
    def account(self) -> str:
        """What the project's allowance is called."""
        return f"gmail {self.project}"

    def wait(self, address: str, units: int) -> float:
        """Seconds that a request of so many units would have to wait now."""
        now = self.clock()
        with self._lock:
            wait = max(self._project.wait(units, now), self._user(address).wait(units, now))
        return max(wait, self._holds.held(self.account))

    def free(self, address: str) -> int:
        """Units that this mailbox may use now without waiting."""
        if self._holds.held(self.account) > 0:
            return 0
        now = self.clock()
        with self._lock:
            return int(min(self._project.free(now), self._user(address).free(now)))

    def take(self, address: str, units: int, at_most: float = inf) -> float:
        """Books so many units for this mailbox. Returns the seconds to wait before they are used; where those are more
        than `at_most`, none is booked."""
        held = self._holds.held(self.account)
        if held > at_most:
            return held
        now = self.clock()
        with self._lock:
            common = self._project.take(units, now, at_most)
            if common > at_most:
                return common
            own = self._user(address).take(units, now, at_most)
            if own > at_most:
                self._project.give_back(units)
                return own
            self._spent[address] = self._spent.get(address, 0) + units
            return max(held, common, own)

    def refused(self, address: str, seconds: float, *, by_project: bool = False) -> None:
        """Google says that the quota is used up (another program may share it): this mailbox spends none for so long;
        where the quota is the project's, no mailbox of it does, in no process."""
        if by_project:
            self._holds.hold(self.account, seconds)
            return
        now = self.clock()
        with self._lock:
            self._user(address).hold(seconds, now)

    def spent(self, address: str) -> int:
        """Units that this mailbox has used since the process began."""
        with self._lock:
            return self._spent.get(address, 0)

    def _user(self, address: str) -> _Limit:
        if address not in self._users:
            self._users[address] = self._new_user(address)
        return self._users[address]

    def _new_user(self, address: str) -> _Limit:
        if self.purse is None:
            return _Meter(self.per_minute_per_user)
        little = _Meter(self.per_minute_per_user * _WITHOUT_BOOKING)
        booked = self.per_minute_per_user * (1 - _AT_ONE_MAILBOX * _WITHOUT_BOOKING)
        return Trickle(little, Portions(f"{self.account} {address}", booked, self.purse))


_paces: dict[tuple[str, int, int, int], Pace] = {}
_paces_lock = threading.Lock()


def pace_of(project: str, per_minute: int, per_minute_per_user: int) -> Pace:
    """The pace that all mailboxes of a Cloud project share in this process, and with others where there is a purse."""
    purse = shared()
    with _paces_lock:
        key = (project, per_minute, per_minute_per_user, id(purse))
        return _paces.setdefault(key, Pace(per_minute, per_minute_per_user, project=project, purse=purse))

"""What providers and processes tell each other beside the mail: quotas that are shared, and mailboxes that changed."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime
from math import inf

import structlog

from connectors import allowance, backoff, bells, graph_push
from connectors.graph_push import Lifecycle
from service.logs import place
from store.allowances import Allowances
from store.database import Database
from store.mailbox_turns import MailboxTurns
from store.push_tickets import PushTickets

log = structlog.get_logger()

_LOOKS_EVERY = 1.0
"""Seconds between two looks at which accounts are left alone."""
_LONGEST_PAUSE = 2.0
"""Seconds that a thread waits at one mailbox because its provider is busy: what is longer is the mailbox's next turn,
and the thread is another mailbox's meanwhile."""
_WITHOUT_DATABASE = 1.0
"""Seconds that a portion costs where nobody can keep the sum just now: with the database away little is asked for."""


class DistrictPurse:
    """What all workers may spend together, and which accounts they leave alone, kept by the database. Threads share
    it."""

    def __init__(self, allowances: Allowances, clock: Callable[[], float] = time.monotonic) -> None:
        """`allowances` keeps the sums; `clock` tells seconds, from any start."""
        self._allowances = allowances
        self._clock = clock
        self._until: dict[str, float] = {}
        self._looks_at = 0.0
        self._lock = threading.Lock()

    def book(
        self, account: str, portion: float, per_minute: float, burst_seconds: float, at_most: float = inf
    ) -> float:
        """As `connectors.allowance.Purse`."""
        try:
            return self._allowances.book(account, portion, per_minute, burst_seconds, at_most)
        except Exception as error:  # noqa: BLE001 - the database may be away, and comes back
            log.warning("a quota cannot be booked", error=place(error))
            return _WITHOUT_DATABASE

    def hold(self, account: str, seconds: float) -> None:
        """As `connectors.allowance.Purse`."""
        with self._lock:
            until = self._clock() + seconds
            begins = self._until.get(account, 0.0) <= self._clock()
            self._until[account] = max(self._until.get(account, 0.0), until)
        if begins:
            system, _, _ = account.partition(" ")
            log.warning(
                "a provider asks to wait, for whichever mailbox", system=system, next_try_in_seconds=round(seconds)
            )
        try:
            self._allowances.pause(account, seconds)
        except Exception as error:  # noqa: BLE001 - the others are told so by the provider themselves
            log.warning("a quota cannot be booked", error=place(error))

    def held(self, account: str) -> float:
        """As `connectors.allowance.Purse`: looked at once in a second, for all accounts that anybody asked for."""
        with self._lock:
            now = self._clock()
            known = account in self._until
            self._until.setdefault(account, 0.0)
            looks = not known or now >= self._looks_at
            if looks:
                self._looks_at = now + _LOOKS_EVERY
                accounts = list(self._until)
        if looks:
            self._look(accounts)
        return max(0.0, self._until[account] - self._clock())

    def holds(self, system: str) -> float:
        """Seconds for which all mailboxes of a system are left alone, as far as this process has come to its accounts:
        a system has one for all of its mailboxes."""
        with self._lock:
            accounts = [account for account in self._until if account.startswith(f"{system} ")]
        return max((self.held(account) for account in accounts), default=0.0)

    def _look(self, accounts: list[str]) -> None:
        try:
            paused = self._allowances.paused(accounts)
        except Exception as error:  # noqa: BLE001 - as above; what is known holds
            log.warning("a quota cannot be booked", error=place(error))
            return
        now = self._clock()
        with self._lock:
            for account, seconds in paused.items():
                self._until[account] = max(self._until.get(account, 0.0), now + seconds)


class Rung:
    """Mailboxes whose bells rang in this process, until somebody looks after them. Threads share it."""

    def __init__(self) -> None:
        """None yet."""
        self._addresses: set[str] = set()
        self._lock = threading.Lock()

    def add(self, address: str) -> None:
        """One rang."""
        with self._lock:
            self._addresses.add(address)

    def taken(self) -> set[str]:
        """Those that rang since this was last asked."""
        with self._lock:
            rung, self._addresses = self._addresses, set()
        return rung


def sharing(purse: DistrictPurse) -> ExitStack:
    """While the block runs, connectors of this process book from the district's purse."""
    stack = ExitStack()
    allowance.share(purse)
    stack.callback(allowance.share, None)
    return stack


def listening(database: Database, purse: DistrictPurse, rung: Rung) -> ExitStack:
    """While the block runs, connectors of this process book from the district's purse and hold no thread while a
    provider asks to wait, their bells are heard by `rung`, and every subscription they make is known to the
    district."""
    tickets = PushTickets(database)

    def keep(client_state: str, mailbox: str, expires: datetime) -> None:
        try:
            tickets.keep(client_state, mailbox, expires)
        except Exception as error:  # noqa: BLE001 - it is polled as ever
            log.warning("a subscription is not known to other processes", mailbox=mailbox, error=place(error))

    stack = sharing(purse)
    backoff.wait_at_most(_LONGEST_PAUSE)
    stack.callback(backoff.wait_at_most, None)
    stack.callback(bells.tell(rung.add))
    stack.callback(graph_push.register_with(keep))
    return stack


def receiver(database: Database) -> Callable[[str, Lifecycle | None], bool]:
    """What takes Microsoft's notifications, also those of mailboxes that workers look after: each has its turn at once.
    What Microsoft says of a subscription's own life is minded by whoever renews it, within a day."""
    tickets, turns = PushTickets(database), MailboxTurns(database, "")
    shared = database.url.get_backend_name() == "postgresql"

    def receive(client_state: str, lifecycle: Lifecycle | None = None) -> bool:
        if graph_push.receive(client_state, lifecycle):
            return True
        if not shared:
            return False
        mailbox = tickets.mailbox_of(client_state)
        if mailbox is None:
            return False
        turns.wake([mailbox])
        return True

    return receive

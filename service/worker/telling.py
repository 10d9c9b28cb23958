"""What providers and processes tell each other beside the mail: quotas that are shared, and mailboxes that changed."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime

import structlog

from connectors import allowance, bells, graph_push
from connectors.graph_push import Lifecycle
from service.logs import place
from store.allowances import Allowances
from store.database import Database
from store.mailbox_turns import MailboxTurns
from store.push_tickets import PushTickets

log = structlog.get_logger()

_WITHOUT_DATABASE = 1.0
"""Seconds that a portion costs where nobody can keep the sum just now: with the database away little is asked for."""


class DistrictPurse:
    """What all workers may spend together, kept by the database."""

    def __init__(self, allowances: Allowances) -> None:
        """`allowances` keeps the sums."""
        self._allowances = allowances

    def book(self, account: str, portion: float, per_minute: float, burst_seconds: float) -> float:
        """As `connectors.allowance.Purse`."""
        try:
            return self._allowances.book(account, portion, per_minute, burst_seconds)
        except Exception as error:  # noqa: BLE001 - the database may be away, and comes back
            log.warning("a quota cannot be booked", error=place(error))
            return _WITHOUT_DATABASE


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


def listening(database: Database, allowances: Allowances, rung: Rung) -> ExitStack:
    """While the block runs, connectors of this process book from the district's purse, their bells are heard by `rung`,
    and every subscription they make is known to the district."""
    tickets = PushTickets(database)

    def keep(client_state: str, mailbox: str, expires: datetime) -> None:
        try:
            tickets.keep(client_state, mailbox, expires)
        except Exception as error:  # noqa: BLE001 - it is polled as ever
            log.warning("a subscription is not known to other processes", mailbox=mailbox, error=place(error))

    stack = ExitStack()
    allowance.share(DistrictPurse(allowances))
    stack.callback(allowance.share, None)
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

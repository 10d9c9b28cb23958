"""Mailboxes that are open: each serves one turn at a time, and stays connected until its next one, as far as there is
room. Who signs in anew for every look at ten thousand mailboxes spends the day signing in."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from config.settings import MailboxSettings
from connectors.mailbox import Mailbox


class NoRoom(Exception):
    """As many mailboxes of this server are open, and busy, as this worker may have open."""


@dataclass(frozen=True, slots=True)
class _Idle:
    mailbox: Mailbox
    server: str
    since: float


class Shelf:
    """Open mailboxes. Threads share it."""

    def __init__(
        self,
        open_mailbox: Callable[[MailboxSettings], Mailbox],
        server_of: Callable[[MailboxSettings], str],
        most: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """At most `most` mailboxes are kept open while nobody works on them. `server_of` names the server whose
        connections are counted together."""
        self._open_mailbox = open_mailbox
        self._server_of = server_of
        self._most = most
        self._clock = clock
        self._idle: OrderedDict[str, _Idle] = OrderedDict()
        self._idle_of: Counter[str] = Counter()
        """How many of `_idle` are each server's: counting thousands at each turn would cost as much as the turn."""
        self._busy: dict[str, int] = {}
        self._shares: Mapping[str, int] = {}
        self._lock = threading.Lock()

    def share(self, shares: Mapping[str, int]) -> None:
        """How many mailboxes of each server may be open from now on; a server that is not named has no limit."""
        with self._lock:
            self._shares = dict(shares)
            out = [one for server in shares for one in self._over(server)]
        _close_all(out)

    def borrow(self, box: MailboxSettings, *, urgent: bool = False) -> Mailbox:
        """The mailbox, for one turn; where it was open, still connected. Raises NoRoom, unless it is `urgent`: then one
        connection too many is the smaller harm. Raises what opening raises."""
        server = self._server_of(box)
        with self._lock:
            found = self._take_down(box.address)
            self._busy[server] = self._busy.get(server, 0) + 1
            out = self._over(server)
            full = found is None and self._count(server) > self._share(server) and not urgent
            if full:
                self._busy[server] -= 1
        _close_all(out)
        if full:
            raise NoRoom(f"{self._share(server)} mailboxes of {server} are open already, and all of them are busy")
        if found is not None:
            return found
        try:
            return self._open_mailbox(box)
        except BaseException:
            with self._lock:
                self._busy[server] -= 1
            raise

    def put_back(self, box: MailboxSettings, mailbox: Mailbox) -> None:
        """The turn is over; the mailbox may stay open."""
        server = self._server_of(box)
        with self._lock:
            self._busy[server] -= 1
            double = self._take_down(box.address)
            self._idle[box.address] = _Idle(mailbox, server, self._clock())
            self._idle_of[server] += 1
            out = [double] if double is not None else []
            while len(self._idle) > self._most:
                out += filter(None, [self._take_down(next(iter(self._idle)))])
            out += self._over(server)
        _close_all(out)

    def discard(self, box: MailboxSettings, mailbox: Mailbox) -> None:
        """The turn is over, and the mailbox failed: the next one opens it anew."""
        with self._lock:
            self._busy[self._server_of(box)] -= 1
        _close_all([mailbox])

    def room(self, server: str) -> int:
        """How many more mailboxes of a server may be worked on now, busy ones left out."""
        with self._lock:
            return max(0, self._share(server) - self._busy.get(server, 0))

    def tidy(self, idle_for: float) -> int:
        """Closes what nobody has worked on for so many seconds: another worker has it by now. Returns how many."""
        before = self._clock() - idle_for
        out: list[Mailbox] = []
        with self._lock:
            old = [address for address, each in self._idle.items() if each.since < before]
            out += filter(None, map(self._take_down, old))
        _close_all(out)
        return len(out)

    def close(self) -> None:
        """Closes all that nobody works on."""
        self.tidy(-1.0)

    def _share(self, server: str) -> int:
        return self._shares.get(server, 1_000_000)

    def _count(self, server: str) -> int:
        return self._busy.get(server, 0) + self._idle_of[server]

    def _take_down(self, address: str) -> Mailbox | None:
        found = self._idle.pop(address, None)
        if found is None:
            return None
        self._idle_of[found.server] -= 1
        return found.mailbox

    def _over(self, server: str) -> list[Mailbox]:
        """Idle mailboxes of a server that are too many, the longest idle first; taken off the shelf."""
        if server not in self._shares:
            return []
        many = self._count(server) - self._share(server)
        if many <= 0:
            return []
        addresses = [address for address, each in self._idle.items() if each.server == server][:many]
        return list(filter(None, map(self._take_down, addresses)))


def _close_all(mailboxes: list[Mailbox]) -> None:
    for mailbox in mailboxes:
        with suppress(Exception):  # it is given up in any case
            mailbox.close()

"""The mail systems of the town: Maildirs, a real Dovecot with an SMTP server, the stand-ins for Exchange and Graph."""

import http.server
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, getaddresses
from pathlib import Path
from unittest.mock import patch

from config.settings import Exchange, Graph, ImapServer, SmtpServer
from service.sample.envelopes import DOMAIN
from tests.servers import dovecot, ews, graph, smtp_sink
from tests.servers.ews import SERVICE
from tests.servers.smtp_sink import Arrived
from tests.soak.on_imap import ImapProgram
from tests.soak.on_maildir import MaildirProgram
from tests.soak.on_microsoft import ExchangeProgram, GraphProgram, move
from tests.soak.program import Program, header_of
from tests.soak.year import ALLIANCE, MOVED, Year

_ON_REAL_TIME = ("writing", "box", "transport", "call", "store")
"""Modules of the Exchange stand-in that ask the machine for the time."""


@dataclass(frozen=True)
class Systems:
    """Where the service finds the mail systems."""

    imap: ImapServer
    smtp: SmtpServer
    exchange: Exchange
    graph: Graph
    maildirs: Path
    outgoing: Mapping[str, Path]


class MailSystems:
    """Starts them; `close` ends them. `clock` is the town's time, in which all of them live."""

    def __init__(self, folder: Path, year: Year, clock: Callable[[], datetime]) -> None:
        self._folder, self._year = folder, year
        self._servers = servers = ExitStack()
        servers.enter_context(_in_time_of(clock))
        self._left: dict[str, list[bytes]] = {address: [] for address in year.on_imap}
        self._dovecot = servers.enter_context(dovecot.running(users=tuple(year.on_imap)))
        self._sink = servers.enter_context(smtp_sink.running(then=self._leaves))
        self._moved = f"{MOVED}@{DOMAIN}"
        self._exchange = servers.enter_context(ews.running(self._moved, delivers=False))
        self._graph = servers.enter_context(graph.running(self._moved))
        self.set_clock(clock())

    @property
    def addresses(self) -> list[str]:
        """Every teacher's of the year."""
        return [f"{each.mailbox}@{DOMAIN}" for each in (*self._year.staff, self._year.joiner)]

    def told(self) -> Systems:
        """Where the service finds them."""
        exchange = Exchange(
            endpoint=self._exchange.url, auth="ntlm", username=SERVICE, timeout_seconds=30, allow_insecure=True
        )
        login, url = self._graph.login, self._graph.url
        in_graph = Graph(
            tenant=login.tenant, client_id=login.client_id, endpoint=url, authority=url, timeout_seconds=30
        )
        outgoing = {address: self._folder / "outgoing" / address for address in self.addresses}
        maildirs = self._folder / "maildirs"
        return Systems(self._dovecot.imap(), self._sink.settings(), exchange, in_graph, maildirs, outgoing)

    def programs(self) -> dict[str, Program]:
        """The mail programs of everybody who is there in the beginning, and the service's own mailbox."""
        there = [f"{each.mailbox}@{DOMAIN}" for each in self._year.staff]
        others = [each for each in (*there, ALLIANCE) if each not in (*self._year.on_imap, self._moved)]
        programs: dict[str, Program] = {address: self.maildir(address) for address in others}
        for address in self._year.on_imap:
            programs[address] = ImapProgram(self._dovecot, address, self._left[address])
        programs[self._moved] = ExchangeProgram(self._exchange, self._moved)
        return programs

    def maildir(self, address: str) -> MaildirProgram:
        """A mail program on a Maildir, made where there is none."""
        return MaildirProgram(self._folder / "maildirs" / address, self._folder / "outgoing" / address)

    def moves(self, address: str) -> tuple[int, Program]:
        """A mailbox goes from Exchange to Microsoft 365. How many messages it held, and its mail program there."""
        box = self._graph.box(address)
        moved = move(self._exchange.box(address), box)
        self._exchange.box(address).trouble("ErrorMailboxMoveInProgress")
        return moved, GraphProgram(box)

    def set_clock(self, now: datetime) -> None:
        """The stand-in for Microsoft 365 runs on the machine's clock, set back."""
        self._graph.advance(now - self._graph.now())

    def violations(self) -> list[str]:
        """What the service asked of Microsoft's systems today that is not documented."""
        self._exchange.requests.clear()
        self._graph.log.clear()
        found = [f"Exchange: {each}" for each in self._exchange.violations]
        found += [f"Microsoft 365: {each}" for each in self._graph.violations]
        self._exchange.violations.clear()
        self._graph.violations.clear()
        return found

    def close(self) -> None:
        """Ends them."""
        self._servers.close()

    def _leaves(self, arrived: Arrived) -> None:
        author = getaddresses([header_of(arrived.content, "From")])[0][1].lower()
        self._left[author].append(arrived.content)
        self._sink.arrived.clear()
        self._sink.said.clear()


@contextmanager
def _in_time_of(clock: Callable[[], datetime]) -> Iterator[None]:
    """While the block runs, the Exchange stand-in lives in the town's time."""

    class InTown(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            del tz
            return clock().astimezone(UTC)

    with ExitStack() as patched:
        for name in _ON_REAL_TIME:
            patched.enter_context(
                patch.object(importlib.import_module(f"tests.servers.ews.{name}"), "datetime", InTown)
            )
        stamp = lambda _self, timestamp=None: formatdate(timestamp or clock().timestamp(), usegmt=True)  # noqa: E731
        patched.enter_context(patch.object(http.server.BaseHTTPRequestHandler, "date_time_string", stamp))
        yield

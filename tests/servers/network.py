"""The network between connectors and servers, for tests: it delays, cuts, truncates and refuses, by order or by a seed.

A world opens its connector through it by asking `Network.before(port, speaks)` for the port to use instead of each
server's own. One exchange is a request with its answer: over HTTP a request, over IMAP and SMTP a command (the greeting
is none; a message's content with its final dot is one). For each exchange the network decides on a `Fate`. Exchanges
pass byte for byte, on one connection to the server for each one of the client's, as NTLM needs it; what streams,
streams.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import h11
import pytest

from connectors.contract import MailboxWorld
from tests.servers.network_lines import Cut, Http, Imap, Line, Smtp
from tests.servers.weather import Exchange, Fate, Fault, Speaks, Storm, Weather, calm

__all__ = ["Exchange", "Fate", "Fault", "Network", "NetworkedWorld", "Speaks", "Storm", "Weather", "calm", "running"]

_SPEAKERS: dict[Speaks, type[Line]] = {"http": Http, "imap": Imap, "smtp": Smtp}


@dataclass
class Network:
    """One network. `running` is the way to make one."""

    weather: Weather = calm
    happened: list[tuple[Exchange, Fate]] = field(default_factory=list)
    """Every exchange that met a fault."""
    exchanges: int = 0
    _ports: dict[tuple[int, Speaks], int] = field(default_factory=dict)
    _sockets: set[socket.socket] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def before(self, port: int, speaks: Speaks) -> int:
        """The port of 127.0.0.1 that leads to `port` there through this network; the same for the same server."""
        with self._lock:
            if (port, speaks) not in self._ports:
                listener = socket.create_server(("127.0.0.1", 0))
                self._sockets.add(listener)
                self._ports[port, speaks] = listener.getsockname()[1]
                threading.Thread(target=self._accept, args=(listener, port, speaks), daemon=True).start()
            return self._ports[port, speaks]

    def throttle(self, times: int, *, status: int = 429, retry_after: float | None = None) -> None:
        """The next `times` exchanges are refused; see `MailboxHarness.throttle`."""
        told = None if retry_after is None else f"{retry_after:g}"
        last = self.exchanges + times
        refused = Fate(Fault.REFUSE, status, told)
        self.weather = lambda exchange: refused if exchange.number <= last else Fate()

    def cut_answer(self, number: int = 1) -> None:
        """The answer of the `number`th exchange from now is cut; see `MailboxHarness.cut_answer`."""
        chosen = self.exchanges + number if number else 0
        self.happened.clear()
        self.weather = lambda exchange: Fate(Fault.CUT_AMID) if exchange.number == chosen else Fate()

    def was_cut(self) -> bool:
        """Whether an answer was cut since `cut_answer`."""
        return any(fate.fault is Fault.CUT_AMID for _, fate in self.happened)

    def stop(self) -> None:
        """Ends every connection and stops listening."""
        for sock in tuple(self._sockets):
            self._close(sock)

    def fate_of(self, speaks: Speaks, request: bytes) -> Fate:
        """Decides about the next exchange."""
        with self._lock:
            self.exchanges += 1
            exchange = Exchange(self.exchanges, speaks, request[:120].decode("ascii", "replace").strip())
            fate = self.weather(exchange)
            if fate.fault not in (Fault.NONE, Fault.DRIBBLE):
                self.happened.append((exchange, fate))
            return fate

    def _accept(self, listener: socket.socket, port: int, speaks: Speaks) -> None:
        work = _SPEAKERS[speaks]
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with self._lock:
                    self._sockets.add(client)
                threading.Thread(target=self._serve, args=(work, client, port), daemon=True).start()

    def _serve(self, work: type[Line], client: socket.socket, port: int) -> None:
        with suppress(OSError):
            server = socket.create_connection(("127.0.0.1", port))
            with self._lock:
                self._sockets.add(server)
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(Cut, OSError, ValueError, h11.ProtocolError):  # ValueError: a socket that `stop` closed
                work(self.fate_of, client, server).serve()
            self._close(server)
        self._close(client)

    def _close(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(sock)
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()


@contextmanager
def running(weather: Weather = calm) -> Iterator[Network]:
    """A network as long as the block."""
    network = Network(weather)
    try:
        yield network
    finally:
        network.stop()


class NetworkedWorld(MailboxWorld):
    """A base for worlds whose connector goes through a network: what breaks lines and asks for pauses is done there.

    `open(through=...)` opens a mailbox through another network than the world's own.
    """

    network: Network | None = None
    """What every mailbox of this world goes through; None for a direct line."""

    def throttle(self, times: int, *, status: int = 429, retry_after: float | None = None) -> None:
        """See `MailboxHarness.throttle`."""
        self._between().throttle(times, status=status, retry_after=retry_after)

    def cut_answer(self, number: int = 1) -> None:
        """See `MailboxHarness.cut_answer`."""
        self._between().cut_answer(number)

    def was_cut(self) -> bool:
        """See `MailboxHarness.was_cut`."""
        return self._between().was_cut()

    def _between(self) -> Network:
        if self.network is None:
            pytest.skip("there is no network between this world's mailbox and its server")
        return self.network

"""The network between connectors and servers, for tests: it delays, cuts, truncates and refuses, by order or by a seed.

A world opens its connector through it by asking `Network.before(port, speaks)` for the port to use instead of each
server's own. One exchange is a request with its answer: over HTTP a request, over IMAP and SMTP a command (the greeting
is none; a message's content with its final dot is one). For each exchange the network decides on a `Fate`. Exchanges
pass byte for byte, on one connection to the server for each one of the client's, as NTLM needs it; what streams,
streams.
"""

import re
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from io import BufferedReader
from queue import SimpleQueue
from random import Random
from typing import Literal

import h11
import pytest

from connectors.contract import MailboxWorld

Speaks = Literal["http", "imap", "smtp"]
_PIECE = 64 * 1024
_HEAD = 256 * 1024
"""Bytes that the head of an HTTP message may have."""
_STREAMS_AFTER = 1.0
"""Seconds of silence in the middle of an answer after which it is taken for a stream, whose end nobody waits for."""
_TEXTS = (b"json", b"xml", b"multipart")
"""Types of content that, unlike a message, show that their end lacks."""
_SHARE: Mapping[Speaks, float] = {"http": 0.25, "imap": 0.1, "smtp": 0.1}
"""How many exchanges of a storm meet a fault. What takes one request of HTTP takes many commands."""
_COMMAND = re.compile(rb"(\S+) (\S+)")
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")


class Fault(StrEnum):
    """What may happen to an exchange."""

    NONE = "nothing"
    DRIBBLE = "the answer comes in crumbs"
    CUT_BEFORE = "cut before the request reached the server"
    CUT_AMID = "done, and cut in the middle of the answer"
    CUT_AFTER = "done, and cut before the answer"
    TRUNCATE = "the answer's end lacks, and its length is as if it did not"
    REFUSE = "refused on the way"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one exchange."""

    fault: Fault = Fault.NONE
    status: int = 503
    """Of what is refused over HTTP; IMAP and SMTP have their own words for it."""
    retry_after: str | None = None
    part: float = 0.5
    """How much of a cut answer still comes."""
    reset: bool = False
    """Whether a cut is a reset of the connection, or looks like its orderly end."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a client asks for."""

    number: int
    """Counted from 1, over all connections."""
    speaks: Speaks
    request: str
    """The first line."""


Weather = Callable[[Exchange], Fate]


def calm(exchange: Exchange) -> Fate:
    """Nothing happens."""
    del exchange
    return Fate()


class Storm:
    """Faults at random, the same for the same seed. At most `in_a_row` come one after the other, so that whoever tries
    again gets through in the end."""

    def __init__(self, seed: int, *, in_a_row: int = 3) -> None:
        """The same `seed` and the same exchanges: the same faults."""
        self._random = Random(seed)
        self._in_a_row = in_a_row
        self._run = 0

    def __call__(self, exchange: Exchange) -> Fate:
        """The fate of the next exchange."""
        draw = self._random
        if self._run >= self._in_a_row or draw.random() >= _SHARE[exchange.speaks]:
            self._run = 0
            return Fate(Fault.DRIBBLE) if draw.random() < 0.1 else Fate()
        self._run += 1
        soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
        return Fate(
            draw.choice([fault for fault in Fault if fault is not Fault.NONE]),
            draw.choice((429, 500, 502, 503, 504)),
            draw.choice((None, "0", "7", soon)),
            draw.uniform(0.05, 0.95),
            reset=draw.random() < 0.5,
        )


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
        work = {"http": _Http, "imap": _Imap, "smtp": _Smtp}[speaks]
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with self._lock:
                    self._sockets.add(client)
                threading.Thread(target=self._serve, args=(work, client, port), daemon=True).start()

    def _serve(self, work: type["_Line"], client: socket.socket, port: int) -> None:
        with suppress(OSError):
            server = socket.create_connection(("127.0.0.1", port))
            with self._lock:
                self._sockets.add(server)
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(_Cut, OSError, ValueError, h11.ProtocolError):  # ValueError: a socket that `stop` closed
                work(self, client, server).serve()
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


class _Cut(Exception):
    """The line ends here."""


class _Line:
    """One client's connection, and the one to the server that belongs to it."""

    def __init__(self, network: Network, client: socket.socket, server: socket.socket) -> None:
        self._network = network
        self._client = client
        self._server = server

    def serve(self) -> None:
        """Passes on until one side is through. Raises _Cut, OSError, h11.ProtocolError."""
        raise NotImplementedError

    def _cut(self, fate: Fate) -> None:
        if fate.reset:
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _Cut

    def _give(self, answer: bytes, fate: Fate) -> None:
        """Gives the client a whole answer, as fate will have it."""
        match fate.fault:
            case Fault.DRIBBLE:
                for at in range(min(len(answer), 200)):
                    self._client.sendall(answer[at : at + 1])
                self._client.sendall(answer[200:])
            case Fault.CUT_AFTER:
                self._cut(fate)
            case Fault.CUT_AMID | Fault.TRUNCATE:
                self._client.sendall(answer[: min(len(answer) - 1, max(1, int(len(answer) * fate.part)))])
                raise _Cut
            case _:
                self._client.sendall(answer)


class _Http(_Line):
    """HTTP/1.1 (RFC 9112), kept alive as long as both sides wish."""

    def serve(self) -> None:
        """Passes on one exchange after the other."""
        theirs = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD)
        rest = b""
        while True:
            request, raw, rest = self._request(rest)
            fate = self._network.fate_of("http", raw.partition(b"\r\n")[0])
            if fate.fault is Fault.CUT_BEFORE:
                self._cut(fate)
            if fate.fault is Fault.REFUSE:
                self._client.sendall(_refusal(fate))
                continue
            self._server.sendall(raw)
            theirs.send(h11.Request(method=request.method, target=b"/", headers=[(b"host", b"server")]))
            theirs.send(h11.EndOfMessage())
            if fate.fault in (Fault.NONE, Fault.DRIBBLE):
                self._pass_on(theirs, fate)
            else:
                self._spoil(theirs, fate)
            if theirs.their_state is not h11.DONE:
                return
            theirs.start_next_cycle()

    def _request(self, rest: bytes) -> tuple[h11.Request, bytes, bytes]:
        """The next request: parsed, its bytes, and what came behind it. Raises _Cut where there is none."""
        ours = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD)
        if rest:
            ours.receive_data(rest)
        elif self._server in select.select([self._client, self._server], [], [])[0]:
            raise _Cut  # the server closes a connection that nobody uses: the client must see that
        parts, request = [rest], None
        while True:
            event = ours.next_event()
            if event is h11.NEED_DATA:
                if ours.they_are_waiting_for_100_continue:
                    self._client.sendall(ours.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
                parts.append(self._client.recv(_PIECE))
                ours.receive_data(parts[-1])
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                behind = ours.trailing_data[0]
                raw = b"".join(parts)
                return request, raw[: len(raw) - len(behind)], behind
            elif isinstance(event, h11.ConnectionClosed):
                raise _Cut

    def _pass_on(self, theirs: h11.Connection, fate: Fate) -> None:
        """Passes the answer on as it comes."""
        while True:
            event = theirs.next_event()
            if event is h11.NEED_DATA:
                received = self._server.recv(_PIECE)
                theirs.receive_data(received)
                if received:
                    self._give(received, fate)
            elif isinstance(event, h11.EndOfMessage):
                return
            elif isinstance(event, h11.ConnectionClosed):
                raise _Cut

    def _spoil(self, theirs: h11.Connection, fate: Fate) -> None:
        """Takes the whole answer, so that all is done, and passes on what fate lets through."""
        response, raw, body = self._whole(theirs)
        if fate.fault is Fault.CUT_AFTER:
            self._cut(fate)
        said = dict(response.headers).get(b"content-type", b"")
        if fate.fault is Fault.TRUNCATE and body.strip() and any(kind in said for kind in _TEXTS):
            kept = body[: min(len(body.rstrip()) - 1, int(len(body) * fate.part))]
            self._client.sendall(_head(response, len(kept)) + kept)
            return
        at = 0
        while raw.startswith(b"HTTP/1.1 1", at):  # announces an answer
            at = raw.index(b"\r\n\r\n", at) + 4
        at = raw.index(b"\r\n\r\n", at) + 4 if body else at
        self._client.sendall(raw[:at])
        self._give(raw[at:], Fate(Fault.CUT_AMID, part=fate.part))

    def _whole(self, theirs: h11.Connection) -> tuple[h11.Response, bytes, bytes]:
        """The answer as it came: parsed, its bytes, and its body; of a stream what there is of it."""
        parts: list[bytes] = []
        body: list[bytes] = []
        response = None
        while True:
            event = theirs.next_event()
            if event is h11.NEED_DATA:
                if response is not None and not select.select([self._server], [], [], _STREAMS_AFTER)[0]:
                    return response, b"".join(parts), b"".join(body)
                parts.append(self._server.recv(_PIECE))
                theirs.receive_data(parts[-1])
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage) and response is not None:
                return response, b"".join(parts), b"".join(body)
            elif isinstance(event, h11.ConnectionClosed):
                raise _Cut


def _refusal(fate: Fate) -> bytes:
    """A busy gateway's answer, in a gateway's own words."""
    page = b"<html><head><title>Too busy</title></head><body>Come back later.</body></html>"
    lines = [f"HTTP/1.1 {fate.status} Too busy", "Content-Type: text/html", f"Content-Length: {len(page)}"]
    lines += [f"Retry-After: {fate.retry_after}"] if fate.retry_after is not None else []
    return "\r\n".join([*lines, "", ""]).encode() + page


def _head(response: h11.Response, length: int) -> bytes:
    """The head of an answer, with another length of its body."""
    framing = (b"content-length", b"transfer-encoding")
    lines = [b"HTTP/1.1 %d %s" % (response.status_code, response.reason)]
    lines += [b"%s: %s" % (name, value) for name, value in response.headers.raw_items() if name.lower() not in framing]
    return b"\r\n".join([*lines, b"Content-Length: %d" % length, b"", b""])


class _Imap(_Line):
    """IMAP without TLS (RFC 3501): the server may speak at any time, so each way has its own thread."""

    def __init__(self, network: Network, client: socket.socket, server: socket.socket) -> None:
        super().__init__(network, client, server)
        self._answered: SimpleQueue[bool] = SimpleQueue()
        """Of each command or literal that the server was to react to: whether it wishes more of it."""
        self._tag = b""
        self._fate = Fate()

    def serve(self) -> None:
        """Passes on commands here, and answers in a thread of their own."""
        threading.Thread(target=self._downwards, daemon=True).start()
        with self._client.makefile("rb") as lines:
            for line in lines:
                self._command(line)
                self._rest_of_command(line, lines)

    def _command(self, line: bytes) -> None:
        found = _COMMAND.match(line)
        if found is None:  # DONE, and answers to a challenge, belong to the command before
            self._server.sendall(line)
            return
        fate = self._network.fate_of("imap", b" ".join(found.groups()))
        waits = _LITERAL.search(line) is not None or found[2].upper() == b"IDLE"
        if fate.fault is Fault.CUT_BEFORE or (fate.fault is Fault.REFUSE and waits):
            self._cut(fate)
        if fate.fault is Fault.REFUSE:  # RFC 5530 §3
            self._client.sendall(found[1] + b" NO [UNAVAILABLE] Too busy, come back later.\r\n")
            return
        if found[2].upper() != b"IDLE":
            self._tag, self._fate = found[1], fate
        self._pass_on(line)

    def _pass_on(self, line: bytes) -> None:
        while not self._answered.empty():
            self._answered.get()
        self._server.sendall(line)

    def _rest_of_command(self, line: bytes, lines: BufferedReader) -> None:
        while (literal := _LITERAL.search(line)) is not None:
            if not literal[2] and not self._answered.get():
                return  # the server does not want it
            self._server.sendall(lines.read(int(literal[1])))
            line = lines.readline()
            self._pass_on(line)

    def _downwards(self) -> None:
        held: list[bytes] = []
        with suppress(_Cut, OSError), self._server.makefile("rb") as lines:
            for line in lines:
                whole = line
                while (literal := _LITERAL.search(line)) is not None:
                    line = lines.read(int(literal[1])) + lines.readline()  # noqa: PLW2901 - the rest of the same one
                    whole += line
                last = bool(self._tag) and whole.startswith(self._tag + b" ")
                if last or whole.startswith(b"+"):
                    self._answered.put(not last)  # first: once the client has it, the next command is on its way
                if whole.startswith(b"+"):
                    self._client.sendall(whole)
                elif self._fate.fault in (Fault.NONE, Fault.DRIBBLE):
                    self._give(whole, self._fate)
                else:
                    held.append(whole)
                    if last:
                        self._give(b"".join(held), self._fate)
        # The other thread notices, and lets go of both.
        for sock in (self._client, self._server):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._answered.put(False)


class _Smtp(_Line):
    """SMTP without TLS (RFC 5321), one command after the other."""

    def serve(self) -> None:
        """Passes on the greeting, then one exchange after the other."""
        with self._client.makefile("rb") as commands, self._server.makefile("rb") as replies:
            self._client.sendall(_reply(replies))
            for command in commands:
                if self._exchanged(command, command, replies).startswith(b"354"):
                    content: list[bytes] = []
                    while content[-1:] != [b".\r\n"]:
                        content.append(commands.readline() or self._gone())
                    self._exchanged(b"message", b"".join(content), replies)

    def _exchanged(self, named: bytes, sent: bytes, replies: BufferedReader) -> bytes:
        """Passes on a command, or a message with its final dot; the reply, where it came through."""
        fate = self._network.fate_of("smtp", named)
        if fate.fault is Fault.CUT_BEFORE:
            self._server.sendall(sent[:-3] if sent is not named else b"")  # without its dot it is no message
            self._cut(fate)
        if fate.fault is Fault.REFUSE:
            self._client.sendall(b"421 4.3.2 Too busy, come back later.\r\n")
            raise _Cut
        self._server.sendall(sent)
        reply = _reply(replies)
        self._give(reply, fate)
        return reply

    def _gone(self) -> bytes:
        raise _Cut


def _reply(replies: BufferedReader) -> bytes:
    """All lines of one reply. Raises _Cut where the server hangs up."""
    lines = b""
    for line in replies:
        lines += line
        if line[3:4] != b"-":
            return lines
    raise _Cut

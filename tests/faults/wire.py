"""The wire between the service and one server: it can be cut, go silent, tell lies, and spring a trap at a command.

Bytes pass untouched where nothing is ordered. Over IMAP and SMTP the wire reads along line by line, so that a fault can
hit one command; PostgreSQL's protocol is passed on as it comes, a packet being what one read brings.
"""

import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Literal

Speaks = Literal["imap", "smtp", "postgresql"]
Server = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""

_PIECE = 64 * 1024
_STATEMENT = 1000
"""Bytes of a packet in which a statement is looked for."""
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")
_FETCHED = re.compile(rb"\* \d+ FETCH ", re.IGNORECASE)
_COUNTS = re.compile(rb"(\* |UIDNEXT )(\d+)( EXISTS|\])")
_CHANGES_MAIL = re.compile(r"(UID )?(STORE|APPEND|MOVE|COPY|EXPUNGE)\b")


class Lie(StrEnum):
    """How an IMAP server may lie."""

    PRETEND = "answers OK to what changes mail, and does nothing"
    DENY = "does it, and answers that it could not"
    LEAVE_OUT = "leaves out some of the messages that it was asked for, and says that this was all"
    FIND_NOTHING = "finds nothing, whatever is searched for"
    MISCOUNT = "tells wrong counts of messages and wrong next numbers"
    BUSY = "does nothing, and answers that it is too busy"
    TEAR = "hangs up in the middle of an answer"


class Moment(StrEnum):
    """When a trap is sprung."""

    BEFORE = "before the server gets the command"
    AFTER = "after the server did it, before the client hears of it"
    SOON = "a moment after the client heard of it"


@dataclass
class Trap:
    """Springs at the `number`th command that `pattern` matches from now on, and at so many `times` of them in a row."""

    pattern: re.Pattern[str]
    number: int
    moment: Moment
    aim: Callable[[int], Callable[[], None]]
    """Is told the port that the command came from, and returns what is to happen to whoever gave it."""
    wait: float = 0.0
    """Seconds between the answer and the trap, where it is sprung SOON."""
    times: int = 1
    awaited: bool = False
    """Whether the storm waits for it."""
    breaks: bool = True
    """Whether the line is broken with it, as it is where a process dies."""


class _Gone(Exception):
    """The wire was cut, or one end hung up."""


class Wire:
    """One wire. `laid` is the way to make one. Its orders are given by another thread, any time."""

    def __init__(self, speaks: Speaks, server: Server, seed: int) -> None:
        """`seed` decides what the liar leaves out."""
        self.speaks = speaks
        self.random = Random(seed)
        self.lie: Lie | None = None
        self.commands = 0
        """How many commands, or packets of the client's, it has carried."""
        self._server = server
        self._flows = threading.Event()
        self._flows.set()
        self._cut = False
        self._traps: list[Trap] = []
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Breaks every connection, and refuses new ones until `heal`."""
        self._cut = True
        self._flows.set()
        self.hang_up()

    def hang_up(self) -> None:
        """Breaks every connection; new ones pass."""
        with self._lock:
            sockets, self._sockets = self._sockets, set()
        for sock in sockets:
            _close(sock, reset=True)

    def silence(self) -> None:
        """From now on nothing passes, either way; connections are taken and hear nothing."""
        self._flows.clear()

    def heal(self) -> None:
        """Everything passes again, also what waited in silence, and nobody lies."""
        self._cut, self.lie = False, None
        self._flows.set()

    def set_trap(self, trap: Trap) -> None:
        """One more. Of several that one command would spring, the first one is."""
        with self._lock:
            self._traps.append(trap)

    @property
    def awaits(self) -> bool:
        """Whether there is a trap that is waited for."""
        return any(trap.awaited for trap in tuple(self._traps))

    def clear_traps(self) -> None:
        """Takes away what has not been sprung."""
        with self._lock:
            self._traps.clear()

    def end(self) -> None:
        """Takes the wire away."""
        _close(self._listener)
        self.cut()

    def pass_on(self, to: socket.socket, piece: bytes) -> None:
        """Sends, when the wire is not silent. Raises _Gone."""
        self._flows.wait()
        if self._cut:
            raise _Gone
        to.sendall(piece)

    def trap_for(self, command: str) -> Trap | None:
        """The trap that this command springs, which is taken away once it has been often enough; None for others."""
        with self._lock:
            self.commands += 1
            for trap in self._traps:
                if trap.pattern.match(command):
                    trap.number -= 1
                    if trap.number <= 0:
                        trap.times -= 1
                        self._traps = [each for each in self._traps if each.times > 0]
                        return trap
            return None

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, (_, port) = self._listener.accept()
                threading.Thread(target=self._serve, args=(client, port), daemon=True).start()

    def _serve(self, client: socket.socket, port: int) -> None:
        if self._cut:
            _close(client, reset=True)
            return
        try:
            server = _connected(self._server)
        except OSError:
            _close(client, reset=True)
            return
        with self._lock:
            self._sockets |= {client, server}
        line = {"imap": _Imap, "smtp": _Smtp, "postgresql": _Packets}[self.speaks](self, client, server, port)
        threading.Thread(target=self._half, args=(line.downwards, client, server), daemon=True).start()
        self._half(line.upwards, client, server)

    def _half(self, work: Callable[[], None], *sockets: socket.socket) -> None:
        with suppress(_Gone, OSError, ValueError):  # ValueError: a socket that another thread closed
            work()
        with self._lock:
            self._sockets -= set(sockets)
        for sock in sockets:
            _close(sock)


@contextmanager
def laid(speaks: Speaks, server: Server, seed: int) -> Iterator[Wire]:
    """A wire as long as the block."""
    wire = Wire(speaks, server, seed)
    try:
        yield wire
    finally:
        wire.end()


class _Line:
    """One connection. `upwards` and `downwards` run in threads of their own and end by raising."""

    def __init__(self, wire: Wire, client: socket.socket, server: socket.socket, port: int) -> None:
        """`port` is the client's."""
        self.wire = wire
        self.client = client
        self.server = server
        self.port = port
        self._due: Trap | None = None
        """Sprung by the answer that is on its way."""

    def upwards(self) -> None:
        raise NotImplementedError

    def downwards(self) -> None:
        raise NotImplementedError

    def begin(self, command: str) -> None:
        """A command comes by. Raises _Gone where a trap ends it here."""
        trap = self.wire.trap_for(command)
        if trap is None:
            return
        if trap.moment is not Moment.BEFORE:
            self._due = trap
            return
        trap.aim(self.port)()
        if trap.breaks:
            raise _Gone

    def answer(self, piece: bytes) -> None:
        """Passes an answer on. Raises _Gone where a trap ends it here."""
        trap, self._due = self._due, None
        hit = None if trap is None else trap.aim(self.port)  # now: a moment later the line may be nobody's any more
        if trap is not None and hit is not None and trap.moment is Moment.AFTER:
            hit()
            if trap.breaks:
                raise _Gone
        self.wire.pass_on(self.client, piece)
        if trap is not None and hit is not None and trap.moment is Moment.SOON:
            threading.Timer(trap.wait, hit).start()


class _Packets(_Line):
    """What is passed on as it comes. A statement can be told in it where it stands there in words, as it does the first
    times that a connection uses it."""

    def upwards(self) -> None:
        while piece := self.client.recv(_PIECE):
            self.begin(piece[:_STATEMENT].decode("latin-1"))
            self.wire.pass_on(self.server, piece)

    def downwards(self) -> None:
        while piece := self.server.recv(_PIECE):
            self.answer(piece)


class _Smtp(_Line):
    """RFC 5321: a command, or the end of a message (named DOT), and its reply."""

    def upwards(self) -> None:
        in_message = False
        with self.client.makefile("rb") as lines:
            for line in lines:
                if in_message and line != b".\r\n":
                    self.wire.pass_on(self.server, line)
                    continue
                self.begin("DOT" if in_message else _words(line))
                in_message = not in_message and line[:4].upper() == b"DATA"
                self.wire.pass_on(self.server, line)

    def downwards(self) -> None:
        with self.server.makefile("rb") as lines:
            for line in lines:
                if line[3:4] == b"-":
                    self.wire.pass_on(self.client, line)
                else:
                    self.answer(line)


class _Imap(_Line):
    """RFC 3501: tagged commands with literals, and whatever the server says in between."""

    def __init__(self, wire: Wire, client: socket.socket, server: socket.socket, port: int) -> None:
        super().__init__(wire, client, server, port)
        self._tag = b""
        self._command = ""
        self._denied = b""
        self._goes_on = threading.Semaphore(0)
        self._wanted = False

    def upwards(self) -> None:
        with self.client.makefile("rb") as lines:
            for line in lines:
                tag, _, rest = line.partition(b" ")
                if not rest:  # DONE, which ends IDLE
                    self.wire.pass_on(self.server, line)
                    continue
                self._tag, self._command = tag, _words(rest)
                self.begin(self._command)
                changes = _CHANGES_MAIL.match(self._command) is not None
                if self.wire.lie is Lie.BUSY or (self.wire.lie is Lie.PRETEND and changes):
                    self._swallow(line, lines)
                    told = b" OK Done.\r\n" if self.wire.lie is Lie.PRETEND else b" NO [UNAVAILABLE] Busy.\r\n"
                    self.answer(tag + told)
                    continue
                self._denied = tag if self.wire.lie is Lie.DENY and changes else b""
                self._send(line, lines)

    def _swallow(self, line: bytes, lines: "socket.SocketIO | object") -> None:
        while literal := _LITERAL.search(line):
            if not literal[2]:
                self.wire.pass_on(self.client, b"+ Go ahead.\r\n")
            lines.read(int(literal[1]))  # type: ignore[attr-defined]
            line = lines.readline()  # type: ignore[attr-defined]

    def _send(self, line: bytes, lines: "socket.SocketIO | object") -> None:
        while True:
            literal = _LITERAL.search(line)
            self._wanted = literal is not None and not literal[2]
            self.wire.pass_on(self.server, line)
            if literal is None:
                return
            if not literal[2]:
                self._goes_on.acquire()
                if not self._wanted:
                    return  # the server did not want it
            self.wire.pass_on(self.server, lines.read(int(literal[1])))  # type: ignore[attr-defined]
            line = lines.readline()  # type: ignore[attr-defined]

    def downwards(self) -> None:
        try:
            with self.server.makefile("rb") as lines:
                for line in lines:
                    whole = line
                    while literal := _LITERAL.search(line):
                        line = lines.read(int(literal[1])) + lines.readline()  # noqa: PLW2901 - the rest of the same one
                        whole += line
                    self._down(whole)
        finally:
            self._wanted = False
            self._goes_on.release()

    def _down(self, whole: bytes) -> None:
        if self._wanted and (whole.startswith(b"+") or (self._tag and whole.startswith(self._tag + b" "))):
            self._wanted = whole.startswith(b"+")
            self.wire.pass_on(self.client, whole)
            self._goes_on.release()
            return
        if self._tag and whole.startswith(self._tag + b" "):
            if self._denied == self._tag:
                whole = self._tag + b" NO Something went wrong.\r\n"
            self.answer(whole)
            return
        told = self._told(whole)
        if told:
            self.wire.pass_on(self.client, told)

    def _told(self, line: bytes) -> bytes:
        """What becomes of a line that was not asked for by name."""
        draw, lie = self.wire.random, self.wire.lie
        if lie is Lie.LEAVE_OUT and _FETCHED.match(line) and draw.random() < 0.5:
            return b""
        if lie is Lie.FIND_NOTHING and line.upper().startswith(b"* SEARCH"):
            return b"* SEARCH\r\n"
        if lie is Lie.MISCOUNT:
            return _COUNTS.sub(
                lambda m: b"%b%d%b" % (m[1], max(0, int(m[2]) + draw.choice((-2, -1, 1, 3))), m[3]), line
            )
        if lie is Lie.TEAR and len(line) > 20 and draw.random() < 0.2:
            self.wire.pass_on(self.client, line[: len(line) // 2])
            raise _Gone
        return line


def _words(line: bytes) -> str:
    """The beginning of a command, in capitals."""
    return line[:80].decode("latin-1").strip().upper()


def _connected(server: Server) -> socket.socket:
    if isinstance(server, str):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(server)
        return sock
    sock = socket.create_connection(server)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _close(sock: socket.socket, *, reset: bool = False) -> None:
    with suppress(OSError):
        if reset and sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()

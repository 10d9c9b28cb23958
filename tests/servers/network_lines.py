"""The lines of a network of tests, one class per protocol: each passes on what fate lets through."""

import re
import select
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from queue import SimpleQueue

import h11

from tests.servers.weather import Fate, Fault, Speaks

_PIECE = 64 * 1024
_HEAD = 256 * 1024
"""Bytes that the head of an HTTP message may have."""
_STREAMS_AFTER = 1.0
"""Seconds of silence in the middle of an answer after which it is taken for a stream, whose end nobody waits for."""
_TEXTS = (b"json", b"xml", b"multipart")
"""Types of content that, unlike a message, show that their end lacks."""
_COMMAND = re.compile(rb"(\S+) (\S+)")
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n\Z")

FateOf = Callable[[Speaks, bytes], Fate]
"""Decides about the exchange that begins with this line."""


class Cut(Exception):
    """The line ends here."""


class Line:
    """One client's connection, and the one to the server that belongs to it."""

    def __init__(self, fate_of: FateOf, client: socket.socket, server: socket.socket) -> None:
        self._fate_of = fate_of
        self._client = client
        self._server = server

    def serve(self) -> None:
        """Passes on until one side is through. Raises Cut, OSError, h11.ProtocolError."""
        raise NotImplementedError

    def _cut(self, fate: Fate) -> None:
        if fate.reset:
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Cut

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
                raise Cut
            case _:
                self._client.sendall(answer)


class Http(Line):
    """HTTP/1.1 (RFC 9112), kept alive as long as both sides wish."""

    def serve(self) -> None:
        """Passes on one exchange after the other."""
        theirs = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD)
        rest = b""
        while True:
            request, raw, rest = self._request(rest)
            fate = self._fate_of("http", raw.partition(b"\r\n")[0])
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
        """The next request: parsed, its bytes, and what came behind it. Raises Cut where there is none."""
        ours = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD)
        if rest:
            ours.receive_data(rest)
        elif self._server in select.select([self._client, self._server], [], [])[0]:
            raise Cut  # the server closes a connection that nobody uses: the client must see that
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
                raise Cut

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
                raise Cut

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
                raise Cut


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


class Imap(Line):
    """IMAP without TLS (RFC 3501): the server may speak at any time, so each way has its own thread."""

    def __init__(self, fate_of: FateOf, client: socket.socket, server: socket.socket) -> None:
        super().__init__(fate_of, client, server)
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
        fate = self._fate_of("imap", b" ".join(found.groups()))
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
        with suppress(Cut, OSError), self._server.makefile("rb") as lines:
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


class Smtp(Line):
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
        fate = self._fate_of("smtp", named)
        if fate.fault is Fault.CUT_BEFORE:
            self._server.sendall(sent[:-3] if sent is not named else b"")  # without its dot it is no message
            self._cut(fate)
        if fate.fault is Fault.REFUSE:
            self._client.sendall(b"421 4.3.2 Too busy, come back later.\r\n")
            raise Cut
        self._server.sendall(sent)
        reply = _reply(replies)
        self._give(reply, fate)
        return reply

    def _gone(self) -> bytes:
        raise Cut


def _reply(replies: BufferedReader) -> bytes:
    """All lines of one reply. Raises Cut where the server hangs up."""
    lines = b""
    for line in replies:
        lines += line
        if line[3:4] != b"-":
            return lines
    raise Cut

"""Stands between a mail program and a real IMAP server and changes what the server says: a server that can do less, one
that talks nonsense, a line that breaks."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from config.settings import ImapServer

_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")

Rewrite = Callable[[bytes], bytes | None]
"""What to pass on instead of a line of the server (with its CRLF; literals pass untouched): None hangs up."""


def without_keywords(line: bytes) -> bytes:
    """A server that knows the system flags and nothing else."""
    return line.replace(rb" \*)]", b")]") if b"PERMANENTFLAGS" in line else line


@dataclass
class ImapProxy:
    """One proxy. `running` is the way to make one."""

    server: tuple[str, int]
    rewrite: Rewrite = lambda line: line
    hang_up_on: re.Pattern[bytes] | None = None
    """A command that matches is not passed on; the line breaks instead."""
    said: list[bytes] = field(default_factory=list)
    """What mail programs sent, line by line."""
    port: int = 0
    _listener: socket.socket | None = None
    _sockets: list[socket.socket] = field(default_factory=list)

    def settings(self, **more: object) -> ImapServer:
        """Settings that lead through the proxy."""
        values = {"host": "127.0.0.1", "port": self.port, "security": "none", "allow_insecure": True}
        return ImapServer.model_validate(values | more)

    def start(self) -> None:
        """Starts listening."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def hang_up(self) -> None:
        """Breaks every line that is open now."""
        lines, self._sockets = self._sockets, []
        for sock in lines:
            _close(sock)

    def stop(self) -> None:
        """Breaks every line and stops listening."""
        if self._listener is not None:
            _close(self._listener)
        self.hang_up()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self.server)
                self._sockets += [client, server]
                for sock in (client, server):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for work in (self._upwards, self._downwards):
                    threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _upwards(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), client.makefile("rb") as lines:
            for line in lines:
                self.said.append(line)
                if self.hang_up_on is not None and self.hang_up_on.search(line):
                    break
                server.sendall(line)
        _close(client)
        _close(server)

    def _downwards(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), server.makefile("rb") as answers:
            for line in answers:
                changed = self.rewrite(line)
                if changed is None:
                    break
                client.sendall(changed)
                if literal := _LITERAL.search(line):
                    client.sendall(answers.read(int(literal[1])))
        _close(client)
        _close(server)


@contextmanager
def running(port: int, **options: object) -> Iterator[ImapProxy]:
    """A proxy before the IMAP server on `port`, as long as the block; `options` are the fields of `ImapProxy`."""
    proxy = ImapProxy(("127.0.0.1", port), **options)  # type: ignore[arg-type]
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()


def _close(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()

"""Reading a mail server's answers within bounds of size and time, so that no server can fill the memory or hold a call
for ever."""

import socket
import ssl
import time

_CHUNK = 64 * 1024
_SLOWEST = 16 * 1024
"""Bytes a second below which a large answer counts as stuck."""


class AnswerTooLong(OSError):
    """The server sent more than the answer may hold. Nothing after it can be told apart: the connection is useless."""


class BoundedStream:
    """The receiving side of a socket: lines and counted bytes, out of one buffer.

    Raises TimeoutError where the server is silent or drips for longer than `seconds` (for counted bytes: plus what they
    need at 16 KiB a second), AnswerTooLong where it sends more than was allowed, OSError where the connection breaks.
    """

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        """Reads from `sock`, whose time-out it sets as it goes; one line may take `seconds`."""
        self.sock = sock
        self.seconds = seconds
        # Commands go out in more than one piece; the last must not wait until the server has acknowledged the first.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._left = 0

    @property
    def buffered(self) -> bool:
        """Whether a whole line has been received already."""
        return b"\n" in self._buffer

    def allow(self, size: int) -> None:
        """From here on at most `size` bytes may be read, until the next `allow`."""
        self._left = size

    def readline(self, most: int = -1) -> bytes:
        """The next line with its ending, or its first `most` bytes where that is not negative; what there is where the
        connection ends before it (empty at the end)."""
        searched = 0
        deadline = time.monotonic() + self.seconds
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > self._left:
                raise AnswerTooLong("the server's answer is longer than anything that was asked for")
            if not self._receive(deadline):
                end = len(self._buffer) - 1
                break
        return self._take(end + 1 if most < 0 else min(end + 1, most))

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only where the connection ends."""
        if size > self._left:
            raise AnswerTooLong(f"the server announces {size} bytes, more than anything that was asked for")
        deadline = time.monotonic() + self.seconds + size / _SLOWEST
        while len(self._buffer) < size and self._receive(deadline):
            pass
        return self._take(min(size, len(self._buffer)))

    def receive_now(self) -> bool:
        """Takes in what is there without waiting. False at the end of the connection."""
        if len(self._buffer) > self._left:
            raise AnswerTooLong("the server's answer is longer than anything that was asked for")
        self.sock.settimeout(0)
        try:
            received = self.sock.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True  # TLS was talking to itself
        finally:
            self.sock.settimeout(self.seconds)
        self._buffer += received
        return bool(received)

    def close(self) -> None:
        """Forgets what was received. The socket is its owner's to close."""
        self._buffer.clear()

    def _receive(self, deadline: float) -> int:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError(f"the server did not finish its answer within {self.seconds:g} seconds")
        self.sock.settimeout(remaining)
        try:
            received = self.sock.recv(_CHUNK)
        except TimeoutError as error:
            raise TimeoutError(f"the server did not answer within {self.seconds:g} seconds") from error
        finally:
            self.sock.settimeout(self.seconds)  # for sending
        self._buffer += received
        return len(received)

    def _take(self, size: int) -> bytes:
        if size > self._left:
            raise AnswerTooLong("the server's answer is longer than anything that was asked for")
        self._left -= size
        with memoryview(self._buffer) as view:
            taken = bytes(view[:size])
        del self._buffer[:size]
        return taken

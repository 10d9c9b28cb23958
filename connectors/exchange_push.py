"""Streaming notifications: an answer of the server that goes on and on, and says when something happened
(GetStreamingEvents, MS-OXWSNTIF §3.1.4.3)."""

import contextlib
import logging
import selectors
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import requests
from exchangelib.util import ParseError, to_xml

from connectors.errors import ChangesFailed, MailboxError
from connectors.exchange_connection import Connection
from connectors.exchange_errors import Unanswered
from connectors.exchange_http import Session
from connectors.exchange_items import M, T
from connectors.exchange_requests import INBOX, SENT, streaming_events, subscribe, unsubscribe

_MINUTES = 30
"""How long one answer may go on: EWS allows no more."""
_PIECE = 64 * 1024
_LONGEST = 1024 * 1024
"""Bytes of one document: notifications have some hundred."""
_EVENTS = frozenset(f"{T}{kind}Event" for kind in ("NewMail", "Created", "Modified", "Deleted", "Moved", "Copied"))
_END = b"Envelope>"

log = logging.getLogger(__name__)


class Stream:
    """One stream of notifications about Inbox and Sent. Closed when the line breaks or the server ends it."""

    def __init__(self, connection: Connection) -> None:
        """Subscribes and opens the stream. Raises MailboxError."""
        self._connection = connection
        answer = connection.ask_one(subscribe(connection.address, (INBOX, SENT)), ChangesFailed)
        self._subscription = answer.findtext(f"{M}SubscriptionId") or ""
        if not self._subscription:
            raise ChangesFailed(f"{connection.where} gave no subscription")
        self._session: Session = connection.new_session()
        try:
            self._response = self._opened()
            self._reader: Any = self._response.raw._fp.fp  # noqa: SLF001 - where http.client keeps what it read ahead
            self._sock: socket.socket = self._reader.raw._sock  # noqa: SLF001
        except BaseException:
            self._session.close()
            raise
        self._chunks = Chunks() if "chunked" in self._response.headers.get("Transfer-Encoding", "").lower() else None
        self._text = b""

    def wait(self, deadline: float, wake: socket.socket) -> bool:
        """Blocks until something happened (True), until `deadline` (of time.monotonic) or until `wake` can be read
        (False). Raises Unanswered where the stream has ended."""
        with selectors.DefaultSelector() as selector:
            for awaited in (self._sock, wake):
                selector.register(awaited, selectors.EVENT_READ)
            self._receive()  # what was read ahead, which no selector sees; an end shows below
            while not self._happened():
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return False
                readable = [key.fileobj for key, _ in selector.select(remaining)]
                if wake in readable:
                    return False
                if readable and self._receive():
                    raise Unanswered(f"{self._connection.where} ended the notifications")
        return True

    def close(self) -> None:
        """Lets go of a stream that has ended."""
        with contextlib.suppress(OSError):
            self._response.close()
        self._session.close()

    def end(self) -> None:
        """Ends the stream and the subscription. Raises nothing: what is left runs out by itself."""
        self.close()
        try:
            self._connection.ask_once(unsubscribe(self._subscription), ChangesFailed)
        except MailboxError as error:
            log.debug("a subscription is left to run out (%s)", error)

    def _opened(self) -> requests.Response:
        body, headers = self._connection.envelope(streaming_events(self._subscription, _MINUTES))
        response = self._session.post(
            self._connection.endpoint,
            data=body,
            headers={**headers, "Accept-Encoding": "identity"},
            allow_redirects=False,
            stream=True,
            timeout=self._connection.seconds,
        )
        if response.status_code != 200:
            raise Unanswered(f"{self._connection.where} opens no stream (HTTP {response.status_code})")
        return response

    def _receive(self) -> bool:
        """Takes in what is there without waiting. True at the stream's end."""
        self._sock.settimeout(0)
        received = False
        try:
            while piece := self._reader.read1(_PIECE):
                self._take(piece)
                received = True
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError as error:
            text = f"{self._connection.where}: the notifications broke off ({type(error).__name__})"
            raise Unanswered(text) from error
        # Without TLS "nothing now" looks like the end; but there was something to read.
        return not received

    def _take(self, piece: bytes) -> None:
        self._text += self._chunks.feed(piece) if self._chunks else piece
        if len(self._text) > _LONGEST:
            raise Unanswered(f"{self._connection.where} sends notifications without end")

    def _happened(self) -> bool:
        happened = False
        for document in self._documents():
            try:
                root = to_xml(document).getroot()
            except ParseError as error:
                raise Unanswered(f"{self._connection.where} sends notifications that are no XML") from error
            if any(each.get("ResponseClass") == "Error" for each in root.iter(f"{M}GetStreamingEventsResponseMessage")):
                raise Unanswered(f"{self._connection.where} knows the subscription no more")
            happened = happened or any(each.tag in _EVENTS for each in root.iter())
            if not happened and (root.findtext(f".//{M}ConnectionStatus") or "") == "Closed":
                raise Unanswered(f"{self._connection.where} ended the notifications")
        return happened

    def _documents(self) -> Iterator[bytes]:
        # An envelope's end stands behind "</", with or without a prefix.
        while (end := _end_of_envelope(self._text)) > 0:
            document, self._text = self._text[:end], self._text[end:].lstrip()
            yield document


class Chunks:
    """Takes the chunked transfer coding off (RFC 9112 §7.1), piece by piece: http.client would wait for whole ones."""

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0

    def feed(self, piece: bytes) -> bytes:
        """What `piece` holds of the content. Raises Unanswered where it is not the coding."""
        self._buffer += piece
        content = b""
        while self._buffer:
            if self._left > 2:
                taken = self._buffer[: self._left - 2]
                content += taken
                self._buffer = self._buffer[len(taken) :]
                self._left -= len(taken)
            elif self._left:  # the line break behind a chunk
                taken = self._buffer[: self._left]
                self._buffer = self._buffer[len(taken) :]
                self._left -= len(taken)
            else:
                line, found, rest = self._buffer.partition(b"\r\n")
                if not found:
                    break
                self._buffer = rest
                self._left = _size(line) + 2
        return content


def _size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0].strip() or b"0", 16)
    except ValueError as error:
        raise Unanswered("the notifications are not in the chunked coding") from error


def _end_of_envelope(text: bytes) -> int:
    """Where the first envelope in `text` ends; 0 where it does not."""
    position = 0
    while (found := text.find(_END, position)) >= 0:
        position = found + len(_END)
        if text.rfind(b"</", 0, found) >= max(0, found - 40) and b">" not in text[text.rfind(b"</", 0, found) : found]:
            return position
    return 0

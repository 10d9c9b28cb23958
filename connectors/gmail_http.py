"""HTTP towards Google: bounded in time and size, verified, with the access token put in and renewed.

`Transport.request` has the shape that google-api-python-client asks of an `httplib2.Http`. It stands on urllib3, since
an answer must be cut off while it arrives: Gmail cannot send part of a message, and a batch holds fifty of them.
"""

import base64
import io
import re
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import google.auth.transport
import httplib2
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    SSLError,
)

from connectors.backoff import Busy, retry_after
from connectors.errors import MailboxError
from connectors.gmail_errors import LineBroke, NotReached
from connectors.tls import client_context, handshake_failed, reason

LARGEST_PAGE = 12 * 1024 * 1024
"""Bytes of one answer that holds many messages. What is larger is asked for in parts."""
LARGEST_MESSAGE = 96 * 1024 * 1024
"""Bytes of an answer that holds one whole message: 72 MiB of mail, where Gmail takes in at most 50 MB."""
_AGENT = "alliance-inbox (gzip)"
"""Google compresses answers only for programs that say so twice: developers.google.com/workspace/gmail/api/guides/
performance."""
_CHUNK = 256 * 1024
_TIMES_OVER = 10
"""A whole answer may take so many times as long as its next piece."""
_RAW = re.compile(rb'"raw"\s*:\s*"')


TokenRequest = Callable[..., google.auth.transport.Response]


class Authority(Protocol):
    """Puts an access token into a request; `request` reaches the token service."""

    def authorize(self, headers: dict[str, str], request: TokenRequest) -> None:
        """Adds the Authorization field. Raises MailboxError."""
        ...

    def renew(self) -> None:
        """The token was refused: the next `authorize` gets a new one."""
        ...


class AnswerTooLarge(Exception):
    """An answer is over the bound; the rest of it was not read."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A large message, of which only the beginning is kept."""

    raw: bytes
    size: int


class Transport:
    """The connections of one mailbox. Not thread-safe."""

    def __init__(self, authority: Authority | None, timeout: float) -> None:
        """`timeout` in seconds: for connecting and for each next piece of an answer."""
        self._authority = authority
        self._timeout = timeout
        self._pool: urllib3.PoolManager | None = None
        self.largest = LARGEST_PAGE
        """Bytes that an answer may have, for the next requests."""

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        redirections: int = 0,
        connection_type: object = None,
    ) -> tuple[httplib2.Response, bytes]:
        """One request and its answer, whatever its status. Raises NotReached, LineBroke, InsecureConnection,
        AnswerTooLarge, and what getting a token raises."""
        del redirections, connection_type  # part of the shape; Google's APIs do not redirect
        with self._opened(uri, method, body, headers) as answer:
            content = self._whole(answer)
        fields = {name.lower(): value for name, value in answer.headers.items()}
        response = httplib2.Response(fields | {"status": str(answer.status)})
        response.reason = answer.reason or ""
        return response, content

    def beginning(self, uri: str, keep: int) -> Beginning | tuple[int, Mapping[str, str], bytes]:
        """The beginning of the field "raw" of a JSON answer that holds little else, decoded, and the decoded size of
        the whole: the answer runs through without being held. One other than 200 comes as status, headers, body."""
        with self._opened(uri, "GET", None, None) as answer:
            if answer.status != 200:
                fields = {name.lower(): value for name, value in answer.headers.items()}
                return answer.status, fields, self._whole(answer)
            return _beginning(self._pieces(answer), keep)

    def token_request(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **kwargs: Any,
    ) -> google.auth.transport.Response:
        """One request to the token service (google.auth.transport.Request). A fault that passes is raised as Busy: the
        library's own repeating sleeps where nobody can stop it."""
        del kwargs
        try:
            answer, content = self._asked(url, method, body, dict(headers or {}))
        except LineBroke:
            self.close()  # asking for a token changes nothing: it may be asked again
            try:
                answer, content = self._asked(url, method, body, dict(headers or {}))
            except LineBroke as error:
                raise NotReached(str(error)) from error
        if answer.status >= 500 or answer.status == 429:
            after = retry_after(answer.headers.get("retry-after"), _utcnow())
            raise Busy(f"{urlsplit(url).netloc} gives no tokens at the moment ({answer.status})", after)
        return _TokenAnswer(answer.status, dict(answer.headers), content)

    def _asked(
        self, url: str, method: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[urllib3.BaseHTTPResponse, bytes]:
        with self._exchange(url, method, body, headers) as answer:
            return answer, self._whole(answer)

    def close(self) -> None:
        """Closes every connection; the next request opens new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.clear()

    @contextmanager
    def _opened(
        self, uri: str, method: str, body: str | bytes | None, headers: Mapping[str, str] | None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """The answer to a request with a token; with a new one where the first is refused."""
        fields = {"accept-encoding": "gzip", "user-agent": _AGENT, **{k.lower(): v for k, v in (headers or {}).items()}}
        if self._authority is not None:
            self._authority.authorize(fields, self.token_request)
        with self._exchange(uri, method, body, fields) as answer:
            if answer.status != 401 or self._authority is None:
                yield answer
                return
            self._whole(answer)
        self._authority.renew()
        self._authority.authorize(fields, self.token_request)
        with self._exchange(uri, method, body, fields) as answer:
            yield answer

    @contextmanager
    def _exchange(
        self, uri: str, method: str, body: str | bytes | None, headers: dict[str, str]
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        where = urlsplit(uri).netloc
        payload = body.encode() if isinstance(body, str) else body
        timeout = urllib3.Timeout(connect=self._timeout, read=self._timeout)
        # A request that is sent once and not twice (`retries`): who asked knows whether it may be repeated.
        try:
            answer = self._opened_pool(uri).request(
                method,
                uri,
                body=payload,
                headers=headers,
                timeout=timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except HTTPError as error:
            raise _broken(where, error) from error
        complete = False
        try:
            yield answer
            complete = True
        except HTTPError as error:
            raise LineBroke(f"{where} hung up in the middle of its answer ({type(error).__name__})") from error
        finally:
            # An answer that was not read to its end spoils the connection for the next one.
            if complete:
                answer.release_conn()
            else:
                answer.close()

    def _opened_pool(self, uri: str) -> urllib3.PoolManager:
        if self._pool is None:
            target = urlsplit(uri)
            proxy = urllib.request.getproxies().get(target.scheme)
            context = client_context(None)
            if proxy and not urllib.request.proxy_bypass(target.hostname or ""):
                self._pool = urllib3.ProxyManager(proxy, ssl_context=context, num_pools=4, maxsize=1)
            else:
                self._pool = urllib3.PoolManager(ssl_context=context, num_pools=4, maxsize=1)
        return self._pool

    def _whole(self, answer: urllib3.BaseHTTPResponse) -> bytes:
        content = io.BytesIO()
        for piece in self._pieces(answer):
            content.write(piece)
            if content.tell() > self.largest:
                raise AnswerTooLarge
        return content.getvalue()

    def _pieces(self, answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        deadline = time.monotonic() + _TIMES_OVER * self._timeout
        for piece in answer.stream(_CHUNK, decode_content=True):
            yield piece
            if time.monotonic() > deadline:
                raise LineBroke("Google's answer takes too long")


class _TokenAnswer(google.auth.transport.Response):
    def __init__(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self._status, self._headers, self._content = status, headers, content

    @property
    def status(self) -> int:
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    @property
    def data(self) -> bytes:
        return self._content


def _beginning(pieces: Iterator[bytes], keep: int) -> Beginning:
    """Reads base64url text (RFC 4648 §5) between the quotes of the field "raw", and counts what it does not keep."""
    head, kept, letters = b"", bytearray(), 0
    inside = ended = False
    wanted = -(-keep // 3) * 4
    for piece in pieces:
        if ended:
            continue  # to the end, so that the connection can be used again
        text = piece
        if not inside:
            head += piece
            found = _RAW.search(head)
            if found is None:
                head = head[-64:]
                continue
            inside, text = True, head[found.end() :]
        text, quote, _ = text.partition(b'"')
        ended = bool(quote)
        text = text.rstrip(b"=")
        letters += len(text)
        kept += text[: max(0, wanted - len(kept))]
    if not ended:
        raise LineBroke("Google's answer ends in the middle of a message")
    whole = kept[: len(kept) // 4 * 4] if letters > len(kept) else kept
    raw = base64.urlsafe_b64decode(bytes(whole) + b"=" * (-len(whole) % 4))
    return Beginning(raw[:keep], letters * 3 // 4)


def _broken(where: str, error: HTTPError) -> MailboxError:
    if isinstance(error, ProxyError) and isinstance(error.original_error, HTTPError):
        error = error.original_error
    if isinstance(error, SSLError):
        cause = error.args[0] if error.args and isinstance(error.args[0], OSError) else OSError(str(error))
        return handshake_failed(where, cause)
    if isinstance(error, NewConnectionError | ConnectTimeoutError | LocationValueError):
        return NotReached(f"{where} cannot be reached: {reason(error.__cause__ or error)}")
    return LineBroke(f"{where} hung up before it answered ({type(error).__name__})")


def _utcnow() -> datetime:
    return datetime.now(UTC)

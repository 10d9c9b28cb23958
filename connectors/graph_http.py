"""HTTP as the Microsoft 365 connector speaks it: TLS verified, no redirects, time and size of every answer bounded."""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import httpx

from connectors.errors import ConnectFailed, InsecureConnection
from connectors.graph_clouds import is_local

# It logs every address, and the address of an upload holds the key to it.
logging.getLogger("httpx").setLevel(logging.WARNING)

LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of one answer that are held in memory: twenty messages of a batch, or a long page of changes."""
_LARGEST_ERROR = 64 * 1024
_KEPT_ALIVE = 90.0
"""Seconds that an idle connection is kept: from one look at a mailbox to the next, without another TLS handshake."""
_TRIES = 3
"""So often a request that may be repeated meets a broken line."""


def http_client(url: str, timeout: float) -> httpx.Client:
    """A client for `url`, whose waits end after `timeout` seconds each. A proxy that the environment names
    (HTTPS_PROXY, NO_PROXY) is used, never for an address of this machine; so is SSL_CERT_FILE."""
    return httpx.Client(
        timeout=httpx.Timeout(timeout, pool=timeout),
        verify=_trusted(),
        follow_redirects=False,
        trust_env=not is_local(url),
        headers={"User-Agent": "alliance-inbox"},
        limits=httpx.Limits(max_connections=4, max_keepalive_connections=2, keepalive_expiry=_KEPT_ALIVE),
    )


@cache
def _trusted() -> ssl.SSLContext:
    """Whom every client trusts. One for all: it takes half a megabyte, and there may be a thousand mailboxes."""
    return httpx.create_ssl_context()


def content_of(answer: httpx.Response, most: int = LARGEST_ANSWER) -> bytes:
    """The whole of a streamed answer. Raises ConnectFailed where it is longer than `most` bytes."""
    parts: list[bytes] = []
    size = 0
    for part in answer.iter_bytes():
        size += len(part)
        if size > most:
            raise ConnectFailed(f"{answer.url.host} sends an answer of more than {most} bytes: it is not read")
        parts.append(part)
    return b"".join(parts)


def error_content(answer: httpx.Response) -> bytes:
    """What an answer that is an error says; empty where it says too much."""
    try:
        return content_of(answer, _LARGEST_ERROR)
    except ConnectFailed:
        return b""


class Broken(Exception):
    """The line broke. `sent` tells whether the request may have reached the server."""

    def __init__(self, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.sent = sent


@contextmanager
def line(host: str) -> Iterator[None]:
    """Turns httpx's errors into ours. Raises Broken, InsecureConnection."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        if isinstance(_cause(error), ssl.SSLCertVerificationError):
            raise InsecureConnection(
                f"{host}: the TLS certificate does not verify. If your network inspects TLS, exempt this address, or "
                "set SSL_CERT_FILE to a file with your authority's certificate"
            ) from error
        raise Broken(f"{host} cannot be reached ({type(error).__name__})", sent=False) from error
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
        raise Broken(f"the connection to {host} broke ({type(error).__name__})", sent=True) from error


def may_repeat(tries: int) -> bool:
    """Whether a request that may be repeated is sent again after its line broke `tries` times."""
    return tries < _TRIES


def _cause(error: BaseException) -> BaseException | None:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause

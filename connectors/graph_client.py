"""Requests to one mailbox in Microsoft Graph: signed in, patient, bounded, alone or twenty in a batch.

Every request asks for immutable ids (https://learn.microsoft.com/graph/outlook-immutable-id). A token goes nowhere but
to the configured endpoint.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx

from connectors.backoff import Busy, Patience, longest_wait
from connectors.errors import ConnectFailed, Throttled
from connectors.graph_access import Access
from connectors.graph_batch import Batches, Part, PartAnswer, preferring
from connectors.graph_clouds import Cloud, same_origin
from connectors.graph_errors import BUSY, FAULTS, Refused, failure_in, of_account
from connectors.graph_http import Broken, content_of, error_content, http_client, line, may_repeat
from connectors.graph_quota import Budget

_Answer = TypeVar("_Answer")

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Streamed:
    """The beginning of a long answer, and how long all of it is, in bytes."""

    head: bytes
    size: int


class GraphClient:
    """Requests to one mailbox. Not thread-safe."""

    def __init__(
        self,
        address: str,
        cloud: Cloud,
        access: Access,
        *,
        timeout: float,
        patience: Patience,
        budget: Budget,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Connects at the first request. `timeout` in seconds, for each wait for the server; `budget` is the
        application's."""
        self.address = address
        self._cloud = cloud
        self._access = access
        self.timeout = timeout
        self.patience = patience
        self._clock = clock
        self.root = "/me" if access.delegated else f"/users/{quote(address, safe='@')}"
        """The mailbox's path."""
        self._http: httpx.Client | None = None
        self._host = httpx.URL(cloud.endpoint).host
        self._budget = budget
        self._batches = Batches(address, self._posted, self.patience, budget, clock)
        self.served_at: datetime | None = None
        """What the server's clock said in its last answer."""

    def close(self) -> None:
        """Lets go of the connections. A later request connects again."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def taken(self, link: str) -> str:
        """A link that the server gave, as a path below the version. Raises ConnectFailed where it leads anywhere but to
        the configured endpoint: a token would go with it."""
        if not same_origin(link, self._cloud.base):
            raise ConnectFailed(f"Microsoft Graph, {self.address}: a link leads away from {self._host}; not followed")
        return link.removeprefix(self._cloud.base)

    def path(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """A path below the mailbox, as a part of a batch names it."""
        options = f"?{urlencode(query, quote_via=quote, safe='$,')}" if query else ""
        return f"{self.root}{path}{options}"

    def follow(self, path: str, *, prefer: str = "") -> Any:
        """The JSON at a path that `taken` gave. Raises Refused, MailboxError."""
        return self._called("GET", path, {}, None, _parsed, prefer=prefer)

    def get(self, path: str, query: Mapping[str, str] | None = None, *, prefer: str = "") -> Any:
        """The JSON at a path below the mailbox. Raises Refused, MailboxError."""
        return self._called("GET", self.path(path, query), {}, None, _parsed, prefer=prefer)

    def change(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A request that changes something, and whose repetition changes nothing more. Raises Refused, MailboxError."""
        content = None if body is None else json.dumps(body).encode()
        return self._called(method, self.path(path), _JSON if body is not None else {}, content, _parsed)

    def once(self, path: str, content: bytes = b"", content_type: str = "") -> Any:
        """A POST that must not be repeated. Raises Refused, `Unanswered` where it may have been carried out, and
        MailboxError where it certainly was not."""
        headers = {"Content-Type": content_type} if content_type else {}
        return self._called("POST", self.path(path), headers, content, _parsed, repeat=False)

    def once_json(self, path: str, body: Mapping[str, Any]) -> Any:
        """`once`, with JSON."""
        return self.once(path, json.dumps(body).encode(), _JSON["Content-Type"])

    def service(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """A request beside the mailbox, such as to /subscriptions; a POST is not repeated. Raises Refused,
        MailboxError."""
        content = None if body is None else json.dumps(body).encode()
        headers = _JSON if body is not None else {}
        try:
            return self._called(method, path, headers, content, _parsed, repeat=method != "POST")
        except Unanswered as error:
            raise ConnectFailed(f"Microsoft Graph, {self.address}: {error}") from error

    def stream(self, path: str, most: int) -> Streamed:
        """The first `most` bytes of what is at a path below the mailbox, and its whole length. Raises Refused,
        MailboxError."""

        def read(answer: httpx.Response) -> Streamed:
            head = bytearray()
            size = 0
            for part in answer.iter_bytes():
                head += part[: max(0, most - size)]
                size += len(part)
            return Streamed(bytes(head), size)

        return self._called("GET", self.path(path), {}, None, read)

    def batch(self, parts: Sequence[Part]) -> list[PartAnswer]:
        """The answers to `parts`, in their order. Parts that met a busy server are asked again, they alone, after the
        pause that it named; what is left when patience ends keeps its failure. Every part must bear repetition.

        Raises MailboxError where the batch itself failed.
        """
        return self._batches.run(parts)

    def _posted(self, content: bytes, read: Callable[[Any], _Answer], requests: int) -> _Answer:
        """One batch, `read` from its JSON."""
        return self._called("POST", "/$batch", _JSON, content, lambda answer: read(_parsed(answer)), requests=requests)

    def _called(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | None,
        read: Callable[[httpx.Response], _Answer],
        *,
        prefer: str = "",
        repeat: bool = True,
        requests: int = 1,
    ) -> _Answer:
        """One request, to `path` below the version. A token that is refused is renewed once; a busy server is waited
        for and a broken line mended where the request may be repeated."""
        rejected: str | None = None
        faults = 0

        def ask() -> _Answer:
            nonlocal rejected, faults
            while True:
                self._book(requests)
                token = self._token(rejected)
                given = preferring(prefer) | dict(headers) | {"Authorization": f"Bearer {token}"}
                try:
                    return self._mended(method, path, given, content, read, repeat=repeat)
                except Refused as error:
                    if error.failure.status == 401 and rejected is None:
                        rejected = token
                        continue
                    if (account := of_account(error.failure, self.address)) is not None:
                        raise account from error
                    faults += error.failure.of_message
                    if repeat and error.failure.status in BUSY and faults < FAULTS:
                        raise Busy(
                            f"Microsoft Graph, {self.address}: busy ({error.failure})", error.failure.retry_after
                        ) from error
                    raise

        return self.patience.run(ask)

    def _book(self, requests: int) -> None:
        """Waits until the application may make so many requests. Raises Throttled where that takes too long."""
        longest = longest_wait(self.patience.seconds)
        pause = self._budget.take(requests, longest)
        if pause > longest:
            raise Throttled(
                f"Microsoft Graph, {self.address}: the application is to pause for {pause:.0f} seconds", pause
            )
        if pause > 0:
            self.patience.sleep(pause)

    def _token(self, rejected: str | None) -> str:
        try:
            return self._access.token(self.patience, rejected)
        except Throttled as error:
            if not self._access.delegated:  # the sign-in of all mailboxes
                self._budget.pause(error.retry_after)
            raise

    def _mended(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | None,
        read: Callable[[httpx.Response], _Answer],
        *,
        repeat: bool,
    ) -> _Answer:
        tries = 0
        while True:
            tries += 1
            try:
                return self._once(method, path, headers, content, read)
            except Broken as error:
                self.close()
                if not repeat and error.sent:
                    raise Unanswered(str(error)) from error
                if not may_repeat(tries):
                    raise ConnectFailed(f"Microsoft Graph, {self.address}: {error}") from error

    def _once(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes | None,
        read: Callable[[httpx.Response], _Answer],
    ) -> _Answer:
        if self._http is None:
            self._http = http_client(self._cloud.endpoint, self.timeout)
        with (
            line(self._host),
            self._http.stream(method, f"{self._cloud.base}{path}", headers=dict(headers), content=content) as answer,
        ):
            self.served_at = _date(answer) or self.served_at
            if answer.is_success:
                return read(answer)
            body = _loosely(error_content(answer))
            after = answer.headers.get("Retry-After")
            scope = answer.headers.get("x-ms-throttle-scope")
            failure = failure_in(answer.status_code, body, after, self._clock(), scope)
            self._budget.refused(failure)
            raise Refused(failure)


class Unanswered(Exception):
    """The line broke after a request was sent that must not be repeated: it may have been carried out."""


def _parsed(answer: httpx.Response) -> Any:
    content = content_of(answer)
    if not content:
        return None
    try:
        return json.loads(content)
    except ValueError as error:
        raise Broken(f"{answer.url.host} sends an answer that is no JSON, or half of one", sent=True) from error


def _loosely(content: bytes) -> object:
    try:
        found: object = json.loads(content)
    except ValueError:
        return None
    return found


def _date(answer: httpx.Response) -> datetime | None:
    """The Date field (RFC 9110 §6.6.1), in UTC."""
    try:
        found = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)

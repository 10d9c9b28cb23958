"""Requests to one mailbox in Microsoft Graph: signed in, patient, bounded, alone or twenty in a batch.

Every request asks for immutable ids (https://learn.microsoft.com/graph/outlook-immutable-id). A token goes nowhere but
to the configured endpoint.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx

from connectors.backoff import Busy, Patience, retry_after
from connectors.errors import ConnectFailed, MailboxError, Throttled
from connectors.graph_access import Access
from connectors.graph_clouds import Cloud, same_origin
from connectors.graph_errors import BUSY, Failure, Refused, failure_of, of_account
from connectors.graph_http import Broken, content_of, error_content, http_client, line, may_repeat

_Answer = TypeVar("_Answer")

BATCH = 20
"""Requests in one batch: https://learn.microsoft.com/graph/json-batching#batch-size-limitations."""
_BATCH_WHEN_OVERRUN = 4
"""Requests to one mailbox at a time: https://learn.microsoft.com/graph/throttling-limits#limits-per-mailbox."""
_FAULTS = 2
"""So often the server may fail over one and the same message: it must not use up the patience of the others."""
_ID = 'IdType="ImmutableId"'
_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch. `path` is below the mailbox, with its query."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    prefer: str = ""
    """Preferences beside the immutable ids."""


@dataclass(frozen=True, slots=True)
class PartAnswer:
    """How one part of a batch was answered. `body` is JSON, or a text."""

    failure: Failure | None
    body: Any = None
    account: MailboxError | None = None
    """The error of a failure that is about the account and not about this request."""

    def wanted(self) -> Any:
        """The body. Raises Refused, the error of the account, and Throttled where patience ended."""
        if self.failure is None:
            return self.body
        if self.account is not None:
            raise self.account
        if self.failure.status in BUSY and not self.failure.of_message:
            raise Throttled(f"Microsoft Graph is busy ({self.failure})", self.failure.retry_after)
        raise Refused(self.failure)


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
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Connects at the first request. `timeout` in seconds, for each wait for the server."""
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
        self._overrun = False
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
        answers: dict[int, PartAnswer] = {}
        waiting = dict(enumerate(parts))
        faults: dict[int, int] = {}

        def ask() -> None:
            size = _BATCH_WHEN_OVERRUN if self._overrun else BATCH
            numbers = list(waiting)
            for start in range(0, len(numbers), size):
                chosen = {number: waiting[number] for number in numbers[start : start + size]}
                for number, answer in self._batched(chosen).items():
                    answers[number] = answer
                    failure = answer.failure
                    faults[number] = faults.get(number, 0) + (failure is not None and failure.of_message)
                    if failure is None or failure.status not in BUSY or faults[number] >= _FAULTS:
                        del waiting[number]
            if waiting:
                failures = [failure for number in waiting if (failure := answers[number].failure) is not None]
                self._overrun = self._overrun or any(failure.status == 429 for failure in failures)
                named = [failure.retry_after for failure in failures if failure.retry_after is not None]
                raise Busy(f"Microsoft Graph, {self.address}: busy ({failures[0]})", max(named, default=None))

        try:
            self.patience.run(ask)
        except Throttled:
            if not all(number in answers for number in range(len(parts))):
                raise
        return [answers[number] for number in range(len(parts))]

    def _batched(self, parts: Mapping[int, Part]) -> dict[int, PartAnswer]:
        requests = [
            {
                "id": str(number),
                "method": part.method,
                "url": part.path,
                "headers": _headers(part.prefer) | dict(part.headers) | ({} if part.body is None else _JSON),
            }
            | ({} if part.body is None else {"body": part.body})
            for number, part in parts.items()
        ]
        content = json.dumps({"requests": requests}).encode()

        def read(answer: httpx.Response) -> dict[int, PartAnswer]:
            body = _parsed(answer)
            responses = body.get("responses") if isinstance(body, dict) else None
            found: dict[int, PartAnswer] = {}
            for response in responses if isinstance(responses, list) else ():
                number = response.get("id") if isinstance(response, dict) else None
                if isinstance(number, str) and number.isdecimal() and int(number) in parts:
                    found[int(number)] = self._part_answer(response)
            for one in found.values():
                if one.failure is not None and one.failure.status == 401:
                    raise Refused(one.failure)  # the token ran out on the way: all of it again with another
            lacking = PartAnswer(Failure(502, "NoAnswer"))
            return {number: found.get(number, lacking) for number in parts}

        return self._called("POST", "/$batch", _JSON, content, read)

    def _part_answer(self, response: Mapping[str, Any]) -> PartAnswer:
        status, body = response.get("status"), response.get("body")
        if isinstance(status, int) and 200 <= status < 300:
            return PartAnswer(None, body)
        given = response.get("headers")
        named = {str(name).lower(): value for name, value in given.items()} if isinstance(given, dict) else {}
        failure = self._failure(status if isinstance(status, int) else 502, body, named.get("retry-after"))
        return PartAnswer(failure, account=of_account(failure, self.address))

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
    ) -> _Answer:
        """One request, to `path` below the version. A token that is refused is renewed once; a busy server is waited
        for and a broken line mended where the request may be repeated."""
        rejected: str | None = None
        faults = 0

        def ask() -> _Answer:
            nonlocal rejected, faults
            while True:
                token = self._access.token(self.patience, rejected)
                given = _headers(prefer) | dict(headers) | {"Authorization": f"Bearer {token}"}
                try:
                    return self._mended(method, path, given, content, read, repeat=repeat)
                except Refused as error:
                    if error.failure.status == 401 and rejected is None:
                        rejected = token
                        continue
                    if (account := of_account(error.failure, self.address)) is not None:
                        raise account from error
                    faults += error.failure.of_message
                    if repeat and error.failure.status in BUSY and faults < _FAULTS:
                        raise Busy(
                            f"Microsoft Graph, {self.address}: busy ({error.failure})", error.failure.retry_after
                        ) from error
                    raise

        return self.patience.run(ask)

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
            raise Refused(self._failure(answer.status_code, body, answer.headers.get("Retry-After")))

    def _failure(self, status: int, body: object, after: object) -> Failure:
        found = body.get("error") if isinstance(body, dict) else None
        error = found if isinstance(found, dict) else {}
        inner = error.get("innerError")
        request_id = inner.get("request-id") if isinstance(inner, dict) else None
        pause = retry_after(str(after), self._clock()) if isinstance(after, str | int) else None
        return failure_of(status, error.get("code"), request_id, pause)


class Unanswered(Exception):
    """The line broke after a request was sent that must not be repeated: it may have been carried out."""


def _headers(prefer: str) -> dict[str, str]:
    return {"Prefer": f"{_ID}, {prefer}" if prefer else _ID}


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

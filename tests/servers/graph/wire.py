"""Requests and answers of the stand-in, what it does wrong on demand, and what it remembers of each request."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

JSON_TYPE = "application/json"


class GraphError(Exception):
    """An answer that is an error: https://learn.microsoft.com/graph/errors."""

    def __init__(self, status: int, code: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status, self.code, self.text, self.headers = status, code, text, dict(headers or {})


class Violation(GraphError):
    """The client sent what is not documented. Answered as `GraphError`, and kept."""

    def __init__(self, text: str, status: int = 400, code: str = "BadRequest") -> None:
        super().__init__(status, code, text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `body` is JSON, or bytes of `content_type`; None is an empty body."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = f"{JSON_TYPE};odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"

    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body, ensure_ascii=False).encode()


class Cut(Exception):
    """The connection ends here, after `sent` bytes of the answer."""

    def __init__(self, sent: int, answer: Answer | None = None) -> None:
        super().__init__()
        self.sent, self.answer = sent, answer


@dataclass(frozen=True, slots=True)
class Request:
    """One request, or one part of a batch. `segments` are decoded, keys in brackets taken apart."""

    method: str
    target: str
    segments: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    base: str
    """Scheme, host and port that the client named."""
    part: bool = False
    """Inside a batch."""

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> dict[str, Any]:
        """The body, which must be a JSON object under its content type."""
        if self.content_type != JSON_TYPE:
            raise Violation(f"Content-Type of {self.method} {self.target} is {self.content_type!r}, not {JSON_TYPE}")
        try:
            found = json.loads(self.body)
        except ValueError as error:
            raise Violation(f"the body of {self.method} {self.target} is no JSON") from error
        if not isinstance(found, dict):
            raise Violation(f"the body of {self.method} {self.target} is no JSON object")
        return found

    def nothing(self) -> None:
        """The request must have no body."""
        if self.body:
            raise Violation(f"{self.method} {self.target} takes no body")


def read_request(
    method: str, target: str, headers: Mapping[str, str], body: bytes, base: str, *, part: bool = False
) -> Request:
    """Takes a request line apart. Raises Violation."""
    parts = urlsplit(target)
    pairs = parse_qsl(parts.query, keep_blank_values=True, errors="strict")
    query = dict(pairs)
    if len(query) != len(pairs):
        raise Violation(f"an option stands twice in {target}")
    segments: list[str] = []
    for raw in parts.path.removeprefix("/").split("/"):
        segment = unquote(raw)
        name, bracket, key = segment.partition("('")
        if bracket and key.endswith("')"):
            segments += [name, key.removesuffix("')").replace("''", "'")]
        else:
            segments.append(segment.removesuffix("()"))
    lower = {name.lower(): value for name, value in headers.items()}
    return Request(method.upper(), target, tuple(segments), query, lower, body, base, part)


@dataclass
class Fault:
    """Something that goes wrong on demand, `times` times (None: until it is taken away)."""

    status: int = 503
    code: str = "ServiceUnavailable"
    text: str = "The service is temporarily unavailable."
    on: str = ""
    """Method and template, e.g. "GET /users/{user}/messages/{id}/$value"; either may be left out; "" is everything."""
    mailbox: str = ""
    """Only requests to this mailbox."""
    retry_after: str | None = None
    scope: str | None = None
    """Whose limit was met, as x-ms-throttle-scope says it."""
    times: int | None = 1
    after: bool = False
    """The request is carried out, and then the answer is lost."""
    cut: int | None = None
    """Instead of an error, the connection ends after this many bytes of the answer."""

    def applies(self, method: str, template: str, mailbox: str) -> bool:
        wanted = self.on.split()
        return (
            (self.times is None or self.times > 0)
            and self.mailbox in ("", mailbox)
            and all(part in (method, template) for part in wanted)
        )

    def trouble(self, answer: Answer | None = None) -> GraphError | Cut:
        """What is raised instead of `answer`."""
        if self.cut is not None:
            return Cut(self.cut, answer)
        named = {"Retry-After": self.retry_after, "x-ms-throttle-scope": self.scope}
        headers = {name: value for name, value in named.items() if value is not None}
        return GraphError(self.status, self.code, self.text, headers)


@dataclass(frozen=True, slots=True)
class Logged:
    """One request that came, a batch and each of its parts apart."""

    method: str
    template: str
    target: str
    mailbox: str
    status: int
    part: bool
    prefer: str


def checked_properties(given: Mapping[str, Any], allowed: Sequence[str] | Mapping[str, Any], where: str) -> None:
    """Every property in a body must be documented for it."""
    unknown = sorted(name for name in given if name not in allowed and not name.startswith("@odata."))
    if unknown:
        raise Violation(f"{where}: unknown or read-only properties {unknown}")

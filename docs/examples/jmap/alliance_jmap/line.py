"""The line to a JMAP server (RFC 8620): requests out, answers in, and every failure a MailboxError."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import httpx
from connectors.backoff import Busy, Patience, retry_after
from connectors.errors import (
    AuthenticationFailed,
    ConnectFailed,
    FetchFailed,
    MailboxError,
    PermissionDenied,
    Throttled,
)

_MAIL = "urn:ietf:params:jmap:mail"
_USING = ["urn:ietf:params:jmap:core", _MAIL, "urn:ietf:params:jmap:submission", "urn:ietf:params:jmap:blob"]
_BUSY = (429, 503)

Call = tuple[str, Mapping[str, Any]]
"""A method's name and its arguments, without the account."""


@dataclass(frozen=True)
class Session:
    """What the server tells of itself and of the account (RFC 8620 §2)."""

    api: str
    download: str
    upload: str
    account: str
    capabilities: frozenset[str]


class Line:
    """One signed-in line. Connects at the first use, and again after `close`."""

    def __init__(self, url: str, token: str, timeout: float, sleep: Callable[[float], None] = time.sleep) -> None:
        """`url` is that of the session resource, `token` a bearer token."""
        self._url = url
        self._timeout = timeout
        self._headers = {"Authorization": f"Bearer {token}"}
        self._client = self._new_client()
        self._patience = Patience(sleep=sleep)
        self._session: Session | None = None
        self.where = httpx.URL(url).host

    @property
    def session(self) -> Session:
        """The session, asked for once."""
        if self._session is None:
            with self.understood(ConnectFailed):
                told = self._asked("GET", self._url).json()
                self._session = Session(
                    api=urljoin(self._url, told["apiUrl"]),
                    download=urljoin(self._url, told["downloadUrl"]),
                    upload=urljoin(self._url, told["uploadUrl"]),
                    account=told["primaryAccounts"][_MAIL],
                    capabilities=frozenset(told["capabilities"]),
                )
        return self._session

    def call(
        self, failing: type[MailboxError], *calls: Call, tolerated: frozenset[str] = frozenset(), repeat: bool = True
    ) -> list[dict[str, Any]]:
        """The answer to each call, all in one request. An error of a method raises `failing`; one that is `tolerated`
        is answered as {"error": type}. Without `repeat` the request is sent once, whatever happens."""
        account = {"accountId": self.session.account}
        body = [[name, {**account, **arguments}, str(number)] for number, (name, arguments) in enumerate(calls)]
        answers: dict[str, dict[str, Any]] = {}
        with self.understood(ConnectFailed):
            request = {"using": _USING, "methodCalls": body}
            answer = self._asked("POST", self.session.api, repeat, json=request).json()
            for name, told, number in answer["methodResponses"]:
                if name == "error" and told["type"] not in tolerated:
                    raise failing(f"{self.where} refuses {calls[int(number)][0]}: {told['type']}")
                answers.setdefault(number, {"error": told["type"]} if name == "error" else told)
            return [answers[str(number)] for number in range(len(calls))]

    def blob(self, blob_id: str) -> bytes:
        """The whole of a blob."""
        url = self.session.download.replace("{accountId}", self.session.account).replace("{blobId}", blob_id)
        return self._asked("GET", url.replace("{name}", "mail.eml").replace("{type}", "message%2Frfc822")).content

    def upload(self, content: bytes) -> str:
        """Hands a blob over and returns its id. One that nothing refers to is forgotten by the server."""
        with self.understood(ConnectFailed):
            url = self.session.upload.replace("{accountId}", self.session.account)
            return str(self._asked("POST", url, content=content).json()["blobId"])

    def close(self) -> None:
        """Lets go of every connection."""
        self._session = None
        self._client.close()
        self._client = self._new_client()

    @contextmanager
    def understood(self, failing: type[MailboxError]) -> Iterator[None]:
        """Raises `failing` for an answer that is not what JMAP defines."""
        try:
            yield
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise failing(f"{self.where}: an answer that cannot be read ({type(error).__name__})") from error

    def _new_client(self) -> httpx.Client:
        return httpx.Client(timeout=self._timeout, headers=self._headers)

    def _asked(self, method: str, url: str, repeat: bool = True, **content: Any) -> httpx.Response:
        def once() -> httpx.Response:
            answer = self._sent(method, url, repeat, **content)
            after = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
            if answer.status_code in _BUSY and repeat:
                raise Busy(f"{self.where} is busy", after)
            if answer.status_code in _BUSY:
                raise Throttled(f"{self.where} is busy", after)
            if answer.status_code == 401:
                raise AuthenticationFailed(f"{self.where} takes the token no more: put a new one into the vault")
            if answer.status_code == 403:
                raise PermissionDenied(f"{self.where}: the token may not do this: it needs mail and submission")
            if answer.status_code >= 400:
                kind = FetchFailed if answer.status_code == 404 else ConnectFailed
                raise kind(f"{self.where} answers {answer.status_code}")
            return answer

        return self._patience.run(once)

    def _sent(self, method: str, url: str, repeat: bool, **content: Any) -> httpx.Response:
        try:
            return self._client.request(method, url, **content)
        except httpx.TransportError as error:
            if not repeat:
                raise ConnectFailed(f"{self.where}: the line broke ({type(error).__name__})") from error
        except httpx.HTTPError as error:
            raise ConnectFailed(f"{self.where}: {type(error).__name__}") from error
        return self._sent(method, url, repeat=False, **content)

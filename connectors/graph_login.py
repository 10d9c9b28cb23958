"""The HTTP that msal signs in over: bounded, patient with a busy authority, and plain only on this machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from connectors.backoff import Busy, Patience, retry_after
from connectors.errors import ConnectFailed
from connectors.graph_errors import BUSY
from connectors.graph_http import Broken, content_of, http_client, line, may_repeat

_LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """What msal looks at of an answer."""

    status_code: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def raise_for_status(self) -> None:
        """Raises ConnectFailed for an answer that is an error."""
        if self.status_code >= 400:
            raise ConnectFailed(f"the Microsoft sign-in answers {self.status_code}")


class LoginClient:
    """`msal.oauth2cli.http.HttpClient`. Used by one thread at a time."""

    def __init__(self, authority: str, timeout: float) -> None:
        """`authority` as the settings have it; one under http is on this machine (`graph_clouds`)."""
        self.patience = Patience()
        self._host = httpx.URL(authority).host
        self._plain = authority.removeprefix("http:") if authority.startswith("http:") else None
        self.https_authority = f"https:{self._plain}" if self._plain else authority
        """What msal is told, which takes no other scheme."""
        self._client = http_client(authority, timeout)

    def get(self, url: str, params: Any = None, headers: Any = None, **ignored: Any) -> LoginAnswer:
        """See msal."""
        del ignored
        return self._asked("GET", url, params, None, headers)

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **ignored: Any) -> LoginAnswer:
        """See msal."""
        del ignored
        return self._asked("POST", url, params, data, headers)

    def close(self) -> None:
        """See msal."""
        self._client.close()

    def _asked(self, method: str, url: str, params: Any, data: Any, headers: Any) -> LoginAnswer:
        if self._plain and url.startswith(f"https:{self._plain}"):
            url = "http" + url.removeprefix("https")
        given = {name: value for name, value in (headers or {}).items() if value is not None}
        content = {"content": data} if isinstance(data, str | bytes) else {"data": _filled(data)}
        request = self._client.build_request(method, url, params=_filled(params) or None, headers=given, **content)
        return self.patience.run(lambda: self._once(request))

    def _once(self, request: httpx.Request) -> LoginAnswer:
        tries = 0
        while True:
            tries += 1
            try:
                with line(self._host):
                    answer = self._client.send(request, stream=True)
                    try:
                        content = content_of(answer, _LARGEST)
                    finally:
                        answer.close()
                if answer.status_code == 200:
                    _readable(content)
                break
            except Broken as error:
                if not may_repeat(tries):
                    raise ConnectFailed(f"Microsoft sign-in: {error}") from error
        if answer.status_code in BUSY:
            after = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
            raise Busy(f"the Microsoft sign-in answers {answer.status_code}", after)
        text = content.decode("utf-8", "replace")
        if self._plain:
            text = text.replace(f'"http:{self._plain}', f'"https:{self._plain}')
        return LoginAnswer(answer.status_code, text, dict(answer.headers))


def _readable(content: bytes) -> None:
    """Raises Broken where an answer's end lacks: msal would take it for an unknown tenant, and log the token in it."""
    try:
        json.loads(content)
    except ValueError:
        raise Broken("an answer that cannot be read", sent=True) from None


def _filled(fields: Any) -> dict[str, str]:
    """The fields of a form as text. msal gives a signed assertion as bytes."""
    filled = {name: value for name, value in (fields or {}).items() if value is not None}
    return {name: value.decode() if isinstance(value, bytes) else str(value) for name, value in filled.items()}

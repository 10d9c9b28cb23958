"""A teacher's consent to read and answer mail in Gmail (OAuth 2.0 for apps on a computer: RFC 8252, RFC 7636).

The teacher agrees in a browser, which Google then sends back to this machine: to a small server that listens for that
one visit, or, where there is no browser here, to an address that nobody answers, which is pasted from the browser's
address bar. (Google ended the way that showed a code to copy: see "out-of-band flow migration" in its OAuth pages.)
Either way the answer has to carry the state that was sent along, and the code in it is good only together with a secret
that never leaves this process.

Kept apart from `gmail_access`: the service itself never asks for consent.
"""

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from google_auth_oauthlib.flow import Flow
from oauthlib.oauth2.rfc6749.errors import OAuth2Error  # type: ignore[import-untyped]

from connectors.errors import AuthenticationFailed, ConnectFailed, PermissionDenied
from connectors.gmail_access import CLIENT_NAME, SCOPE
from connectors.gmail_errors import CLIENTS_PAGE, token_refused

NOBODY_ANSWERS = "http://localhost:53682/"
"""Where the browser is sent when the answer is pasted."""
CONNECTIONS_PAGE = "https://myaccount.google.com/connections"
_TIMEOUT = 30.0
_THANKS = b"<!doctype html><meta charset=utf-8><title>Thank you</title><p>Thank you. You can close this page."


@dataclass(frozen=True)
class OAuthClient:
    """An OAuth client, as Google's console hands it out."""

    client_id: str
    content: Mapping[str, Any] = field(repr=False)


def read_client(text: str) -> OAuthClient:
    """The client in a JSON file of Google's. Raises AuthenticationFailed where it is none for an app on a computer."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    client = found.get("installed") if isinstance(found, dict) else None
    if not isinstance(client, dict) or not all(client.get(name) for name in ("client_id", "auth_uri", "token_uri")):
        raise AuthenticationFailed(
            f"{CLIENT_NAME} is not an OAuth client of the type Desktop app: make one at {CLIENTS_PAGE} and download "
            "its JSON"
        )
    return OAuthClient(str(client["client_id"]), found)


class Consent:
    """One teacher's consent, asked for once."""

    def __init__(self, client: OAuthClient, address: str, redirect: str = NOBODY_ANSWERS) -> None:
        """`redirect` is where Google sends the browser afterwards."""
        self._client = client
        self._address = address
        self._flow = Flow.from_client_config(
            dict(client.content), [SCOPE], redirect_uri=redirect, autogenerate_code_verifier=True
        )
        self.url, self._state = self._flow.authorization_url(
            access_type="offline", prompt="consent", login_hint=address
        )
        """Where the teacher agrees."""

    def token(self, answer: str) -> str:
        """The token to keep under `gmail_access.token_name(address)`. `answer` is the address that Google sent the
        browser to. Whose mailbox it opens is told by `GmailMailbox.check`. Raises AuthenticationFailed,
        PermissionDenied, ConnectFailed."""
        code = self._code(answer)
        try:
            self._flow.fetch_token(code=code, timeout=_TIMEOUT)
        except OAuth2Error as error:
            raise token_refused(
                str(error.error), "", self._address, client_id=self._client.client_id, delegated=False, scope=SCOPE
            ) from None
        except Warning:
            raise self._too_little() from None  # how oauthlib says that other scopes were given
        except OSError as error:  # of requests, in any form
            raise ConnectFailed(f"Google's token service cannot be reached: {type(error).__name__}") from None
        credentials = self._flow.credentials
        if not credentials.refresh_token:
            raise AuthenticationFailed(
                f"Google gave no lasting token for {self._address}: remove the app at {CONNECTIONS_PAGE} and agree "
                "again"
            )
        return str(credentials.to_json())

    def is_answer(self, answer: str) -> bool:
        """Whether an address carries the state that was sent along."""
        return secrets.compare_digest(_query(answer).get("state", "").encode(), str(self._state).encode())

    def _code(self, answer: str) -> str:
        said = _query(answer)
        if not self.is_answer(answer):
            raise AuthenticationFailed(
                "this is not the answer to the question that was asked just now: paste the whole address from the "
                "browser's address bar, or begin again"
            )
        if said.get("error"):
            raise AuthenticationFailed(f"{self._address} did not agree ({said['error'][:40]}): nothing was stored")
        if SCOPE not in said.get("scope", SCOPE).split():
            raise self._too_little()
        if not said.get("code"):
            raise AuthenticationFailed("the address has no code in it: paste all of it, to its very end")
        return said["code"]

    def _too_little(self) -> PermissionDenied:
        return PermissionDenied(f"{self._address} has to agree to the scope {SCOPE}: tick its box and agree again")


def consent_in_browser(
    client: OAuthClient, address: str, *, show: Callable[[str], None], seconds: float = 300.0
) -> str:
    """The token of a teacher who agrees in a browser on this machine. `show` opens the address that it is given, or
    shows it. Waits at most `seconds`. Raises as `Consent.token`."""
    answers: list[str] = []

    class Visit(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """The browser comes back. Anything else that knocks is answered and not believed."""
            if consent.is_answer(self.path):
                answers.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(_THANKS)))
            self.end_headers()
            self.wfile.write(_THANKS)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Nothing: the path holds the code."""

    with HTTPServer(("127.0.0.1", 0), Visit) as server:
        consent = Consent(client, address, f"http://127.0.0.1:{server.server_port}/")
        show(consent.url)
        deadline = time.monotonic() + seconds
        while not answers and (left := deadline - time.monotonic()) > 0:
            server.timeout = left
            server.handle_request()
    if not answers:
        raise AuthenticationFailed(f"nobody agreed within {seconds:.0f} seconds: begin again when {address} is there")
    return consent.token(answers[0])


def consent_by_hand(client: OAuthClient, address: str, *, show: Callable[[str], None], ask: Callable[[], str]) -> str:
    """The token of a teacher who agrees in a browser on any machine: `show` shows the address to open there, `ask` asks
    for the address that the browser ends at, which no page answers. Raises as `Consent.token`."""
    consent = Consent(client, address)
    show(consent.url)
    return consent.token(ask())


def _query(address: str) -> dict[str, str]:
    text = address.strip()
    try:
        query = parse_qs(urlsplit(text).query or text.lstrip("?"))
    except ValueError:  # what was pasted is no address
        return {}
    return {name: values[0] for name, values in query.items()}

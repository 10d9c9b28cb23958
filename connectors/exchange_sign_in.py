"""Signing in to Exchange: Basic (RFC 7617), NTLM (MS-NTHT), or OAuth's client credentials (RFC 6749 §4.4) by msal."""

import json
import logging
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msal
import requests
from requests.auth import AuthBase, HTTPBasicAuth
from requests_ntlm import HttpNtlmAuth

from config.faults import ConfigError
from config.secrets import Secrets
from config.settings import Exchange, MailboxSettings
from connectors.errors import AuthenticationFailed, ConnectFailed, MailboxError
from connectors.exchange_http import Session
from connectors.tls import client_context

_CACHE = "exchange/cache"
_SECONDS = 30.0

log = logging.getLogger(__name__)


class Tokens:
    """Access tokens of an application, for one Exchange endpoint; kept in the vault until they expire."""

    def __init__(self, exchange: Exchange, secrets: Secrets, context: ssl.SSLContext) -> None:
        """Asks for nothing yet. Raises AuthenticationFailed where the application's secret lacks."""
        secret = secrets.get("exchange/secret")
        if not secret:
            raise AuthenticationFailed(
                "the application's secret is not stored: run alliance connect exchange, or set "
                "ALLIANCE_SECRET_EXCHANGE_SECRET"
            )
        self._exchange = exchange
        self._secret = secret
        self._secrets = secrets
        self._context = context
        self._cache = msal.SerializableTokenCache()
        kept = secrets.get(_CACHE)
        if kept:
            try:
                self._cache.deserialize(kept)
            except (ValueError, TypeError):
                log.warning("the stored tokens for Exchange cannot be read and are asked for anew")

    def token(self, endpoint: str, *, anew: bool = False) -> str:
        """An access token for the server of `endpoint`; `anew` where the server refused the one before. Raises
        AuthenticationFailed, ConnectFailed."""
        if anew:
            self._cache = msal.SerializableTokenCache()
        scope = f"https://{urlsplit(endpoint).hostname}/.default"
        try:
            answer = self._application().acquire_token_for_client(scopes=[scope])
        except MailboxError:
            raise
        except (requests.exceptions.RequestException, ValueError, KeyError, json.JSONDecodeError) as error:
            raise ConnectFailed(f"{self._authority} gives no token ({type(error).__name__})") from error
        if "access_token" not in answer:
            raise self._refusal(answer)
        self._keep()
        return str(answer["access_token"])

    @property
    def _authority(self) -> str:
        given = (self._exchange.authority or "https://login.microsoftonline.com").rstrip("/")
        return given if urlsplit(given).path.strip("/") else f"{given}/{self._exchange.tenant}"

    def _application(self) -> Any:
        return msal.ConfidentialClientApplication(
            self._exchange.client_id,
            client_credential=self._secret,
            authority=self._authority,
            token_cache=self._cache,
            http_client=_TokenSession(self._context),
            instance_discovery=None if self._exchange.authority is None else False,
        )

    def _refusal(self, answer: dict[str, Any]) -> MailboxError:
        code = str(answer.get("error", "no reason given"))[:60]
        if code in {"temporarily_unavailable", "server_error"}:
            return ConnectFailed(f"{self._authority} gives no token at the moment ({code})")
        return AuthenticationFailed(
            f"{self._authority} gives the application {self._exchange.client_id} no token ({code}): its secret may "
            "have expired; run alliance connect exchange"
        )

    def _keep(self) -> None:
        if not self._cache.has_state_changed:
            return
        try:
            self._secrets.put(_CACHE, self._cache.serialize())
        except ConfigError as error:
            log.warning("a token for Exchange could not be stored and is asked for again after a restart (%s)", error)


class BasicAuth(HTTPBasicAuth):
    """Basic, for a server that has asked for it: Autodiscover also knocks at doors that are none of Exchange's."""

    def __init__(self, username: bytes, password: bytes) -> None:
        """Both in UTF-8."""
        super().__init__(username, password)
        self._asked: set[str] = set()

    def __call__(self, request: Any) -> Any:
        """See requests."""
        if urlsplit(request.url).netloc in self._asked:
            return super().__call__(request)
        request.register_hook("response", self._answered)
        return request

    def _answered(self, response: Any, **kwargs: Any) -> Any:
        if response.status_code != 401 or "basic" not in response.headers.get("WWW-Authenticate", "").lower():
            return response
        self._asked.add(urlsplit(response.request.url).netloc)
        return _repeated(response, super().__call__(response.request.copy()), kwargs)


class BearerAuth(AuthBase):
    """A bearer token (RFC 6750) with each request; a new one, once, where the server refuses it (§3.1)."""

    def __init__(self, tokens: Tokens) -> None:
        """Takes its tokens from `tokens`."""
        self._tokens = tokens

    def __call__(self, request: Any) -> Any:
        """See requests."""
        request.headers["Authorization"] = f"Bearer {self._tokens.token(request.url)}"
        request.register_hook("response", self._renewed)
        return request

    def _renewed(self, response: Any, **kwargs: Any) -> Any:
        if response.status_code != 401:
            return response
        request = response.request.copy()
        request.headers["Authorization"] = f"Bearer {self._tokens.token(request.url, anew=True)}"
        return _repeated(response, request, kwargs)


def _repeated(refused: Any, request: Any, kwargs: dict[str, Any]) -> Any:
    """The answer to a request that was refused, and so not carried out, sent once more over the same connection."""
    _ = refused.content
    refused.close()
    again = refused.connection.send(request, **kwargs)
    again.history.append(refused)
    return again


class _TokenSession(Session):
    """A session for msal, which sets no limit of time."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(context, None)
        del self.headers["Content-Type"]

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        return super().request(method, url, *args, **{"timeout": _SECONDS, **kwargs})


def service_account(exchange: Exchange, box: MailboxSettings) -> str:
    """Who signs in for the mailbox."""
    if exchange.auth == "oauth":
        return str(exchange.client_id)
    return exchange.username or box.username or box.address


def impersonates(exchange: Exchange) -> bool:
    """Whether somebody else than the mailbox's own user signs in and acts for it."""
    return exchange.impersonation and (exchange.auth == "oauth" or exchange.username is not None)


def charged(exchange: Exchange) -> str | None:
    """Whose throttling policy counts the requests for many mailboxes: the service account's where it opens them as a
    delegate. Acting for a teacher, it is the teacher's own mailbox that is charged, as where each signs in alone:
    https://learn.microsoft.com/exchange/client-developer/exchange-web-services/ews-throttling-in-exchange."""
    return None if exchange.impersonation else exchange.username


def sign_in(
    exchange: Exchange, box: MailboxSettings, secrets: Secrets, context: ssl.SSLContext
) -> Callable[[], AuthBase]:
    """Makes the authentication of a new session. Raises AuthenticationFailed where its secret lacks."""
    if exchange.auth == "oauth":
        # A private authority signs the school's own servers, not Microsoft's.
        tokens = Tokens(exchange, secrets, context if exchange.authority else client_context(None))
        return lambda: BearerAuth(tokens)
    username = service_account(exchange, box)
    own = exchange.username is None
    password = secrets.password(box) if own else secrets.get("exchange/password")
    if not password:
        name = f"password/{box.address}" if own else "exchange/password"
        raise AuthenticationFailed(f"no password is stored for {username} ({name}): run alliance connect exchange")
    if exchange.auth == "basic":
        return lambda: BasicAuth(username.encode(), password.encode())
    # A name with an @ is whole in itself; NTLM would take what stands before a backslash for its domain.
    ntlm_name = username if "\\" in username else f"\\{username}"
    return lambda: HttpNtlmAuth(ntlm_name, password)

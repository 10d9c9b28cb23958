"""Signing in to Microsoft 365 with msal: tokens for the application or for one teacher, kept in the vault.

Application permissions (client credentials, with a certificate or a secret) need one token for every mailbox of the
tenant; all threads of this process share it. With device-code login each teacher signs in once, and a refresh token of
their own is kept: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import msal

from config.faults import ConfigError
from config.secrets import Secrets
from config.settings import Graph
from connectors.backoff import Patience
from connectors.errors import AuthenticationFailed, ConnectFailed, MailboxError
from connectors.graph_clouds import Cloud, cloud_of
from connectors.graph_credential import credential_of
from connectors.graph_errors import PERMISSIONS, sign_in_failed
from connectors.graph_http import Broken, http_client, line
from connectors.graph_login import LoginClient

log = logging.getLogger(__name__)


class Access(Protocol):
    """Where a mailbox's access tokens come from."""

    delegated: bool
    """Whether the token is one teacher's own: their mailbox is then `/me`."""

    def token(self, patience: Patience, rejected: str | None = None) -> str:
        """A token that is good for some minutes yet. `rejected` is one that the server does not take any more: another
        is got. Raises AuthenticationFailed, ConnectFailed, Throttled."""
        ...


class ApplicationAccess:
    """Application permissions."""

    delegated = False

    def __init__(self, graph: Graph, secrets: Secrets, address: str) -> None:
        """`address` is named in errors. Raises AuthenticationFailed where neither certificate nor secret is there."""
        self._graph, self._secrets, self._address = graph, secrets, address
        self._cloud = cloud_of(graph)
        self._credential, digest = credential_of(secrets)
        self._key = (self._cloud.authority, graph.tenant, graph.client_id, digest)

    def token(self, patience: Patience, rejected: str | None = None) -> str:
        """See `Access.token`."""
        shared = _shared_login(self._key)
        with shared.lock:
            if shared.app is None:
                shared.login = LoginClient(self._cloud.authority, self._graph.timeout_seconds)
                shared.cache = self._kept()
                shared.login.patience = patience
                shared.app = _application(
                    msal.ConfidentialClientApplication,
                    self._graph,
                    self._cloud,
                    shared.login,
                    shared.cache,
                    self._address,
                    client_credential=self._credential,
                )
            shared.login.patience = patience
            scopes = [f"{self._cloud.resource}/.default"]
            result = _asked(lambda: shared.app.acquire_token_for_client(scopes), self._address)
            if rejected is not None and result.get("access_token") == rejected:
                shared.app.remove_tokens_for_client()
                result = _asked(lambda: shared.app.acquire_token_for_client(scopes), self._address)
            _keep(self._secrets, "graph/cache", shared.cache)
            return _token(result, self._address)

    def _kept(self) -> msal.SerializableTokenCache:
        try:
            return _cache(self._secrets, "graph/cache")
        except ConfigError as error:
            log.warning("no token of an earlier start is used: %s", error)
            return msal.SerializableTokenCache()


class DelegatedAccess:
    """Device-code login: one teacher's own rights."""

    delegated = True

    def __init__(self, graph: Graph, secrets: Secrets, address: str) -> None:
        """Raises nothing: whether somebody has signed in shows at the first token."""
        self._graph, self._secrets, self._address = graph, secrets, address.lower()
        self._cloud = cloud_of(graph)
        self._lock = threading.Lock()
        self._login: LoginClient | None = None
        self._cache = msal.SerializableTokenCache()
        self._app: Any = None

    def token(self, patience: Patience, rejected: str | None = None) -> str:
        """See `Access.token`."""
        with self._lock:
            if self._app is None:
                self._login = LoginClient(self._cloud.authority, self._graph.timeout_seconds)
                self._login.patience = patience
                self._cache = self._kept()
                self._app = _application(
                    msal.PublicClientApplication, self._graph, self._cloud, self._login, self._cache, self._address
                )
            assert self._login is not None  # noqa: S101 - made with the application
            self._login.patience = patience
            accounts = self._app.get_accounts()
            if not accounts:
                self._app = None  # somebody may sign in any time
                raise AuthenticationFailed(
                    f"Microsoft sign-in, {self._address}: nobody has signed in to this mailbox, or the sign-in was "
                    "taken back. Run alliance connect graph and follow it"
                )
            result = self._silently(accounts[0], force=False)
            if rejected is not None and result.get("access_token") == rejected:
                result = self._silently(accounts[0], force=True)
            _keep(self._secrets, _vault_name(self._address), self._cache)
            return _token(result, self._address)

    def _kept(self) -> msal.SerializableTokenCache:
        try:
            return _cache(self._secrets, _vault_name(self._address))
        except ConfigError as error:
            raise AuthenticationFailed(f"Microsoft sign-in, {self._address}: {error}") from error

    def _silently(self, account: Mapping[str, Any], *, force: bool) -> Mapping[str, Any]:
        scopes = scopes_of(self._cloud)
        result: Mapping[str, Any] | None = _asked(
            lambda: self._app.acquire_token_silent_with_error(scopes, account, force_refresh=force), self._address
        )
        return result or {}


def access_of(graph: Graph, secrets: Secrets, address: str) -> Access:
    """How the mailbox is signed in to, as the settings say. Raises AuthenticationFailed, InsecureConnection."""
    if graph.auth == "device-code":
        return DelegatedAccess(graph, secrets, address)
    return ApplicationAccess(graph, secrets, address)


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """A sign-in that waits for the teacher: they open `page` in any browser and type `code`."""

    address: str
    page: str
    code: str
    expires_at: datetime
    interval: float
    """Seconds between two questions whether they did."""
    flow: Mapping[str, Any]
    """What msal remembers of it."""


def start_device_login(graph: Graph, address: str, patience: Patience | None = None) -> DeviceLogin:
    """Begins a sign-in to the teacher's mailbox. Raises AuthenticationFailed, ConnectFailed, Throttled."""
    app, cloud = _public(graph, address, patience or Patience(), msal.SerializableTokenCache())
    flow = _asked(lambda: app.initiate_device_flow(scopes_of(cloud)), address)
    if "user_code" not in flow:
        raise sign_in_failed(address, flow.get("error_codes") or (), str(flow.get("error", "")))
    return DeviceLogin(
        address=address.lower(),
        page=str(flow.get("verification_uri", "")),
        code=str(flow["user_code"]),
        expires_at=datetime.fromtimestamp(float(flow["expires_at"]), UTC),
        interval=float(flow.get("interval", 5)),
        flow=dict(flow),
    )


def finish_device_login(
    graph: Graph,
    secrets: Secrets,
    login: DeviceLogin,
    *,
    patience: Patience | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Waits until the teacher has signed in, and keeps their tokens under `graph/token/<address>`.

    A sign-in by somebody else is refused, since their mailbox would be read and answered from. Raises
    AuthenticationFailed, ConnectFailed, Throttled, and ConfigError where the vault cannot keep the tokens.
    """
    cache = msal.SerializableTokenCache()
    app, _ = _public(graph, login.address, patience or Patience(), cache)
    flow = dict(login.flow)
    while True:
        result = _asked(
            lambda: app.acquire_token_by_device_flow(flow, exit_condition=lambda _flow: True), login.address
        )
        if result.get("error") not in {"authorization_pending", "slow_down"}:
            break
        if clock() >= login.expires_at:
            raise AuthenticationFailed(
                f"Microsoft sign-in, {login.address}: nobody typed the code in time. Run alliance connect graph again"
            )
        sleep(login.interval + (5 if result.get("error") == "slow_down" else 0))
    who = _who(graph, _token(result, login.address), login.address)
    if login.address not in who:
        raise AuthenticationFailed(
            f"Microsoft sign-in: signed in as {', '.join(sorted(who)) or 'somebody unknown'}, and not as "
            f"{login.address}. Sign in again in a private window, as the teacher"
        )
    secrets.put(_vault_name(login.address), cache.serialize())


def scopes_of(cloud: Cloud) -> list[str]:
    """What a teacher consents to; msal adds offline_access."""
    return [f"{cloud.resource}/{right}" for right in (*PERMISSIONS, "User.Read")]


def _who(graph: Graph, token: str, address: str) -> frozenset[str]:
    """The addresses of whoever a token belongs to: https://learn.microsoft.com/graph/api/user-get."""
    url = f"{cloud_of(graph).base}/me"
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with http_client(url, graph.timeout_seconds) as client, line(client.base_url.host or "Microsoft Graph"):
            answer = client.get(url, params={"$select": "mail,userPrincipalName"}, headers=headers)
            found = answer.json() if answer.is_success else {}
    except Broken as error:
        raise ConnectFailed(f"Microsoft Graph, {address}: {error}") from error
    except ValueError:
        found = {}
    names = (found.get("mail"), found.get("userPrincipalName")) if isinstance(found, dict) else ()
    return frozenset(name.lower() for name in names if isinstance(name, str))


class _SharedLogin:
    """The sign-in of one application registration, for all threads of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.login: LoginClient
        self.cache: msal.SerializableTokenCache
        self.app: Any = None


_shared: dict[tuple[str, str, str, str], _SharedLogin] = {}
_shared_lock = threading.Lock()


def _shared_login(key: tuple[str, str, str, str]) -> _SharedLogin:
    with _shared_lock:
        return _shared.setdefault(key, _SharedLogin())


def _public(graph: Graph, address: str, patience: Patience, cache: msal.SerializableTokenCache) -> tuple[Any, Cloud]:
    cloud = cloud_of(graph)
    login = LoginClient(cloud.authority, graph.timeout_seconds)
    login.patience = patience
    return _application(msal.PublicClientApplication, graph, cloud, login, cache, address), cloud


def _application(
    kind: Callable[..., Any],
    graph: Graph,
    cloud: Cloud,
    login: LoginClient,
    cache: msal.SerializableTokenCache,
    address: str,
    **more: Any,
) -> Any:
    """An msal application. Making one asks the authority for its addresses."""
    return _asked(
        lambda: kind(
            graph.client_id,
            authority=f"{login.https_authority}/{graph.tenant}",
            token_cache=cache,
            http_client=login,
            instance_discovery=False,  # the address stands in the settings, nobody else is asked about it
            **more,
        ),
        address,
        cloud,
    )


def _asked(ask: Callable[[], Any], address: str, cloud: Cloud | None = None) -> Any:
    """What msal answers, its many errors turned into ours."""
    try:
        return ask()
    except MailboxError:
        raise
    except ValueError as error:
        # msal raises it where the authority does not know the tenant, and for a key that is none.
        where = f" at {cloud.authority}" if cloud else ""
        raise AuthenticationFailed(
            f"Microsoft sign-in, {address}: the tenant is not known{where}, or the certificate cannot be used. Compare "
            "tenant and cloud under [graph] with entra.microsoft.com, Entra ID, Overview"
        ) from error
    except Exception as error:
        raise ConnectFailed(f"Microsoft sign-in, {address}: failed ({type(error).__name__})") from error


def _token(result: Mapping[str, Any], address: str) -> str:
    token = result.get("access_token")
    if isinstance(token, str) and token:
        return token
    raise sign_in_failed(address, result.get("error_codes") or (), str(result.get("error", "")))


def _cache(secrets: Secrets, name: str) -> msal.SerializableTokenCache:
    """The token cache as it was kept; empty where nothing was, or nothing usable. Raises ConfigError."""
    cache = msal.SerializableTokenCache()
    kept = secrets.get(name)
    try:
        if kept:
            cache.deserialize(kept)
    except ValueError:
        log.warning("the tokens kept as %s cannot be read; new ones are got", name)
        return msal.SerializableTokenCache()
    return cache


def _keep(secrets: Secrets, name: str, cache: msal.SerializableTokenCache) -> None:
    """Keeps a changed cache. Where that fails the token is good all the same, until the process ends."""
    if not cache.has_state_changed:
        return
    try:
        secrets.put(name, cache.serialize())
    except ConfigError as error:
        log.warning("tokens cannot be kept as %s (%s)", name, error)


def _vault_name(address: str) -> str:
    return f"graph/token/{address.lower()}"

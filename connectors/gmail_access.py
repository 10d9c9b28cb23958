"""Signing in to Gmail: a service account that acts for every teacher, or each teacher's own consent (OAuth 2.0).

One scope is asked for, `gmail.modify`: it covers reading mail and its history, creating labels with their colours and
putting them on messages, drafts, sending them, and `watch`. It does not let anybody delete mail for good, change the
mailbox's settings, filters or forwarding, or reach anything outside Gmail. Less does not do: `gmail.readonly`,
`gmail.labels` and `gmail.compose` together can make labels and cannot put one on a message.
(developers.google.com/workspace/gmail/api/auth/scopes; each method's scopes in the discovery document.)

The key or client comes from the vault under `gmail/service-account` or `gmail/client`, a teacher's token lives under
`gmail/token/<address>`.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import google.auth.exceptions
import google.oauth2.credentials
import google.oauth2.service_account

from config.faults import ConfigError
from config.secrets import Secrets
from config.settings import Gmail
from connectors.errors import AuthenticationFailed, ConnectFailed, MailboxError
from connectors.gmail_errors import CONSENT_COMMAND, DELEGATION_PAGE, SERVICE_ACCOUNTS_PAGE, token_refused
from connectors.gmail_http import TokenRequest

SCOPE = "https://www.googleapis.com/auth/gmail.modify"
PUBSUB_SCOPE = "https://www.googleapis.com/auth/pubsub"
"""For the service account itself, which pulls notifications; no teacher's token has it."""
KEY_NAME = "gmail/service-account"
CLIENT_NAME = "gmail/client"

_TOKEN_SERVICE = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_USER: Any = google.oauth2.credentials.Credentials
_ACCOUNT: Any = google.oauth2.service_account.Credentials
# google-auth says that it has types, and these two lack them.

log = logging.getLogger(__name__)


def token_name(address: str) -> str:
    """Where the vault keeps a teacher's token."""
    return f"gmail/token/{address.lower()}"


@dataclass(frozen=True)
class ServiceAccountKey:
    """A service account's key, as Google's console hands it out."""

    client_id: str
    """What a super administrator enters for domain-wide delegation, together with `SCOPE`."""
    email: str
    project: str
    content: Mapping[str, Any] = field(repr=False)

    @property
    def instructions(self) -> str:
        """What a super administrator has to do before the key is good for anything, in one sentence."""
        return f"At {DELEGATION_PAGE}: add new, client ID {self.client_id}, scope {SCOPE}, authorize."


def read_key(text: str) -> ServiceAccountKey:
    """The key in a JSON file of Google's. Raises AuthenticationFailed where it is none."""
    found = _object(text)
    lacking = [name for name in ("client_email", "private_key", "token_uri", "client_id") if not found.get(name)]
    if found.get("type") != "service_account" or lacking:
        raise AuthenticationFailed(
            f"{KEY_NAME} is not a service account's key ({', '.join(lacking) or 'another type'}): make one at "
            f"{SERVICE_ACCOUNTS_PAGE} (keys > add key > JSON)"
        )
    return ServiceAccountKey(
        str(found["client_id"]), str(found["client_email"]), str(found.get("project_id", "")), found
    )


class Access:
    """Gives requests their access token, for one mailbox or for the service account itself. Not thread-safe."""

    def __init__(
        self, credentials: Any, address: str, *, client_id: str, delegated: bool, scope: str, secrets: Secrets | None
    ) -> None:
        """`credentials` are google-auth's; where `secrets` are given, renewed tokens are put back into the vault."""
        self._credentials = credentials
        self._address = address
        self._client_id = client_id
        self._delegated = delegated
        self._scope = scope
        self._secrets = secrets

    def authorize(self, headers: dict[str, str], request: TokenRequest) -> None:
        """Adds the Authorization field, with a new token where the old one has run out. Raises AuthenticationFailed,
        PermissionDenied, ConnectFailed."""
        if not self._credentials.valid:
            self._refresh(request)
        headers["authorization"] = f"Bearer {self._credentials.token}"

    def renew(self) -> None:
        """The token was refused: the next `authorize` gets a new one."""
        self._credentials.token = None

    def _refresh(self, request: TokenRequest) -> None:
        try:
            self._credentials.refresh(request)
        except google.auth.exceptions.RefreshError as error:
            raise self._refused(error) from None  # the library's error may quote the token service's answer
        except google.auth.exceptions.GoogleAuthError as error:
            raise ConnectFailed(f"Google gives no token for {self._address} ({type(error).__name__})") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise ConnectFailed(f"the token service's answer for {self._address} cannot be read") from error
        self._keep()

    def _refused(self, error: google.auth.exceptions.RefreshError) -> Exception:
        answer = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], dict) else {}
        code, _, said = str(error.args[0] if error.args else "").partition(":")
        return token_refused(
            str(answer.get("error", code))[:60],
            str(answer.get("error_description", said)),
            self._address,
            client_id=self._client_id,
            delegated=self._delegated,
            scope=self._scope,
        )

    def _keep(self) -> None:
        if self._secrets is None:
            return
        try:
            self._secrets.put(token_name(self._address), self._credentials.to_json())
        except ConfigError as error:
            # The token in hand is good; without the vault the next start asks for another one.
            log.warning("a renewed token of %s could not be kept: %s", self._address, error)


def access_for(address: str, settings: Gmail, secrets: Secrets) -> Access:
    """What signs in for a teacher's mailbox. Raises AuthenticationFailed where it lacks or is unusable."""
    if settings.auth == "service-account":
        key = read_key(_needed(KEY_NAME, secrets, f"store the service account's key with `{CONSENT_COMMAND}`"))
        return _account_access(key, address, SCOPE)
    token = _needed(token_name(address), secrets, f"let {address} agree: `{CONSENT_COMMAND} {address}`")
    found = _object(token)
    if not all(isinstance(found.get(name), str) for name in ("refresh_token", "client_id", "client_secret")):
        raise AuthenticationFailed(
            f"the token of {address} in the vault is unusable: `{CONSENT_COMMAND} {address}` gets a new one"
        )
    # The library's own reader of this JSON takes no notice of token_uri.
    credentials = _USER(
        token=found.get("token"),
        refresh_token=found["refresh_token"],
        token_uri=found.get("token_uri", _TOKEN_SERVICE),
        client_id=found["client_id"],
        client_secret=found["client_secret"],
        scopes=[SCOPE],
        expiry=_expiry(found.get("expiry")),
    )
    client_id = str(found["client_id"])
    return Access(credentials, address, client_id=client_id, delegated=False, scope=SCOPE, secrets=secrets)


def pubsub_access(secrets: Secrets) -> Access:
    """What pulls notifications: the service account itself, whatever signs in for the mailboxes. Raises
    AuthenticationFailed where there is no key."""
    advice = f"Pub/Sub is pulled by a service account: store its key with `{CONSENT_COMMAND}`"
    return _account_access(read_key(_needed(KEY_NAME, secrets, advice)), None, PUBSUB_SCOPE)


def project_of(settings: Gmail, secrets: Secrets) -> str:
    """The Cloud project whose quota is used, as far as it is known: the same text for all its mailboxes."""
    name = KEY_NAME if settings.auth == "service-account" else CLIENT_NAME
    try:
        found = _object(secrets.get(name) or "{}")
    except (ConfigError, MailboxError):
        return ""
    inner = next((each for each in found.values() if isinstance(each, dict)), {})
    return str(found.get("project_id") or inner.get("project_id") or "")


@lru_cache(maxsize=4)
def _credentials_of(key: str) -> Any:
    """Those of the key in this JSON, for all mailboxes: to read and check a private key takes as long as a message.
    Raises ValueError."""
    return _ACCOUNT.from_service_account_info(json.loads(key))


def _account_access(key: ServiceAccountKey, subject: str | None, scope: str) -> Access:
    try:
        credentials = _credentials_of(json.dumps(key.content)).with_scopes([scope]).with_subject(subject)
    except ValueError as error:
        raise AuthenticationFailed(
            f"the private key in {KEY_NAME} cannot be read: make a new one at {SERVICE_ACCOUNTS_PAGE}"
        ) from error
    who = subject or key.email
    return Access(credentials, who, client_id=key.client_id, delegated=True, scope=scope, secrets=None)


def _expiry(text: object) -> datetime:
    """When a token ends, without a zone, as google-auth has it; long ago where that is not known."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC).replace(tzinfo=None)
    except ValueError:
        return datetime(1970, 1, 1)  # noqa: DTZ001 - the same


def _needed(name: str, secrets: Secrets, advice: str) -> str:
    try:
        found = secrets.get(name)
    except ConfigError as error:
        raise AuthenticationFailed(f"{name} cannot be read: {error}") from error
    if not found:
        raise AuthenticationFailed(f"{name} is missing: {advice}")
    return found


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}

"""A provider as these pages use it: the authorization code flow with PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636).

Authlib makes the requests and checks what a token claims; joserfc checks who signed it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from config import ConfigError
from config.settings import OpenId
from service.connecting.keepsakes import OPENID_SECRET
from service.openid.address import Claims, address_claim
from service.openid.errors import NotSetUp, ProviderDown, TokenRefused
from service.openid.line import client, json_at
from service.openid.metadata import WELL_KNOWN, Metadata, metadata_of

_SCOPE = "openid email profile"
_KNOWN_FOR = timedelta(hours=1)
_KEYS_AGAIN_AFTER = timedelta(minutes=1)
"""A key that nobody knows has them fetched again, this often at most."""
_LEEWAY = 60
"""Seconds that the provider's clock may be off."""
_AT_ONCE = 8
"""Requests to the provider; more wait."""
_WAITING_AT_MOST = 2.0
"""Seconds: a provider that hangs must not hold every page."""
_LEFT_ALONE_FOR = timedelta(seconds=15)
"""A provider that did not answer is not asked again at once, for the same reason."""


@dataclass(frozen=True, slots=True)
class Known:
    """What was found out about a provider, and when."""

    metadata: Metadata
    keys: KeySet
    at: datetime


class Provider:
    """The provider of one installation. Threads share it."""

    def __init__(
        self, openid: OpenId, *, back_to: str, secret: Callable[[], str | None], clock: Callable[[], datetime]
    ) -> None:
        """`back_to` is the address that the provider sends people back to, as it is registered there; `secret` gives
        the client secret."""
        self.openid = openid
        self._back_to = back_to
        self._secret = secret
        self._clock = clock
        self._known: Known | None = None
        self._down: tuple[datetime, ProviderDown] | None = None
        self._looking = threading.Lock()
        self._places = threading.BoundedSemaphore(_AT_ONCE)

    def authorization_url(self, *, state: str, nonce: str, verifier: str, choose: bool = False) -> str:
        """Where the browser goes to sign in; with `choose` the provider is to ask which account. Raises NotSetUp,
        ProviderDown."""
        self.check_secret()
        metadata = self.known().metadata
        more: dict[str, str] = {"prompt": "select_account"} if choose else {}
        with self._client(metadata) as http:
            url, _ = http.create_authorization_url(
                metadata.authorization_endpoint, state=state, code_verifier=verifier, nonce=nonce, **more
            )
        return str(url)

    def check_secret(self) -> None:
        """Raises NotSetUp where there is no client secret."""
        self._client_secret()

    def claims(self, *, code: str, nonce: str, verifier: str) -> Claims:
        """What the provider says of whom it sent back with `code`, validated (OpenID Connect Core 1.0 §3.1.3.7). Raises
        NotSetUp, ProviderDown, TokenRefused."""
        metadata = self.known().metadata
        if not self._places.acquire(timeout=_WAITING_AT_MOST):
            raise ProviderDown("too many people are signing in at once")
        try:
            with self._client(metadata) as http:
                token = _token(http, metadata, code, verifier)
                claims = self._believed(token, nonce, metadata)
                if address_claim(self.openid) in claims or metadata.userinfo_endpoint is None:
                    return claims
                try:
                    more = json_at(http, metadata.userinfo_endpoint, as_whom=http.token_auth)
                except (AuthlibBaseError, KeyError) as error:
                    raise TokenRefused("the provider gives nothing to ask its userinfo endpoint with") from error
                return _completed(claims, more)
        finally:
            self._places.release()

    def known(self, *, afresh: bool = False) -> Known:
        """The discovery document and the keys, not older than an hour, or the last that could be had; `afresh`: as they
        are now. Raises ProviderDown."""
        with self._looking:
            known, now = self._known, self._clock()
            if known is not None and not afresh and now - known.at < _KNOWN_FOR:
                return known
            if self._down is not None and not afresh and now - self._down[0] < _LEFT_ALONE_FOR:
                if known is None:
                    raise self._down[1]
                return known
            try:
                with client(self.openid) as http:
                    metadata = metadata_of(json_at(http, self.openid.issuer + WELL_KNOWN), self.openid.issuer)
                    keys = _key_set(json_at(http, metadata.jwks_uri), metadata)
            except ProviderDown as error:
                self._down = (now, error)
                if known is None or afresh:
                    raise
                return known
            self._known, self._down = Known(metadata, keys, now), None
            return self._known

    @property
    def sign_out_url(self) -> str | None:
        """Where somebody signs out of the provider itself; None where it has no such page, or was not asked yet."""
        known = self._known
        return known.metadata.end_session_endpoint if known else None

    def _client(self, metadata: Metadata) -> Any:
        return client(
            self.openid,
            client_secret=self._client_secret(),
            token_endpoint_auth_method=metadata.secret_sent_as,
            scope=_SCOPE,
            redirect_uri=self._back_to,
            code_challenge_method="S256",
        )

    def _client_secret(self) -> str:
        try:
            secret = self._secret()
        except ConfigError as error:
            raise NotSetUp(str(error)) from error
        if not secret:
            raise NotSetUp(f"there is no client secret: `alliance credentials store {OPENID_SECRET}` stores it")
        return secret

    def _believed(self, token: Any, nonce: str, metadata: Metadata) -> Claims:
        id_token = token.get("id_token")
        if not isinstance(id_token, str):
            raise TokenRefused("the provider gives no ID token")
        try:
            try:
                decoded = _decoded(id_token, self.known().keys, metadata)
            except InvalidKeyIdError:  # the provider has changed its keys
                decoded = _decoded(id_token, self._newer_keys(), metadata)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": metadata.issuer},
                    "aud": {"essential": True, "value": self.openid.client_id},
                },
                {"nonce": nonce, "client_id": self.openid.client_id, "access_token": token.get("access_token")},
            )
            claims.validate(now=int(self._clock().timestamp()), leeway=_LEEWAY)
        except (JoseError, ValueError, TypeError) as error:
            raise TokenRefused(f"the ID token cannot be believed: {_reason(error)}") from error
        return dict(claims)

    def _newer_keys(self) -> KeySet:
        known = self._known
        fresh = known is not None and self._clock() - known.at < _KEYS_AGAIN_AFTER
        return self.known(afresh=not fresh).keys


_FAMILIAR = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)
"""RFC 6749 §5.2. What else a provider writes is not repeated."""


def _token(http: Any, metadata: Metadata, code: str, verifier: str) -> Any:
    """The token that a code is worth (OpenID Connect Core 1.0 §3.1.3)."""
    try:
        return http.fetch_token(metadata.token_endpoint, code=code, code_verifier=verifier)
    except OAuthError as error:
        # RFC 6749 §5.2: the code is worth nothing, or these pages are not who they say.
        said = error.error if error.error in _FAMILIAR else "an error of its own"
        raise TokenRefused(f"the provider gives no token: {said}") from error
    except ValueError as error:
        raise ProviderDown("the provider's token endpoint answers with something else than JSON") from error


def _completed(claims: Claims, more: object) -> Claims:
    """The claims with what the userinfo endpoint adds, where it speaks of the same person (OpenID Connect Core 1.0
    §5.3.2). What the ID token says stays."""
    if not isinstance(more, dict) or more.get("sub") != claims["sub"]:
        raise TokenRefused("the userinfo endpoint speaks of somebody else")
    return {**more, **claims}


def _decoded(id_token: str, keys: KeySet, metadata: Metadata) -> jwt.Token:
    registry = JWSRegistry(algorithms=list(metadata.algorithms), strict_check_header=False)
    return jwt.decode(id_token, keys, registry=registry)


def _key_set(found: object, metadata: Metadata) -> KeySet:
    """The public keys of a JWK Set (RFC 7517 §5), without any that could be shared."""
    keys = found.get("keys") if isinstance(found, dict) else None
    try:
        usable = [key for key in keys or () if key.get("kty") != "oct" and key.get("use", "sig") == "sig"]
        return KeySet.import_key_set({"keys": usable})
    except (JoseError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ProviderDown(f"what lies at {metadata.jwks_uri} is no set of keys") from error


def _reason(error: Exception) -> str:
    """Which check failed, without a word of the token."""
    claim = getattr(error, "claim", None)
    return (
        f"{type(error).__name__} ({claim})" if isinstance(claim, str) and claim.isidentifier() else type(error).__name__
    )

"""The login authority of the stand-in: OAuth 2.0 as Microsoft Entra ID speaks it.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow,
.../v2-oauth2-device-code, .../reference-error-codes
"""

import base64
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.servers.graph.wire import Answer, Request, Violation

RESOURCE = "https://graph.microsoft.com"
_FORM = "application/x-www-form-urlencoded"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_RESERVED = {"openid", "profile", "offline_access"}


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token stands for. `user` is empty for an application's own token."""

    application: str
    user: str
    rights: frozenset[str]
    expires: datetime


@dataclass
class DeviceCode:
    """One login by device code that is under way."""

    code: str
    user_code: str
    scopes: tuple[str, ...]
    expires: datetime
    user: str = ""
    declined: bool = False


@dataclass
class Login:
    """One tenant with one registered application."""

    now: Callable[[], datetime]
    tenant: str = "7f1c1b7e-5a0e-4a53-9a8e-0c0ffee0c0de"
    client_id: str = "11111111-2222-4333-8444-555555555555"
    secret: str | None = "right~secret"
    """The application's secret; None: it has none."""
    certificates: list[x509.Certificate] = field(default_factory=list)
    """The certificates that were uploaded to the application."""
    rights: set[str] = field(
        default_factory=lambda: {"Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite", "User.Read.All"}
    )
    """Application permissions that an administrator consented to."""
    lifetime: timedelta = timedelta(minutes=60)
    tokens: dict[str, Grant] = field(default_factory=dict)
    refreshable: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """Refresh tokens: whose, and for which scopes."""
    codes: list[DeviceCode] = field(default_factory=list)
    expired_secret: bool = False
    refused_as: int = 50173
    """The AADSTS number under which unknown refresh tokens are refused."""
    asked: list[str] = field(default_factory=list)
    """The grant type of each token request."""

    # What happens to credentials without the connector

    def token(self, user: str = "", rights: frozenset[str] | None = None) -> str:
        """A fresh access token: the application's own, or delegated by a user."""
        token = "eyJ" + secrets.token_urlsafe(600)
        wanted = frozenset(self.rights) if rights is None else rights
        self.tokens[token] = Grant(self.client_id, user, wanted, self.now() + self.lifetime)
        return token

    def expire_tokens(self) -> None:
        """Every access token that was given out so far has expired, whatever its client was told."""
        past = self.now() - timedelta(seconds=1)
        self.tokens = {token: Grant(one.application, one.user, one.rights, past) for token, one in self.tokens.items()}

    def revoke(self, number: int = 50173) -> None:
        """Refresh tokens are worth nothing any more, access tokens neither: revoked by an administrator, or, with
        700082, expired because nobody used them."""
        self.expire_tokens()
        self.refreshable.clear()
        self.refused_as = number

    def approve(self, user: str) -> None:
        """A user enters the newest code on their telephone and agrees."""
        self.codes[-1].user = user

    def decline(self) -> None:
        self.codes[-1].declined = True

    # Requests

    def answer(self, request: Request) -> Answer | None:
        """The answer to a request of the authority; None where the path is none of it."""
        match (request.method, *request.segments):
            case ("GET", "common", "discovery", "instance"):
                return self._instances(request)
            case ("GET", tenant, "v2.0", ".well-known", "openid-configuration"):
                return self._metadata(request, tenant)
            case ("POST", tenant, "oauth2", "v2.0", "token"):
                return self._token(request, tenant)
            case ("POST", tenant, "oauth2", "v2.0", "devicecode"):
                return self._device_code(request, tenant)
        return None

    def _instances(self, request: Request) -> Answer:
        host = request.base.partition("://")[2].partition(":")[0]
        return Answer(
            200,
            {
                "tenant_discovery_endpoint": f"{request.base}/{self.tenant}/v2.0/.well-known/openid-configuration",
                "api-version": "1.1",
                "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
            },
            content_type="application/json; charset=utf-8",
        )

    def _metadata(self, request: Request, tenant: str) -> Answer:
        if not self._knows(tenant):
            return _refused(400, "invalid_tenant", 90002, f"Tenant '{tenant}' not found.")
        root = f"{request.base}/{tenant}"
        return Answer(
            200,
            {
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
                "jwks_uri": f"{root}/discovery/v2.0/keys",
                "issuer": f"{request.base}/{self.tenant}/v2.0",
                "tenant_region_scope": "NA",
                "cloud_instance_name": "microsoftonline.com",
                "msgraph_host": "graph.microsoft.com",
            },
            content_type="application/json; charset=utf-8",
        )

    def _token(self, request: Request, tenant: str) -> Answer:
        form = _form(request)
        self.asked.append(form.get("grant_type", ""))
        if not self._knows(tenant):
            return _refused(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if form.get("client_id") != self.client_id:
            return _refused(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        match form.get("grant_type"):
            case "client_credentials":
                return self._for_application(request, form)
            case grant if grant == _DEVICE:
                return self._for_device(request, form)
            case "refresh_token":
                return self._refreshed(request, form)
            case other:
                raise Violation(f"grant_type={other}")

    def _for_application(self, request: Request, form: dict[str, str]) -> Answer:
        refusal = self._credential_refused(request, form)
        if refusal is not None:
            return refusal
        if form.get("scope") != f"{RESOURCE}/.default":
            return _refused(400, "invalid_scope", 70011, "The provided value for the input parameter 'scope' is wrong.")
        seconds = int(self.lifetime.total_seconds())
        return _given(
            {
                "token_type": "Bearer",
                "expires_in": seconds,
                "ext_expires_in": seconds,
                "access_token": self.token(),
            }
        )

    def _credential_refused(self, request: Request, form: dict[str, str]) -> Answer | None:
        if "client_assertion" in form:
            return self._assertion_refused(request, form)
        if self.expired_secret:
            return _refused(401, "invalid_client", 7000222, "The provided client secret keys are expired.")
        if "client_secret" not in form:
            return _refused(401, "invalid_client", 7000218, "The body must contain client_assertion or client_secret.")
        if self.secret is None or form["client_secret"] != self.secret:
            return _refused(401, "invalid_client", 7000215, "Invalid client secret provided.")
        return None

    def _assertion_refused(self, request: Request, form: dict[str, str]) -> Answer | None:
        """https://learn.microsoft.com/entra/identity-platform/certificate-credentials"""
        if form.get("client_assertion_type") != _ASSERTION:
            raise Violation(f"client_assertion_type={form.get('client_assertion_type')}")
        assertion = form["client_assertion"]
        try:
            header = jwt.get_unverified_header(assertion)
        except jwt.PyJWTError:
            return _refused(401, "invalid_client", 50027, "JWT token is invalid or malformed.")
        certificate = next((one for one in self.certificates if _thumbprint_matches(one, header)), None)
        if certificate is None:
            return _refused(401, "invalid_client", 700027, "The certificate with the thumbprint is not registered.")
        if certificate.not_valid_after_utc < self.now():
            return _refused(401, "invalid_client", 700027, "The certificate used to sign the assertion has expired.")
        try:
            claims = jwt.decode(
                assertion,
                certificate.public_key(),
                algorithms=["RS256", "PS256"],
                audience=[f"{request.base}{request.target}"],
                issuer=self.client_id,
                options={"require": ["aud", "exp", "iss", "jti", "sub"]},
            )
        except jwt.PyJWTError as error:
            return _refused(401, "invalid_client", 700027, f"Client assertion failed signature validation: {error}")
        if claims["sub"] != self.client_id:
            return _refused(401, "invalid_client", 700027, "The client assertion is not the client's.")
        return None

    def _device_code(self, request: Request, tenant: str) -> Answer:
        form = _form(request)
        if not self._knows(tenant) or form.get("client_id") != self.client_id:
            return _refused(400, "unauthorized_client", 700016, "Application was not found in the directory.")
        code = DeviceCode(
            secrets.token_urlsafe(40),
            secrets.token_hex(4).upper(),
            tuple(form.get("scope", "").split()),
            self.now() + timedelta(minutes=15),
        )
        self.codes.append(code)
        page = "https://microsoft.com/devicelogin"
        return _given(
            {
                "user_code": code.user_code,
                "device_code": code.code,
                "verification_uri": page,
                "expires_in": 900,
                "interval": 1,
                "message": f"To sign in, open the page {page} and enter the code {code.user_code}.",
            }
        )

    def _for_device(self, request: Request, form: dict[str, str]) -> Answer:
        code = next((one for one in self.codes if one.code == form.get("device_code")), None)
        if code is None:
            return _refused(400, "bad_verification_code", 70000, "The provided device code is not valid.")
        if code.declined:
            return _refused(400, "authorization_declined", 70018, "User declined the authorization.")
        if code.expires < self.now():
            return _refused(400, "expired_token", 70020, "The provided device code has expired.")
        if not code.user:
            return _refused(400, "authorization_pending", 70016, "Authorization is pending. Continue polling.")
        return self._delegated(request, code.user, code.scopes)

    def _refreshed(self, request: Request, form: dict[str, str]) -> Answer:
        found = self.refreshable.get(form.get("refresh_token", ""))
        if found is None:
            return _refused(400, "invalid_grant", self.refused_as, "The provided grant has expired or was revoked.")
        user, granted = found
        return self._delegated(request, user, granted)

    def _delegated(self, request: Request, user: str, scopes: tuple[str, ...]) -> Answer:
        refresh = "0." + secrets.token_urlsafe(200)
        self.refreshable[refresh] = (user, scopes)
        seconds, now = int(self.lifetime.total_seconds()), int(time.time())
        rights = frozenset(scope.removeprefix(f"{RESOURCE}/") for scope in scopes) - _RESERVED
        identity = {
            "aud": self.client_id,
            "iss": f"{request.base}/{self.tenant}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + seconds,
            "oid": str(uuid.uuid5(uuid.NAMESPACE_DNS, user)),
            "preferred_username": user,
            "name": user,
            "sub": user,
            "tid": self.tenant,
            "ver": "2.0",
        }
        given = {
            "token_type": "Bearer",
            "scope": " ".join(sorted(f"{RESOURCE}/{right}" for right in rights)),
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": self.token(user, rights),
            "client_info": _encoded({"uid": identity["oid"], "utid": self.tenant}),
        }
        if "offline_access" in scopes:
            given["refresh_token"] = refresh
        if "openid" in scopes:
            given["id_token"] = ".".join((_encoded({"alg": "none", "typ": "JWT"}), _encoded(identity), ""))
        return _given(given)

    def _knows(self, tenant: str) -> bool:
        return tenant.lower() in (self.tenant, "school.example", "organizations", "common")


def _form(request: Request) -> dict[str, str]:
    if request.content_type != _FORM:
        raise Violation(f"{request.target}: Content-Type is {request.content_type!r}, not {_FORM}")
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def _thumbprint_matches(certificate: x509.Certificate, header: dict[str, Any]) -> bool:
    for name, algorithm in (("x5t#S256", hashes.SHA256()), ("x5t", hashes.SHA1())):
        if name in header:
            wanted = base64.urlsafe_b64encode(certificate.fingerprint(algorithm)).decode().rstrip("=")
            return bool(header[name].rstrip("=") == wanted)
    return False


def _encoded(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def _given(body: dict[str, Any]) -> Answer:
    headers = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}
    return Answer(200, body, headers, content_type="application/json; charset=utf-8")


def _refused(status: int, error: str, number: int, text: str) -> Answer:
    trace = str(uuid.uuid4())
    body = {
        "error": error,
        "error_description": f"AADSTS{number}: {text} Trace ID: {trace} Correlation ID: {trace}",
        "error_codes": [number],
        "timestamp": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
        "trace_id": trace,
        "correlation_id": trace,
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }
    return Answer(status, body, content_type="application/json; charset=utf-8")

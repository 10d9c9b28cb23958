"""Who signs in, and how: Basic, NTLM with its real handshake (MS-NLMP, MS-NTHT), and OAuth bearer tokens."""

import base64
import binascii
import hashlib
import os
import secrets
import ssl
import struct
import tempfile
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

DOMAIN = "SCHOOL"
"""The NetBIOS name of the directory's domain."""


@dataclass(eq=False)
class Account:
    """One account of the directory, or one application that was registered for OAuth."""

    name: str
    """The user principal name, e.g. rivera@school.example, or the application's client id."""
    password: str
    mailbox: str | None = None
    """The address of its own mailbox."""
    impersonates: Collection[str] | None = ()
    """The addresses that ApplicationImpersonation lets it act as; None for every one."""
    sees_all: bool = False
    """Full Access to every mailbox."""
    locked: bool = False
    application: bool = False

    @property
    def logins(self) -> tuple[str, str]:
        """How it may call itself: user principal name and DOMAIN\\user."""
        return (self.name.lower(), f"{DOMAIN}\\{self.name.partition('@')[0]}".lower())

    def may_impersonate(self, address: str) -> bool:
        """Whether it has the right to act as this mailbox."""
        return self.impersonates is None or address in self.impersonates


@dataclass
class Connection:
    """What one TCP connection has proven so far: NTLM signs in a connection, not a request."""

    context: spnego.ContextProxy | None = None
    account: Account | None = None
    password: str | None = None
    """The account's password at that time."""


@dataclass(frozen=True, slots=True)
class Denied:
    """401, with what the client is to do next."""

    challenges: tuple[str, ...]
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Authentication:
    """Checks credentials. `kinds` are those that are offered: ntlm, basic, bearer."""

    kinds: tuple[str, ...]
    channel_bindings: GssChannelBindings | None = None
    """With Extended Protection: what NTLM must be bound to."""
    accounts: list[Account] = field(default_factory=list)
    token_seconds: float = 3600
    _tokens: dict[str, tuple[Account, str, float]] = field(default_factory=dict)

    def check(self, authorization: str | None, connection: Connection) -> Account | Denied:
        """Whose request this is."""
        scheme, _, credentials = (authorization or "").partition(" ")
        scheme = scheme.lower()
        if scheme and scheme not in self.kinds:
            return self._denied()
        if scheme == "basic":
            return self._basic(credentials)
        if scheme == "bearer":
            return self._bearer(credentials)
        if scheme == "ntlm":
            return self._ntlm(credentials, connection)
        account = connection.account
        if account is not None and not account.locked and account.password == connection.password:
            return account
        connection.account = None
        return self._denied()

    def issue(self, client: str, secret: str) -> str | None:
        """A token for an application that knows its secret (RFC 6749 §4.4)."""
        found = next((one for one in self.accounts if one.application and one.name == client), None)
        if found is None or found.locked or not secrets.compare_digest(found.password, secret):
            return None
        token = secrets.token_urlsafe(48)
        self._tokens[token] = (found, found.password, time.monotonic() + self.token_seconds)
        return token

    def expire_tokens(self) -> None:
        """Every token that was issued so far is too old from now on."""
        self._tokens = {token: (account, secret, 0.0) for token, (account, secret, _) in self._tokens.items()}

    def find(self, login: str) -> Account | None:
        """The account that calls itself so."""
        return next((one for one in self.accounts if not one.application and login.lower() in one.logins), None)

    def _denied(self, *headers: tuple[str, str]) -> Denied:
        known = {"ntlm": "NTLM", "basic": 'Basic realm="exchange"', "bearer": 'Bearer client_id="exchange"'}
        return Denied(tuple(known[kind] for kind in self.kinds), headers)

    def _basic(self, credentials: str) -> Account | Denied:
        try:
            login, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return self._denied()
        account = self.find(login)
        if account is None or account.locked or account.password != password:
            return self._denied()
        return account

    def _bearer(self, token: str) -> Account | Denied:
        account, secret, until = self._tokens.get(token, (None, "", 0.0))
        if account is None or account.locked or account.password != secret:
            return self._denied(("x-ms-diagnostics", '2000001;reason="The token is invalid."'))
        if time.monotonic() >= until:
            reason = '2000003;reason="The token has expired.";error_category="invalid_lifetime"'
            return self._denied(("x-ms-diagnostics", reason))
        return account

    def _ntlm(self, credentials: str, connection: Connection) -> Account | Denied:
        connection.account = None
        try:
            token = base64.b64decode(credentials, validate=True)
            kind = struct.unpack_from("<I", token, 8)[0] if token.startswith(b"NTLMSSP\x00") else 0
            if kind == 1:
                with self._directory():
                    connection.context = spnego.server(protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
                    challenge = base64.b64encode(connection.context.step(token) or b"").decode()
                return Denied((f"NTLM {challenge}",))
            context, connection.context = connection.context, None
            if kind != 3 or context is None:
                return self._denied()
            with self._directory():
                context.step(token, channel_bindings=self.channel_bindings)
        except (SpnegoError, binascii.Error, struct.error, ValueError):
            return self._denied()
        account = self.find(context.client_principal or "")
        if account is None or account.locked:
            return self._denied()
        connection.account, connection.password = account, account.password
        return account

    def _directory(self) -> "_Directory":
        return _Directory([one for one in self.accounts if not one.application])


class _Directory:
    """The passwords as pyspnego's acceptor wants them: in a file that the environment names, for as long as it
    looks."""

    _lock = threading.Lock()  # there is one environment

    def __init__(self, accounts: list[Account]) -> None:
        self._accounts = accounts

    def __enter__(self) -> None:
        self._lock.acquire()
        handle, name = tempfile.mkstemp(prefix="ews-accounts-")
        self._file = Path(name)
        with os.fdopen(handle, "w") as file:
            for account in self._accounts:
                assert ":" not in account.password, "the file that pyspnego reads cannot hold a colon"
                file.write(f":{account.name}:{account.password}\n")
                file.write(f"{DOMAIN}:{account.name.partition('@')[0]}:{account.password}\n")
        self._before = os.environ.get("NTLM_USER_FILE")
        os.environ["NTLM_USER_FILE"] = name

    def __exit__(self, *_: object) -> None:
        if self._before is None:
            del os.environ["NTLM_USER_FILE"]
        else:
            os.environ["NTLM_USER_FILE"] = self._before
        self._file.unlink()
        self._lock.release()


def bindings_of(certificate: Path) -> GssChannelBindings:
    """What an NTLM handshake over TLS is bound to (RFC 5929 §4): the server's certificate."""
    binary = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    return GssChannelBindings(application_data=b"tls-server-end-point:" + hashlib.sha256(binary).digest())

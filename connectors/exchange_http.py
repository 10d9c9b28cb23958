"""HTTPS to an Exchange server: sessions of exchangelib's, with our own certificates, limits and errors.

exchangelib keeps connections per process and mounts one adapter class for all of them. Each mailbox here has a protocol
of its own instead, so that one mailbox's certificate authority, password and back-off are never another's.
"""

import itertools
import logging
import re
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from exchangelib.configuration import Configuration
from exchangelib.protocol import BaseProtocol, FailFast
from exchangelib.transport import DEFAULT_HEADERS, NOAUTH
from exchangelib.util import is_xml
from exchangelib.version import EXCHANGE_2016, Version
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from spnego.exceptions import SpnegoError
from urllib3.exceptions import NewConnectionError

from connectors.backoff import retry_after
from connectors.errors import AuthenticationFailed, ConnectFailed, MailboxError, PermissionDenied
from connectors.exchange_errors import ExchangeOnline, NotLetIn, Unanswered, UnsureBusy
from connectors.tls import handshake_failed, reason

# exchangelib logs whole requests where something goes wrong: message text, and the Authorization header.
logging.getLogger("exchangelib").setLevel(logging.CRITICAL + 1)

API_VERSION = "Exchange2013_SP1"
"""Which EWS is spoken: the newest that Exchange 2016, 2019 and SE all document (RequestServerVersion)."""
_CONNECT_SECONDS = 15.0
_ONLINE = (
    *("outlook.office365.com", "outlook.office.com", "outlook.com", "office365.us", "partner.outlook.cn"),
    *("outlook.office.de", "autodiscover-s.outlook.com", "apps.mil"),
)
_WHOLE = re.compile(rb"</(?:[\w.-]{1,40}:)?Envelope\s*>\s*\Z")
_HEADERS = {**DEFAULT_HEADERS, "User-Agent": "alliance-inbox"}
_SCHEME = re.compile(r"\b(NTLM|Negotiate|Basic|Bearer)\b")
_CERTAIN = 5
"""So often in a row the server has to say no, without a handshake that was whole, until that is taken for its will. A
whole one is believed at once: more would lock an account."""
_numbers = itertools.count(1)


def is_exchange_online(url: str) -> bool:
    """Whether a URL leads to Microsoft's cloud instead of a school's own server."""
    host = (urlsplit(url).hostname or "").lower().rstrip(".")
    return any(host == name or host.endswith(f".{name}") for name in _ONLINE)


class LineAdapter(HTTPAdapter):
    """Connections of one session, one at a time. Each response knows the line that it came over, as `line`."""

    def __init__(self) -> None:
        """Repeats nothing."""
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def send(self, request: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """See requests."""
        response = super().send(request, *args, **kwargs)
        sock = getattr(getattr(response.raw, "connection", None), "sock", None)
        response.line = sock.getsockname() if sock is not None else None  # type: ignore[attr-defined]
        return response


class VerifiedAdapter(LineAdapter):
    """Connections whose certificate is verified against one context and nothing else: neither the bundle that requests
    brings nor what the environment names."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """`context` verifies certificate and host name."""
        self._context = context
        super().__init__()

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """See requests."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {"ssl_context": self._context, "cert_reqs": "CERT_REQUIRED"}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """See requests, which would add its own bundle to the context here."""


class Session(requests.Session):
    """A session that raises errors of ours: ConnectFailed where nothing was handed over, Unanswered where something
    was."""

    def __init__(self, context: ssl.SSLContext, auth: AuthBase | None) -> None:
        """Signs in with `auth`."""
        super().__init__()
        self.session_id = next(_numbers)  # exchangelib's log asks for both
        self.usage_count = 0
        self.auth = auth
        self.headers.update(_HEADERS)
        self.mount("https://", VerifiedAdapter(context))
        self.mount("http://", LineAdapter())

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        """See requests. Raises MailboxError."""
        where = urlsplit(str(url)).netloc
        try:
            return super().request(method, url, *args, **kwargs)
        except (MailboxError, requests.exceptions.InvalidURL):
            raise
        except requests.exceptions.SSLError as error:
            raise _tls_failure(where, error) from error
        except (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError) as error:
            raise ConnectFailed(f"{where} cannot be reached: {type(error).__name__}") from error
        except requests.exceptions.RequestException as error:
            if _cause(error, NewConnectionError) is not None:
                raise ConnectFailed(f"{where} cannot be reached: {_reason(error)}") from error
            raise Unanswered(f"{where} hung up or went silent: {_reason(error)}") from error
        except (KeyError, AttributeError, ValueError, OSError, SpnegoError) as error:
            # requests_ntlm expects every answer of the handshake to be there and whole.
            raise Unanswered(f"{where} broke off while signing in ({type(error).__name__})") from error


class Answers(FailFast):  # type: ignore[misc]
    """What HTTP answers mean. Nothing is waited for or repeated in here: that is `connectors.backoff`'s."""

    def __init__(self, account: str) -> None:
        """`account` is who signs in."""
        self._account = account
        self.seen_at: datetime | None = None
        """The server's clock, as of its last answer."""
        self._refused = 0

    def raise_response_errors(self, response: requests.Response) -> None:
        """Returns where there is a whole SOAP answer. Raises MailboxError or UnsureBusy."""
        self._look_at_clock(response.headers.get("Date", ""))
        status, where = response.status_code, urlsplit(response.url).netloc
        if status == 200 or (status == 500 and is_xml(response.content)):
            if not _WHOLE.search(response.content[-400:]):
                # exchangelib would mend it, and what is missing would never be told: the sync state stands in front.
                raise Unanswered(f"{where}: the answer broke off")
            self._refused = 0
            return
        if status == 401:
            raise self._refusal(response, where)
        if status == 403:
            raise PermissionDenied(
                f"{where}: {self._account} or the mailbox may not use Exchange Web Services; an administrator runs: "
                "Set-CASMailbox -Identity <mailbox> -EwsEnabled $true, and looks at Get-OrganizationConfig | fl Ews*"
            )
        if status in {301, 302, 303, 307, 308}:
            target = response.headers.get("Location", "")
            if is_exchange_online(target):
                raise ExchangeOnline(urlsplit(target).netloc)
            raise ConnectFailed(f"{where} sends us elsewhere instead of answering: check [exchange] endpoint")
        if status in {404, 405}:
            raise ConnectFailed(
                f"{where} has no Exchange Web Services at {urlsplit(response.url).path}: check endpoint"
            )
        if status in {429, 500, 502, 503, 504}:
            after = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
            raise UnsureBusy(f"{where} is busy or in trouble (HTTP {status})", after)
        raise ConnectFailed(f"{where} answered HTTP {status}")

    def _refusal(self, response: requests.Response, where: str) -> MailboxError:
        """What a 401 means: our credentials are refused, or only the line broke within the handshake. NTLM signs in a
        line (MS-NTHT §3.1.4), and a server knows nothing of a handshake that began on another one."""
        challenge = response.headers.get("WWW-Authenticate", "")  # RFC 9110 §11.6.1 demands it
        offered = ", ".join(_SCHEME.findall(challenge)) or "none"
        tried = str(response.request.headers.get("Authorization", "")).partition(" ")[0]
        lines = [getattr(each, "line", None) for each in (*response.history[-1:], response)]
        handshake = bool(challenge) and None not in lines and len(set(lines)) == 1
        self._refused += 1
        if (not tried or (tried in {"NTLM", "Negotiate"} and not handshake)) and self._refused < _CERTAIN:
            return NotLetIn(f"{where} did not let {self._account} in (it offers {offered}); it is tried again")
        return AuthenticationFailed(
            f"{where} refused {self._account}: wrong user name or password, an account that is locked, or a way of "
            f"signing in that it does not take (it offers {offered})"
        )

    def _look_at_clock(self, date: str) -> None:
        try:
            seen = parsedate_to_datetime(date)
        except (TypeError, ValueError):
            return
        self.seen_at = seen if seen.tzinfo else seen.replace(tzinfo=UTC)


class Protocol(BaseProtocol):  # type: ignore[misc]
    """One mailbox's connections to one endpoint. Not in exchangelib's cache: `close` lets go of everything."""

    RETRY_WAIT = 0

    def __init__(self, endpoint: str, seconds: float, answers: Answers, session: Callable[[], Session]) -> None:
        """`session` makes a session that signs in; one answer may take `seconds`."""
        super().__init__(
            Configuration(
                service_endpoint=endpoint,
                auth_type=NOAUTH,  # `session` signs in
                version=Version(build=EXCHANGE_2016, api_version=API_VERSION),
                retry_policy=answers,
            )
        )
        self.TIMEOUT = (min(_CONNECT_SECONDS, seconds), seconds)
        self._new_session = session

    @property
    def version(self) -> Any:
        """The version that is spoken."""
        return self.config.version

    def get_auth_type(self) -> Any:
        """Nothing is guessed."""
        return NOAUTH

    def create_session(self) -> Session:
        """A new session."""
        return self._new_session()

    def close_session(self, session: Session) -> None:
        """Ends a session."""
        session.close()


def _tls_failure(where: str, error: requests.exceptions.SSLError) -> MailboxError:
    found = _cause(error, ssl.SSLError)
    if isinstance(found, ssl.SSLError) and not isinstance(found, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return handshake_failed(where, found)
    return Unanswered(f"{where} hung up within TLS")


def _cause(error: BaseException, wanted: type[BaseException]) -> BaseException | None:
    """The exception of a kind that another one wraps: requests and urllib3 put it into causes, reasons or arguments."""
    pending: list[BaseException] = [error]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if isinstance(current, wanted):
            return current
        if id(current) not in seen:
            seen.add(id(current))
            linked = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
            pending += [each for each in linked if isinstance(each, BaseException)]
    return None


def _reason(error: BaseException) -> str:
    found = _cause(error, ConnectionError) or _cause(error, socket.gaierror) or _cause(error, TimeoutError)
    return reason(found) if found else type(error).__name__

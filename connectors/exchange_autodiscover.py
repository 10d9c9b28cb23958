"""Finding the server of a mailbox by Autodiscover, along exchangelib's steps (MS-OXDISCO §3.1.5), without its caches.

exchangelib remembers the server per domain in a file in the temporary folder that all its users share, and looks with
one class of connections for everybody. Here each mailbox looks with its own certificates and sign-in, and remembers for
as long as it is open.
"""

from typing import Any
from urllib.parse import urlsplit

import requests
from exchangelib.autodiscover import Autodiscovery
from exchangelib.autodiscover.protocol import AutodiscoverProtocol
from exchangelib.configuration import Configuration
from exchangelib.errors import (
    AutoDiscoverError,
    EWSError,
    RedirectError,
    TransportError,
)
from exchangelib.transport import NOAUTH
from exchangelib.util import get_redirect_url

from connectors.backoff import Busy
from connectors.errors import AuthenticationFailed, ConnectFailed, InsecureConnection, MailboxError
from connectors.exchange_errors import ExchangeOnline, NotLetIn
from connectors.exchange_http import Answers, Session, is_exchange_online

_SECONDS = 10.0
_WANTED = ("auto_discover_smtp_address", "external_ews_url", "internal_ews_url")


class Discovery(Autodiscovery):  # type: ignore[misc]
    """One search for the endpoint of one mailbox."""

    email: str

    def __init__(self, address: str, account: str, session: Any, stranger: Any) -> None:
        """`session` makes sessions that sign in as `account`, `stranger` such as do not."""
        super().__init__(email=address)
        self._account = account
        self._session = session
        self._stranger = stranger
        self._refusals: list[MailboxError] = []

    def endpoint(self) -> str:
        """The URL of the mailbox's web service. Raises MailboxError."""
        try:
            for _ in range(self.MAX_REDIRECTS):
                self._emails_visited.append(self.email.lower())
                answer = self._answer(self.email.rpartition("@")[2])
                if not answer.redirect_address:
                    found = answer.user_settings or {}
                    return self._checked(found.get("external_ews_url") or found.get("internal_ews_url"))
                if answer.redirect_address.lower().endswith(".onmicrosoft.com"):
                    raise ExchangeOnline(answer.redirect_address)
                if answer.redirect_address.lower() in self._emails_visited:
                    break
                self.email = answer.redirect_address
        except AutoDiscoverError as error:
            raise self._not_found() from error
        except EWSError as error:
            raise ConnectFailed(f"Autodiscover for {self.email} failed ({type(error).__name__})") from error
        raise self._not_found()

    def _answer(self, domain: str) -> Any:
        try:
            return self._step_2(hostname=domain)  # which goes on to the others
        except AutoDiscoverError:
            # At last, since most often the school's web site is there, which has no business with a password.
            found, answer = self._attempt_response(url=f"https://{domain}/{self.URL_PATH}")
            if not found:
                raise
            return self._step_5(ad=answer)

    def _checked(self, url: str | None) -> str:
        if not url:
            raise self._not_found()
        if is_exchange_online(url):
            raise ExchangeOnline(urlsplit(url).netloc)
        if not url.startswith("https://"):
            raise InsecureConnection(f"Autodiscover for {self.email} leads to {urlsplit(url).netloc} without TLS")
        return url

    def _not_found(self) -> MailboxError:
        if self._refusals:
            return self._refusals[0]
        return ConnectFailed(
            f"Autodiscover finds no Exchange server for {self.email}: set [exchange] endpoint to the URL of its "
            "EWS/Exchange.asmx"
        )

    def _protocol(self, url: str, session: Any) -> "_Protocol":
        return _Protocol(url, _Answers(self._account), session)

    def _redirect_url_is_valid(self, url: str) -> bool:
        """Whether to follow a redirection: not out of the mailbox's own domain, where nobody vouches for who asks for a
        password there."""
        if is_exchange_online(url):
            raise ExchangeOnline(urlsplit(url).netloc)
        host, domain = urlsplit(url).netloc.lower(), self.email.rpartition("@")[2].lower()
        if host != domain and not host.endswith(f".{domain}"):
            self._refusals.append(
                ConnectFailed(
                    f"Autodiscover for {self.email} leads to {host}, outside its domain: if that is right, set "
                    "[exchange] endpoint to the URL of its EWS/Exchange.asmx"
                )
            )
            return False
        valid: bool = super()._redirect_url_is_valid(url)
        return valid

    def _ensure_valid_hostname(self, url: str) -> None:
        """A host that does not exist shows when it is connected to."""

    def _get_unauthenticated_response(self, url: str, method: str = "post") -> tuple[None, Any]:
        session = self._stranger()
        try:
            return None, session.request(method, url, allow_redirects=False, timeout=_SECONDS)
        except MailboxError as error:
            raise TransportError(str(error)) from error
        finally:
            session.close()

    def _attempt_response(self, url: str) -> tuple[bool, Any]:
        self._urls_visited.append(url.lower())
        if is_exchange_online(url):
            raise ExchangeOnline(urlsplit(url).netloc)
        protocol = self._protocol(url, self._session)
        try:
            return True, self._settings(protocol)
        except RedirectError as error:
            if self._redirect_url_is_valid(url=error.url):
                return self._attempt_response(url=error.url)
        except ExchangeOnline:
            raise
        except (AuthenticationFailed, InsecureConnection) as error:
            # Another place may know better; where none does, this is what to tell.
            self._refusals.append(error)
        except (MailboxError, Busy, EWSError):
            return False, None
        finally:
            protocol.close()
        return False, None

    def _settings(self, protocol: "_Protocol") -> Any:
        try:
            return protocol.get_user_settings(user=self.email, settings=_WANTED)
        except NotLetIn:
            return protocol.get_user_settings(user=self.email, settings=_WANTED)


class _Answers(Answers):
    """As everywhere, but a redirection is told as such."""

    def raise_response_errors(self, response: requests.Response) -> None:
        if response.status_code in {301, 302, 307, 308}:
            raise RedirectError(url=get_redirect_url(response))
        super().raise_response_errors(response)


class _Protocol(AutodiscoverProtocol):  # type: ignore[misc]
    RETRY_WAIT = 0

    def __init__(self, endpoint: str, answers: Answers, session: Any) -> None:
        super().__init__(Configuration(service_endpoint=endpoint, auth_type=NOAUTH, retry_policy=answers))
        self.TIMEOUT = _SECONDS
        self._new_session = session

    def create_session(self) -> Session:
        made: Session = self._new_session()
        return made

    def close_session(self, session: Session) -> None:
        session.close()

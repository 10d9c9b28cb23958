"""One mailbox's line to its Exchange server: asks over exchangelib's services, repeats what may be repeated, and turns
every failure into an error of ours."""

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from exchangelib.account import Identity
from exchangelib.credentials import DELEGATE, IMPERSONATION
from exchangelib.errors import ErrorServerBusy, EWSError
from exchangelib.services.common import EWSAccountService
from exchangelib.util import MNS, TNS
from requests.auth import AuthBase

from connectors.allowance import Holds, holds
from connectors.backoff import Busy, Patience
from connectors.errors import InsecureConnection, MailboxError, Throttled
from connectors.exchange_autodiscover import Discovery
from connectors.exchange_errors import ExchangeOnline, NotLetIn, Unanswered, UnsureBusy, code_of, meaning, passes
from connectors.exchange_http import Answers, Protocol, Session, is_exchange_online
from connectors.exchange_requests import Element

_UNNAMED = 10.0
"""Seconds that an account pauses where the server names none."""
Answer = Any
"""A response message (an element), or exchangelib's error for it."""
SignIn = Callable[[], AuthBase]


class _Service(EWSAccountService):  # type: ignore[misc]
    """Any EWS operation: gives each response message as it is, or its error."""

    ERRORS_TO_CATCH_IN_RESPONSE = EWSError
    WARNINGS_TO_CATCH_IN_RESPONSE = EWSError

    def __init__(self, operation: str, account: "_Account") -> None:
        self.SERVICE_NAME = operation
        super().__init__(account=account)

    def ask(self, request: Element) -> list[Answer]:
        return list(self._get_elements(payload=request))

    def _response_tag(self) -> str:
        return f"{{http://schemas.microsoft.com/exchange/services/2006/messages}}{self.SERVICE_NAME}Response"

    def _response_message_tag(self) -> str:
        return f"{self._response_tag()}Message"

    @classmethod
    def _get_soap_parts(cls, response: Any) -> Any:
        # exchangelib would read what is in memory already byte by byte.
        return super()._get_soap_parts(_Content(response.content))

    def _api_versions_to_try(self) -> tuple[str, ...]:
        return (self.account.version.api_version,)

    def _get_element_container(self, message: Element, name: str | None = None) -> Any:
        # The availability service's responses hold their message beside what was asked for (MS-OXWSOOF §3.1.4).
        held = message.find(f"{{{MNS}}}ResponseMessage")
        return super()._get_element_container(message=message if held is None else held, name=name)

    def _get_elements_in_container(self, container: Element) -> list[Element]:
        return [container]

    def _get_exception(self, code: str, text: str, msg_xml: Element = None, rule_errors: Element = None) -> Any:
        error = super()._get_exception(code=code, text=text or "", msg_xml=msg_xml, rule_errors=rule_errors)
        if isinstance(error, ErrorServerBusy) and msg_xml is not None:
            for value in msg_xml.iterfind(f"{{{TNS}}}Value"):
                if value.get("Name") == "BackOffMilliseconds" and (value.text or "").strip().isdigit():
                    error.back_off = int(value.text) / 1000
        return error


@dataclass(frozen=True, slots=True)
class _Content:
    """A response as far as exchangelib's parser looks at it."""

    content: bytes

    def iter_content(self) -> bytes:
        return self.content


class _Account:
    """What exchangelib's services need to know of a mailbox. (Its own Account would guess versions and time zones.)"""

    default_timezone = None  # times go out and come back in UTC
    affinity_cookie: str | None = None

    def __init__(self, address: str, protocol: Protocol, *, impersonated: bool) -> None:
        self.primary_smtp_address = address
        self.identity = Identity(primary_smtp_address=address)
        self.access_type = IMPERSONATION if impersonated else DELEGATE
        self.protocol = protocol
        self.build: Any = None

    @property
    def version(self) -> Any:
        return self.protocol.version

    @version.setter
    def version(self, seen: Any) -> None:
        # exchangelib would go on with what the server says that it speaks; we stay with what we know that it takes.
        self.build = seen.build


class Connection:
    """Where one mailbox is signed in. Opened at its first use, and again after `close`."""

    def __init__(
        self,
        address: str,
        *,
        account: str,
        sign_in: SignIn,
        endpoint: str | None,
        context: ssl.SSLContext,
        seconds: float,
        impersonated: bool,
        allow_insecure: bool = False,
        patience: Patience | None = None,
        charged: str | None = None,
        pauses: Holds | None = None,
    ) -> None:
        """`account` is who signs in (by `sign_in`) for `address`; without `endpoint` it is looked for. One answer may
        take `seconds`. `charged` is whose throttling policy counts what is asked for many mailboxes together, None
        where each mailbox's own does. Raises ExchangeOnline, InsecureConnection."""
        if endpoint is not None:
            if is_exchange_online(endpoint):
                raise ExchangeOnline(urlsplit(endpoint).netloc)
            if not endpoint.lower().startswith("https://") and not allow_insecure:
                raise InsecureConnection(
                    f"{urlsplit(endpoint).netloc} would be spoken to without TLS: use https, or allow_insecure where "
                    "the server is on the same machine"
                )
        self.address = address
        self.account = account
        self.impersonated = impersonated
        self.seconds = seconds
        self._given = endpoint
        self._endpoint = endpoint
        self._context = context
        self._sign_in = sign_in
        self._answers = Answers(account)
        self._patience = patience or Patience(seconds=30)
        self._charged = None if charged is None else f"exchange {charged}"
        self._holds = pauses or holds()
        self._ews: _Account | None = None

    @property
    def endpoint(self) -> str:
        """The web service's URL. Raises MailboxError where Autodiscover finds none."""
        if self._endpoint is None:
            stranger = lambda: Session(self._context, None)  # noqa: E731
            self._endpoint = Discovery(self.address, self.account, self.new_session, stranger).endpoint()
        return self._endpoint

    @property
    def where(self) -> str:
        """The server, for messages."""
        return urlsplit(self._endpoint or "").netloc or "Exchange"

    @property
    def server_time(self) -> datetime | None:
        """The server's clock, as of its last answer."""
        return self._answers.seen_at

    @property
    def build(self) -> str:
        """The server's build, as its last answer told, e.g. 15.2.1544.4; empty where it told none."""
        found = self._ews.build if self._ews else None
        return f"{found.major_version}.{found.minor_version}.{found.major_build}.{found.minor_build}" if found else ""

    def new_session(self) -> Session:
        """A session of its own, signed in at its first request."""
        return Session(self._context, self._sign_in())

    def ask(self, request: Element, otherwise: type[MailboxError]) -> list[Answer]:
        """Sends a request that may be repeated, and repeats it while the server is busy, and once where the line broke.
        Returns each response message, or its error. Raises MailboxError; `otherwise` where nothing more exact fits."""

        def asked() -> list[Answer]:
            try:
                return self._once(request, otherwise)
            except Unanswered:
                return self._once(request, otherwise)

        return self._patience.run(asked)

    def ask_one(self, request: Element, otherwise: type[MailboxError]) -> Element:
        """As `ask`, for a request with one response message; its error is raised as ours."""
        return self.sole(self.ask(request, otherwise), otherwise)

    def ask_once(self, request: Element, otherwise: type[MailboxError]) -> list[Answer]:
        """Sends a request that must not be repeated. Raises Throttled where the server was too busy to begin,
        Unanswered where it may have been carried out, otherwise as `ask`."""
        try:
            try:
                return self._once(request, otherwise)
            except NotLetIn:
                return self._once(request, otherwise)
        except UnsureBusy as error:
            raise Unanswered(str(error)) from error
        except Busy as error:
            raise Throttled(str(error), error.after) from error

    def sole(self, answers: Sequence[Answer], otherwise: type[MailboxError]) -> Element:
        """The one response message of an answer. Raises its error as ours."""
        if not answers:
            raise otherwise(f"{self.where}: the answer holds no response message")
        if isinstance(answers[0], BaseException):
            raise self.meaning(answers[0], otherwise) from answers[0]
        return answers[0]

    def meaning(self, error: BaseException, otherwise: type[MailboxError]) -> MailboxError:
        """Our error for one in a response message."""
        return meaning(error, self.where, address=self.address, account=self.account, otherwise=otherwise)

    def envelope(self, request: Element) -> tuple[bytes, dict[str, str]]:
        """A request as it goes over the line, and the headers that go with it: for an answer that streams."""
        service = _Service(_operation(request), self._opened())
        body: bytes = service.wrap(content=request, api_version=self._opened().version.api_version)
        headers: dict[str, str] = service._extra_headers()  # noqa: SLF001 - what its own requests carry
        return body, {**headers, "X-PreferServerAffinity": "True"}

    def close(self) -> None:
        """Ends every session. The next use connects again, and looks for the server again."""
        ews, self._ews, self._endpoint = self._ews, None, self._given
        if ews is not None:
            ews.protocol.close()

    def _opened(self) -> _Account:
        if self._ews is None:
            protocol = Protocol(self.endpoint, self.seconds, self._answers, self.new_session)
            self._ews = _Account(self.address, protocol, impersonated=self.impersonated)
        return self._ews

    def _once(self, request: Element, otherwise: type[MailboxError]) -> list[Answer]:
        if self._charged is not None and (held := self._holds.held(self._charged)) > 0:
            raise Busy(f"{self.where} asked {self.account} to wait, for whichever mailbox", held)
        ews = self._opened()
        try:
            answers = _Service(_operation(request), ews).ask(request)
        except (MailboxError, Busy):
            raise
        except EWSError as error:
            answers = [error]
            if not passes(error):
                raise self.meaning(error, otherwise) from error
        except Exception as error:
            # Whatever exchangelib trips over: the answer is not what EWS defines.
            raise Unanswered(f"{self.where}: an answer that cannot be read ({type(error).__name__})") from error
        waiting = [each for each in answers if isinstance(each, BaseException) and passes(each)]
        if waiting:
            after = getattr(waiting[0], "back_off", None) or None
            code = code_of(waiting[0])
            if code == "ErrorServerBusy" and self._charged is not None:
                self._holds.hold(self._charged, after or _UNNAMED)
            raise (Busy if code == "ErrorServerBusy" else UnsureBusy)(f"{self.where} is busy ({code})", after)
        return answers


def _operation(request: Element) -> str:
    return str(request.tag).rpartition("}")[2].removesuffix("Request")

"""The stand-in for an Exchange Server: mailboxes, accounts, a log of requests, and the troubles that tests order."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lxml import etree

from tests.servers.certificates import Certificates
from tests.servers.ews.authentication import Account, Authentication, bindings_of
from tests.servers.ews.box import Box
from tests.servers.ews.call import Call
from tests.servers.ews.directory import Directory, Person
from tests.servers.ews.operations import OPERATIONS
from tests.servers.ews.operations.notifications import Subscriptions, streamed
from tests.servers.ews.schema import schema
from tests.servers.ews.soap import Fault, M, Malformed, Refused, T, element, envelope, fault, opened
from tests.servers.ews.store import Event, Mailbox
from tests.servers.ews.transport import Transport
from tests.servers.ews.troubles import Order, Orders, Trouble
from tests.servers.ews.web import Web

PASSWORD = "correct horse battery"
SERVICE = "svc-alliance@school.example"
CLIENT, SECRET = "6a2f0c1e-0b7d-4f7e-9c52-1d1f6c0a9b11", "application-secret"
_BUILDS = {
    "2016": ("15", "1", "2507", "39", "V2017_07_11"),
    "2019": ("15", "2", "1544", "11", "V2018_01_08"),
    "SE": ("15", "2", "2562", "17", "V2018_01_08"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that was let in: the operation, who signed in, for whose mailbox, and what became of it."""

    operation: str
    account: str
    mailbox: str | None
    outcome: str
    """NoError where all went well, or the first error's code, or the HTTP status."""
    things: int
    """How many items, folders or ids the answer has a message for."""


@dataclass(eq=False, repr=False)
class ExchangeServer:
    """One server. `tests.servers.ews.running` is the way to make one."""

    version: Literal["2016", "2019", "SE"] = "2019"
    kinds: tuple[str, ...] = ("ntlm", "basic", "bearer")
    """The ways to sign in that are offered: ntlm, basic, bearer."""
    certificates: Certificates | None = None
    """With them the server speaks HTTPS."""
    extended_protection: bool = False
    """Whether NTLM must be bound to the TLS connection."""
    delivers: bool = True
    """Whether mail to mailboxes of this server arrives there."""
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    directory: Directory = field(default_factory=Directory)
    requests: list[Asked] = field(default_factory=list)
    """Every request that was let in, in order."""
    refused: int = 0
    """How many HTTP requests were answered with 401, the first steps of NTLM included."""
    violations: list[str] = field(default_factory=list)
    """What clients did that Exchange would not take, and what the stand-in did that Exchange would not. `running`
    raises in the end where there are any."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    _orders: Orders = field(default_factory=Orders)
    _watchers: list[Callable[[Mailbox, Event], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        bound = bindings_of(self.certificates.certificate) if self.certificates and self.extended_protection else None
        self.authentication = Authentication(self.kinds, bound)
        self.service = Account(SERVICE, PASSWORD, impersonates=None)
        """The service account: it may impersonate every mailbox and has none of its own."""
        self.application = Account(CLIENT, SECRET, impersonates=None, application=True)
        """The application that was registered for OAuth."""
        self.authentication.accounts += [self.service, self.application]
        self.transport = Transport(self._arrive)
        self.happened = threading.Condition(self.lock)
        """Notified at every change that somebody may wait for."""
        self.subscriptions = Subscriptions(self)
        self.web = Web(self)

    # For tests

    @property
    def url(self) -> str:
        """Where Exchange Web Services are."""
        return f"{self.web.address}/EWS/Exchange.asmx"

    @property
    def authority(self) -> str:
        """Where applications get their tokens: `{authority}/oauth2/v2.0/token`."""
        return f"{self.web.address}/tenant"

    def box(self, address: str, name: str | None = None) -> Box:
        """The mailbox with this address and the account that owns it, made where they lack. The password is PASSWORD
        until somebody changes it."""
        key = address.lower()
        with self.lock:
            if key not in self.mailboxes:
                shown = name or key.partition("@")[0].replace(".", " ").title()
                self.mailboxes[key] = Mailbox(key, shown, self._tell)
                self.authentication.accounts.append(Account(key, PASSWORD, mailbox=key))
                self.directory.add(shown, key)
            return Box(self.mailboxes[key], self.lock, self.transport.left)

    def person(self, name: str, address: str) -> Person:
        """Adds somebody without a mailbox to the directory, who gets an EX address."""
        return self.directory.add(name, address)

    def account(self, name: str) -> Account:
        """The account of this user principal name, or application: to change its password, lock it, give it rights."""
        return next(one for one in self.authentication.accounts if one.name == name.lower())

    def order(
        self,
        trouble: Trouble,
        operation: str = "*",
        *,
        times: int | None = 1,
        skip: int = 0,
        address: str | None = None,
    ) -> Order:
        """From now on `trouble` strikes requests of `operation`: the next one, or the next `times`, or (None) all,
        after `skip` that are let through."""
        with self.lock:
            return self._orders.add(Order(trouble, operation, times, skip, address and address.lower()))

    def behave(self) -> None:
        """Calls off every order."""
        with self.lock:
            self._orders.clear()

    @property
    def departed(self) -> list[bytes]:
        """Every message that really left, from any mailbox, once for each time that it left."""
        with self.lock:
            return [mime for _, mime in self.transport.left]

    @property
    def counts(self) -> Counter[str]:
        """How often each operation was asked for."""
        with self.lock:
            return Counter(asked.operation for asked in self.requests)

    def forget_sync_states(self) -> None:
        """No sync state of any mailbox is known any more."""
        with self.lock:
            for mailbox in self.mailboxes.values():
                mailbox.states.clear()

    def expire_tokens(self) -> None:
        """Every OAuth token that was issued so far is too old from now on."""
        self.authentication.expire_tokens()

    def hang_up(self) -> None:
        """Closes every connection, as a restart of the web server does; new ones are taken."""
        self.web.hang_up()

    def start(self) -> None:
        """Starts it, on the same port as before if it ran before, with everything that it held."""
        self.web.start()

    def stop(self) -> None:
        """Stops it; connections are closed."""
        self.web.stop()

    def slow_down(self) -> None:
        """From now on what SendItem sends stays where it is, submitted, until `catch_up`."""
        with self.lock:
            self.transport.slow_down()

    def catch_up(self) -> None:
        """What was held back leaves, and the transport is quick again."""
        with self.lock:
            self.transport.catch_up()

    def wait_for_stream(self, seconds: float = 30) -> None:
        """Returns when a client listens to a stream of notifications."""
        with self.lock:
            if not self.happened.wait_for(lambda: self.subscriptions.streams > 0, seconds):
                raise TimeoutError("no client listens")

    def end_streams(self) -> None:
        """Every stream of notifications ends in good order, as when its time is up."""
        with self.lock:
            self.subscriptions.end_streams()

    def forget_subscriptions(self) -> None:
        """No subscription is known any more; streams end with an error."""
        with self.lock:
            self.subscriptions.forget()

    def violation(self, text: str) -> None:
        """Notes what must make the test fail."""
        with self.lock:
            self.violations.append(text)

    # For operations

    def mailbox(self, address: str) -> Mailbox:
        """The mailbox with this address. Raises Refused."""
        found = self.mailboxes.get(address.lower())
        if found is None:
            raise Refused("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
        return found

    def refuse_if_ordered(self, call: Call, thing: etree._Element) -> None:
        """Raises the error that was ordered for this thing."""
        self._orders.refuse(call.operation, call.mailbox and call.mailbox.address, thing)

    def ordered(self, operation: str, address: str | None) -> Trouble | None:
        """The trouble that strikes a whole request."""
        with self.lock:
            return self._orders.strike(operation, address)

    def watch(self, watcher: Callable[[Mailbox, Event], None]) -> None:
        """Calls `watcher` for every event, with the lock held."""
        self._watchers.append(watcher)

    # For the web server

    def open(self, body: bytes, account: Account) -> "Request":
        """The request in a SOAP document. Raises Fault for what cannot be let in."""
        try:
            headers, content = opened(body)
        except Malformed as malformed:
            self.violation(f"request: {malformed}")
            raise Fault("ErrorInvalidRequest", str(malformed)) from malformed
        for part in (*(one for one in headers if one.tag.startswith(T)), content):
            complaint = schema().complaint(part)
            if complaint is not None:
                self.violation(f"request {etree.QName(part).localname}: {complaint}")
                raise Fault("ErrorSchemaValidation", "The request failed schema validation.", {"Violation": complaint})
        name = etree.QName(content).localname
        with self.lock:
            mailbox, sees_all = self._acting(headers, account)
        return Request(name, content, account, mailbox, sees_all)

    def note(self, request: "Request | None", account: Account, outcome: str, things: int) -> None:
        """Keeps a request in the log."""
        mailbox = request.mailbox.address if request and request.mailbox else None
        with self.lock:
            self.requests.append(Asked(request.operation if request else "?", account.name, mailbox, outcome, things))

    def carry_out(self, request: "Request") -> etree._Element:
        """The response. Raises Fault."""
        operation = OPERATIONS.get(request.operation)
        if operation is None:
            self.violation(f"the stand-in does not know {request.operation}")
            raise Fault("ErrorInvalidOperation", f"{request.operation} is not known here.")
        with self.lock:
            return operation(Call(self, request.content, request.account.name, request.mailbox, request.sees_all))

    def stream(self, request: "Request", gone: Callable[[], bool]) -> Iterator[bytes]:
        """The documents that answer GetStreamingEvents."""
        call = Call(self, request.content, request.account.name, request.mailbox, request.sees_all)
        for content in streamed(call, gone):
            yield self.document(content)

    @property
    def build(self) -> tuple[str, str, str, str, str]:
        """The version's numbers, and what the server calls its schema."""
        return _BUILDS[self.version]

    def document(self, content: etree._Element) -> bytes:
        """The document that carries a response or a fault, after it was judged."""
        if content.tag.startswith(M):
            complaint = schema().complaint(content)
            if complaint is not None:
                self.violation(f"response {etree.QName(content).localname}: {complaint}")
        major, minor, build, revision, version = self.build
        info = element(
            f"{T}ServerVersionInfo",
            {
                "MajorVersion": major,
                "MinorVersion": minor,
                "MajorBuildNumber": build,
                "MinorBuildNumber": revision,
                "Version": version,
            },
        )
        return envelope(content, [info])

    def refusal(self, refused: Refused) -> bytes:
        """The document that carries a fault."""
        if refused.code not in schema().response_codes:
            self.violation(f"{refused.code} is not an error of EWS")
        return self.document(fault(refused))

    def _acting(self, headers: Sequence[etree._Element], account: Account) -> tuple[Mailbox | None, bool]:
        wanted = next((one for one in headers if one.tag == f"{T}ExchangeImpersonation"), None)
        if wanted is None:
            own = self.mailboxes.get(account.mailbox) if account.mailbox else None
            return own, account.sees_all
        address = (wanted[0][0].text or "").strip().lower()
        if address not in self.mailboxes:
            raise Fault("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
        if not account.may_impersonate(address) and account.mailbox != address:
            raise Fault("ErrorImpersonateUserDenied", "The account does not have permission to impersonate this user.")
        return self.mailboxes[address], False

    def _arrive(self, recipient: str, mime: bytes) -> None:
        if recipient in self.mailboxes and self.delivers:
            self.box(recipient).deliver(mime)

    def _tell(self, mailbox: Mailbox, event: Event) -> None:
        for watcher in list(self._watchers):
            watcher(mailbox, event)


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was let in."""

    operation: str
    content: etree._Element
    account: Account
    mailbox: Mailbox | None
    sees_all: bool

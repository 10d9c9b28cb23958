"""The stand-in for an Exchange Server: mailboxes, accounts, a log of requests, and the troubles that tests order."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from lxml import etree

from tests.servers.certificates import Certificates
from tests.servers.ews.authentication import Account, Authentication, bindings_of
from tests.servers.ews.box import Box
from tests.servers.ews.call import Call
from tests.servers.ews.operations import OPERATIONS
from tests.servers.ews.operations.notifications import Subscriptions, streamed
from tests.servers.ews.properties import Properties
from tests.servers.ews.schema import schema
from tests.servers.ews.soap import Fault, M, Malformed, Refused, T, element, envelope, fault, opened
from tests.servers.ews.store import Event, Folder, Item, Mailbox
from tests.servers.ews.troubles import ItemFailing, Order, Trouble
from tests.servers.ews.web import Web
from tests.servers.ews.writing import check_recipients, with_message_id, without_header

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


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in the organisation's directory."""

    name: str
    address: str
    ex: str
    """The address that Exchange uses within the organisation (legacyExchangeDN)."""


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
    people: list[Person] = field(default_factory=list)
    """The directory: who has a mailbox, and whom `person` added."""
    requests: list[Asked] = field(default_factory=list)
    """Every request that was let in, in order."""
    refused: int = 0
    """How many HTTP requests were answered with 401, the first steps of NTLM included."""
    violations: list[str] = field(default_factory=list)
    """What clients did that Exchange would not take, and what the stand-in did that Exchange would not. `running`
    raises in the end where there are any."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    _slow: list[tuple[Item, Folder | None]] | None = None
    _left: list[tuple[str, bytes]] = field(default_factory=list)
    _orders: list[Order] = field(default_factory=list)
    _watchers: list[Callable[[Mailbox, Event], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        bound = bindings_of(self.certificates.certificate) if self.certificates and self.extended_protection else None
        self.authentication = Authentication(self.kinds, bound)
        self.service = Account(SERVICE, PASSWORD, impersonates=None)
        """The service account: it may impersonate every mailbox and has none of its own."""
        self.application = Account(CLIENT, SECRET, impersonates=None, application=True)
        """The application that was registered for OAuth."""
        self.authentication.accounts += [self.service, self.application]
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
                self.person(shown, key)
            return Box(self.mailboxes[key], self.lock, self._left)

    def person(self, name: str, address: str) -> Person:
        """Adds somebody to the directory, who gets an EX address."""
        alias = address.partition("@")[0]
        ex = f"/o=School/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={alias}"
        made = Person(name, address, ex)
        self.people.append(made)
        return made

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
        made = Order(trouble, operation, times, skip, address and address.lower())
        with self.lock:
            self._orders.append(made)
        return made

    def behave(self) -> None:
        """Calls off every order."""
        with self.lock:
            self._orders.clear()

    @property
    def departed(self) -> list[bytes]:
        """Every message that really left, from any mailbox, once for each time that it left."""
        with self.lock:
            return [mime for _, mime in self._left]

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
            self._slow = self._slow or []

    def catch_up(self) -> None:
        """What was held back leaves, and the transport is quick again."""
        with self.lock:
            held, self._slow = self._slow or [], None
            for item, keep in held:
                if item.id in item.folder.items:
                    item.is_submitted = False
                    self.submit(item, keep)

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

    def resolve(self, entry: str) -> list[Person]:
        """Who in the directory may be meant by a name or an address."""
        kind, colon, rest = entry.partition(":")
        wanted = (rest if colon and kind.lower() in ("smtp", "ex") else entry).strip().lower()
        exact = [one for one in self.people if wanted in (one.address.lower(), one.ex.lower())]
        if exact or "@" in wanted or wanted.startswith("/o="):
            return exact
        return [
            one
            for one in self.people
            if one.address.lower().startswith(wanted)
            or any(word.startswith(wanted) for word in (one.name.lower(), *one.name.lower().split()))
        ]

    def submit(self, item: Item, keep: Folder | None) -> None:
        """Lets a draft leave: at once, or, where the transport is slow, when that is told to go on. `keep` is where the
        copy goes. Raises Refused."""
        mailbox = item.folder.mailbox
        if self._slow is not None:
            check_recipients(item.mime, mailbox)
            item.is_submitted = True
            mailbox.touch(item, "item:IsSubmitted", at=datetime.now(UTC))
            self._slow.append((item, keep))
            return
        sent = self.send(mailbox, item.mime)
        if keep is None:
            mailbox.delete(item)
            return
        moved = mailbox.move(item, keep)
        moved.replace_mime(sent)
        moved.is_draft, moved.is_read, moved.received = False, True, datetime.now(UTC)

    def send(self, mailbox: Mailbox, mime: bytes) -> bytes:
        """Lets a message leave, and returns what the copy in Sent Items holds. Raises Refused."""
        recipients = check_recipients(mime, mailbox)
        stamped = with_message_id(mime, mailbox)
        if not Properties(mime).addresses("From"):
            stamped = f"From: <{mailbox.address}>\r\n".encode() + stamped
        left = without_header(stamped, "Bcc")
        self._left.append((mailbox.address, left))
        for recipient in recipients:
            here = self.mailboxes.get(recipient)
            if here is not None and self.delivers:
                Box(here, self.lock, self._left).deliver(left)
        return stamped

    def refuse_if_ordered(self, call: Call, thing: etree._Element) -> None:
        """Raises the ItemFailing that was ordered for this thing."""
        ids = {one.get("Id", "") for one in thing.iter()}
        for order in self._orders:
            trouble = order.trouble
            if isinstance(trouble, ItemFailing) and (not trouble.only or trouble.only & ids):
                address = call.mailbox.address if call.mailbox else None
                if self._strikes(order, call.operation, address):
                    raise trouble.refused

    def ordered(self, operation: str, address: str | None) -> Trouble | None:
        """The trouble that strikes a whole request."""
        with self.lock:
            for order in self._orders:
                if not isinstance(order.trouble, ItemFailing) and self._strikes(order, operation, address):
                    return order.trouble
        return None

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

    def _strikes(self, order: Order, operation: str, address: str | None) -> bool:
        if order.operation not in ("*", operation) or (order.address and order.address != address):
            return False
        if order.skip > 0:
            order.skip -= 1
            return False
        if order.times is not None and order.struck >= order.times:
            return False
        order.struck += 1
        return True

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

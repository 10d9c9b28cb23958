"""An Exchange mailbox and the people around it, for tests: the stand-in server, and the teacher's Outlook."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from config.secrets import Secrets
from config.settings import Exchange, MailboxSettings
from connectors.away import Absence
from connectors.backoff import Patience
from connectors.contract import Marks
from connectors.exchange import ExchangeMailbox, connection_for
from connectors.labels import NAMES, Label
from tests.servers.ews import CLIENT, PASSWORD, SECRET, SERVICE, ExchangeServer
from tests.servers.ews.store import OutOfOffice
from tests.servers.network import Network, NetworkedWorld

ELSEWHERE = "Kept"
"""A folder of the teacher's own."""


class ExchangeWorld(NetworkedWorld):
    """`connectors.contract.MailboxHarness` on one mailbox of the stand-in. A service account impersonates its teacher,
    over NTLM, unless told otherwise."""

    push = True
    exact_labels = True

    def __init__(
        self,
        server: ExchangeServer,
        address: str = "rivera@school.example",
        *,
        auth: Literal["ntlm", "basic", "oauth"] = "ntlm",
        own_user: bool = False,
        ca_file: Path | None = None,
        network: Network | None = None,
    ) -> None:
        self.server = server
        self.address = address
        self.box = server.box(address)
        self.network = network
        self.secrets = Secrets.in_memory(
            {"exchange/password": PASSWORD, "exchange/secret": SECRET, f"password/{address}": PASSWORD}
        )
        self.settings = Exchange(
            endpoint=server.url,
            auth=auth,
            username=None if own_user or auth == "oauth" else SERVICE,
            tenant="tenant" if auth == "oauth" else None,
            client_id=CLIENT if auth == "oauth" else None,
            authority=server.authority if auth == "oauth" else None,
            ca_file=ca_file,
            timeout_seconds=20,
            allow_insecure=ca_file is None,
        )
        self._opened: list[ExchangeMailbox] = []

    def open(self, through: Network | None = None, **settings: object) -> ExchangeMailbox:
        network = through or self.network
        if network is not None:
            port = network.before(urlsplit(self.server.url).port or 0, "http")
            settings = {"endpoint": f"http://127.0.0.1:{port}/EWS/Exchange.asmx"} | settings
        box = MailboxSettings(address=self.address, teacher="Ms. Rivera", connector="exchange")
        chosen = self.settings.model_copy(update=settings)
        patience = Patience(seconds=30, sleep=self.slept.append)
        mailbox = ExchangeMailbox(connection_for(box, chosen, self.secrets, patience))
        self._opened.append(mailbox)
        return mailbox

    def close(self) -> None:
        for mailbox in self._opened:
            mailbox.close()

    def teacher_is_away(self, absence: Absence | None) -> None:
        own = OutOfOffice()
        if absence is not None:
            own.state = "Enabled" if absence.begins is None else "Scheduled"
            own.audience = "All" if absence.to_families else "Known"
            own.begins, own.ends = absence.begins or own.begins, absence.ends or own.ends
        self.box.mailbox.oof = own

    def deliver(self, *mimes: bytes) -> None:
        for item_id in self.box.deliver(*mimes):
            # Exchange takes a message apart when it arrives, not when somebody asks for it.
            _ = self.box.mailbox.items[item_id].properties.headers

    def deliver_unreadable(self) -> None:
        self.box.deliver(b"Message-ID: <unreadable@family.example>\r\nSubject: broken\r\n\r\nlost\r\n")
        self.box.unconvertible("unreadable@family.example", "ErrorCorruptData")

    def teacher_sends(self, mime: bytes) -> None:
        self.box.sends(mime)

    def teacher_labels(self, message_id: str, labels: frozenset[Label]) -> None:
        others = self.box.categories_of(message_id) - set(NAMES.values())
        self.box.set_categories(message_id, [*sorted(others), *(NAMES[label] for label in labels)])

    def teacher_marks(self, message_id: str) -> None:
        self.box.mark(message_id, read=True, flagged=True)
        self.box.set_categories(message_id, [*sorted(self.box.categories_of(message_id)), "Family"])

    def delete(self, message_id: str) -> None:
        self.box.delete(message_id)

    def move_away(self, message_id: str) -> None:
        self.box.move(message_id, ELSEWHERE)

    def move_back(self, message_id: str) -> None:
        self.box.move(message_id, "inbox")

    def break_cursor(self) -> None:
        self.box.forget_sync_states()

    def expire_token(self) -> None:
        if self.settings.auth != "oauth":
            super().expire_token()
        self.server.authentication.expire_tokens()

    def revoke(self) -> None:
        who = {"oauth": CLIENT}.get(self.settings.auth, self.settings.username or self.address)
        self.server.account(who).password = "another one"

    def marks(self, message_id: str) -> Marks:
        categories = self.box.categories_of(message_id)
        ours = {name: label for label, name in NAMES.items()}
        others = {
            *(name for name in categories if name not in ours),
            *(["read"] if self.box.is_read(message_id) else []),
            *(["flag"] if self.box.is_flagged(message_id) else []),
        }
        return Marks(frozenset(ours[name] for name in categories if name in ours), frozenset(others))

    def thread_of(self, message_id: str) -> str:
        return self.box.item(message_id).properties.root_id

    def drafts(self) -> list[bytes]:
        return self.box.drafts()

    def sent(self) -> list[bytes]:
        return self.box.sent()

    def departed(self) -> list[bytes]:
        return self.box.departed

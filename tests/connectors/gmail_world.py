"""A Gmail mailbox and the people around it, for tests: an emulator behind our own front, and the teacher's web page.

The connector goes through the real client library; families and the teacher act on the emulator itself.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from config.secrets import Secrets
from config.settings import Gmail
from connectors.away import Absence
from connectors.contract import Marks
from connectors.gmail import GmailMailbox
from connectors.gmail_access import KEY_NAME, access_for, token_name
from connectors.gmail_quota import Pace
from connectors.labels import NAMES, Label
from tests.servers import gmail_front, google_emulator
from tests.servers.gmail_front import GmailFront, decoded, encoded
from tests.servers.network import Network, NetworkedWorld

_MANY = 500
FREE_PACE = 10**9
"""Units a minute that no test uses up."""


@contextmanager
def google(users: list[str]) -> Iterator[GmailFront]:
    """A Google with these users."""
    with google_emulator.running(users) as emulator, gmail_front.running(emulator) as front:
        yield front


class GmailWorld(NetworkedWorld):
    """`connectors.contract.MailboxHarness` on one user of the emulator."""

    push = False
    exact_labels = True

    def __init__(self, front: GmailFront, address: str, network: Network | None = None, *, oauth: bool = False) -> None:
        self.front = front
        self.address = address
        self.network = network
        self.oauth = oauth
        self.secrets = Secrets.in_memory()
        self._slept_in_all = 0.0
        self.pace = Pace(FREE_PACE, FREE_PACE, clock=lambda: time.monotonic() + self._slept_in_all)
        self._opened: list[GmailMailbox] = []
        self._names: dict[Label, str] = dict(NAMES)

    def open(self, through: Network | None = None, **settings: Any) -> GmailMailbox:
        network = through or self.network
        port = network.before(self.front.port, "http") if network else self.front.port
        clock = settings.pop("clock", lambda: datetime.now(UTC))
        push = settings.pop("push", None)
        self.sign_in(port)
        gmail = Gmail(
            endpoint=f"http://127.0.0.1:{port}", auth="oauth" if self.oauth else "service-account", **settings
        )
        mailbox = GmailMailbox(
            self.address,
            access_for(self.address, gmail, self.secrets),
            settings=gmail,
            secrets=self.secrets,
            pace=self.pace,
            push=push,
            sleep=self._sleep,
            clock=clock,
        )
        self._opened.append(mailbox)
        return mailbox

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._slept_in_all += seconds

    def sign_in(self, port: int) -> None:
        """Puts into the vault what signs in."""
        if not self.oauth:
            self.secrets.put(KEY_NAME, self.front.key(port))
        elif self.secrets.get(token_name(self.address)) is None:
            self.secrets.put(token_name(self.address), self.front.consented(self.address, port))

    def close(self) -> None:
        for mailbox in self._opened:
            mailbox.close()

    # Families and the teacher.

    def teacher_is_away(self, absence: Absence | None) -> None:
        settings: dict[str, Any] = {}
        if absence is not None:
            settings = {"enableAutoReply": True, "responseSubject": "Away", "restrictToContacts": False}
            settings["restrictToDomain"] = not absence.to_families
            for name, at in (("startTime", absence.begins), ("endTime", absence.ends)):
                if at is not None:
                    settings[name] = str(int(at.timestamp() * 1000))
        self.front.accounts[self.address].vacation = settings

    def deliver(self, *mimes: bytes, labels: tuple[str, ...] = ("INBOX", "UNREAD")) -> None:
        arriving = [(mime, str(self.front.now_ms())) for mime in mimes]

        def arrives(mail: tuple[bytes, str]) -> None:
            body = {"raw": encoded(mail[0]), "labelIds": list(labels), "internalDate": mail[1]}
            if not mail[0]:
                body |= {"from": "nobody@family.example", "to": self.address}  # or the emulator takes nothing
            self.front.mailbox(self.address, "POST", "messages", body)

        # So many at once were there before; only their times say in which order they came.
        workers = 1 if len(mimes) < _MANY else 4
        with ThreadPoolExecutor(workers) as post:
            list(post.map(arrives, arriving))
        self.front.notify(self.address)

    def deliver_unreadable(self) -> None:
        raw = b"From: a@family.example\r\nMessage-ID: <unreadable@family.example>\r\n\r\nx\r\n"
        self.deliver(raw)
        self.front.accounts[self.address].unreadable.add(self.id_of("unreadable@family.example"))

    def teacher_sends(self, mime: bytes) -> None:
        body = {"raw": encoded(mime), "internalDate": str(self.front.now_ms())}
        self.front.mailbox(self.address, "POST", "messages/send", body)
        self.front.notify(self.address)

    def teacher_labels(self, message_id: str, labels: frozenset[Label]) -> None:
        ids = {label: self.label_id(self._names[label]) for label in Label}
        body = {
            "addLabelIds": [ids[label] for label in Label if label in labels],
            "removeLabelIds": [ids[label] for label in Label if label not in labels],
        }
        self.modify(message_id, **body)

    def teacher_marks(self, message_id: str) -> None:
        family = self.label_id("Families")
        self.modify(message_id, addLabelIds=["STARRED", "IMPORTANT", family])

    def teacher_renames_label(self, label: Label, name: str) -> None:
        id_ = self.label_id(self._names[label])
        self.front.mailbox(self.address, "PATCH", f"labels/{id_}", {"name": name})
        self._names[label] = name

    def delete(self, message_id: str) -> None:
        self.front.mailbox(self.address, "DELETE", f"messages/{self.id_of(message_id)}")
        self.front.notify(self.address)

    def move_away(self, message_id: str) -> None:
        """Gmail has no folders: what is nobody's to read any more lies in Trash."""
        self.front.mailbox(self.address, "POST", f"messages/{self.id_of(message_id)}/trash", {})

    def move_back(self, message_id: str) -> None:
        self.front.mailbox(self.address, "POST", f"messages/{self.id_of(message_id)}/untrash", {})

    # The system.

    def break_cursor(self) -> None:
        self.front.forget_history(self.address)

    def expire_token(self) -> None:
        self.front.tokens.clear()

    def revoke(self) -> None:
        self.front.revoked.add(self.address)

    # What others see.

    def marks(self, message_id: str) -> Marks:
        names = {id_: name for name, id_ in self.labels().items()}
        found = {names[id_] for id_ in self.message(message_id)["labelIds"]}
        ours = {name: label for label, name in self._names.items()}
        return Marks(frozenset(ours[name] for name in found & set(ours)), frozenset(found - set(ours)))

    def thread_of(self, message_id: str) -> str:
        return str(self.message(message_id)["threadId"])

    def drafts(self) -> list[bytes]:
        return self._contents("DRAFT")

    def sent(self) -> list[bytes]:
        return self._contents("SENT")

    def departed(self) -> list[bytes]:
        return list(self.front.accounts[self.address].departed)

    def labels(self) -> dict[str, str]:
        """Google's ids of the mailbox's labels, by name."""
        return {each["name"]: each["id"] for each in self.front.mailbox(self.address, "GET", "labels")["labels"]}

    def label_id(self, name: str) -> str:
        """The id of a label, made where it lacks."""
        found = self.labels().get(name)
        return found or str(self.front.mailbox(self.address, "POST", "labels", {"name": name})["id"])

    def modify(self, message_id: str, **body: list[str]) -> None:
        """The teacher changes a message's labels."""
        self.front.mailbox(self.address, "POST", f"messages/{self.id_of(message_id)}/modify", body)
        self.front.notify(self.address)

    def id_of(self, message_id: str) -> str:
        """Gmail's id of a message."""
        found = self.front.with_message_id(self.address, message_id, everywhere=True)
        assert found, f"there is no {message_id}"
        return str(found[0]["id"])

    def message(self, message_id: str) -> dict[str, Any]:
        """A message as Gmail has it, without its content."""
        return dict(self.front.mailbox(self.address, "GET", f"messages/{self.id_of(message_id)}?format=minimal"))

    def _contents(self, label: str) -> list[bytes]:
        listed = self.front.mailbox(self.address, "GET", f"messages?labelIds={label}&maxResults=500")["messages"]
        found = [self.front.mailbox(self.address, "GET", f"messages/{each['id']}?format=raw") for each in listed]
        return [decoded(each["raw"]) for each in sorted(found, key=lambda each: int(each["internalDate"]))]

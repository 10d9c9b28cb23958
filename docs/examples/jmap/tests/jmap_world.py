"""A JMAP account and the people around it, for tests."""

from connectors.contract import MailboxWorld, Marks
from connectors.contract.reader import message_id_of
from connectors.labels import KEYWORDS, Label

from alliance_jmap import JmapMailbox
from jmap_server import FOLDERS, Email, JmapServer

OURS = {keyword.lower(): label for label, keyword in KEYWORDS.items()}


class JmapWorld(MailboxWorld):
    """One account, and the teacher's own mail program, which acts on the server without the connector."""

    push = False
    exact_labels = True

    def __init__(self, server: JmapServer) -> None:
        self.server = server
        self.account = server.account
        self.address = server.account.address

    def open(self) -> JmapMailbox:
        return JmapMailbox(self.address, self.server.url, "right-token", sleep=self.slept.append)

    def deliver(self, *mimes: bytes) -> None:
        for mime in mimes:
            self.account.add(mime, FOLDERS["inbox"], set())

    def deliver_unreadable(self) -> None:
        del self.account.blobs[self.account.add(b"lost", FOLDERS["inbox"], set()).blob]

    def teacher_sends(self, mime: bytes) -> None:
        self.account.add(mime, FOLDERS["sent"], {"$seen"})

    def teacher_labels(self, message_id: str, labels: frozenset[Label]) -> None:
        email = self.find(message_id)
        email.keywords = (email.keywords - OURS.keys()) | {KEYWORDS[label].lower() for label in labels}
        self.account.changed(email)

    def teacher_marks(self, message_id: str) -> None:
        email = self.find(message_id)
        email.keywords |= {"$seen", "$flagged", "family"}
        self.account.changed(email)

    def delete(self, message_id: str) -> None:
        self.account.destroy(self.find(message_id).id)

    def move_away(self, message_id: str) -> None:
        self._move(self.find(message_id), "archive")

    def move_back(self, message_id: str) -> None:
        self._move(self.find(message_id, "archive"), "inbox")

    def break_cursor(self) -> None:
        self.account.generation += 1

    def throttle(self, times: int, *, status: int = 429, retry_after: float | None = None) -> None:
        self.server.busy = (times, status, "" if retry_after is None else f"{retry_after:g}")

    def cut_answer(self, number: int = 1) -> None:
        self.server.cut, self.server.was_cut = number, False

    def was_cut(self) -> bool:
        return self.server.was_cut

    def revoke(self) -> None:
        self.server.token = "another one"

    def marks(self, message_id: str) -> Marks:
        keywords = self.find(message_id).keywords
        return Marks(frozenset(OURS[word] for word in keywords & OURS.keys()), frozenset(keywords - OURS.keys()))

    def drafts(self) -> list[bytes]:
        return [self.account.blobs[email.blob] for email in self.account.in_folder("drafts")]

    def sent(self) -> list[bytes]:
        return [self.account.blobs[email.blob] for email in self.account.in_folder("sent")]

    def departed(self) -> list[bytes]:
        return self.account.departed

    def find(self, message_id: str, *roles: str) -> Email:
        blobs = self.account.blobs
        emails = (email for role in roles or ("inbox", "sent") for email in self.account.in_folder(role))
        return next(email for email in emails if message_id_of(blobs.get(email.blob, b"")) == message_id)

    def _move(self, email: Email, role: str) -> None:
        email.folders = {FOLDERS[role]}
        self.account.changed(email)

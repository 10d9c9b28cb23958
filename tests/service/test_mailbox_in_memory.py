"""The mail system that the tests of the core stand on keeps the contract that every connector keeps."""

import pytest

from connectors.away import Absence
from connectors.contract import MailboxContract, MailboxWorld, Marks
from connectors.contract.reader import message_id_of
from connectors.labels import Label
from tests.service.mailbox_in_memory import Account, MailSystem, MemoryMailbox, Stored


class MemoryWorld(MailboxWorld):
    """`connectors.contract.MailboxHarness` on a `MailSystem`."""

    address = "rivera@maple.example"
    push = True
    exact_labels = True

    def __init__(self, *, atomic_send: bool) -> None:
        self.system = MailSystem(atomic_send=atomic_send)
        self.account: Account = self.system.account(self.address)

    def open(self) -> MemoryMailbox:
        return self.system.open(self.address)

    def deliver(self, *mimes: bytes) -> None:
        for mime in mimes:
            self.system.deliver(mime, self.address)

    def teacher_sends(self, mime: bytes) -> None:
        self.system.put(self.account, "sent", mime)

    def teacher_labels(self, message_id: str, labels: frozenset[Label]) -> None:
        self.system.label(self.account, self.system.id_of(self.account, message_id), labels)

    def teacher_marks(self, message_id: str) -> None:
        id_ = self.system.id_of(self.account, message_id)
        folder = self.account.sent if id_ in self.account.sent else self.account.inbox
        stored = folder[id_]
        folder[id_] = Stored(stored.raw, stored.received_at, stored.labels, frozenset({"seen", "star"}))

    def teacher_is_away(self, absence: Absence | None) -> None:
        self.account.absence = absence

    def delete(self, message_id: str) -> None:
        self.system.remove(self.account, self.system.id_of(self.account, message_id))

    def break_cursor(self) -> None:
        self.system.renumber(self.account)

    def marks(self, message_id: str) -> Marks:
        stored = (self.account.inbox | self.account.sent)[self.system.id_of(self.account, message_id)]
        return Marks(stored.labels, stored.marks)

    def drafts(self) -> list[bytes]:
        return [stored.raw for stored in self.account.drafts.values()]

    def sent(self) -> list[bytes]:
        return [stored.raw for stored in self.account.sent.values()]

    def departed(self) -> list[bytes]:
        return [raw for _, raw in self.system.departed]


class TestMemoryMailbox(MailboxContract):
    large = 2 * 1024 * 1024
    backlog = 100

    @pytest.fixture(params=[True, False], ids=["atomic sending", "sending over SMTP"])
    def harness(self, request: pytest.FixtureRequest) -> MemoryWorld:
        return MemoryWorld(atomic_send=request.param)


def test_a_fault_happens_at_the_step_and_the_time_that_were_asked_for() -> None:
    system = MailSystem()
    system.deliver(b"Subject: x\r\nMessage-ID: <x@family.example>\r\n\r\nx\r\n", "rivera@maple.example")
    mailbox = system.open("rivera@maple.example")
    system.fail("fetch", TimeoutError("scripted"), number=2)
    (id_,) = (message.id for message in mailbox.changes(None).messages)
    assert message_id_of(mailbox.fetch(id_).raw) == "x@family.example"
    with pytest.raises(TimeoutError):
        mailbox.fetch(id_)
    assert mailbox.fetch(id_).id == id_

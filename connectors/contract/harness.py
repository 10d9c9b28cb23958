"""What a connector's author writes to have their connector tested: a `MailboxHarness`, the world around one mailbox."""

from dataclasses import dataclass
from typing import Protocol

from connectors.labels import Label
from connectors.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class Marks:
    """How one message is marked, read with another program than the connector: the Alliance labels, and every other
    mark (read, starred, categories, keywords) by whatever name that program has for it."""

    labels: frozenset[Label] = frozenset()
    others: frozenset[str] = frozenset()


class MailboxHarness(Protocol):
    """A real mailbox on a real system, with the people around it: families who write, and the teacher's mail program.

    A harness starts with an empty mailbox. Its methods act without the connector, and return when the system shows
    the effect. Messages are named by their Message-ID without angle brackets. What a system cannot do, its method
    answers with `pytest.skip("why")`; the few facts below say what the tests need to know beforehand.
    """

    address: str
    """The mailbox's address, lower case."""
    push: bool
    """Whether `Mailbox.wait` is told by the system."""
    exact_labels: bool
    """Whether the system can show all four labels apart. False for a fallback that shows less."""

    def open(self) -> Mailbox:
        """A fresh instance on this mailbox, as after a restart of the service. The fixture closes it in the end."""
        ...

    def deliver(self, *mimes: bytes) -> None:
        """Family mail arrives, in this order."""
        ...

    def teacher_sends(self, mime: bytes) -> None:
        """The teacher sends this from their own mail program, which leaves it in Sent."""
        ...

    def teacher_labels(self, message_id: str, labels: frozenset[Label]) -> None:
        """The teacher makes `labels` the message's Alliance labels in their own mail program."""
        ...

    def teacher_marks(self, message_id: str) -> None:
        """The teacher gives the message marks that are none of ours: read, a star, a category."""
        ...

    def delete(self, message_id: str) -> None:
        """The teacher deletes the message for good."""
        ...

    def break_cursor(self) -> None:
        """The system forgets what every earlier cursor stood for; the mail stays (IMAP: a new UIDVALIDITY)."""
        ...

    def marks(self, message_id: str) -> Marks:
        """How the message is marked now."""
        ...

    def drafts(self) -> list[bytes]:
        """Every message in Drafts."""
        ...

    def sent(self) -> list[bytes]:
        """Every message in Sent."""
        ...

    def departed(self) -> list[bytes]:
        """Every message that really left for its recipients, once for each time that it left."""
        ...

"""What a connector's author writes to have their connector tested: a `MailboxHarness`, the world around one mailbox."""

from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn, Protocol

import pytest

from connectors.away import Absence
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
    answers with `pytest.skip("why")`; `MailboxWorld` does so for all that not every system can. The few facts below say
    what the tests need to know beforehand.

    No test sleeps: a connector that pauses, as a server asks it to, is opened with a `sleep` that appends the seconds
    to `slept` and returns (and reckons its patience by what it was asked to sleep, not by the clock alone).
    """

    address: str
    """The mailbox's address, lower case."""
    push: bool
    """Whether `Mailbox.wait` is told by the system."""
    exact_labels: bool
    """Whether the system can show all labels apart. False for a fallback that shows less."""

    @property
    def slept(self) -> list[float]:
        """The seconds of each pause that mailboxes of this world would have made, in order; tests may clear it."""
        ...

    def open(self) -> Mailbox:
        """A fresh instance on this mailbox, as after a restart of the service. The fixture closes it in the end."""
        ...

    def deliver(self, *mimes: bytes) -> None:
        """Family mail arrives, in this order."""
        ...

    def deliver_unreadable(self) -> None:
        """One message arrives that the system lists and then cannot hand over, as a store that is damaged there."""
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

    def teacher_renames_label(self, label: Label, name: str) -> None:
        """The teacher calls the label `name` in their own mail program; messages keep it. `marks` and `teacher_labels`
        know it by that name from then on."""
        ...

    def teacher_is_away(self, absence: Absence | None) -> None:
        """The teacher sets their own automatic reply so in their mail program; None switches it off. Needed where the
        connector is a `connectors.away.TellsAbsence`."""
        ...

    def delete(self, message_id: str) -> None:
        """The teacher deletes the message for good."""
        ...

    def move_away(self, message_id: str) -> None:
        """The teacher moves the message out of the inbox, into a folder that nobody here reads."""
        ...

    def move_back(self, message_id: str) -> None:
        """The teacher moves it back into the inbox."""
        ...

    def break_cursor(self) -> None:
        """The system forgets what every earlier cursor stood for; the mail stays (IMAP: a new UIDVALIDITY)."""
        ...

    def settle(self) -> None:
        """Some minutes pass, as far as the system can tell: what it says only of a quiet mailbox, it says now."""
        ...

    def throttle(self, times: int, *, status: int = 429, retry_after: float | None = None) -> None:
        """The system does nothing of what the next `times` requests ask and answers that there are too many: over HTTP
        with `status` (429 or 503) and Retry-After `retry_after` seconds, or none; 0 times ends it."""
        ...

    def cut_answer(self, number: int = 1) -> None:
        """The system does what the `number`th request from now asks, and the line breaks in the middle of its answer:
        after the status line and before the body's end. Counted over all that a connector talks to (mail, token and
        SMTP servers). Replaces what an earlier call asked for; 0 asks for nothing."""
        ...

    def was_cut(self) -> bool:
        """Whether what `cut_answer` asked for has come to pass."""
        ...

    def expire_token(self) -> None:
        """The system takes no access token any more that it has given so far; a new one is to be had."""
        ...

    def revoke(self) -> None:
        """The administrator takes back what the connector signs in with, also for sessions that are open. Nothing new
        is to be had with it."""
        ...

    def marks(self, message_id: str) -> Marks:
        """How the message is marked now."""
        ...

    def thread_of(self, message_id: str) -> str:
        """The conversation, as the teacher's mail program shows it, that a message in the inbox or in Sent is in."""
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


class MailboxWorld:
    """A base for harnesses: what not every system can do is skipped here, until a harness does it."""

    @cached_property
    def slept(self) -> list[float]:
        """See `MailboxHarness.slept`. Open mailboxes with `sleep=self.slept.append` where they pause."""
        return []

    def deliver_unreadable(self) -> None:
        """See `MailboxHarness.deliver_unreadable`."""
        _lacks("whatever this system lists it can hand over")

    def teacher_renames_label(self, label: Label, name: str) -> None:
        """See `MailboxHarness.teacher_renames_label`."""
        _lacks("labels have no other names on this system", label, name)

    def teacher_is_away(self, absence: Absence | None) -> None:
        """See `MailboxHarness.teacher_is_away`."""
        _lacks("this system tells nothing of the teacher's own automatic reply", absence)

    def move_away(self, message_id: str) -> None:
        """See `MailboxHarness.move_away`."""
        _lacks("this system has one folder", message_id)

    def move_back(self, message_id: str) -> None:
        """See `MailboxHarness.move_back`."""
        _lacks("this system has one folder", message_id)

    def settle(self) -> None:
        """See `MailboxHarness.settle`. Most systems say all at once."""

    def throttle(self, times: int, *, status: int = 429, retry_after: float | None = None) -> None:
        """See `MailboxHarness.throttle`."""
        _lacks("this system asks for no pauses", times, status, retry_after)

    def cut_answer(self, number: int = 1) -> None:
        """See `MailboxHarness.cut_answer`."""
        _lacks("there is no line to this system that could break", number)

    def was_cut(self) -> bool:
        """See `MailboxHarness.was_cut`."""
        return False

    def expire_token(self) -> None:
        """See `MailboxHarness.expire_token`."""
        _lacks("one signs in here without tokens")

    def revoke(self) -> None:
        """See `MailboxHarness.revoke`."""
        _lacks("nobody signs in here")

    def thread_of(self, message_id: str) -> str:
        """See `MailboxHarness.thread_of`."""
        _lacks("this system has no conversations", message_id)


def _lacks(reason: str, *asked: object) -> NoReturn:
    del asked
    pytest.skip(reason)

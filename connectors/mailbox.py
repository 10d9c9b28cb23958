"""The contract that every mail system fulfils: `Mailbox`. What it promises is tested by `connectors.contract`.

A connector speaks one protocol and nothing else: it does not classify, decide or remember. Its state is the cursor,
an opaque string that the store keeps and that commits together with what was read (decisions 2 and 4 of the design).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable

from connectors.errors import BROKEN, MailboxError
from connectors.labels import Label

OLD_SENT = timedelta(days=35)
"""How far back Sent is read when a mailbox is connected. Who joins in a term's fifth week has introduced themselves in
the first, and that counts; threads older than this get no automatic answer."""


class Direction(StrEnum):
    """Which way a message went, seen from the teacher."""

    RECEIVED = "received"
    SENT = "sent"


class DraftState(StrEnum):
    """What became of a draft (decision 3)."""

    DRAFT = "draft"
    """Still a draft. Over a protocol with atomic sending: certainly not sent."""
    SENT = "sent"
    """In Sent, under the Message-ID it was drafted with."""
    GONE = "gone"
    """Neither a draft nor in Sent: discarded, or deleted by the teacher."""


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as the server gave it. `raw` may hold only the beginning of a large message (`len(raw) < size`)."""

    id: str
    direction: Direction
    raw: bytes
    size: int
    received_at: datetime
    labels: frozenset[Label] = frozenset()
    backfill: bool = False
    """True where the message was there before the mailbox was connected: it is recorded, never acted on."""


@dataclass(frozen=True, slots=True)
class LabelState:
    """The Alliance labels that a known message carries now, whoever put them there."""

    id: str
    labels: frozenset[Label]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far reading the old mail of a freshly connected mailbox has come, in messages."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Changes:
    """One bounded page of what happened since a cursor.

    `cursor` stands for the state after this page; it is worth nothing until the page is committed. `more` says that
    another page is ready now. `resync` says that the server no longer knew the cursor (or there was none): the messages
    of this page may be known already under other ids, to be recognised by their Message-ID.
    """

    cursor: str
    messages: tuple[RawMessage, ...] = ()
    labels: tuple[LabelState, ...] = ()
    removed: tuple[str, ...] = ()
    more: bool = False
    resync: bool = False
    progress: Progress | None = None


Known = Callable[[Sequence[str]], Mapping[str, frozenset[Label]]]
"""Asks the store which of these provider ids it has, and under which labels. For systems whose server keeps no history
of changes: the connector compares instead."""


def nothing_known(ids: Sequence[str]) -> Mapping[str, frozenset[Label]]:
    """The `Known` of an empty store."""
    del ids
    return {}


@runtime_checkable
class Mailbox(Protocol):
    """One teacher's mailbox. Not thread-safe: one thread uses one instance at a time.

    Every method may raise `connectors.errors.MailboxError` or a subclass, and nothing else. A dropped connection is
    re-opened inside the call where repeating is harmless; sending is never repeated inside the call.
    """

    address: str
    """The mailbox's own address, lower case."""
    atomic_send: bool
    """True where `draft_state` tells for certain whether a draft was sent; False over SMTP."""

    def check(self) -> Sequence[str]:
        """Connects, finds the folders and rights that are needed, writes nothing. Returns facts for `alliance doctor`,
        one sentence each. Raises the error that a run would meet."""
        ...

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        """The next page of changes after `cursor`, at most `limit` messages, oldest arrivals first.

        `None` connects the mailbox: mail that arrives from now on comes before old mail, which follows page by page,
        newest first, with `progress`. An unusable cursor is answered by a resync, never by an error.
        """
        ...

    def fetch(self, message_id: str) -> RawMessage:
        """One whole message by provider id. Raises `MessageGone` where it no longer exists, `FetchFailed` otherwise."""
        ...

    def tag(self, message_id: str, labels: frozenset[Label]) -> None:
        """Makes `labels` the message's Alliance labels: adds what lacks, removes Alliance labels not in the set, leaves
        everything else alone, also the marks that only the teacher sets (`labels.TEACHERS`): it neither adds nor
        removes them. Idempotent. Raises `MessageGone`, `TagFailed`."""
        ...

    def unmark(self, message_id: str, labels: frozenset[Label]) -> None:
        """Takes these Alliance labels off the message, the teacher's marks too, and leaves everything else alone.
        Idempotent. Raises `MessageGone`, `TagFailed`."""
        ...

    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        """`tag` for many messages, in as few requests as the system allows. Returns what failed, by message, and never
        raises: a broken connection is the failure of every message that it kept from being written. A system that
        knows no batches uses `tag_each`."""
        ...

    def save_draft(self, mime: bytes) -> str:
        """Saves a complete message as a draft and returns the draft's id. Where Drafts already holds one with the same
        Message-ID (left by a crash before its id was recorded), that one is returned, not a second. Raises
        `DraftFailed`."""
        ...

    def draft_state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """What became of a draft; also answers for a draft whose id was never recorded (`draft_id` empty) by looking
        up `rfc_message_id` (without angle brackets) in Drafts and Sent."""
        ...

    def send_draft(self, draft_id: str) -> None:
        """Sends a draft and leaves exactly one copy in Sent, none in Drafts. Sending one that is sent already does
        nothing. Raises `SendFailed`, `SendRejected`, `SendUncertain`, `MessageGone`."""
        ...

    def discard_draft(self, draft_id: str) -> None:
        """Deletes a draft; one that no longer exists is no error. Raises `DraftFailed`."""
        ...

    def wait(self, seconds: float) -> bool:
        """Blocks until the server says that something changed, at most `seconds`. True where it said so. A system
        without push returns False at once; the caller does the waiting then."""
        ...

    def interrupt(self) -> None:
        """Ends a running `wait` soon. The only method that another thread may call."""
        ...

    def close(self) -> None:
        """Lets go of every connection. Safe to call twice; a later call of another method connects again."""
        ...


def discard_named(mailbox: Mailbox, message_id: str) -> None:
    """`Mailbox.discard_draft`, of the draft with this Message-ID (without angle brackets), whose id nobody noted. Only
    where `Mailbox.draft_state` says that there is one. Raises what the two raise."""
    mailbox.discard_draft(mailbox.save_draft(f"Message-ID: <{message_id}>\r\n\r\n".encode()))  # finds that one


def tag_each(mailbox: Mailbox, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
    """`Mailbox.tag_many`, one message after the other."""
    failed: dict[str, MailboxError] = {}
    broken: MailboxError | None = None
    for message_id, labels in wanted.items():
        try:
            if broken is None:
                mailbox.tag(message_id, labels)
        except BROKEN as error:
            broken = error
        except MailboxError as error:
            failed[message_id] = error
        if broken is not None:
            failed[message_id] = broken
    return failed

"""A small honest mail system in memory: mailboxes with a history, a post office, and faults on order.

It keeps the contract of `connectors.mailbox.Mailbox` (test_mailbox_in_memory.py runs the contract's own suite on it).
What happened is read off the system itself, never off our database: `departed` is what really left.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count

from connectors.away import Absence
from connectors.contract.reader import message_id_of
from connectors.errors import MailboxError, MessageGone
from connectors.labels import Label, Relabelling, taken_away, written
from connectors.mailbox import (
    Changes,
    Direction,
    DraftState,
    Known,
    LabelState,
    Progress,
    RawMessage,
    nothing_known,
    tag_each,
)

PAGE_BYTES = 64 * 1024
"""How much of one message a page of changes holds."""

Hook = Callable[[str, str], None]
"""Told of every step of every operation, by mailbox and step, before it takes effect. What it raises, happens."""


@dataclass(frozen=True)
class Stored:
    """A message in a folder."""

    raw: bytes
    received_at: datetime
    labels: frozenset[Label] = frozenset()
    marks: frozenset[str] = frozenset()


@dataclass
class Account:
    """One mailbox as its server keeps it. `history` holds what happened, in order: (what, id)."""

    address: str
    inbox: dict[str, Stored] = field(default_factory=dict)
    sent: dict[str, Stored] = field(default_factory=dict)
    drafts: dict[str, Stored] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)
    epoch: int = 1
    absence: Absence | None = None
    """When the teacher's own out-of-office answer is on."""


@dataclass
class MailSystem:
    """All mailboxes of a server and the world outside. `atomic_send` says whether sending and filing are one step."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    atomic_send: bool = False
    accounts: dict[str, Account] = field(default_factory=dict)
    departed: list[tuple[str, bytes]] = field(default_factory=list)
    """Every mail that really left: sender's mailbox and content, once for each time that it left."""
    departed_at: list[datetime] = field(default_factory=list)
    """When, in the same order."""
    hooks: list[Hook] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    changed: threading.Condition = field(default_factory=threading.Condition)
    _numbers: Iterator[int] = field(default_factory=count)

    def account(self, address: str) -> Account:
        """The mailbox of this address, made at the first call."""
        return self.accounts.setdefault(address, Account(address))

    def open(self, address: str) -> "MemoryMailbox":
        """A fresh connection."""
        self.account(address)
        return MemoryMailbox(self, address)

    def fail(self, step: str, error: BaseException, *, number: int = 1, times: int = 1, mailbox: str = "") -> None:
        """From its `number`-th occurrence on, `step` raises `error`, `times` times."""
        seen = 0

        def hook(address: str, name: str) -> None:
            nonlocal seen
            if name == step and mailbox in {"", address}:
                seen += 1
                if number <= seen < number + times:
                    raise error

        self.hooks.append(hook)

    def heal(self) -> None:
        """Nothing fails any more."""
        self.hooks.clear()

    def deliver(self, raw: bytes, *to: str, at: datetime | None = None) -> None:
        """A mail arrives, in each of these mailboxes."""
        for address in to:
            self.put(self.account(address), "inbox", raw, at)

    def put(self, account: Account, folder: str, raw: bytes, at: datetime | None = None) -> str:
        """A message appears in a folder. Returns its id."""
        with self.changed:
            id_ = f"{account.epoch}.{next(self._numbers)}"
            getattr(account, folder)[id_] = Stored(raw, (at or self.clock()).astimezone(UTC))
            if folder != "drafts":
                account.history.append((folder, id_))
            self.changed.notify_all()
            return id_

    def label(self, account: Account, id_: str, labels: frozenset[Label]) -> None:
        """The message carries exactly these labels."""
        with self.changed:
            folder = account.sent if id_ in account.sent else account.inbox
            if folder[id_].labels != labels:
                folder[id_] = replace(folder[id_], labels=labels)
                account.history.append(("labels", id_))
            self.changed.notify_all()

    def remove(self, account: Account, id_: str) -> None:
        """A message is deleted from the inbox, or from Sent."""
        with self.changed:
            del (account.sent if id_ in account.sent else account.inbox)[id_]
            account.history.append(("removed", id_))

    def renumber(self, account: Account) -> None:
        """Every message gets a new id, and no cursor is good any more. Labels stay."""
        with self.changed:
            account.epoch += 1
            order = [id_ for what, id_ in account.history if what in {"inbox", "sent"}]
            new = {id_: f"{account.epoch}.{next(self._numbers)}" for id_ in dict.fromkeys(order)}
            account.inbox = {new[id_]: stored for id_, stored in account.inbox.items()}
            account.sent = {new[id_]: stored for id_, stored in account.sent.items()}
            account.history = [
                (what, new[id_])
                for what, id_ in account.history
                if what in {"inbox", "sent"} and new[id_] in {**account.inbox, **account.sent}
            ]
            self.changed.notify_all()

    def id_of(self, account: Account, message_id: str) -> str:
        """The id of the message in the inbox or in Sent with this Message-ID."""
        shown = account.inbox | account.sent
        return next(id_ for id_, stored in list(shown.items()) if message_id_of(stored.raw) == message_id)

    def step(self, address: str, name: str) -> None:
        """A step of an operation is about to take effect."""
        self.calls[name] += 1
        for hook in tuple(self.hooks):
            hook(address, name)


class MemoryMailbox:
    """`connectors.mailbox.Mailbox` on one account. Steps that a hook is told of are the operations' names, and
    "send_draft handed over" and "send_draft filed" behind the two halves of sending."""

    def __init__(self, system: MailSystem, address: str) -> None:
        self.address = address
        self.atomic_send = system.atomic_send
        self._system = system
        self._account = system.account(address)
        self._seen = 0
        self._interrupted = threading.Event()

    def check(self) -> Sequence[str]:
        self._system.step(self.address, "check")
        return [f"The mailbox holds {len(self._account.inbox)} messages."]

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        self._system.step(self.address, "changes")
        account = self._account
        position, old, connected, resync = self._position(cursor)
        with self._system.changed:
            history = list(account.history)
            self._seen = len(history)
            shown = account.inbox | account.sent
        messages: dict[str, RawMessage] = {}
        relabelled: dict[str, None] = {}
        removed: dict[str, None] = {}
        while position < len(history):
            what, id_ = history[position]
            if what in {"inbox", "sent"} and id_ not in messages and (raw := self._told(id_, what)):
                if len(messages) == limit:
                    break
                messages[id_] = raw
            elif what == "labels" and id_ in shown:
                relabelled[id_] = None
            elif what == "removed":
                removed[id_] = None
            position += 1
        before = old
        while old and len(messages) < limit:
            old -= 1
            what, id_ = history[old]
            if what in {"inbox", "sent"} and (raw := self._told(id_, what)):
                messages.setdefault(id_, replace(raw, backfill=True))
        on_record = known([*relabelled, *removed])
        more = position < len(history) or old > 0
        return Changes(
            cursor=json.dumps([account.epoch, position, old, connected, resync and more]),
            messages=tuple(messages.values()),
            labels=tuple(
                LabelState(id_, shown[id_].labels)
                for id_ in relabelled
                if id_ in on_record and on_record[id_] != shown[id_].labels
            ),
            removed=tuple(id_ for id_ in removed if id_ in on_record),
            more=more,
            resync=resync,
            progress=Progress(connected - old, connected) if before else None,
        )

    def absence(self) -> Absence | None:
        """See `connectors.away.TellsAbsence`."""
        self._system.step(self.address, "absence")
        return self._account.absence

    def fetch(self, message_id: str) -> RawMessage:
        self._system.step(self.address, "fetch")
        found = self._told(message_id, "inbox", whole=True) or self._told(message_id, "sent", whole=True)
        if found is None:
            raise MessageGone(f"{self.address}: the message is no longer there")
        return found

    def tag(self, message_id: str, labels: frozenset[Label]) -> None:
        self._system.step(self.address, "tag")
        self._change(message_id, written(labels))
        self._system.step(self.address, "tag done")

    def unmark(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.unmark`."""
        self._system.step(self.address, "unmark")
        self._change(message_id, taken_away(labels))
        self._system.step(self.address, "unmark done")

    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        """See `Mailbox.tag_many`."""
        return tag_each(self, wanted)

    def save_draft(self, mime: bytes) -> str:
        self._system.step(self.address, "save_draft")
        found = self._draft(message_id_of(mime))
        saved = found or self._system.put(self._account, "drafts", mime)
        self._system.step(self.address, "save_draft done")
        return saved

    def draft_state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        self._system.step(self.address, "draft_state")
        if draft_id in self._account.sent or (rfc_message_id and self._in_sent(rfc_message_id)):
            return DraftState.SENT
        if draft_id in self._account.drafts or self._draft(rfc_message_id):
            return DraftState.DRAFT
        return DraftState.GONE

    def send_draft(self, draft_id: str) -> None:
        self._system.step(self.address, "send_draft")
        if draft_id in self._account.sent:
            return
        if draft_id not in self._account.drafts:
            raise MessageGone(f"{self.address}: the draft is neither in Drafts nor in Sent")
        raw = self._account.drafts[draft_id].raw
        self._system.departed.append((self.address, raw))
        self._system.departed_at.append(self._system.clock())
        if not self.atomic_send:
            self._system.step(self.address, "send_draft handed over")
        with self._system.changed:
            self._account.sent[draft_id] = replace(self._account.drafts.pop(draft_id), received_at=self._system.clock())
            self._account.history.append(("sent", draft_id))
            self._system.changed.notify_all()
        self._system.step(self.address, "send_draft filed")

    def discard_draft(self, draft_id: str) -> None:
        self._system.step(self.address, "discard_draft")
        self._account.drafts.pop(draft_id, None)

    def wait(self, seconds: float) -> bool:
        self._system.step(self.address, "wait")
        with self._system.changed:
            self._system.changed.wait_for(lambda: self._new or self._interrupted.is_set(), seconds)
            self._interrupted.clear()
            return self._new

    def interrupt(self) -> None:
        with self._system.changed:
            self._interrupted.set()
            self._system.changed.notify_all()

    def close(self) -> None:
        self._system.step(self.address, "close")

    def _change(self, message_id: str, change: Relabelling) -> None:
        found = (self._account.inbox | self._account.sent).get(message_id)
        if found is None:
            raise MessageGone(f"{self.address}: the message is no longer there")
        self._system.label(self._account, message_id, change.of(found.labels))

    @property
    def _new(self) -> bool:
        return len(self._account.history) > self._seen

    def _position(self, cursor: str | None) -> tuple[int, int, int, bool]:
        """Where new mail goes on, where old mail goes on (downwards), how much was old, whether this is a resync."""
        now = len(self._account.history)
        if cursor is None:
            return now, now, now, True
        try:
            epoch, position, old, connected, resync = json.loads(cursor)
        except (ValueError, TypeError):
            return 0, 0, 0, True
        if epoch != self._account.epoch:
            return 0, 0, 0, True
        return position, old, connected, resync

    def _told(self, id_: str, folder: str, *, whole: bool = False) -> RawMessage | None:
        stored: Stored | None = getattr(self._account, folder).get(id_)
        if stored is None:
            return None
        return RawMessage(
            id=id_,
            direction=Direction.RECEIVED if folder == "inbox" else Direction.SENT,
            raw=stored.raw if whole else stored.raw[:PAGE_BYTES],
            size=len(stored.raw),
            received_at=stored.received_at,
            labels=stored.labels,
        )

    def _draft(self, message_id: str) -> str | None:
        return next(
            (
                id_
                for id_, stored in list(self._account.drafts.items())  # others write meanwhile
                if message_id and message_id_of(stored.raw) == message_id
            ),
            None,
        )

    def _in_sent(self, message_id: str) -> bool:
        return any(message_id_of(stored.raw) == message_id for stored in list(self._account.sent.values()))

"""Mailboxes over IMAP (RFC 3501), sending over SMTP: `ImapMailbox`. Which server gets what: docs/connect/imap.md."""

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from config.secrets import Secrets
from config.settings import ImapServer, MailboxSettings, Settings
from connectors.errors import ConnectFailed, FetchFailed, MailboxError, MessageGone
from connectors.imap_changes import PageReader
from connectors.imap_connection import IDLE_RENEWED_AFTER, FolderState
from connectors.imap_copies import write_copies
from connectors.imap_drafts import Drafts
from connectors.imap_folders import INBOX
from connectors.imap_ids import Place, message_place
from connectors.imap_labels import Marking, labels_in, write_keywords, write_star
from connectors.imap_session import Session
from connectors.labels import SERVICES, Label, Relabelling, taken_away, written
from connectors.mailbox import Changes, Direction, DraftState, Known, RawMessage, nothing_known, tag_each
from connectors.smtp import SmtpSender

_LARGEST = 128 * 1024 * 1024
"""Bytes of one message that `fetch` reads; what is longer comes without its end."""


class ImapMailbox:
    """`connectors.mailbox.Mailbox` over IMAP and SMTP."""

    atomic_send = False

    def __init__(
        self,
        address: str,
        server: ImapServer,
        *,
        username: str | None = None,
        password: str | None = None,
        sender: SmtpSender | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Connects at the first use. `username` is the address where left out; without `sender` nothing can be sent;
        `clock` tells the time, aware."""
        self.address = address.lower()
        self._clock = clock
        self._sender = sender
        self._session = Session(server, username or address, password)
        self._drafts = Drafts(self._session, sender)
        self._inbox_seen: FolderState | None = None
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)

    @classmethod
    def open(cls, box: MailboxSettings, settings: Settings, secrets: Secrets) -> "ImapMailbox":
        """The mailbox that the settings describe, not connected yet. Raises ConnectFailed where they name no server."""
        server = box.imap or settings.imap
        if server is None:
            raise ConnectFailed(f"{box.address} has no IMAP server: set [imap], or imap under its [[mailboxes]]")
        outgoing, password = box.smtp or settings.smtp, secrets.password(box)
        username = box.username or box.address
        sender = SmtpSender(outgoing, box.address, username, password) if outgoing else None
        return cls(box.address, server, username=username, password=password, sender=sender)

    def check(self) -> Sequence[str]:
        """See `Mailbox.check`."""
        facts = self._session.retried(self._facts)
        if self._sender is None:
            return [*facts, "Nothing can be sent: there is no [smtp]."]
        return [*facts, self._sender.check()]

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        """See `Mailbox.changes`."""
        self._drafts.file_sent()
        try:
            return self._session.retried(lambda: self._page(cursor, known, limit))
        except ConnectFailed:
            if not self._session.was_open:
                raise
        # Twice the line broke under the same page: a message may be at fault, over which the server falls.
        return self._page(cursor, known, limit, carefully=True)

    def fetch(self, message_id: str) -> RawMessage:
        """See `Mailbox.fetch`."""
        place = _place(message_id)
        try:
            return self._session.retried(lambda: self._whole(place))
        except ConnectFailed as error:
            if not self._session.was_open:
                raise
            raise FetchFailed(f"the server hangs up over the message {message_id}: {error}") from error

    def tag(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.tag`. Where Sent takes no keywords, its mail carries no labels."""
        place = _place(message_id)
        self._session.retried(lambda: self._write(place, written(labels)))

    def unmark(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.unmark`. Where the server takes no keywords, the service's own labels are a star or a copy:
        there is nothing to take away."""
        place = _place(message_id)
        self._session.retried(lambda: self._write(place, taken_away(labels)))

    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        """See `Mailbox.tag_many`."""
        return tag_each(self, wanted)

    def save_draft(self, mime: bytes) -> str:
        """See `Mailbox.save_draft`."""
        return self._drafts.save(mime)

    def draft_state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """See `Mailbox.draft_state`. A draft may have been sent even so: SMTP cannot say (`atomic_send` is False)."""
        return self._drafts.state(draft_id, rfc_message_id)

    def send_draft(self, draft_id: str) -> None:
        """See `Mailbox.send_draft`."""
        self._drafts.send(draft_id)

    def discard_draft(self, draft_id: str) -> None:
        """See `Mailbox.discard_draft`."""
        self._drafts.discard(draft_id)

    def wait(self, seconds: float) -> bool:
        """See `Mailbox.wait`. Watches INBOX; the Sent folder is looked at by the next `changes`."""
        deadline = time.monotonic() + seconds
        try:
            return self._session.retried(lambda: self._wait_until(deadline))
        finally:
            with suppress(BlockingIOError):
                while self._wake.recv(64):
                    pass

    def interrupt(self) -> None:
        """See `Mailbox.interrupt`."""
        with suppress(BlockingIOError):
            self._waker.send(b"!")

    def close(self) -> None:
        """See `Mailbox.close`."""
        self._session.close()

    def _page(self, cursor: str | None, known: Known, limit: int, *, carefully: bool = False) -> Changes:
        reader = PageReader(self._session, known, limit, self._clock(), carefully=carefully)
        page = reader.read(cursor)
        self._inbox_seen = reader.inbox_seen
        return page

    def _whole(self, place: Place) -> RawMessage:
        connection = self._session.connection()
        state = connection.select(place.folder)
        same = state.uidvalidity == place.uidvalidity
        listed = connection.overview(str(place.uid), uid=True, count=1) if same else []
        if not listed:
            raise MessageGone(f"{connection.where}: the message {place.message_id()} was deleted or moved")
        raw = connection.bodies([place.uid], min(listed[0].size or _LARGEST, _LARGEST)).get(place.uid)
        if raw is None:
            raise FetchFailed(f"{connection.where}: the server cannot read the message {place.message_id()}")
        inbox = place.folder == INBOX
        exact = not inbox or self._session.marking(state) is Marking.KEYWORDS
        return RawMessage(
            id=place.message_id(),
            direction=Direction.RECEIVED if inbox else Direction.SENT,
            raw=raw,
            size=max(listed[0].size, len(raw)),
            received_at=listed[0].received_at,
            labels=labels_in(listed[0].flags) if exact else frozenset[Label](),
        )

    def _write(self, place: Place, change: Relabelling) -> None:
        connection = self._session.connection()
        if place.folder not in (INBOX, self._session.folders().sent):
            raise MessageGone("only mail in INBOX and in Sent has labels")
        state = connection.select(place.folder)
        if state.uidvalidity != place.uidvalidity:
            folder = f"{connection.where}: {place.folder}"
            raise MessageGone(f"{folder} was renumbered; the message comes again under another id")
        marking = self._session.marking(state)
        if place.folder != INBOX and marking is not Marking.KEYWORDS:
            return
        if marking is Marking.KEYWORDS:
            write_keywords(connection, place.uid, change, state)
        elif marking is Marking.FLAGGED:
            write_star(connection, place.uid, change.add, state)
        elif change.remove >= SERVICES - change.add:  # a whole set: a copy says nothing but the tag
            write_copies(connection, self._session.folders(), place.uid, change.add)

    def _wait_until(self, deadline: float) -> bool:
        connection = self._session.connection()
        if "IDLE" not in connection.capabilities:
            return False
        while True:
            # What happened between the last page and now is told by no IDLE.
            if self._inbox_seen is not None and self._session.inbox() != self._inbox_seen:
                return True
            remaining = deadline - time.monotonic()
            if remaining <= 0 or self._interrupted():
                return False
            if connection.idle(min(remaining, IDLE_RENEWED_AFTER), self._wake):
                return True

    def _interrupted(self) -> bool:
        with suppress(BlockingIOError):
            return bool(self._wake.recv(1, socket.MSG_PEEK))
        return False

    def _facts(self) -> list[str]:
        connection, folders = self._session.connection(), self._session.folders()
        inbox = self._session.inbox()
        server = self._session.server
        marking = self._session.marking(inbox)
        shown = {
            Marking.KEYWORDS: "Labels are keywords that other mail programs can show.",
            Marking.FLAGGED: "The server takes no keywords: a star stands for urgent and conflict.",
            Marking.FOLDERS: f"The server takes no keywords: copies go to {folders.urgent} and {folders.conflict}.",
        }
        facts = [
            f"Incoming mail: {connection.where} over {server.security}, signed in as {self._session.username}.",
            f"INBOX holds {inbox.exists} messages; Sent is {folders.sent}, drafts are in {folders.drafts}.",
            shown[marking],
            "New mail is told at once (IDLE)."
            if "IDLE" in connection.capabilities
            else "New mail is polled (no IDLE).",
            "Changes of labels are told by the server (CONDSTORE)."
            if inbox.modseq
            else "Changes of labels are found by comparing the newest messages (no CONDSTORE).",
        ]
        if folders.missing:
            facts.append(f"Will be created when needed: {', '.join(folders.missing)}.")
        return facts


def _place(message_id: str) -> Place:
    place = message_place(message_id)
    if place is None:
        raise MessageGone("there is no message with this id")
    return place

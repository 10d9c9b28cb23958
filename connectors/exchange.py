"""Mailboxes on Exchange Server (2016, 2019, Subscription Edition) over Exchange Web Services: `ExchangeMailbox`.

How an administrator opens them to us: docs/connect/exchange.md. Mailboxes in Exchange Online are `connectors.graph`'s.
"""

import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from config.secrets import Secrets
from config.settings import Exchange, MailboxSettings, Settings
from connectors.away import Absence
from connectors.backoff import Patience
from connectors.errors import BROKEN, ChangesFailed, ConnectFailed, FetchFailed, MailboxError, MessageGone
from connectors.exchange_away import out_of_office
from connectors.exchange_changes import PageReader, Windows
from connectors.exchange_connection import Connection
from connectors.exchange_cursor import Cursor, parse_cursor
from connectors.exchange_drafts import Drafts, valid_id
from connectors.exchange_errors import Unanswered, code_of
from connectors.exchange_items import M, T, synced_in
from connectors.exchange_labels import Tagging, labels_in
from connectors.exchange_push import Stream
from connectors.exchange_reading import Reading
from connectors.exchange_requests import DRAFTS, INBOX, LISTED, SENT, Element, get_folders, sync_items
from connectors.exchange_sign_in import charged, impersonates, service_account, sign_in
from connectors.labels import NAMES, Label, taken_away, written
from connectors.mailbox import Changes, Direction, DraftState, Known, RawMessage, nothing_known
from connectors.tls import client_context

_NO_PUSH_SECONDS = 600.0
"""How long a server that opens no stream, or breaks it at once, is only polled."""
_BUILDS = {"15.0": "Exchange Server 2013", "15.1": "Exchange Server 2016", "15.2": "Exchange Server 2019 or SE"}

log = logging.getLogger(__name__)


class ExchangeMailbox:
    """`connectors.mailbox.Mailbox` over EWS."""

    atomic_send = True

    def __init__(self, connection: Connection, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Connects at the first use. `clock` tells the time, aware."""
        self.address = connection.address.lower()
        self._clock = clock
        self._connection = connection
        self._reading = Reading(connection)
        self._tagging = Tagging(connection)
        self._drafts = Drafts(connection)
        self._windows: Windows = {}
        self._stream: Stream | None = None
        self._no_push_until = 0.0
        self._seen: Cursor | None = None
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)

    @classmethod
    def open(cls, box: MailboxSettings, settings: Settings, secrets: Secrets) -> "ExchangeMailbox":
        """The mailbox that the settings describe, not connected yet. Raises AuthenticationFailed where no password or
        secret is stored, ExchangeOnline, InsecureConnection, ConnectFailed."""
        return cls(connection_for(box, settings.exchange or Exchange(), secrets))

    def check(self) -> Sequence[str]:
        """See `Mailbox.check`. Subscribes to notifications for a moment, which writes nothing into the mailbox."""
        return [*self._facts(), self._push_fact(), self._colours_fact()]

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        """See `Mailbox.changes`."""
        reader = PageReader(self._connection, self._reading, self._windows, known, limit, self._clock())
        page = reader.read(cursor)
        self._seen = parse_cursor(page.cursor)
        return page

    def absence(self) -> Absence | None:
        """See `connectors.away.TellsAbsence`: out-of-office replies."""
        return out_of_office(self._connection)

    def fetch(self, message_id: str) -> RawMessage:
        """See `Mailbox.fetch`."""
        try:
            item, raw = self._reading.whole(_valid(message_id))
        except Unanswered as error:
            raise FetchFailed(f"the server hangs up over the message: {error}") from error
        sent = item.folder_id == self._drafts.folder_id(SENT)
        return RawMessage(
            id=message_id,
            direction=Direction.SENT if sent else Direction.RECEIVED,
            raw=raw,
            size=len(raw),
            received_at=item.received_at,
            labels=labels_in(item.categories),
        )

    def tag(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.tag`."""
        for error in self._tagging.write({_valid(message_id): written(labels)}).values():
            raise error

    def unmark(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.unmark`."""
        for error in self._tagging.write({_valid(message_id): taken_away(labels)}).values():
            raise error

    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        """See `Mailbox.tag_many`: two requests for up to 100 messages."""
        failed: dict[str, MailboxError] = {
            message_id: MessageGone("there is no message with this id")
            for message_id in wanted
            if not valid_id(message_id)
        }
        asked = {each: written(labels) for each, labels in wanted.items() if each not in failed}
        return failed | self._tagging.write(asked)

    def save_draft(self, mime: bytes) -> str:
        """See `Mailbox.save_draft`."""
        return self._drafts.save(mime)

    def draft_state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """See `Mailbox.draft_state`. While the server is sending it, this raises DraftFailed, to be asked again."""
        return self._drafts.state(draft_id, rfc_message_id)

    def send_draft(self, draft_id: str) -> None:
        """See `Mailbox.send_draft`."""
        self._drafts.send(draft_id)

    def discard_draft(self, draft_id: str) -> None:
        """See `Mailbox.discard_draft`."""
        self._drafts.discard(draft_id)

    def wait(self, seconds: float) -> bool:
        """See `Mailbox.wait`. False at once, for some minutes, where the server opens no stream or breaks it."""
        deadline = time.monotonic() + seconds
        try:
            for _ in range(2):
                if time.monotonic() < self._no_push_until:
                    return False
                try:
                    return self._told(deadline)
                except (Unanswered, ChangesFailed) as error:
                    if self._stream is not None:
                        self._stream.close()
                        self._stream = None
                    trouble = error
            self._no_push_until = time.monotonic() + _NO_PUSH_SECONDS
            log.info("%s is polled for some minutes: %s", self.address, trouble)
            return False
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
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.end()
        self._windows.clear()
        self._drafts.forget()
        self._connection.close()

    def _told(self, deadline: float) -> bool:
        if self._stream is None:
            self._stream = Stream(self._connection)
            # What happened between the last page and now is told by no stream.
            if self._changed():
                return True
        return self._stream.wait(deadline, self._wake)

    def _changed(self) -> bool:
        """Whether anything happened since the last page of this instance."""
        seen = self._seen
        states = {} if seen is None else {INBOX: seen.inbox.state, SENT: seen.sent.state}
        for folder, state in states.items():
            answers = self._connection.ask(sync_items(self.address, folder, state, 1, LISTED), ChangesFailed)
            if answers and code_of(answers[0]) == "ErrorInvalidSyncStateData":
                return True
            synced = synced_in(self._connection.sole(answers, ChangesFailed))
            if synced is not None and (synced.created or synced.updated or synced.deleted or not synced.last):
                return True
        return False

    def _facts(self) -> list[str]:
        names = {INBOX: "Inbox", SENT: "Sent", DRAFTS: "Drafts"}
        answers = self._connection.ask(get_folders(self.address, names), ConnectFailed)
        counts: dict[str, str] = {}
        lacking: list[str] = []
        for folder, answer in zip(names, answers, strict=False):
            found = self._connection.sole([answer], ConnectFailed).find(f"{M}Folders/*")
            if found is not None:
                counts[folder] = found.findtext(f"{T}TotalCount") or "?"
                lacking += [f"{right} in {names[folder]}" for right in _missing_rights(found)]
        by = f", acting for {self.address}" if self._connection.impersonated else ""
        build = self._connection.build
        product = _BUILDS.get(".".join(build.split(".")[:2]), "Exchange Server")
        facts = [
            f"Exchange Web Services at {self._connection.endpoint}, signed in as {self._connection.account}{by}.",
            f"Inbox holds {counts.get(INBOX, '?')} items, Sent {counts.get(SENT, '?')}; Drafts was found.",
        ]
        facts += [f"The server is {product} (build {build})."] if build else []
        return facts + [f"A right lacks: {right}." for right in lacking]

    def _push_fact(self) -> str:
        try:
            Stream(self._connection).end()
        except BROKEN:
            raise
        except MailboxError as error:
            return f"New mail is polled: {error}."
        return "New mail is told at once (streaming notifications)."

    def _colours_fact(self) -> str:
        try:
            document = self._tagging.category_list()
        except BROKEN[:1]:
            raise
        except MailboxError as error:
            return f"Labels are categories; their colours cannot be set: {error}."
        present = document is not None and all(name.encode() in document for name in NAMES.values())
        return (
            "Labels are categories with colours."
            if present
            else "Labels are categories; colours are set with the first."
        )


def connection_for(
    box: MailboxSettings, exchange: Exchange, secrets: Secrets, patience: Patience | None = None
) -> Connection:
    """The line to one mailbox, as the settings have it, not connected yet. Raises MailboxError."""
    context = client_context(exchange.ca_file)
    if exchange.auth == "oauth" and exchange.endpoint is None:
        raise ConnectFailed('[exchange] auth = "oauth" needs endpoint: its tokens are made for that server')
    return Connection(
        box.address,
        account=service_account(exchange, box),
        sign_in=sign_in(exchange, box, secrets, context),
        endpoint=exchange.endpoint,
        context=context,
        seconds=exchange.timeout_seconds,
        impersonated=impersonates(exchange),
        allow_insecure=exchange.allow_insecure,
        patience=patience,
        charged=charged(exchange),
    )


def _missing_rights(folder: Element) -> list[str]:
    """What we may not do in a folder; a server that does not tell forbids nothing."""
    rights = folder.find(f"{T}EffectiveRights")
    told = () if rights is None else rights
    needed = {f"{T}{right}" for right in ("CreateContents", "Modify", "Read")}
    return [right.tag.removeprefix(T) for right in told if right.tag in needed and (right.text or "") == "false"]


def _valid(message_id: str) -> str:
    if not valid_id(message_id):
        raise MessageGone("there is no message with this id")
    return message_id

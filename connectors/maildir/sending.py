"""Drafts, and how they leave: into a Maildir that a local mail system empties, or over SMTP.

Into a Maildir, the one rename from Drafts to Sent is the sending. Before it, the outgoing copy lies in the outgoing
Maildir's tmp, where nobody looks; after it, the copy moves to new. A crash before the rename leaves a draft, a crash
after it leaves a staged copy, which the next question about the draft hands over. So a message leaves exactly once, and
`draft_state` is certain. Over SMTP there is no such step: a crash after the server took the message leaves a draft.
"""

import hashlib
import os
import socket
import time
from contextlib import AbstractContextManager, ExitStack
from email import message_from_bytes, policy
from pathlib import Path

from connectors.errors import DraftFailed, MailboxError, MessageGone, SendFailed, SendUncertain
from connectors.mailbox import DraftState
from connectors.maildir.folder import Folder, Place, failing_as
from connectors.maildir.locks import dovecot_lock, sending_lock
from connectors.maildir.names import Name, message_id
from connectors.smtp import SmtpSender

_HEADER_BYTES = 64 * 1024
_ASKED_FOR_NS = 90 * 24 * 3600 * 1_000_000_000
"""Sent mail older than this is not searched for a Message-ID: what this service sends answers mail that is days old."""


class Sending:
    """Drafts and Sent of one mailbox."""

    def __init__(
        self, root: Path, drafts: Folder, sent: Folder, outgoing: Folder | None, post: SmtpSender | None
    ) -> None:
        """One of `outgoing` and `post` takes what is sent; where both lack, sending fails and says so."""
        self._root = root
        self._drafts = drafts
        self._sent = sent
        self._outgoing = outgoing
        self._post = post
        self._sent_ids: dict[str, str] = {}
        """Message-IDs of what lies in Sent, by id, so that each file is read once."""

    def save(self, mime: bytes) -> str:
        """Saves a draft, or finds the one with this Message-ID. Returns its id. Raises DraftFailed."""
        with failing_as(DraftFailed, "saving a draft"):
            self._drafts.create()
            with self._locked():
                identifier = message_id_of(mime)
                found = self._draft_with(identifier) if identifier else None
                if found is not None:
                    return message_id(found.name)
                name = f"{_unique()}.{_host()}"
                self._drafts.deliver(mime, Place("cur", f"{name}:2,DS"))
                return message_id(name)

    def state(self, draft_id: str, identifier: str) -> DraftState:
        """What became of a draft. Raises DraftFailed."""
        with failing_as(DraftFailed, "looking up a draft"):
            if draft_id and self._drafts.find(draft_id) is not None:
                return DraftState.DRAFT
            sent = (self._sent.find(draft_id) if draft_id else None) or self._sent_with(identifier)
            if sent is not None:
                name = self._outgoing_name_of(self._sent, sent)
                if self._staged(name) is not None:
                    with self._locked():
                        self._hand_over(name)
                return DraftState.SENT
            return DraftState.GONE if self._draft_with(identifier) is None else DraftState.DRAFT

    def send(self, draft_id: str) -> None:
        """Sends a draft. Raises MessageGone, SendFailed, SendRejected, SendUncertain."""
        with failing_as(SendFailed, "sending a draft"):
            self._sent.create()
            self._drafts.create()
            with self._locked():
                draft = self._drafts.find(draft_id)
                if draft is None:
                    self._finish(draft_id)
                elif self._outgoing is not None:
                    self._send_to_folder(self._outgoing, draft)
                else:
                    self._send_over_smtp(draft)

    def discard(self, draft_id: str) -> None:
        """Deletes a draft where it still is one. Raises DraftFailed."""
        with failing_as(DraftFailed, "discarding a draft"):
            if self._drafts.find(draft_id) is None:
                return
            with self._locked():
                draft = self._drafts.find(draft_id)
                if draft is not None:
                    staged = self._staged(self._outgoing_name_of(self._drafts, draft))
                    with dovecot_lock(self._drafts.path):
                        self._drafts.remove(draft)
                    if staged is not None:
                        staged.unlink(missing_ok=True)

    def _send_to_folder(self, outgoing: Folder, draft: Place) -> None:
        raw = self._drafts.read(draft).raw
        name = outgoing_name(message_id_of(raw) or _digest(raw))
        outgoing.stage(raw, name)
        self._to_sent(draft)
        self._hand_over(name)

    def _send_over_smtp(self, draft: Place) -> None:
        if self._post is None:
            raise SendFailed("There is no way to send: set [smtp], or outgoing under [mailboxes.maildir].")
        self._post.send(self._drafts.read(draft).raw)
        try:
            self._to_sent(draft)
        except (OSError, MailboxError) as error:
            raise SendUncertain(f"The message is out, but could not be moved to Sent: {error}") from error

    def _to_sent(self, draft: Place) -> None:
        name = Name.parse(draft.name)
        there = Place("cur", name.flagged(name.flags.replace("D", "") + "S"))
        with ExitStack() as locks:
            for folder in (self._drafts, self._sent):
                locks.enter_context(dovecot_lock(folder.path))
            self._drafts.move(draft, self._sent, there)

    def _finish(self, draft_id: str) -> None:
        """What is no draft any more was sent, perhaps all but the last step; or it never was."""
        sent = self._sent.find(draft_id) if draft_id else None
        if sent is None:
            raise MessageGone(
                "This draft is neither in Drafts nor in Sent: it was discarded, or deleted by the teacher."
            )
        if self._outgoing is not None:
            self._hand_over(self._outgoing_name_of(self._sent, sent))

    def _hand_over(self, name: str) -> None:
        if self._outgoing is not None and self._staged(name) is not None:
            self._outgoing.unstage(Place("new", name))

    def _staged(self, name: str) -> Path | None:
        if self._outgoing is None:
            return None
        path = self._outgoing.path / "tmp" / name
        return path if path.exists() else None

    def _outgoing_name_of(self, folder: Folder, place: Place) -> str:
        raw = folder.read(place).raw
        return outgoing_name(message_id_of(raw) or _digest(raw))

    def _draft_with(self, identifier: str) -> Place | None:
        if not identifier or self._drafts.stamps() == (-1, -1):
            return None
        for place, regular in self._drafts.entries():
            if regular and _identifier_in(self._drafts, place) == identifier:
                return place
        return None

    def _sent_with(self, identifier: str) -> Place | None:
        if not identifier or self._sent.stamps() == (-1, -1):
            return None
        places = self._sent.places()
        self._sent_ids = {id_: found for id_, found in self._sent_ids.items() if id_ in places}
        oldest = time.time_ns() - _ASKED_FOR_NS
        for id_, place in places.items():
            found = self._sent_ids.get(id_)
            if found is None:
                found = _identifier_in(self._sent, place, oldest)
                if found is not None:
                    self._sent_ids[id_] = found
            if found == identifier:
                return place
        return None

    def _locked(self) -> AbstractContextManager[None]:
        return sending_lock(self._root / "alliance.lock")


def message_id_of(raw: bytes) -> str:
    """The Message-ID of a message without angle brackets; empty where it has none."""
    head = raw[:_HEADER_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    try:
        found = message_from_bytes(head, policy=policy.compat32)["Message-ID"]
    except (ValueError, LookupError):
        return ""
    return str(found or "").strip().strip("<>").strip()


def outgoing_name(identifier: str) -> str:
    """The file name of an outgoing message, the same whenever the same message is sent."""
    return f"A{_digest(identifier.encode('utf-8', 'surrogateescape'))}.alliance"


def _identifier_in(folder: Folder, place: Place, oldest_ns: int = 0) -> str | None:
    """The Message-ID of a message; empty where it has none or is older than asked for, None where it has gone."""
    try:
        if folder.modified_ns(place) < oldest_ns:
            return ""
        return message_id_of(folder.read(place, _HEADER_BYTES).raw)
    except FileNotFoundError:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def _unique() -> str:
    """The beginning of a new file name (https://cr.yp.to/proto/maildir.html, "unique names")."""
    now = time.time_ns()
    return f"{now // 1_000_000_000}.M{now // 1000 % 1_000_000:06}P{os.getpid()}R{os.urandom(4).hex()}"


def _host() -> str:
    # The specification's own way to write what cannot stand in a file name.
    return socket.gethostname().replace("/", r"\057").replace(":", r"\072").replace(",", r"\054")

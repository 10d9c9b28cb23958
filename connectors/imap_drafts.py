"""Drafts on an IMAP server, sent over SMTP: save, look up, send once, discard."""

import email.parser
import logging

from connectors.errors import (
    ChangesFailed,
    ConnectFailed,
    DraftFailed,
    FetchFailed,
    MailboxError,
    MessageGone,
    SendFailed,
    TagFailed,
)
from connectors.imap_ids import Place, draft_place
from connectors.imap_session import Session
from connectors.mailbox import DraftState
from connectors.smtp import SmtpSender

_LARGEST = 64 * 1024 * 1024
"""Bytes of a draft: more is not read back."""

log = logging.getLogger(__name__)


class Drafts:
    """Drafts and Sent of one mailbox."""

    def __init__(self, session: Session, sender: SmtpSender | None) -> None:
        """Without `sender` drafts can be saved and not sent."""
        self._session = session
        self._sender = sender
        self._unfiled: list[Place] = []
        """Drafts that were sent and could not be moved to Sent."""

    def save(self, mime: bytes) -> str:
        """Saves a draft, or finds the one with this Message-ID. Returns its id. Raises DraftFailed."""
        rfc_message_id = _message_id(mime)
        if not rfc_message_id:
            raise DraftFailed("a draft needs a Message-ID: by it it is found again after a crash")
        return self._session.retried(lambda: self._saved(mime, rfc_message_id)).draft_id()

    def state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """What became of a draft. Raises DraftFailed, ConnectFailed."""
        return self._session.retried(lambda: self._state(draft_place(draft_id), rfc_message_id))

    def send(self, draft_id: str) -> None:
        """Sends a draft and moves it to Sent. See `Mailbox.send_draft`."""
        place = draft_place(draft_id)
        if place is None:
            raise MessageGone("there is no such draft")
        if place in self._unfiled:
            self.file_sent()
            return
        try:
            mime = self._session.retried(lambda: self._unsent(place))
        except (ConnectFailed, ChangesFailed, FetchFailed, TagFailed, DraftFailed) as error:
            # Nothing was handed over yet: who takes this for uncertain never answers the family.
            raise SendFailed(str(error)) from error
        if mime is None:
            return
        if self._sender is None:
            raise SendFailed("there is no way to send: set [smtp]")
        self._sender.send(mime)
        # The message is out. Whatever goes wrong now must not look as if it were not.
        self._unfiled.append(place)
        self.file_sent()

    def file_sent(self) -> None:
        """Moves what was sent to Sent; what cannot be moved now is tried again by the next call. Raises nothing."""
        for place in tuple(self._unfiled):
            try:
                self._session.retried(lambda place=place: self._file(place))  # type: ignore[misc]
            except MailboxError as error:
                log.warning("a message was sent and still lies in Drafts (%s); it is moved later", error)
                return
            self._unfiled.remove(place)

    def discard(self, draft_id: str) -> None:
        """Deletes a draft; one that is no draft any more is no error. Raises DraftFailed, ConnectFailed."""
        place = draft_place(draft_id)
        if place is not None:
            self._session.retried(lambda: self._discard(place))

    def _saved(self, mime: bytes, rfc_message_id: str) -> Place:
        connection = self._session.connection()
        name = self._ready(self._session.folders().drafts)
        state = connection.select(name)
        existing = connection.with_message_id(rfc_message_id)
        if existing:
            return Place(name, state.uidvalidity, existing[-1], rfc_message_id)
        told = connection.append(name, mime, [r"\Draft", r"\Seen"])
        if told is not None:  # RFC 4315 §3
            return Place(name, *told, rfc_message_id)
        state = connection.select(name)
        found = connection.with_message_id(rfc_message_id)
        if not found:
            raise DraftFailed(f"{connection.where}: the draft was saved to {name} and cannot be found there")
        return Place(name, state.uidvalidity, found[-1], rfc_message_id)

    def _state(self, place: Place | None, rfc_message_id: str) -> DraftState:
        folders = self._session.folders()
        wanted = Place(folders.drafts, 0, 0, rfc_message_id or (place.rfc_message_id if place else ""))
        if self._in_sent(wanted.rfc_message_id):
            # First: after a crash between copying and deleting it lies in both, and then it was sent.
            return DraftState.SENT
        if self._draft_uid(place or wanted) is not None:
            return DraftState.DRAFT
        return DraftState.GONE

    def _unsent(self, place: Place) -> bytes | None:
        """The draft's content, None where it was sent already."""
        connection = self._session.connection()
        if self._in_sent(place.rfc_message_id):
            self._discard(place)
            return None
        uid = self._draft_uid(place)
        told = connection.bodies([uid], _LARGEST) if uid is not None else {}
        if uid is None or uid not in told:
            raise MessageGone("the draft is neither in Drafts nor in Sent: it was discarded")
        mime = told[uid]
        if mime is None:
            raise DraftFailed(f"{connection.where}: the server has the draft and cannot read it now")
        return mime

    def _file(self, place: Place) -> None:
        connection = self._session.connection()
        if self._in_sent(place.rfc_message_id):
            # Some servers keep a copy of what they send by themselves.
            self._discard(place)
            return
        sent = self._ready(self._session.folders().sent)
        uid = self._draft_uid(place)
        if uid is not None:
            connection.add_flags(uid, [r"\Seen"])
            connection.remove_flags(uid, [r"\Draft"])
            connection.move(uid, sent)

    def _discard(self, place: Place) -> None:
        uid = self._draft_uid(place)
        if uid is not None:
            self._session.connection().delete(uid)

    def _draft_uid(self, place: Place) -> int | None:
        """Opens Drafts and finds the draft there: by its number, or by its Message-ID where numbers have changed."""
        name = self._session.folders().drafts
        if name not in self._session.folders().existing:
            return None
        connection = self._session.connection()
        state = connection.select(name)
        if (place.folder, place.uidvalidity) == (name, state.uidvalidity):
            return place.uid if connection.flags(place.uid) is not None else None
        found = connection.with_message_id(place.rfc_message_id) if place.rfc_message_id else []
        return found[-1] if found else None

    def _in_sent(self, rfc_message_id: str) -> bool:
        folders = self._session.folders()
        if not rfc_message_id or folders.sent not in folders.existing:
            return False
        connection = self._session.connection()
        connection.select(folders.sent)
        return bool(connection.with_message_id(rfc_message_id))

    def _ready(self, name: str) -> str:
        if name not in self._session.folders().existing:
            self._session.connection().create_folder(name)
            self._session.forget_folders()
        return name


def _message_id(mime: bytes) -> str:
    head = mime[: 64 * 1024].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return str(email.parser.BytesHeaderParser().parsebytes(head + b"\n\n").get("Message-ID", "")).strip().strip("<>")

"""Drafts on an Exchange server: saved, looked up, sent once by SendItem, discarded.

An item is in Drafts or it is in Sent, never in both, and SendItem is what takes it from one to the other; so after a
crash the server knows whether a draft was sent. A draft's id is the item's, and the Message-ID behind it: the item gets
another id when it is sent.
"""

import re
from email.parser import BytesHeaderParser

from connectors.errors import (
    DraftFailed,
    MessageGone,
    SendFailed,
    SendRejected,
    SendUncertain,
)
from connectors.exchange_connection import Connection
from connectors.exchange_errors import GONE, STALE, Unanswered, code_of, undecided, unsendable
from connectors.exchange_items import Listed, M, T, found_in, item_in, items_in
from connectors.exchange_requests import (
    DRAFTS,
    SENT,
    create_draft,
    delete_item,
    find_message,
    get_fields,
    get_folders,
    send_item,
)
from connectors.mailbox import DraftState

_ITEM_ID = re.compile(r"[A-Za-z0-9+/=_-]{1,1024}\Z")
_FIELDS = ("item:ParentFolderId", "item:IsSubmitted", "message:InternetMessageId")
_ATTEMPTS = 3
"""So often a draft is sent again where Exchange said that its change key is old, and so did nothing."""


def valid_id(item_id: str) -> bool:
    """Whether this can be an item's id at all (base64)."""
    return bool(_ITEM_ID.match(item_id))


class Drafts:
    """Drafts and Sent of one mailbox."""

    def __init__(self, connection: Connection) -> None:
        """Asks over `connection`."""
        self._connection = connection
        self._folders: dict[str, str] = {}

    def forget(self) -> None:
        """Looks the folders up again at the next use."""
        self._folders = {}

    def save(self, mime: bytes) -> str:
        """Saves a draft, or finds the one with this Message-ID. Returns its id. Raises DraftFailed."""
        identifier = _message_id(mime)
        if not identifier:
            raise DraftFailed("a draft needs a Message-ID: by it it is found again after a crash")
        existing = self._with_message_id(DRAFTS, identifier)
        if existing is None:
            request = create_draft(self._connection.address, mime, identifier)
            try:
                answers = self._connection.ask_once(request, DraftFailed)
            except Unanswered:
                # It may have been saved. Two drafts of one reply must not lie there.
                existing = self._with_message_id(DRAFTS, identifier)
                if existing is None:
                    raise
            else:
                found = items_in(self._connection.sole(answers, DraftFailed))
                if not found:
                    raise DraftFailed(f"{self._connection.where}: the draft was saved and no id was told")
                existing = item_in(found[0])
        return f"{existing.id} {identifier}"

    def state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """What became of a draft. Raises DraftFailed, ConnectFailed."""
        item_id, identifier = _parts(draft_id)
        identifier = rfc_message_id or identifier
        if identifier and self._with_message_id(SENT, identifier) is not None:
            return DraftState.SENT
        item = self._draft(item_id) if item_id else None
        if item is None and identifier:
            item = self._with_message_id(DRAFTS, identifier)
        if item is None:
            # Sent between the two looks?
            sent = identifier and self._with_message_id(SENT, identifier) is not None
            return DraftState.SENT if sent else DraftState.GONE
        if item.submitted:
            raise DraftFailed(f"{self._connection.where} is sending it at this moment: asked again later")
        return DraftState.DRAFT

    def send(self, draft_id: str) -> None:
        """Sends a draft. See `Mailbox.send_draft`."""
        item_id, identifier = _parts(draft_id)
        if not item_id:
            raise MessageGone("there is no such draft")
        for _ in range(_ATTEMPTS):
            try:
                item = self._draft(item_id)
                sent = item is None and self._with_message_id(SENT, identifier) is not None
            except DraftFailed as error:
                raise SendFailed(str(error)) from error
            if sent:
                return
            if item is None:
                raise MessageGone("the draft is neither in Drafts nor in Sent: it was discarded")
            if item.submitted:
                raise SendUncertain(f"{self._connection.where} is sending it already")
            if self._sent(item):
                return
        raise SendFailed(
            f"{self._connection.where}: the draft is changed by somebody else all the time; it was not sent"
        )

    def discard(self, draft_id: str) -> None:
        """Deletes a draft; one that is no draft any more, or is being sent, is no error. Raises DraftFailed,
        ConnectFailed."""
        item_id, _ = _parts(draft_id)
        item = self._draft(item_id) if item_id else None
        if item is None or item.submitted:
            return
        answers = self._connection.ask(delete_item(item_id), DraftFailed)
        if not (answers and code_of(answers[0]) in GONE):
            self._connection.sole(answers, DraftFailed)

    def folder_id(self, folder: str) -> str:
        """The id of one of our folders. Raises MailboxError."""
        if folder not in self._folders:
            names = (DRAFTS, SENT)
            answers = self._connection.ask(get_folders(self._connection.address, names), DraftFailed)
            for name, answer in zip(names, answers, strict=False):
                element = self._connection.sole([answer], DraftFailed).find(f"{M}Folders/*/{T}FolderId")
                self._folders[name] = "" if element is None else element.get("Id", "")
        return self._folders.get(folder, "")

    def _sent(self, item: Listed) -> bool:
        """Hands the draft to the server, once. False where it was not taken, since somebody touched it meanwhile."""
        request = send_item(self._connection.address, item.id, item.change_key)
        try:
            answers = self._connection.ask_once(request, SendFailed)
        except Unanswered as error:
            raise SendUncertain(f"the line broke while the draft was being sent: {error}") from error
        except SendFailed as error:
            answers = [error.__cause__ or error]
        refused = answers[0] if answers and isinstance(answers[0], BaseException) else None
        if refused is None:
            return True
        if code_of(refused) in STALE or code_of(refused) in GONE:
            return False
        if unsendable(refused):
            raise SendRejected(f"{self._connection.where} does not take it ({code_of(refused)})") from refused
        if undecided(refused):
            text = f"{self._connection.where} failed while it was sending ({code_of(refused) or 'no EWS answer'})"
            raise SendUncertain(text) from refused
        raise self._connection.meaning(refused, SendFailed) from refused

    def _draft(self, item_id: str) -> Listed | None:
        """The item, where it is there and still in Drafts."""
        answers = self._connection.ask(get_fields([item_id], _FIELDS, message_id=True), DraftFailed)
        if answers and code_of(answers[0]) in GONE:
            return None
        found = items_in(self._connection.sole(answers, DraftFailed))
        item = item_in(found[0]) if found else None
        return item if item is not None and item.folder_id == self.folder_id(DRAFTS) else None

    def _with_message_id(self, folder: str, identifier: str) -> Listed | None:
        if not identifier:
            return None
        request = find_message(self._connection.address, folder, identifier)
        found = found_in(self._connection.ask_one(request, DraftFailed)).items
        return found[-1] if found else None


def _parts(draft_id: str) -> tuple[str, str]:
    """Item id and Message-ID in a draft's id; two empty texts where it is none."""
    item_id, _, identifier = draft_id.partition(" ")
    return (item_id, identifier) if identifier and valid_id(item_id) else ("", "")


def _message_id(mime: bytes) -> str:
    head = mime[: 64 * 1024].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return str(BytesHeaderParser().parsebytes(head + b"\n\n").get("Message-ID", "")).strip().strip("<>")

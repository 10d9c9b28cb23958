"""Drafts in Microsoft 365: saved whole, sent once, and what became of them.

A reply is made by createReply from the message that it answers, so that Outlook shows both in one conversation, and
with our own MIME, so that what leaves is what was composed: Message-ID, Auto-Submitted, In-Reply-To. (A draft described
in JSON may carry no header but X- ones.) Everything else is created from MIME.
https://learn.microsoft.com/graph/api/message-createreply, https://learn.microsoft.com/graph/outlook-send-mime-message

Sending is one request, `send`, on the draft's immutable id. It answers 202 before the mail is out, and for a moment the
message may be in no folder (https://learn.microsoft.com/graph/outlook-immutable-id#immutable-id-with-sending-mail). So
whoever asks what became of a draft finds it a draft only where it was not handed over; what lies in the outbox, or is
marked as submitted, is neither; and what is found nowhere is looked for again before it is called gone.
"""

import base64
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from connectors.errors import (
    ConnectFailed,
    DraftFailed,
    MailboxError,
    MessageGone,
    SendFailed,
    SendRejected,
    SendUncertain,
    Throttled,
)
from connectors.graph_attachments import LARGEST_REQUEST, attach, lightened
from connectors.graph_batch import Part
from connectors.graph_client import GraphClient, Unanswered
from connectors.graph_entries import FLAGS, Entry, expand, is_id, message_path, read_entry, read_page
from connectors.graph_errors import BUSY, Refused
from connectors.graph_folders import Folders
from connectors.mailbox import DraftState
from connectors.message import Message
from connectors.mime import parse_message

_PAUSES = (1.0, 2.0, 4.0)
"""Seconds between looks for a draft that is found nowhere: it may be on its way to Sent."""
ACCEPTED_KEPT = 200
"""A draft that was taken over looks like a draft for seconds; a connection stays open for months."""
_HEAD = 64 * 1024
"""Bytes of a draft in which its header fields are looked for."""
_SHOWN = {"$select": "isDraft,parentFolderId,internetMessageId", "$expand": expand(FLAGS)}
_MESSAGE_ID = re.compile(rb"^message-id:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE)
_LATER = frozenset({"ErrorQuotaExceeded", "ErrorExceededMessageLimit", "ErrorSubmissionQuotaExceeded"})
"""Refusals that pass: the mailbox is full, or has sent too much for today."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the id of a draft holds: Graph's, and the Message-ID, by which it is found again whatever happened."""

    id: str
    rfc_message_id: str
    """Without angle brackets."""

    def text(self) -> str:
        """As the id of a draft."""
        return f"{self.id} {quote(self.rfc_message_id, safe='@$+-.=')}"


def draft_of(text: str) -> Draft | None:
    """The draft that an id names, None where it is none of ours."""
    id_, _, rfc_message_id = text.partition(" ")
    return Draft(id_, unquote(rfc_message_id)) if is_id(id_) else None


class Drafts:
    """Drafts and Sent of one mailbox."""

    def __init__(self, client: GraphClient, folders: Folders, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._folders = folders
        self._sleep = sleep
        self._accepted: dict[str, None] = {}
        """Ids of drafts whose sending the server took over, the newest `ACCEPTED_KEPT`, oldest first."""

    def save(self, mime: bytes) -> str:
        """Saves a draft, or finds the one with this Message-ID. Returns its id. Raises DraftFailed, ConnectFailed."""
        address = self._client.address
        reply = parse_message(mime[:_HEAD], mailbox=address, id="", received_at=datetime.now(UTC))
        if not reply.message_id:
            raise DraftFailed("a draft needs a Message-ID: by it it is found again after a crash")
        try:
            found, answered = self._lookup(reply)
            if found is None and len(mime) > LARGEST_REQUEST:
                found = self._put_together(mime, reply, answered)
            elif found is None:
                found = self._created(mime, reply, answered)
        except Refused as error:
            raise DraftFailed(f"Microsoft Graph, {address}: the draft is refused ({error})") from error
        return Draft(found.id, reply.message_id).text()

    def state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """What became of a draft. Raises DraftFailed, also while the server is sending it, and ConnectFailed."""
        draft = draft_of(draft_id)
        wanted = rfc_message_id or (draft.rfc_message_id if draft else "")
        return self._looked(draft.id if draft else "", wanted)[0]

    def send(self, draft_id: str) -> None:
        """Sends a draft. See `Mailbox.send_draft`."""
        draft = draft_of(draft_id)
        if draft is None:
            raise MessageGone("there is no such draft")
        try:
            state, there = self._looked(draft.id, draft.rfc_message_id)
        except (Throttled, SendUncertain):
            raise
        except (ConnectFailed, DraftFailed) as error:
            # Nothing was handed over by this call: who takes this for uncertain never answers the family.
            raise SendFailed(str(error)) from error
        if state is DraftState.SENT or (there is not None and there.id in self._accepted):
            return
        if there is None:
            raise MessageGone("the draft is neither a draft any more nor in Sent: it was discarded")
        self._handed_over(there.id, draft.rfc_message_id)

    def discard(self, draft_id: str) -> None:
        """Deletes a draft; one that is no draft any more is no error. Raises DraftFailed, ConnectFailed."""
        draft = draft_of(draft_id)
        if draft is None:
            return
        found = self._entry(draft.id)
        if found is not None and self._judged([found])[1] is not None:
            self._delete(draft.id)

    def _delete(self, id_: str) -> None:
        try:
            self._client.change("DELETE", message_path(id_))
        except Refused as error:
            if not error.failure.gone:
                raise DraftFailed(
                    f"Microsoft Graph, {self._client.address}: the draft cannot be deleted ({error})"
                ) from error

    def _handed_over(self, id_: str, rfc_message_id: str) -> None:
        address = self._client.address
        try:
            self._client.once(message_path(id_) + "/send")
        except Unanswered as error:
            self._sent_or_uncertain(id_, rfc_message_id, str(error))
        except Refused as error:
            failure = error.failure
            if failure.status == 429:
                raise Throttled(f"Microsoft Graph, {address}: no more may be sent now", failure.retry_after) from error
            if failure.gone or failure.conflict or failure.status in BUSY or failure.code == "ErrorInvalidRequest":
                # Somebody else may have sent it, or this very request did before a gateway gave up on it.
                self._sent_or_uncertain(id_, rfc_message_id, str(error))
            elif failure.code in _LATER:
                raise SendFailed(f"Microsoft Graph, {address}: not now ({error})") from error
            else:
                raise SendRejected(f"Microsoft Graph, {address}: the server refuses to send this ({error})") from error
        except Throttled:
            raise
        except ConnectFailed as error:
            raise SendFailed(str(error)) from error
        self._accepted[id_] = None
        if len(self._accepted) > ACCEPTED_KEPT:
            del self._accepted[next(iter(self._accepted))]

    def _sent_or_uncertain(self, id_: str, rfc_message_id: str, why: str) -> None:
        """Returns where the message is in Sent. Raises SendUncertain otherwise: its fate is asked later."""
        try:
            state = self._looked(id_, rfc_message_id, patient=False)[0]
        except MailboxError as error:
            raise SendUncertain(f"Microsoft Graph, {self._client.address}: {why}, and then {error}") from error
        if state is not DraftState.SENT:
            raise SendUncertain(f"Microsoft Graph, {self._client.address}: {why}, the mail may or may not be out")

    def _looked(self, id_: str, rfc_message_id: str, *, patient: bool = True) -> tuple[DraftState, Entry | None]:
        """What became of a draft, and the draft where it is one. Raises DraftFailed while the server is sending it."""
        for pause in (*(_PAUSES if id_ and patient else ()), None):
            found = self._found(id_, rfc_message_id)
            state, there = self._judged(found)
            if state is not DraftState.GONE or any(one.folder == self._folders.deleted for one in found):
                return state, there
            if pause is not None:
                self._sleep(pause)
        return DraftState.GONE, None

    def _judged(self, found: Iterable[Entry]) -> tuple[DraftState, Entry | None]:
        drafts = [one for one in found if one.is_draft]
        if any(not one.is_draft for one in found):
            # Wherever it lies: a message that is no draft any more was sent, the teacher may have filed it.
            return DraftState.SENT, None
        if any(one.submitted or one.folder == self._folders.outbox for one in drafts):
            raise DraftFailed(
                f"Microsoft Graph, {self._client.address}: the server is about to send the mail; asked later"
            )
        there = next((one for one in drafts if one.folder != self._folders.deleted), None)
        return (DraftState.DRAFT, there) if there else (DraftState.GONE, None)

    def _found(self, id_: str, rfc_message_id: str) -> list[Entry]:
        """The draft or the sent message, by its id and by its Message-ID, in one request."""
        parts: list[Part] = []
        if id_:
            parts.append(Part("GET", self._client.path(message_path(id_), _SHOWN)))
        if rfc_message_id:
            parts.append(self._with_message_id("", rfc_message_id))
        found: dict[str, Entry] = {}
        for part, answer in zip(parts, self._client.batch(parts), strict=True):
            try:
                body = answer.wanted()
            except Refused as error:
                if error.failure.gone:
                    continue
                raise self._unknown(error) from error
            entries = read_page(body).value if part is parts[-1] and rfc_message_id else (read_entry(body),)
            found |= {entry.id: entry for entry in entries}
        return list(found.values())

    def _entry(self, id_: str) -> Entry | None:
        try:
            return read_entry(self._client.get(message_path(id_), _SHOWN))
        except Refused as error:
            if error.failure.gone:
                return None
            raise self._unknown(error) from error

    def _unknown(self, error: Refused) -> DraftFailed:
        return DraftFailed(f"Microsoft Graph, {self._client.address}: a draft cannot be looked up ({error})")

    def _with_message_id(self, within: str, rfc_message_id: str) -> Part:
        """Messages under a Message-ID: https://learn.microsoft.com/graph/api/user-list-messages."""
        quoted = rfc_message_id.replace("'", "''")
        query = _SHOWN | {"$filter": f"internetMessageId eq '<{quoted}>'"}
        return Part("GET", self._client.path(f"{within}/messages", query))

    def _lookup(self, reply: Message) -> tuple[Entry | None, str]:
        """The draft with the reply's Message-ID, and the id of the message that it answers; empty where it is not in
        this mailbox."""
        parts = [self._with_message_id("", reply.message_id or "")]
        if reply.in_reply_to:
            parts.append(self._with_message_id("/mailFolders/inbox", reply.in_reply_to[-1]))
        answers = self._client.batch(parts)
        drafts = [one for one in read_page(answers[0].wanted()).value if one.is_draft]
        there = next((one for one in drafts if one.folder != self._folders.deleted), None)
        if len(answers) == 1 or there is not None:
            return there, ""
        originals = [one for one in read_page(answers[1].wanted()).value if not one.is_draft]
        return None, originals[0].id if originals else ""

    def _created(self, mime: bytes, reply: Message, answered: str) -> Entry:
        """Makes the draft. Where the line broke it is looked for before it is made again."""
        content = base64.b64encode(mime)
        reply_path = message_path(answered) + "/createReply" if answered else ""
        paths = [*([reply_path] * 2 if answered else ()), "/messages", "/messages"]
        trouble: Exception | None = None
        while paths:
            path = paths.pop(0)
            try:
                made = read_entry(self._client.once(path, content, "text/plain"))
                if path == reply_path and made.recipients != _recipients(reply):
                    # The original's Reply-To may be a list of many: nobody gets mail that was not written to them.
                    self._delete(made.id)
                    paths = ["/messages", "/messages"]
                    continue
                return self._as_composed(made, reply)
            except Unanswered as error:
                trouble = error
            except Refused as error:
                if error.failure.status in BUSY:
                    trouble = error
                elif path == "/messages":
                    raise
                else:
                    # The message that it answers was just deleted: it is a mail of its own now.
                    paths = [other for other in paths if other != path]
                    continue
            found, _ = self._lookup(reply)
            if found is not None:
                return found
            if isinstance(trouble, Refused) and trouble.failure.status == 429:
                break
        after = trouble.failure.retry_after if isinstance(trouble, Refused) else None
        raise Throttled(f"Microsoft Graph, {self._client.address}: the draft could not be saved ({trouble})", after)

    def _put_together(self, mime: bytes, reply: Message, answered: str) -> Entry:
        """Makes a draft that is too large for one request. It gets its Message-ID when it is whole: what a crash leaves
        behind is under another, and deleted by the next attempt, instead of being sent without its attachments."""
        rest, attachments = lightened(mime)
        unfinished = replace(reply, message_id=f"unfinished.{reply.message_id}")
        named = _MESSAGE_ID.sub(f"Message-ID: <{unfinished.message_id}>".encode(), rest, count=1)
        left, _ = self._lookup(unfinished)
        if left is not None:
            self._delete(left.id)
        made = self._created(named, unfinished, answered)
        try:
            for attachment in attachments:
                attach(self._client, made.id, attachment)
            return self._as_composed(made, reply)
        except Unanswered as error:
            raise DraftFailed(f"Microsoft Graph, {self._client.address}: an attachment: {error}") from error

    def _as_composed(self, made: Entry, reply: Message) -> Entry:
        """The draft with our Message-ID, whatever the server made of it: by it a second sending is prevented."""
        wanted = f"<{reply.message_id}>"
        if made.message_id == wanted:
            return made
        body: dict[str, Any] = {"internetMessageId": wanted}
        written = read_entry(self._client.change("PATCH", message_path(made.id), body))
        if written.message_id != wanted:
            self.discard(made.id)
            raise DraftFailed(
                f"Microsoft Graph, {self._client.address}: the server does not keep the Message-ID of a draft. Without "
                "it a family could be answered twice, so nothing is sent"
            )
        return made


def _recipients(mail: Message) -> frozenset[str]:
    return frozenset(one.email for one in (*mail.to, *mail.cc))

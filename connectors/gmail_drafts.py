"""Drafts in Gmail: saved into the family's conversation, sent once, looked up after a crash.

Sending is atomic: `drafts.send` takes the draft away and makes a new message with the label SENT; for a draft that is
gone it answers 404 (developers.google.com/workspace/gmail/api/guides/drafts). So a draft that is there was certainly
not sent. For one that is gone, its message is looked for under its Message-ID, also in Trash. Gmail is known to give
some mail another Message-ID while sending it; then our own mark on it, in the same conversation, tells that it went.
"""

import email.parser
import hashlib
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import getaddresses

from googleapiclient.http import HttpRequest, MediaIoBaseUpload

from connectors.errors import (
    ConnectFailed,
    DraftFailed,
    MailboxError,
    MessageGone,
    SendFailed,
    SendRejected,
    SendUncertain,
)
from connectors.gmail_calls import Calls
from connectors.gmail_errors import LineBroke, NotReached, Refused
from connectors.gmail_mail import SENT, Reading, encoded
from connectors.mailbox import DraftState
from connectors.message import MARKER

_INLINE = 1024 * 1024
"""Bytes of a draft that go in a JSON field; more is uploaded as it is."""
_ANCESTORS = 3
"""So many of the latest messages that a reply refers to are looked for: its parent may have been deleted."""
_NEWEST = 5
"""So many of the newest drafts are looked through where search does not find one: its index lags behind."""
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_HEADER_BYTES = 256 * 1024
_TRACE_HEADERS = (MARKER, "In-Reply-To", "To", "Cc")


@dataclass(frozen=True, slots=True)
class Place:
    """A draft: Google's id of it, its conversation, a trace of its header, and its Message-ID."""

    draft: str
    thread: str
    trace: str
    rfc_message_id: str

    def text(self) -> str:
        """As the store keeps it."""
        return f"{self.draft}/{self.thread}/{self.trace}/{self.rfc_message_id}"


def parse_place(text: str) -> Place | None:
    """The place in a draft's id; None where it is none of ours."""
    parts = text.split("/", 3)
    if len(parts) != 4 or not _ID.fullmatch(parts[0]) or not parts[3].isprintable():
        return None
    return Place(*parts) if not parts[1] or _ID.fullmatch(parts[1]) else None


class Drafts:
    """Drafts and Sent of one mailbox."""

    def __init__(self, calls: Calls, reading: Reading) -> None:
        self._calls = calls
        self._reading = reading
        self._drafts = calls.users.drafts()

    def save(self, mime: bytes) -> str:
        """Saves a draft, or finds the one with this Message-ID. Returns its id. Raises DraftFailed."""
        fields = _header(mime)
        rfc_message_id = _bare(fields.get("message-id", ""))
        if not rfc_message_id:
            raise DraftFailed("a draft needs a Message-ID: by it it is found again after a crash")
        trace = _trace(fields)
        found = self._find(rfc_message_id)
        if found is None:
            try:
                found = self._create(mime, self._thread(fields))
            except LineBroke as error:
                found = self._find(rfc_message_id)
                if found is None:
                    raise DraftFailed(f"it is not known whether the draft was saved: {error}") from error
        return Place(*found, trace, rfc_message_id).text()

    def state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """What became of a draft."""
        place = parse_place(draft_id)
        if place is not None:
            if self._exists(place.draft):
                return DraftState.DRAFT
            return DraftState.SENT if self._was_sent(place, rfc_message_id) else DraftState.GONE
        if self._in_sent(rfc_message_id):
            return DraftState.SENT
        return DraftState.DRAFT if self._find(rfc_message_id) else DraftState.GONE

    def send(self, draft_id: str) -> None:
        """Sends a draft. See `Mailbox.send_draft`."""
        place = parse_place(draft_id)
        if place is None:
            raise MessageGone("there is no such draft")
        try:
            self._calls.run_once(self._drafts.send(userId="me", body={"id": place.draft}))
        except LineBroke as error:
            if not self._left_meanwhile(place):
                raise SendUncertain(str(error)) from error
        except NotReached as error:
            raise SendFailed(str(error)) from error
        except Refused as error:
            if error.status not in {404, 410}:
                raise SendRejected(f"Gmail does not send this draft: {error}") from error
            if not self._sent_surely(place):
                raise MessageGone("the draft is neither in Drafts nor in Sent: it was discarded") from error

    def discard(self, draft_id: str) -> None:
        """Deletes a draft; one that is no draft any more is no error. Raises DraftFailed."""
        place = parse_place(draft_id)
        if place is None:
            return
        try:
            self._calls.run(self._drafts.delete(userId="me", id=place.draft))
        except Refused as error:
            if error.status not in {404, 410}:
                raise DraftFailed(f"the draft cannot be deleted: {error}") from error

    def _left_meanwhile(self, place: Place) -> bool:
        """Whether a draft whose sending was cut off is certainly out; False also where that cannot be asked now."""
        try:
            return not self._exists(place.draft) and self._was_sent(place, place.rfc_message_id)
        except MailboxError:
            return False

    def _sent_surely(self, place: Place) -> bool:
        try:
            return self._was_sent(place, place.rfc_message_id)
        except ConnectFailed as error:
            # No draft is there; whether it went out or was discarded is what could not be asked.
            raise SendUncertain(f"the draft is gone, and Sent cannot be looked at: {error}") from error

    def _create(self, mime: bytes, thread: str) -> tuple[str, str]:
        try:
            answer = self._calls.run_once(self._creation(mime, thread))
        except Refused as error:
            if not thread or error.status not in {400, 404}:
                raise DraftFailed(f"Gmail does not take the draft: {error}") from error
            try:  # the conversation was deleted a moment ago
                answer = self._calls.run_once(self._creation(mime, ""))
            except Refused as again:
                raise DraftFailed(f"Gmail does not take the draft: {again}") from again
        return str(answer["id"]), str(answer.get("message", {}).get("threadId", ""))

    def _creation(self, mime: bytes, thread: str) -> HttpRequest:
        message = {"threadId": thread} if thread else {}
        if len(mime) <= _INLINE:
            return self._drafts.create(userId="me", body={"message": {**message, "raw": encoded(mime)}})
        media = MediaIoBaseUpload(io.BytesIO(mime), "message/rfc822", resumable=False)
        return self._calls.at_root(self._drafts.create(userId="me", body={"message": message}, media_body=media))

    def _find(self, rfc_message_id: str) -> tuple[str, str] | None:
        """The draft with this Message-ID: its id and its conversation."""
        query = _search(rfc_message_id)
        if query is None:
            return None
        found = self._listed(query, 1)
        if not found:
            newest = dict(self._listed(None, _NEWEST))
            requests = {id_: self._drafts.get(userId="me", id=id_, format="metadata") for id_ in newest}
            for id_, outcome in self._calls.batch(requests).items():
                headers = (
                    outcome.get("message", {}).get("payload", {}).get("headers", ())
                    if isinstance(outcome, dict)
                    else ()
                )
                ids = [
                    _bare(str(each.get("value"))) for each in headers if each.get("name", "").lower() == "message-id"
                ]
                if rfc_message_id in ids:
                    return id_, newest[id_]
            return None
        return found[0]

    def _listed(self, query: str | None, most: int) -> list[tuple[str, str]]:
        answer = self._calls.run(self._drafts.list(userId="me", q=query, maxResults=most))
        return [
            (str(each["id"]), str(each.get("message", {}).get("threadId", ""))) for each in answer.get("drafts", ())
        ]

    def _exists(self, draft: str) -> bool:
        try:
            self._calls.run(self._drafts.get(userId="me", id=draft, format="minimal"))
        except Refused as error:
            if error.status in {400, 404, 410}:
                return False
            raise
        return True

    def _was_sent(self, place: Place, rfc_message_id: str) -> bool:
        return self._in_sent(rfc_message_id or place.rfc_message_id) or self._left_its_trace(place)

    def _in_sent(self, rfc_message_id: str) -> bool:
        query = _search(rfc_message_id)
        if query is None:
            return False
        ids = self._reading.listing(query, 10, everywhere=True).ids
        return any(SENT in stored.labels for stored in self._reading.states(ids).values())

    def _left_its_trace(self, place: Place) -> bool:
        """Whether a message of ours to the same people, in answer to the same mail, was sent in the conversation."""
        if not place.thread or not place.trace:
            return False
        try:
            messages = self._reading.thread(place.thread, _TRACE_HEADERS)
        except Refused as error:
            if error.status in {400, 404, 410}:
                return False
            raise
        return any(SENT in stored.labels and _trace(fields) == place.trace for stored, fields in messages)

    def _thread(self, fields: Mapping[str, str]) -> str:
        """The conversation of the mail that is answered; empty where there is none."""
        named = [*_ids(fields.get("references", "")), *_ids(fields.get("in-reply-to", ""))]
        for rfc_message_id in list(dict.fromkeys(reversed(named)))[:_ANCESTORS]:
            query = _search(rfc_message_id)
            threads = self._reading.listing(query, 1).threads if query else ()
            if threads:
                return threads[0]
        return ""


def _header(mime: bytes) -> dict[str, str]:
    head = mime[:_HEADER_BYTES].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    parsed = email.parser.BytesHeaderParser().parsebytes(head + b"\n\n")
    return {name.lower(): str(value) for name, value in reversed(parsed.items())}


def _bare(field: str) -> str:
    return field.strip().strip("<>").strip()


def _ids(field: str) -> list[str]:
    return re.findall(r"<([^<>\s]+)>", field)


def _search(rfc_message_id: str) -> str | None:
    """A search for a Message-ID; None where it cannot be searched for."""
    plain = bool(rfc_message_id) and rfc_message_id.isprintable() and not re.search(r'[\s"<>{}()]', rfc_message_id)
    return f"rfc822msgid:{rfc_message_id}" if plain else None


def _trace(fields: Mapping[str, str]) -> str:
    """What stays of our own mail whatever a server does to it; empty for mail that is not marked as ours."""
    mark = fields.get(MARKER.lower(), "").strip()
    if mark in {"", "draft"}:  # a draft that the teacher finishes is the teacher's, and its alternatives look alike
        return ""
    people = sorted(address.lower() for _, address in getaddresses([fields.get("to", ""), fields.get("cc", "")]))
    return hashlib.sha256(repr((mark, _ids(fields.get("in-reply-to", "")), people)).encode()).hexdigest()[:16]

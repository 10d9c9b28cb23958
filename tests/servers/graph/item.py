"""One message of a mailbox of the stand-in, and what Graph shows of it."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import format_datetime, getaddresses, parsedate_to_datetime
from typing import Any

_HEADERS = BytesHeaderParser(policy=policy.compat32)
SELECTABLE = [
    "id",
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "categories",
    "receivedDateTime",
    "sentDateTime",
    "hasAttachments",
    "internetMessageId",
    "subject",
    "bodyPreview",
    "importance",
    "parentFolderId",
    "conversationId",
    "conversationIndex",
    "isDeliveryReceiptRequested",
    "isReadReceiptRequested",
    "isRead",
    "isDraft",
    "webLink",
    "inferenceClassification",
    "body",
    "sender",
    "from",
    "toRecipients",
    "ccRecipients",
    "bccRecipients",
    "replyTo",
    "flag",
    "internetMessageHeaders",
    "uniqueBody",
]
"""https://learn.microsoft.com/graph/api/resources/message"""
_ONLY_SELECTED = ("internetMessageHeaders", "uniqueBody")
WRITABLE = [
    "bccRecipients",
    "body",
    "categories",
    "ccRecipients",
    "flag",
    "from",
    "importance",
    "inferenceClassification",
    "internetMessageId",
    "isRead",
    "isDeliveryReceiptRequested",
    "isReadReceiptRequested",
    "replyTo",
    "sender",
    "subject",
    "toRecipients",
    "singleValueExtendedProperties",
]
"""What https://learn.microsoft.com/graph/api/message-update lets a client write."""
WRITABLE_IN_DRAFTS = frozenset(
    [
        "bccRecipients",
        "body",
        "ccRecipients",
        "from",
        "internetMessageId",
        "replyTo",
        "sender",
        "subject",
        "toRecipients",
    ]
)
_ADDRESS_HEADERS = {
    "toRecipients": "To",
    "ccRecipients": "Cc",
    "bccRecipients": "Bcc",
    "replyTo": "Reply-To",
    "from": "From",
    "sender": "Sender",
}
KEYWORDS = "StringArray {00020329-0000-0000-C000-000000000046} Name Keywords"
"""PidNameKeywords of MS-OXCMSG §2.2.1.17: the categories, as other programs of the mailbox see them."""
_TEXT_TAGS = {"String 0x1035": "Message-ID", "String 0x0037": "Subject", "String 0x1042": "In-Reply-To"}


def stamp(moment: datetime) -> str:
    """A time as Graph writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rest_id(number: int, folder: str) -> str:
    """The id that changes when an item moves."""
    return _id("AAMkAGI2TG93AAA", f"{number}/{folder}", 120)


def immutable_id(number: int) -> str:
    """The id that stays within the mailbox."""
    return _id("AAkALgAAAAAAHYQDEapmEc2byACqAC_EWg0A", str(number), 88)


def _id(prefix: str, seed: str, length: int) -> str:
    digest = hashlib.shake_256(seed.encode()).digest(length)
    return (prefix + base64.urlsafe_b64encode(digest).decode().replace("=", "A"))[: length - 1] + "="


@dataclass
class Item:
    """A message as the store has it; the MIME is the truth for everything that MIME says."""

    number: int
    mime: bytes
    folder: str
    received: datetime
    is_draft: bool = False
    is_read: bool = False
    flagged: bool = False
    categories: list[str] = field(default_factory=list)
    importance: str = "normal"
    conversation: str = ""
    modified: datetime | None = None
    change: int = 0
    moves: int = 0
    mime_fails: bool = False
    extended: dict[str, str] = field(default_factory=dict)
    _fields: Mapping[str, Any] | None = None

    @property
    def immutable_id(self) -> str:
        return immutable_id(self.number)

    @property
    def rest_id(self) -> str:
        return rest_id(self.number, f"{self.folder}/{self.moves}")

    @property
    def etag(self) -> str:
        return 'W/"' + self.change_key + '"'

    @property
    def change_key(self) -> str:
        return base64.b64encode(b"\x09\x00\x00\x00\x16\x00\x00\x00" + self.change.to_bytes(16, "big")).decode()

    def replace_mime(self, mime: bytes) -> None:
        self.mime = mime
        self._fields = None

    def header(self, name: str) -> str:
        """A header field, decoded; empty where it lacks."""
        return _text(self._parsed().get(name))

    def addresses(self, name: str) -> list[dict[str, Any]]:
        """The addresses of a header field, as Graph writes recipients."""
        values = [_text(value) for value in self._parsed().get_all(name, [])]
        pairs = getaddresses(values)
        return [{"emailAddress": {"name": name or address, "address": address}} for name, address in pairs if address]

    @property
    def message_id(self) -> str:
        """With angle brackets, as Graph writes it; Exchange makes one up where there is none."""
        return self.header("Message-ID").strip() or f"<{self.number:032x}@graph.test.example>"

    def shown(self, select: Iterable[str] | None, *, immutable: bool, body_type: str = "html") -> dict[str, Any]:
        """The message as JSON: everything that is shown unasked, or `select` and the id."""
        names = [name for name in SELECTABLE if name not in _ONLY_SELECTED] if select is None else ["id", *select]
        shown: dict[str, Any] = {"@odata.etag": self.etag}
        for name in dict.fromkeys(names):
            shown[name] = self._property(name, immutable=immutable, body_type=body_type)
        return {name: value for name, value in shown.items() if value is not _LEFT_OUT}

    def extended_property(self, tag: str) -> str | list[str] | None:
        """An extended property: text, or a list where it has many values; None where the message has none of it."""
        if tag == KEYWORDS:
            return list(self.categories) or None
        if tag in ("Integer 0x0E08", "Integer 0xE08", "Long 0x0E08"):
            return str(len(self.mime))
        if tag in ("String 0x007D", "String 0x7D"):
            return re.split(rb"\r?\n\r?\n", self.mime, maxsplit=1)[0].decode("utf-8", "replace")
        if tag in _TEXT_TAGS:
            return self.header(_TEXT_TAGS[tag]) or None
        return self.extended.get(tag)

    def _property(self, name: str, *, immutable: bool, body_type: str) -> Any:
        if name == "id":
            return self.immutable_id if immutable else self.rest_id
        if name in ("body", "uniqueBody"):
            return {"contentType": body_type, "content": self.text()}
        if name in ("from", "sender"):
            found = self.addresses("Sender") if name == "sender" else []
            found = found or self.addresses("From")
            return found[0] if found else _LEFT_OUT
        if name in _ADDRESS_HEADERS:
            return self.addresses(_ADDRESS_HEADERS[name])
        return _SHOWN[name](self)

    def text(self) -> str:
        """What stands in the body."""
        message = message_from_bytes(self.mime, policy=policy.default)
        try:
            part = message.get_body(("plain", "html"))
            return str(part.get_content()) if part is not None else ""
        except (LookupError, KeyError, ValueError):
            return self.mime.decode("utf-8", "replace")

    def sent(self) -> datetime:
        """When its sender says to have sent it."""
        try:
            found = parsedate_to_datetime(self.header("Date"))
        except (TypeError, ValueError, IndexError):
            return self.received
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    def headers(self) -> list[dict[str, str]]:
        """Every header field in its order."""
        return [{"name": key, "value": _text(value)} for key, value in self._parsed().items()]

    def _parsed(self) -> Any:
        if self._fields is None:
            self._fields = _HEADERS.parsebytes(self.mime[:262144])
        return self._fields


_LEFT_OUT = object()
_SHOWN: Mapping[str, Callable[[Item], Any]] = {
    "createdDateTime": lambda item: stamp(item.received),
    "receivedDateTime": lambda item: stamp(item.received),
    "lastModifiedDateTime": lambda item: stamp(item.modified or item.received),
    "sentDateTime": lambda item: stamp(item.sent()),
    "changeKey": lambda item: item.change_key,
    "categories": lambda item: list(item.categories),
    "internetMessageId": lambda item: item.message_id,
    "subject": lambda item: item.header("Subject"),
    "importance": lambda item: item.importance,
    "parentFolderId": lambda item: item.folder,
    "conversationId": lambda item: item.conversation,
    "conversationIndex": lambda item: base64.b64encode(item.conversation.encode()[:22]).decode(),
    "isRead": lambda item: item.is_read,
    "isDraft": lambda item: item.is_draft,
    "isDeliveryReceiptRequested": lambda item: False,
    "isReadReceiptRequested": lambda item: False,
    "webLink": lambda item: "https://outlook.office365.com/owa/?ItemID=" + item.rest_id,
    "inferenceClassification": lambda item: "focused",
    "flag": lambda item: {"flagStatus": "flagged" if item.flagged else "notFlagged"},
    "hasAttachments": lambda item: b"attachment" in item.mime[:65536].lower(),
    "internetMessageHeaders": lambda item: item.headers(),
    "bodyPreview": lambda item: " ".join(item.text().split())[:255],
}


def _text(value: Any) -> str:
    if value is None:
        return ""
    try:
        return str(make_header(decode_header(value))) if not isinstance(value, str) or "=?" in value else value
    except (LookupError, ValueError):
        return str(value)


def composed(properties: Mapping[str, Any], sender: str, now: datetime, onto: bytes | None = None) -> bytes:
    """The MIME of a message that a client describes in JSON, laid over the message `onto`."""
    message = EmailMessage(policy=policy.SMTP.clone(refold_source="none"))
    if onto is not None:
        message = message_from_bytes(onto, policy=policy.SMTP.clone(refold_source="none"))
    for name, header in _ADDRESS_HEADERS.items():
        if name in properties:
            found = properties[name] if isinstance(properties[name], list) else [properties[name]]
            _replace(message, header, ", ".join(_written(one["emailAddress"]) for one in found))
    if "subject" in properties:
        _replace(message, "Subject", properties["subject"])
    if "internetMessageId" in properties:
        _replace(message, "Message-ID", properties["internetMessageId"])
    if message["From"] is None:
        message["From"] = sender
    if message["Date"] is None:
        message["Date"] = format_datetime(now)
    for header in properties.get("internetMessageHeaders", ()):
        _replace(message, header["name"], header["value"])
    if "body" in properties or onto is None:
        body = properties.get("body") or {"contentType": "text", "content": ""}
        message.set_content(body["content"], subtype="html" if body["contentType"].lower() == "html" else "plain")
    return message.as_bytes()


def _written(address: Mapping[str, str]) -> str:
    name = address.get("name", "")
    return f'"{name}" <{address["address"]}>' if name and name != address["address"] else address["address"]


def _replace(message: EmailMessage, name: str, value: str) -> None:
    del message[name]
    if value:
        message[name] = value

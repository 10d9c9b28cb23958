"""What clients write: whole messages, from MIME or from parts, and single properties."""

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, compat32
from email.utils import format_datetime, formataddr, make_msgid

from lxml import etree

from tests.servers.ews.extended import KEYWORDS
from tests.servers.ews.properties import Properties
from tests.servers.ews.shapes import extended_key
from tests.servers.ews.soap import Refused, T, truth
from tests.servers.ews.store import Extended, Flag, Item, Mailbox

Writer = Callable[[Item, etree._Element | None], None]
MESSAGE_FLAGS: Extended = ("tag", "0x0e07", "Integer")
FLAG_STATUS: Extended = ("tag", "0x1090", "Integer")
READ, UNSENT = 1, 8
"""Bits of PR_MESSAGE_FLAGS (MS-OXCMSG §2.2.1.6)."""
_RECIPIENTS = {"To": "ToRecipients", "Cc": "CcRecipients", "Bcc": "BccRecipients", "Reply-To": "ReplyTo"}


def mime_of(message: etree._Element, mailbox: Mailbox) -> bytes:
    """The MIME of a message that a client creates: as given, or made of the parts that were given; either way with a
    Message-ID. Raises Refused."""
    given = message.find(f"{T}MimeContent")
    if given is None:
        return with_message_id(_composed(message, mailbox), mailbox)
    return with_message_id(_decoded(given.text), mailbox)


def with_message_id(mime: bytes, mailbox: Mailbox) -> bytes:
    """With the Message-ID that Exchange gives to what is created without one."""
    if Properties(mime).message_id is not None:
        return mime
    return f"Message-ID: {make_msgid(domain='exchange.' + mailbox.address.partition('@')[2])}\r\n".encode() + mime


def check_recipients(mime: bytes, mailbox: Mailbox) -> tuple[str, ...]:
    """The addresses that a message of this mailbox goes to. Raises Refused where it cannot be sent."""
    found = Properties(mime)
    if {one.address.lower() for one in found.addresses("From")} - {mailbox.address}:
        raise Refused("ErrorSendAsDenied", "The account does not have permission to send as this sender.")
    recipients = tuple(dict.fromkeys(one.address.lower() for one in found.addresses("To", "Cc", "Bcc")))
    if not recipients:
        raise Refused("ErrorInvalidRecipients", "At least one recipient isn't valid.")
    return recipients


def without_header(mime: bytes, name: str) -> bytes:
    """Without every header of this name."""
    parsed = message_from_bytes(mime, policy=compat32)
    if name not in parsed:
        return mime
    del parsed[name]
    return parsed.as_bytes()


def write_properties(item: Item, message: etree._Element) -> None:
    """The properties beside the content that a created message comes with."""
    for child in message:
        name = etree.QName(child).localname
        if name in ("Categories", "Flag", "Importance", "ItemClass"):
            _WRITERS[name](item, child)
        elif name == "IsRead":
            item.is_read = truth(child.text)
        elif name == "ExtendedProperty":
            _write_extended(item, extended_key(child[0]), child)


def write_field(item: Item, update: etree._Element) -> bool:
    """Carries out one SetItemField, AppendToItemField or DeleteItemField. Whether the item's ChangeKey changes by it.
    Raises Refused."""
    path = update[0]
    value = update[1][0] if update.tag != f"{T}DeleteItemField" and len(update[1]) else None
    if path.tag == f"{T}ExtendedFieldURI":
        _write_extended(item, extended_key(path), value)
        return True
    name = path.get("FieldURI", "").partition(":")[2]
    if name == "IsRead":
        item.folder.mailbox.mark_read(item, value is not None and truth(value.text))
        return False
    if name not in _WRITERS:
        raise Refused("ErrorInvalidPropertySet", f"Set action is invalid for property {path.get('FieldURI')}.")
    _WRITERS[name](item, value)
    return True


def _write_extended(item: Item, key: Extended, given: etree._Element | None) -> None:
    values = () if given is None else tuple(value.text or "" for value in given.iter(f"{T}Value"))
    if key == KEYWORDS:
        item.categories = values
    elif key == FLAG_STATUS:
        item.flag = Flag({"1": "Complete", "2": "Flagged"}.get(values[0] if values else "", "NotFlagged"))
    elif key == MESSAGE_FLAGS and values:
        item.is_read = bool(int(values[0]) & READ)
        item.is_draft = bool(int(values[0]) & UNSENT)
    elif given is None:
        item.extended.pop(key, None)
    else:
        item.extended[key] = values


def _write_categories(item: Item, value: etree._Element | None) -> None:
    item.categories = () if value is None else tuple(string.text or "" for string in value)


def _write_flag(item: Item, value: etree._Element | None) -> None:
    if value is None:
        item.flag = Flag()
        return
    item.flag = Flag(
        value.findtext(f"{T}FlagStatus", "NotFlagged"),
        due=value.findtext(f"{T}DueDate"),
        start=value.findtext(f"{T}StartDate"),
        completed=value.findtext(f"{T}CompleteDate"),
    )


def _write_importance(item: Item, value: etree._Element | None) -> None:
    item.importance = None if value is None else value.text


def _write_class(item: Item, value: etree._Element | None) -> None:
    item.item_class = "IPM.Note" if value is None else value.text or "IPM.Note"


def _write_mime(item: Item, value: etree._Element | None) -> None:
    item.replace_mime(_decoded(None if value is None else value.text))


def _write_subject(item: Item, value: etree._Element | None) -> None:
    _only_drafts(item)
    _set_header(item, "Subject", None if value is None else value.text)


def _write_body(item: Item, value: etree._Element | None) -> None:
    _only_drafts(item)
    parsed = message_from_bytes(item.mime, policy=SMTP)
    text = "" if value is None else value.text or ""
    subtype = "html" if value is not None and value.get("BodyType") == "HTML" else "plain"
    parsed.set_content(text, subtype=subtype)  # type: ignore[attr-defined]
    item.replace_mime(parsed.as_bytes())


def _write_people(header: str) -> Writer:
    def write(item: Item, value: etree._Element | None) -> None:
        _only_drafts(item)
        _set_header(item, header, None if value is None else _people(value))

    return write


def _only_drafts(item: Item) -> None:
    if not item.is_draft:
        raise Refused("ErrorInvalidPropertySet", "Set action is invalid for property of a message that was sent.")


def _set_header(item: Item, name: str, text: str | None) -> None:
    parsed = message_from_bytes(item.mime, policy=SMTP)
    del parsed[name]
    if text:
        parsed[name] = text
    item.replace_mime(parsed.as_bytes())


_WRITERS: dict[str, Writer] = {
    "Categories": _write_categories,
    "Flag": _write_flag,
    "Importance": _write_importance,
    "ItemClass": _write_class,
    "MimeContent": _write_mime,
    "Subject": _write_subject,
    "Body": _write_body,
    "ToRecipients": _write_people("To"),
    "CcRecipients": _write_people("Cc"),
    "BccRecipients": _write_people("Bcc"),
    "ReplyTo": _write_people("Reply-To"),
}


def _decoded(text: str | None) -> bytes:
    try:
        return base64.b64decode("".join((text or "").split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise Refused("ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.") from error


def _composed(message: etree._Element, mailbox: Mailbox) -> bytes:
    made = EmailMessage(policy=SMTP)
    made["From"] = _people(message.find(f"{T}From")) or formataddr((mailbox.name, mailbox.address))
    for header, tag in _RECIPIENTS.items():
        people = _people(message.find(f"{T}{tag}"))
        if people:
            made[header] = people
    for header, tag in (("Subject", "Subject"), ("References", "References"), ("Message-ID", "InternetMessageId")):
        text = message.findtext(f"{T}{tag}")
        if text:
            made[header] = text
    for property_ in message.iterfind(f"{T}ExtendedProperty"):
        key = extended_key(property_[0])
        if key[1] == "InternetHeaders":
            made[property_[0].get("PropertyName", "")] = property_.findtext(f"{T}Value") or ""
    made["Date"] = format_datetime(datetime.now(UTC))
    body = message.find(f"{T}Body")
    if body is not None:
        made.set_content(body.text or "", subtype="html" if body.get("BodyType") == "HTML" else "plain")
    for attached in message.iterfind(f"{T}Attachments/{T}FileAttachment"):
        kind, _, subtype = (attached.findtext(f"{T}ContentType") or "application/octet-stream").partition("/")
        content = base64.b64decode(attached.findtext(f"{T}Content") or "")
        made.add_attachment(content, maintype=kind, subtype=subtype, filename=attached.findtext(f"{T}Name"))
    return made.as_bytes()


def _people(holder: etree._Element | None) -> str:
    if holder is None:
        return ""
    return ", ".join(
        formataddr((person.findtext(f"{T}Name") or "", person.findtext(f"{T}EmailAddress") or ""))
        for person in holder.iterfind(f"{T}Mailbox")
    )

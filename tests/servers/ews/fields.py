"""The properties of items as elements: what each property path of EWS shows."""

import base64
import hashlib
from collections.abc import Callable, Iterable

from lxml import etree

from tests.servers.ews.extended import extended_of
from tests.servers.ews.properties import Address
from tests.servers.ews.shapes import Shape
from tests.servers.ews.soap import T, add, written
from tests.servers.ews.store import Folder, Item

Field = Callable[[etree._Element, Item, Shape], None]
"""Adds one property of an item to its element, where the item has it."""


def item_id(parent: etree._Element, item: Item, tag: str = f"{T}ItemId") -> None:
    """Adds an item's id and ChangeKey."""
    add(parent, tag, Id=item.id, ChangeKey=item.folder.mailbox.change_key(item.change))


def folder_id(parent: etree._Element, folder: Folder, tag: str = f"{T}FolderId") -> None:
    """Adds a folder's id and ChangeKey."""
    add(parent, tag, Id=folder.id, ChangeKey=folder.mailbox.change_key(folder.change))


def mailbox(parent: etree._Element, address: Address, *, only_name: bool = False) -> None:
    """Adds a person."""
    made = add(parent, f"{T}Mailbox")
    add(made, f"{T}Name", address.name)
    shown = written(address.address).strip()
    if shown and not only_name:
        add(made, f"{T}EmailAddress", shown)
        add(made, f"{T}RoutingType", address.routing)
        add(made, f"{T}MailboxType", "Mailbox" if address.routing == "EX" else "OneOff")


def from_of(item: Item) -> tuple[Address, ...]:
    """Who a message is from: the From header, or what was set instead."""
    if item.sender is not None:
        return (Address(*item.sender),)
    return item.properties.addresses("From")[:1]


def flag_of(parent: etree._Element, item: Item) -> None:
    """Adds the flag."""
    made = add(parent, f"{T}Flag")
    add(made, f"{T}FlagStatus", item.flag.status)
    for name, value in (
        ("StartDate", item.flag.start),
        ("DueDate", item.flag.due),
        ("CompleteDate", item.flag.completed),
    ):
        if value is not None:
            add(made, f"{T}{name}", value)


def _text(name: str, value: Callable[[Item], object]) -> Field:
    def show(parent: etree._Element, item: Item, shape: Shape) -> None:
        shown = value(item)
        if shown is not None:
            add(parent, f"{T}{name}", shown)

    return show


def _people(name: str, value: Callable[[Item], Iterable[Address]]) -> Field:
    def show(parent: etree._Element, item: Item, shape: Shape) -> None:
        people = tuple(value(item))
        if people:
            holder = add(parent, f"{T}{name}")
            for person in people:
                mailbox(holder, person, only_name=shape.listing)

    return show


def _body(name: str, kind: str | None = None) -> Field:
    def show(parent: etree._Element, item: Item, shape: Shape) -> None:
        found, text = item.properties.body(kind or shape.body)
        if (kind or shape.body) == "HTML" and found == "Text":
            found, text = "HTML", f"<html><body><pre>{text}</pre></body></html>"
        raw = text.encode("utf-8", "replace")
        cut = {} if shape.most is None or len(raw) <= shape.most else {"IsTruncated": True}
        add(parent, f"{T}{name}", raw[: shape.most].decode(errors="ignore") if cut else text, BodyType=found, **cut)

    return show


def _mime(parent: etree._Element, item: Item, shape: Shape) -> None:
    made = add(parent, f"{T}MimeContent", CharacterSet="UTF-8")
    made.text = base64.b64encode(item.mime)


def _parent(parent: etree._Element, item: Item, shape: Shape) -> None:
    folder_id(parent, item.folder, f"{T}ParentFolderId")


def _categories(parent: etree._Element, item: Item, shape: Shape) -> None:
    if item.categories:
        holder = add(parent, f"{T}Categories")
        for category in item.categories:
            add(holder, f"{T}String", category)


def _headers(parent: etree._Element, item: Item, shape: Shape) -> None:
    wanted = {name.lower() for name in shape.headers}
    every = shape.base == "AllProperties" or "item:InternetMessageHeaders" in shape.paths
    found = [(name, text) for name, text in item.properties.headers if every or name.lower() in wanted]
    if found:
        holder = add(parent, f"{T}InternetMessageHeaders")
        for name, text in found:
            add(holder, f"{T}InternetMessageHeader", text, HeaderName=name)


def _attachments(parent: etree._Element, item: Item, shape: Shape) -> None:
    found = item.properties.attachments
    if not found:
        return
    holder = add(parent, f"{T}Attachments")
    for number, part in enumerate(found):
        made = add(holder, f"{T}FileAttachment")
        add(made, f"{T}AttachmentId", Id=attachment_id(item, number))
        add(made, f"{T}Name", part.get_filename() or f"attachment-{number}")
        add(made, f"{T}ContentType", part.get_content_type())
        content = part.get_payload(decode=True)
        add(made, f"{T}Size", len(content) if isinstance(content, bytes) else 0)
        add(made, f"{T}IsInline", part.get_content_disposition() == "inline")


def attachment_id(item: Item, number: int) -> str:
    """The id of one attachment: the item's with its number behind it."""
    return base64.b64encode(base64.b64decode(item.id) + b"\x01" + bytes([number])).decode()


def _conversation(parent: etree._Element, item: Item, shape: Shape) -> None:
    digest = hashlib.sha256(item.properties.root_id.encode("utf-8", "surrogateescape")).digest()
    add(parent, f"{T}ConversationId", Id=base64.b64encode(b"\x00\x03" + item.folder.mailbox.guid + digest).decode())


def rights(parent: etree._Element, item: Item | Folder, shape: Shape) -> None:
    """Adds what the caller may do."""
    made = add(parent, f"{T}EffectiveRights")
    folder = isinstance(item, Folder)
    for name in ("CreateAssociated", "CreateContents", "CreateHierarchy"):
        add(made, f"{T}{name}", folder)
    for name in ("Delete", "Modify", "Read"):
        add(made, f"{T}{name}", True)


def _extended(parent: etree._Element, item: Item, shape: Shape) -> None:
    for key, path in shape.extended:
        values = extended_of(item, key)
        if values is None:
            continue
        made = add(parent, f"{T}ExtendedProperty")
        etree.SubElement(made, path.tag, dict(path.attrib))
        if key[-1].endswith("Array"):
            holder = add(made, f"{T}Values")
            for value in values:
                add(holder, f"{T}Value", value)
        else:
            add(made, f"{T}Value", values[0])


def _own(item: Item) -> bool:
    return any(found.address.lower() == item.folder.mailbox.address for found in from_of(item))


def _display(*names: str) -> Callable[[Item], str]:
    return lambda item: "; ".join(address.name for address in item.properties.addresses(*names))


def _importance(item: Item) -> str:
    if item.importance:
        return item.importance
    found = (item.properties.header("Importance") or item.properties.header("X-Priority") or "").lower()
    return "High" if found[:1] in ("h", "1", "2") else "Low" if found[:1] in ("l", "4", "5") else "Normal"


ITEM_FIELDS: dict[str, Field] = {
    "item:MimeContent": _mime,
    "item:ItemId": lambda parent, item, shape: item_id(parent, item),
    "item:ParentFolderId": _parent,
    "item:ItemClass": _text("ItemClass", lambda item: item.item_class),
    "item:Subject": _text("Subject", lambda item: item.properties.subject),
    "item:Sensitivity": _text("Sensitivity", lambda item: "Normal"),
    "item:Body": _body("Body"),
    "item:Attachments": _attachments,
    "item:DateTimeReceived": _text("DateTimeReceived", lambda item: item.received),
    "item:Size": _text("Size", lambda item: len(item.mime)),
    "item:Categories": _categories,
    "item:Importance": _text("Importance", _importance),
    "item:InReplyTo": _text("InReplyTo", lambda item: item.properties.header("In-Reply-To")),
    "item:IsSubmitted": _text("IsSubmitted", lambda item: item.is_submitted),
    "item:IsDraft": _text("IsDraft", lambda item: item.is_draft),
    "item:IsFromMe": _text("IsFromMe", _own),
    "item:IsResend": _text("IsResend", lambda item: False),
    "item:IsUnmodified": _text("IsUnmodified", lambda item: not item.is_draft),
    "item:InternetMessageHeaders": _headers,
    "item:DateTimeSent": _text("DateTimeSent", lambda item: item.properties.sent_at or item.received),
    "item:DateTimeCreated": _text("DateTimeCreated", lambda item: item.created),
    "item:ReminderIsSet": _text("ReminderIsSet", lambda item: False),
    "item:ReminderMinutesBeforeStart": _text("ReminderMinutesBeforeStart", lambda item: 0),
    "item:DisplayCc": _text("DisplayCc", _display("Cc")),
    "item:DisplayTo": _text("DisplayTo", _display("To")),
    "item:HasAttachments": _text("HasAttachments", lambda item: bool(item.properties.attachments)),
    "extended": _extended,
    "item:Culture": _text("Culture", lambda item: "en-US"),
    "item:EffectiveRights": rights,
    "item:LastModifiedName": _text("LastModifiedName", lambda item: item.folder.mailbox.name),
    "item:LastModifiedTime": _text("LastModifiedTime", lambda item: item.modified),
    "item:IsAssociated": _text("IsAssociated", lambda item: item.associated),
    "item:ConversationId": _conversation,
    "item:UniqueBody": _body("UniqueBody"),
    "item:Flag": lambda parent, item, shape: flag_of(parent, item),
    "item:StoreEntryId": _text("StoreEntryId", lambda item: item.id),
    "item:InstanceKey": _text("InstanceKey", lambda item: base64.b64encode(item.number.to_bytes(8, "big")).decode()),
    "item:NormalizedBody": _body("NormalizedBody"),
    "item:Preview": _text("Preview", lambda item: item.properties.body("Text")[1][:255]),
    "item:TextBody": _body("TextBody", "Text"),
    "message:Sender": _people("Sender", lambda item: item.properties.addresses("Sender")[:1] or from_of(item)),
    "message:ToRecipients": _people("ToRecipients", lambda item: item.properties.addresses("To")),
    "message:CcRecipients": _people("CcRecipients", lambda item: item.properties.addresses("Cc")),
    "message:BccRecipients": _people("BccRecipients", lambda item: item.properties.addresses("Bcc")),
    "message:IsReadReceiptRequested": _text(
        "IsReadReceiptRequested", lambda item: item.properties.header("Disposition-Notification-To") is not None
    ),
    "message:IsDeliveryReceiptRequested": _text("IsDeliveryReceiptRequested", lambda item: False),
    "message:ConversationTopic": _text("ConversationTopic", lambda item: item.properties.topic),
    "message:From": _people("From", from_of),
    "message:InternetMessageId": _text("InternetMessageId", lambda item: item.properties.message_id),
    "message:IsRead": _text("IsRead", lambda item: item.is_read),
    "message:IsResponseRequested": _text("IsResponseRequested", lambda item: False),
    "message:References": _text("References", lambda item: item.properties.header("References")),
    "message:ReplyTo": _people("ReplyTo", lambda item: item.properties.addresses("Reply-To")),
}
"""In the order of the schema."""

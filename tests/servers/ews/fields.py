"""Items and folders as elements: what each property path of EWS shows, in the order that the schema demands."""

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from lxml import etree

from tests.servers.ews.properties import Address
from tests.servers.ews.soap import M, Refused, T, add, truth, written
from tests.servers.ews.store import Extended, Folder, Item

NOT_IN_LISTS = frozenset(
    [
        "item:MimeContent",
        "item:Body",
        "item:UniqueBody",
        "item:NormalizedBody",
        "item:TextBody",
        "item:Attachments",
        "item:InternetMessageHeaders",
        "message:ToRecipients",
        "message:CcRecipients",
        "message:BccRecipients",
        "message:ReplyTo",
    ]
)
"""What FindItem and SyncFolderItems do not give: GetItem does."""


@dataclass(frozen=True)
class Shape:
    """What a request wants to see of each thing."""

    base: str
    mime: bool = False
    body: str = "Best"
    most: int | None = None
    """How many bytes of a body are shown."""
    paths: frozenset[str] = frozenset()
    headers: tuple[str, ...] = ()
    """Names of single headers, asked for by IndexedFieldURI."""
    extended: tuple[tuple[Extended, etree._Element], ...] = ()
    listing: bool = False
    """Whether this is for FindItem or SyncFolderItems, which show less."""


def item_shape(element: etree._Element) -> Shape:
    """The ItemShape of GetItem."""
    return _shape(element, False)


def synced_shape(element: etree._Element) -> Shape:
    """The ItemShape of SyncFolderItems, which leaves out what it does not give."""
    return _shape(element, True)


def found_shape(element: etree._Element) -> Shape:
    """The ItemShape of FindItem. Raises Refused where more is asked for than it gives."""
    shape = _shape(element, True)
    asked = sorted(shape.paths & NOT_IN_LISTS) or (["item:MimeContent"] if shape.mime else [])
    if asked or shape.headers:
        raise Refused("ErrorInvalidPropertyForOperation", f"{', '.join(asked)} is not valid for this operation.")
    return shape


def folder_shape(element: etree._Element) -> Shape:
    """The FolderShape of a request."""
    return _shape(element, False)


def _shape(element: etree._Element, listing: bool) -> Shape:
    more = element.find(f"{T}AdditionalProperties")
    paths = [] if more is None else list(more)
    most = element.findtext(f"{T}MaximumBodySize")
    return Shape(
        most=None if most is None else int(most) * 1024,
        base=element.findtext(f"{T}BaseShape", ""),
        mime=truth(element.findtext(f"{T}IncludeMimeContent")),
        body=element.findtext(f"{T}BodyType") or "Best",
        paths=frozenset(path.get("FieldURI", "") for path in paths if path.tag == f"{T}FieldURI"),
        headers=tuple(path.get("FieldIndex", "") for path in paths if path.tag == f"{T}IndexedFieldURI"),
        extended=tuple((extended_key(path), path) for path in paths if path.tag == f"{T}ExtendedFieldURI"),
        listing=listing,
    )


def extended_key(path: etree._Element) -> Extended:
    """What an ExtendedFieldURI names, written one way."""
    tag = path.get("PropertyTag")
    if tag is not None:
        return ("tag", f"{int(tag, 16 if tag.lower().startswith('0x') else 10):#06x}", path.get("PropertyType", ""))
    space = path.get("DistinguishedPropertySetId") or path.get("PropertySetId", "").lower()
    name = path.get("PropertyName")
    named = f"id:{path.get('PropertyId')}" if name is None else name
    return ("named", space, named.lower() if space == "InternetHeaders" else named, path.get("PropertyType", ""))


def path_name(path: etree._Element) -> str:
    """A property path as a text, to tell properties apart."""
    if path.tag == f"{T}ExtendedFieldURI":
        return " ".join(extended_key(path))
    return " ".join(filter(None, (path.get("FieldURI"), path.get("FieldIndex"))))


# Items


_Field = Callable[[etree._Element, Item, Shape], None]


def show_item(parent: etree._Element, item: Item, shape: Shape) -> None:
    """Adds an item as `shape` wants it. Raises Refused where its MIME is wanted and cannot be made."""
    wanted = _BASES[shape.base] | shape.paths
    if shape.mime:
        wanted |= {"item:MimeContent"}
    if shape.headers:
        wanted |= {"item:InternetMessageHeaders"}
    if shape.listing:
        wanted -= NOT_IN_LISTS
    if item.unconvertible and "item:MimeContent" in wanted:
        raise Refused(item.unconvertible, "Content conversion failed.")
    kind = next((kind for prefix, kind in _KINDS if item.item_class.startswith(prefix)), "Item")
    wanted = {field for field in wanted if not field.startswith("message:") or _has(kind, field)}
    if not shape.listing and any(not _has(kind, field) for field in shape.paths if field.startswith("message:")):
        raise Refused("ErrorInvalidPropertyRequest", "Property is not valid for this object type.")
    message = add(parent, f"{T}{kind}")
    if shape.extended:
        wanted |= {"extended"}
    for uri, show in (_POST_FIELDS if kind == "PostItem" else _ITEM_FIELDS).items():
        if uri in wanted:
            show(message, item, shape)


_KINDS = (
    ("IPM.Note", "Message"),
    ("REPORT.IPM.Note", "Message"),
    ("IPM.Schedule.Meeting.Request", "MeetingRequest"),
    ("IPM.Schedule.Meeting.Resp", "MeetingResponse"),
    ("IPM.Schedule.Meeting.Canceled", "MeetingCancellation"),
    ("IPM.Appointment", "CalendarItem"),
    ("IPM.Contact", "Contact"),
    ("IPM.Task", "Task"),
    ("IPM.Post", "PostItem"),
)
"""Which element shows an item of which class; any other is an Item."""
_OF_POSTS = frozenset({"ConversationTopic", "From", "InternetMessageId", "IsRead", "References", "Sender"})


def _has(kind: str, field: str) -> bool:
    name = field.removeprefix("message:")
    return kind == "Message" or kind.startswith("Meeting") or (kind == "PostItem" and name in _OF_POSTS)


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


def _text(name: str, value: Callable[[Item], object]) -> _Field:
    def show(parent: etree._Element, item: Item, shape: Shape) -> None:
        shown = value(item)
        if shown is not None:
            add(parent, f"{T}{name}", shown)

    return show


def _people(name: str, value: Callable[[Item], Iterable[Address]]) -> _Field:
    def show(parent: etree._Element, item: Item, shape: Shape) -> None:
        people = tuple(value(item))
        if people:
            holder = add(parent, f"{T}{name}")
            for person in people:
                mailbox(holder, person, only_name=shape.listing)

    return show


def _body(name: str, kind: str | None = None) -> _Field:
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
    every = "item:InternetMessageHeaders" in _BASES[shape.base] | shape.paths
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


def _rights(parent: etree._Element, item: Item | Folder, shape: Shape) -> None:
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


def _time(value: datetime) -> str:
    return written(value)


_BY_TAG: dict[int, Callable[[Item], object]] = {
    # MS-OXPROPS; the tags that mail programs ask for instead of the properties of EWS
    0x001A: lambda item: item.item_class,
    0x0037: lambda item: item.properties.subject,
    0x0039: lambda item: _time(item.properties.sent_at or item.received),
    0x007D: lambda item: "\r\n".join(f"{name}: {text}" for name, text in item.properties.headers),
    0x0E06: lambda item: _time(item.received),
    0x0E07: lambda item: item.is_read | item.is_submitted << 2 | item.is_draft << 3,
    0x0E08: lambda item: len(item.mime),
    0x0E23: lambda item: item.number,
    0x0E69: lambda item: item.is_read,
    0x1035: lambda item: item.properties.message_id,
    0x1039: lambda item: item.properties.header("References"),
    0x1042: lambda item: item.properties.header("In-Reply-To"),
    0x1090: lambda item: {"Flagged": 2, "Complete": 1}.get(item.flag.status),
    0x3007: lambda item: _time(item.created),
    0x3008: lambda item: _time(item.modified),
    0x300B: lambda item: base64.b64encode(item.folder.mailbox.guid).decode(),
    0x0FFF: lambda item: item.id,
}
KEYWORDS: Extended = ("named", "PublicStrings", "Keywords", "StringArray")
"""What Categories are in MAPI."""


def extended_of(item: Item, key: Extended) -> tuple[str, ...] | None:
    """An extended property's values: what was written, or what the item has by itself."""
    if key == KEYWORDS:
        return item.categories or None
    if key in item.extended:
        return item.extended[key]
    found: object = None
    if key[0] == "tag":
        known = _BY_TAG.get(int(key[1], 16))
        found = known(item) if known else None
    elif key[1] == "InternetHeaders":
        found = item.properties.header(key[2])
    return None if found is None else (written(found),)


def _own(item: Item) -> bool:
    return any(found.address.lower() == item.folder.mailbox.address for found in from_of(item))


def _display(*names: str) -> Callable[[Item], str]:
    return lambda item: "; ".join(address.name for address in item.properties.addresses(*names))


def _importance(item: Item) -> str:
    if item.importance:
        return item.importance
    found = (item.properties.header("Importance") or item.properties.header("X-Priority") or "").lower()
    return "High" if found[:1] in ("h", "1", "2") else "Low" if found[:1] in ("l", "4", "5") else "Normal"


_ITEM_FIELDS: dict[str, _Field] = {
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
    "item:EffectiveRights": _rights,
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

_POST_FIELDS = {uri: show for uri, show in _ITEM_FIELDS.items() if uri != "message:Sender"}
_POST_FIELDS["message:Sender"] = _ITEM_FIELDS["message:Sender"]

_DEFAULT = frozenset(
    [
        "item:ItemId",
        "item:Subject",
        "item:Sensitivity",
        "item:Body",
        "item:Attachments",
        "item:Size",
        "item:DateTimeSent",
        "item:DateTimeCreated",
        "item:HasAttachments",
        "message:ToRecipients",
        "message:CcRecipients",
        "message:BccRecipients",
        "message:From",
        "message:IsRead",
        "message:IsReadReceiptRequested",
        "message:IsDeliveryReceiptRequested",
        "message:IsResponseRequested",
    ]
)
_BASES = {
    "IdOnly": frozenset({"item:ItemId"}),
    "Default": _DEFAULT,
    "PcxPeopleSearch": _DEFAULT,
    "AllProperties": frozenset(_ITEM_FIELDS)
    - {"item:MimeContent", "extended", "item:UniqueBody", "item:NormalizedBody", "item:TextBody"},
}

# Folders

_FOLDER_TAGS = {"IPF.Appointment": "CalendarFolder", "IPF.Contact": "ContactsFolder", "IPF.Task": "TasksFolder"}
_FOLDER_DEFAULT = frozenset(
    ["folder:FolderId", "folder:DisplayName", "folder:TotalCount", "folder:ChildFolderCount", "folder:UnreadCount"]
)
_FOLDER_ALL = _FOLDER_DEFAULT | {
    "folder:ParentFolderId",
    "folder:FolderClass",
    "folder:EffectiveRights",
    "folder:DistinguishedFolderId",
}
_FOLDER_BASES = {
    "IdOnly": frozenset({"folder:FolderId"}),
    "Default": _FOLDER_DEFAULT,
    "AllProperties": _FOLDER_ALL,
}


def show_folder(parent: etree._Element, folder: Folder, shape: Shape) -> None:
    """Adds a folder as `shape` wants it."""
    wanted = _FOLDER_BASES[shape.base] | shape.paths
    tag = _FOLDER_TAGS.get(folder.folder_class, "Folder")
    made = add(parent, f"{T}{tag}")
    if "folder:FolderId" in wanted:
        folder_id(made, folder)
    if "folder:ParentFolderId" in wanted and folder.parent is not None:
        folder_id(made, folder.parent, f"{T}ParentFolderId")
    values: tuple[tuple[str, object], ...] = (
        ("FolderClass", folder.folder_class or None),
        ("DisplayName", folder.name),
        ("TotalCount", len(folder.messages)),
        ("ChildFolderCount", len(folder.children)),
    )
    for name, value in values:
        if f"folder:{name}" in wanted and value is not None:
            add(made, f"{T}{name}", value)
    for key, path in shape.extended:
        value = _folder_extended(folder, key)
        if value is not None:
            property_ = add(made, f"{T}ExtendedProperty")
            etree.SubElement(property_, path.tag, dict(path.attrib))
            add(property_, f"{T}Value", value)
    if "folder:EffectiveRights" in wanted:
        _rights(made, folder, shape)
    if "folder:DistinguishedFolderId" in wanted and folder.distinguished:
        add(made, f"{T}DistinguishedFolderId", folder.distinguished)
    if "folder:UnreadCount" in wanted and tag in ("Folder", "TasksFolder"):
        add(made, f"{T}UnreadCount", sum(not item.is_read for item in folder.messages))


def _folder_extended(folder: Folder, key: Extended) -> object:
    if key[0] != "tag":
        return None
    messages = folder.messages
    known: dict[int, object] = {
        0x3001: folder.name,
        0x3602: len(messages),
        0x3603: sum(not item.is_read for item in messages),
        0x360A: bool(folder.children),
        0x3613: folder.folder_class,
        0x3008: written(max((item.modified for item in messages), default=datetime.fromtimestamp(0).astimezone())),
        0x6751: max((item.number for item in messages), default=0) + 1,
        0x0E23: max((item.number for item in messages), default=0) + 1,
        0x0FFF: folder.id,
        0x670A: written(folder.version),
        0x10F4: False,
    }
    return known.get(int(key[1], 16))


def folders_message(message: etree._Element, folders: Iterable[Folder], shape: Shape) -> None:
    """Adds the Folders of a response message."""
    holder = add(message, f"{M}Folders")
    for folder in folders:
        show_folder(holder, folder, shape)

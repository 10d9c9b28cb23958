"""Items and folders as elements, as a request's shape wants them and in the order that the schema demands."""

from collections.abc import Iterable

from lxml import etree

from tests.servers.ews.extended import folder_extended_of
from tests.servers.ews.fields import ITEM_FIELDS, folder_id, rights
from tests.servers.ews.shapes import NOT_IN_LISTS, Shape
from tests.servers.ews.soap import M, Refused, T, add
from tests.servers.ews.store import Folder, Item


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
    for uri, show in (_POST_FIELDS if kind == "PostItem" else ITEM_FIELDS).items():
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


_POST_FIELDS = {uri: show for uri, show in ITEM_FIELDS.items() if uri != "message:Sender"}
_POST_FIELDS["message:Sender"] = ITEM_FIELDS["message:Sender"]

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
    "AllProperties": frozenset(ITEM_FIELDS)
    - {"item:MimeContent", "extended", "item:UniqueBody", "item:NormalizedBody", "item:TextBody"},
}

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
        value = folder_extended_of(folder, key)
        if value is not None:
            property_ = add(made, f"{T}ExtendedProperty")
            etree.SubElement(property_, path.tag, dict(path.attrib))
            add(property_, f"{T}Value", value)
    if "folder:EffectiveRights" in wanted:
        rights(made, folder, shape)
    if "folder:DistinguishedFolderId" in wanted and folder.distinguished:
        add(made, f"{T}DistinguishedFolderId", folder.distinguished)
    if "folder:UnreadCount" in wanted and tag in ("Folder", "TasksFolder"):
        add(made, f"{T}UnreadCount", sum(not item.is_read for item in folder.messages))


def folders_message(message: etree._Element, folders: Iterable[Folder], shape: Shape) -> None:
    """Adds the Folders of a response message."""
    holder = add(message, f"{M}Folders")
    for folder in folders:
        show_folder(holder, folder, shape)

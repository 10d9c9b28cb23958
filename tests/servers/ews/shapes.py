"""What a request wants to see of items and folders: shapes and property paths (MS-OXWSCDATA §2.2.4)."""

from dataclasses import dataclass

from lxml import etree

from tests.servers.ews.soap import Refused, T, truth
from tests.servers.ews.store import Extended

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

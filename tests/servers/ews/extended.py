"""Extended properties: MAPI's own names for what items and folders have (MS-OXPROPS)."""

import base64
from collections.abc import Callable
from datetime import datetime

from tests.servers.ews.soap import written
from tests.servers.ews.store import Extended, Folder, Item

_BY_TAG: dict[int, Callable[[Item], object]] = {
    # MS-OXPROPS; the tags that mail programs ask for instead of the properties of EWS
    0x001A: lambda item: item.item_class,
    0x0037: lambda item: item.properties.subject,
    0x0039: lambda item: written(item.properties.sent_at or item.received),
    0x007D: lambda item: "\r\n".join(f"{name}: {text}" for name, text in item.properties.headers),
    0x0E06: lambda item: written(item.received),
    0x0E07: lambda item: item.is_read | item.is_submitted << 2 | item.is_draft << 3,
    0x0E08: lambda item: len(item.mime),
    0x0E23: lambda item: item.number,
    0x0E69: lambda item: item.is_read,
    0x1035: lambda item: item.properties.message_id,
    0x1039: lambda item: item.properties.header("References"),
    0x1042: lambda item: item.properties.header("In-Reply-To"),
    0x1090: lambda item: {"Flagged": 2, "Complete": 1}.get(item.flag.status),
    0x3007: lambda item: written(item.created),
    0x3008: lambda item: written(item.modified),
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


def folder_extended_of(folder: Folder, key: Extended) -> object:
    """The same for a folder."""
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

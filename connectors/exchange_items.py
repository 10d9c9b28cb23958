"""What EWS answers tell of items: from elements to values. Nothing is asked for here."""

import base64
import binascii
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from exchangelib.util import MNS, TNS

from connectors.exchange_requests import Element

T = f"{{{TNS}}}"
M = f"{{{MNS}}}"
UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a time that the server does not give: old mail is never answered, so that is the safe side."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An item without its content. `size` is the store's, in bytes, not the MIME's."""

    id: str
    change_key: str = ""
    received_at: datetime = UNKNOWN_TIME
    size: int = 0
    categories: tuple[str, ...] = ()
    folder_id: str = ""
    number: int = 0
    """Grows with each item that comes into the folder; 0 where it was not asked for."""
    submitted: bool = False
    message_id: str = ""
    """Our own copy of the Message-ID, else the message's; without brackets. Empty where it was not asked for."""


@dataclass(frozen=True, slots=True)
class Synced:
    """One answer of SyncFolderItems."""

    state: str
    last: bool
    """Whether the server has nothing more to tell."""
    created: tuple[Listed, ...] = ()
    updated: tuple[Listed, ...] = ()
    deleted: tuple[str, ...] = ()

    def followed_by(self, later: "Synced") -> "Synced":
        """This answer and the one for its state, as one."""
        return Synced(
            later.state,
            later.last,
            (*self.created, *later.created),
            (*self.updated, *later.updated),
            (*self.deleted, *later.deleted),
        )

    def without(self, gone: Set[str]) -> "Synced":
        """This answer without items that are no longer there."""
        return replace(
            self,
            created=tuple(item for item in self.created if item.id not in gone),
            updated=tuple(item for item in self.updated if item.id not in gone),
        )


@dataclass(frozen=True, slots=True)
class Found:
    """One answer of FindItem."""

    items: tuple[Listed, ...]
    total: int
    last: bool


def item_in(element: Element) -> Listed:
    """The item that an element of any item class describes."""
    key = element.find(f"{T}ItemId")
    folder = element.find(f"{T}ParentFolderId")
    extended = {
        each.find(f"{T}ExtendedFieldURI").get("PropertyType"): each.findtext(f"{T}Value") or ""
        for each in element.iterfind(f"{T}ExtendedProperty")
    }
    message_id = extended.get("String") or element.findtext(f"{T}InternetMessageId") or ""
    return Listed(
        id="" if key is None else key.get("Id", ""),
        change_key="" if key is None else key.get("ChangeKey", ""),
        received_at=moment(element.findtext(f"{T}DateTimeReceived") or element.findtext(f"{T}DateTimeCreated")),
        size=_number(element.findtext(f"{T}Size")),
        categories=tuple(each.text or "" for each in element.iterfind(f"{T}Categories/{T}String")),
        folder_id="" if folder is None else folder.get("Id", ""),
        submitted=(element.findtext(f"{T}IsSubmitted") or "").lower() in {"true", "1"},
        number=_number(extended.get("Integer")),
        message_id=message_id.strip().strip("<>"),
    )


def items_in(message: Element) -> list[Element]:
    """The elements of the items in one response message."""
    container = message.find(f"{M}Items")
    return [] if container is None else list(container)


def synced_in(message: Element) -> Synced | None:
    """What SyncFolderItems answered; None where the answer has no state."""
    state = message.findtext(f"{M}SyncState")
    if not state:
        return None
    changes = message.find(f"{M}Changes")
    found: dict[str, list[Listed]] = {"Create": [], "Update": []}
    deleted = []
    for change in () if changes is None else changes:
        kind = change.tag.removeprefix(T)
        if kind == "Delete":
            deleted.append(change.find(f"{T}ItemId").get("Id", ""))
        elif kind in found and len(change):
            found[kind].append(item_in(change[0]))
    return Synced(
        state=state,
        last=(message.findtext(f"{M}IncludesLastItemInRange") or "true").lower() in {"true", "1"},
        created=tuple(found["Create"]),
        updated=tuple(found["Update"]),
        deleted=tuple(deleted),
    )


def found_in(message: Element) -> Found:
    """What FindItem answered."""
    root = message.find(f"{M}RootFolder")
    if root is None:
        return Found((), 0, last=True)
    container = root.find(f"{T}Items")
    items = tuple(item_in(each) for each in (() if container is None else container))
    last = (root.get("IncludesLastItemInRange") or "true").lower() in {"true", "1"}
    return Found(items, _number(root.get("TotalItemsInView")), last or not items)


def mime_in(element: Element) -> bytes | None:
    """The MIME content of an item, None where it has none that can be read."""
    text = element.findtext(f"{T}MimeContent")
    if text is None:
        return None
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return None


def headers_in(element: Element) -> list[tuple[str, str]]:
    """The header fields that a message arrived with, in its order."""
    listed = element.iterfind(f"{T}InternetMessageHeaders/{T}InternetMessageHeader")
    return [(each.get("HeaderName", ""), each.text or "") for each in listed]


def mailboxes_in(element: Element, field: str) -> Iterator[tuple[str, str, str]]:
    """Name, address and routing type of each mailbox in a field."""
    for each in element.iterfind(f"{T}{field}/{T}Mailbox"):
        yield (
            each.findtext(f"{T}Name") or "",
            each.findtext(f"{T}EmailAddress") or "",
            (each.findtext(f"{T}RoutingType") or "SMTP").upper(),
        )


def resolved_in(messages: Sequence[object]) -> str:
    """The SMTP address that ResolveNames found; empty where it found none, or more than one."""
    found = [
        each.findtext(f"{T}EmailAddress") or ""
        for message in messages
        if not isinstance(message, BaseException)
        for each in message.iterfind(f"{M}ResolutionSet/{T}Resolution/{T}Mailbox")  # type: ignore[attr-defined]
        if (each.findtext(f"{T}RoutingType") or "SMTP").upper() == "SMTP"
    ]
    return found[0] if len(found) == 1 else ""


def moment(text: str | None) -> datetime:
    """A point in time, in UTC; what names no zone is in UTC already."""
    try:
        found = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return UNKNOWN_TIME
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0

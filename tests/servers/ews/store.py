"""What the server holds: mailboxes, folders and items, and every change that was made to them."""

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from tests.servers.ews.properties import Properties
from tests.servers.ews.soap import Refused

Extended = tuple[str, ...]
"""What an ExtendedFieldURI names, told apart by `tests.servers.ews.shapes.extended_key`."""

TREE: tuple[tuple[str, str | None, str, str], ...] = (
    # distinguished name, its parent, display name, class
    ("root", None, "Root", ""),
    ("msgfolderroot", "root", "Top of Information Store", "IPF"),
    ("inbox", "msgfolderroot", "Inbox", "IPF.Note"),
    ("sentitems", "msgfolderroot", "Sent Items", "IPF.Note"),
    ("drafts", "msgfolderroot", "Drafts", "IPF.Note"),
    ("deleteditems", "msgfolderroot", "Deleted Items", "IPF.Note"),
    ("junkemail", "msgfolderroot", "Junk Email", "IPF.Note"),
    ("outbox", "msgfolderroot", "Outbox", "IPF.Note"),
    ("calendar", "msgfolderroot", "Calendar", "IPF.Appointment"),
    ("contacts", "msgfolderroot", "Contacts", "IPF.Contact"),
    ("tasks", "msgfolderroot", "Tasks", "IPF.Task"),
    ("notes", "msgfolderroot", "Notes", "IPF.StickyNote"),
    ("journal", "msgfolderroot", "Journal", "IPF.Journal"),
    ("searchfolders", "root", "Finder", ""),
    ("recoverableitemsroot", "root", "Recoverable Items", ""),
    ("recoverableitemsdeletions", "recoverableitemsroot", "Deletions", ""),
)


@dataclass
class Flag:
    """Outlook's little flag."""

    status: str = "NotFlagged"
    due: str | None = None
    start: str | None = None
    completed: str | None = None


@dataclass(eq=False)
class Item:
    """One message in one folder. Its id is the folder's as well as its own: a move makes another."""

    id: str
    number: int
    """Grows with every item of the mailbox: what PR_INTERNET_ARTICLE_NUMBER shows."""
    folder: "Folder"
    mime: bytes
    received: datetime
    created: datetime
    modified: datetime
    change: int = 0
    """The mailbox's change number at the item's last change; the ChangeKey shows it."""
    read_change: int = 0
    """The same for the read mark, which changes no ChangeKey (MS-OXCFXICS §3.2.5.6)."""
    is_read: bool = False
    is_draft: bool = False
    is_submitted: bool = False
    """Whether it was sent and has not left yet."""
    associated: bool = False
    categories: tuple[str, ...] = ()
    flag: Flag = field(default_factory=Flag)
    importance: str | None = None
    item_class: str = "IPM.Note"
    extended: dict[Extended, tuple[str, ...]] = field(default_factory=dict)
    touched: dict[str, int] = field(default_factory=dict)
    """The change number at which each property was last written, for AutoResolve."""
    sender: tuple[str, str, str] | None = None
    """Name, address and routing type shown instead of the From header: an EX address."""
    unconvertible: str | None = None
    """The error that asking for the MIME gives, where Exchange itself cannot make it."""

    @cached_property
    def properties(self) -> Properties:
        """What the MIME says."""
        return Properties(self.mime)

    def replace_mime(self, mime: bytes) -> None:
        """Another content."""
        self.mime = mime
        self.__dict__.pop("properties", None)


@dataclass(eq=False)
class Folder:
    """One folder."""

    id: str
    mailbox: "Mailbox"
    name: str
    parent: "Folder | None"
    folder_class: str = "IPF.Note"
    distinguished: str | None = None
    change: int = 0
    items: dict[str, Item] = field(default_factory=dict)
    version: int = 0
    """The mailbox's change number at the last change of anything in it."""

    @property
    def children(self) -> list["Folder"]:
        """The folders directly below."""
        return [folder for folder in self.mailbox.folders.values() if folder.parent is self]

    @property
    def below(self) -> list["Folder"]:
        """All folders below."""
        return [found for child in self.children for found in (child, *child.below)]

    @property
    def messages(self) -> list[Item]:
        """What people see in it, in the order of arrival."""
        return [item for item in self.items.values() if not item.associated]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as notifications tell it."""

    kind: str
    folder: Folder
    item: tuple[str, str]
    """Id and ChangeKey."""
    old: tuple[Folder, str, str] | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class SyncPoint:
    """What a client that holds a sync state has been told."""

    folder: str
    known: Mapping[str, tuple[int, int]]
    """By item id: change number and change number of the read mark."""
    version: int
    """The folder's version where everything of it has been told; -1 in the middle of a series of pages."""


@dataclass
class Configuration:
    """A folder's associated configuration item (MS-OXWSUSRCFG)."""

    id: str
    xml_data: bytes | None = None
    binary_data: bytes | None = None
    dictionary: bytes | None = None
    """The Dictionary element as it was written."""
    change: int = 0


@dataclass
class OutOfOffice:
    """How somebody's out-of-office replies are set."""

    state: str = "Disabled"
    audience: str = "All"
    begins: datetime = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
    ends: datetime = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class Mailbox:
    """One mailbox. Whoever touches it holds the server's lock."""

    def __init__(self, address: str, name: str, told: Callable[["Mailbox", Event], None]) -> None:
        self.address = address
        self.name = name
        self.guid = hashlib.md5(address.encode(), usedforsecurity=False).digest()
        self.folders: dict[str, Folder] = {}
        self.items: dict[str, Item] = {}
        self.states: dict[str, SyncPoint] = {}
        self.configurations: dict[tuple[str, str], Configuration] = {}
        self.change = 0
        self.trouble: Refused | None = None
        """The error that every request on this mailbox gets, e.g. while it is moved to another database."""
        self.oof = OutOfOffice()
        self.full = False
        """Whether it is over its quota."""
        self._told = told
        self._numbers = itertools.count(1)
        self._made_states = itertools.count(1)
        for distinguished, parent, shown, folder_class in TREE:
            above = self.folder(parent) if parent else None
            self.new_folder(above, shown, folder_class, distinguished)

    # Folders

    def folder(self, distinguished: str) -> Folder:
        """The folder that has this distinguished name."""
        return next(folder for folder in self.folders.values() if folder.distinguished == distinguished)

    def new_folder(
        self, parent: Folder | None, name: str, folder_class: str = "IPF.Note", distinguished: str | None = None
    ) -> Folder:
        """Makes a folder."""
        made = Folder(self._id(b"\x01", next(self._numbers)), self, name, parent, folder_class, distinguished)
        made.change = self.next_change()
        self.folders[made.id] = made
        return made

    def drop_folder(self, folder: Folder) -> None:
        """Deletes a folder with everything in it."""
        for gone in (folder, *folder.below):
            for item in list(gone.items.values()):
                self.delete(item)
            del self.folders[gone.id]
        self.next_change()

    # Items

    def add(
        self, folder: Folder, mime: bytes, *, at: datetime, events: tuple[str, ...] = ("CreatedEvent",), **more: object
    ) -> Item:
        """Puts a message into a folder."""
        number, at = next(self._numbers), at.replace(microsecond=0)
        item = Item(self._id(b"\x07", number), number, folder, mime, at, at, at, **more)  # type: ignore[arg-type]
        self._place(item, folder)
        for kind in events:
            self._tell(kind, item)
        return item

    def touch(self, item: Item, *properties: str, at: datetime) -> None:
        """Notes that these properties were written."""
        item.change = item.folder.version = self.next_change()
        item.modified = at.replace(microsecond=0)
        for name in properties:
            item.touched[name] = item.change
        self._tell("ModifiedEvent", item)

    def mark_read(self, item: Item, is_read: bool) -> None:
        """Sets the read mark, which is told apart from other changes."""
        if item.is_read != is_read:
            item.is_read = is_read
            item.read_change = item.folder.version = self.next_change()
            self._tell("ModifiedEvent", item)

    def delete(self, item: Item) -> None:
        """Deletes an item for good."""
        self._take_out(item)
        self._tell("DeletedEvent", item)

    def move(self, item: Item, folder: Folder) -> Item:
        """Moves an item, which makes it another with another id."""
        old = (item.folder, item.id, self.change_key(item.change))
        self._take_out(item)
        number = next(self._numbers)
        moved = Item(self._id(b"\x07", number), number, folder, item.mime, item.received, item.created, item.modified)
        for name in ("is_read", "is_draft", "categories", "flag", "importance", "item_class", "extended", "sender"):
            setattr(moved, name, getattr(item, name))
        moved.unconvertible = item.unconvertible
        self._place(moved, folder)
        self._tell("MovedEvent", moved, old)
        return moved

    def copy(self, item: Item, folder: Folder, at: datetime) -> Item:
        """Puts a copy of an item into another folder."""
        made = self.add(folder, item.mime, at=item.received, events=(), is_read=item.is_read, is_draft=item.is_draft)
        made.created = at
        made.categories, made.flag, made.item_class = item.categories, Flag(**vars(item.flag)), item.item_class
        made.importance, made.sender, made.unconvertible = item.importance, item.sender, item.unconvertible
        made.extended = dict(item.extended)
        self._tell("CopiedEvent", made, (item.folder, item.id, self.change_key(item.change)))
        return made

    # Names of things

    def change_key(self, change: int) -> str:
        """A ChangeKey as Exchange has them."""
        binary = b"\x09\x00\x00\x00\x16\x00\x00\x00" + self.guid + change.to_bytes(6, "big")
        return base64.b64encode(binary).decode()

    def change_of(self, change_key: str) -> int:
        """The change number in a ChangeKey. Raises Refused."""
        try:
            binary = base64.b64decode(change_key, validate=True)
        except ValueError:
            binary = b""
        if len(binary) != 30 or binary[8:24] != self.guid:
            raise Refused("ErrorInvalidChangeKey", "The change key is invalid.")
        return int.from_bytes(binary[24:], "big")

    def next_change(self) -> int:
        """The number of one more change."""
        self.change += 1
        return self.change

    def new_id(self) -> str:
        """The id of something that is neither folder nor message."""
        return self._id(b"\x08", next(self._numbers))

    # Synchronization

    def sync_state(self, point: SyncPoint) -> str:
        """A sync state that stands for `point`: opaque, and another one each time, as with Exchange."""
        seed = f"{self.address} {next(self._made_states)}".encode()
        token = base64.b64encode(b"\x48\x34\x73\x49" + b"".join(_stretched(seed, 12))).decode()
        self.states[token] = point
        return token

    def _place(self, item: Item, folder: Folder) -> None:
        item.folder = folder
        item.change = item.read_change = folder.version = self.next_change()
        folder.items[item.id] = self.items[item.id] = item

    def _take_out(self, item: Item) -> None:
        del item.folder.items[item.id], self.items[item.id]
        item.folder.version = self.next_change()

    def _tell(self, kind: str, item: Item, old: tuple[Folder, str, str] | None = None) -> None:
        self._told(self, Event(kind, item.folder, (item.id, self.change_key(item.change)), old))

    def _id(self, kind: bytes, number: int) -> str:
        binary = b"\x00\x03\x24" + self.guid.hex().encode() + b"\x00\x46" + self.guid + kind + b"\x00" * 10
        return base64.b64encode(binary + number.to_bytes(8, "big")).decode()


def _stretched(seed: bytes, count: int) -> Iterator[bytes]:
    for number in range(count):
        yield hashlib.sha256(seed + bytes([number])).digest()

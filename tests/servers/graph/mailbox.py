"""A mailbox of the stand-in: folders, messages, categories, the journal that delta reads, and the teacher's hands."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tests.servers.graph.item import Item, _id, immutable_id
from tests.servers.graph.wire import GraphError

WELL_KNOWN = {
    "inbox": "Inbox",
    "drafts": "Drafts",
    "sentitems": "Sent Items",
    "deleteditems": "Deleted Items",
    "archive": "Archive",
    "junkemail": "Junk Email",
    "outbox": "Outbox",
}
Change = Literal["created", "updated", "read", "deleted"]


@dataclass
class Folder:
    """A folder, and what happened in it: (number of the change, number of the item, change)."""

    id: str
    name: str
    well_known: str = ""
    journal: list[tuple[int, int, Change]] = field(default_factory=list)


@dataclass
class Category:
    """An entry of the master list of categories."""

    id: str
    name: str
    colour: str


@dataclass(frozen=True, slots=True)
class Round:
    """What a delta token stands for: a folder, what was asked in the first request, what is still to be told, and the
    change after which the next round begins."""

    folder: str
    select: tuple[str, ...] | None
    expand: tuple[str, ...]
    since: datetime | None
    change_type: str
    upto: int
    waiting: tuple[tuple[int, Change], ...] = ()
    generation: int = 0


class Box:
    """One mailbox. Whoever reads or changes it holds `lock`."""

    def __init__(self, address: str, number: int, now: Callable[[], datetime]) -> None:
        self.address = address
        self.id = f"{number:08x}-0000-4000-8000-000000000000"
        self.lock = threading.RLock()
        self.items: dict[int, Item] = {}
        self.folders = {
            folder.id: folder
            for folder in (
                Folder(_id("AQMkADAwATM3", f"{address}/{key}", 60), WELL_KNOWN[key], key) for key in WELL_KNOWN
            )
        }
        self.root = _id("AQMkADAwATM3", f"{address}/msgfolderroot", 60)
        self.categories: list[Category] = []
        self.automatic_replies: dict[str, Any] = {"status": "disabled", "externalAudience": "all"}
        """As https://learn.microsoft.com/graph/api/resources/automaticrepliessetting has it, times in UTC."""
        self.departed: list[bytes] = []
        """Every message that left for its recipients, once for each time."""
        self.enabled = True
        """False: no mailbox behind this user (MailboxNotEnabledForRESTAPI)."""
        self.excluded = False
        """True: an access policy keeps the application out (ErrorAccessDenied)."""
        self.told: Callable[[Box, Item, Change], None] = lambda _box, _item, _change: None
        """Called at each change, for the subscriptions."""
        self.rounds: dict[str, Round] = {}
        self.generation = 0
        self.scrambled = False
        """True: delta queries tell what they tell in no order at all, as Microsoft reserves the right to."""
        self.gone_code = "SyncStateNotFound"
        self.busy = 0
        """Requests that are being carried out now."""
        self._now = now
        self._number = number << 40
        self._change = 0
        self._ids: dict[str, int] = {}
        self._left: dict[tuple[int, str], str] = {}
        self._held: Literal["", "draft", "nowhere"] = ""
        self._waiting: deque[tuple[Item, bool]] = deque()
        self._let = threading.Event()
        self._let.set()

    # What happens in the mailbox without the connector

    def deliver(self, *mimes: bytes, received: datetime | None = None, mime_fails: bool = False) -> list[str]:
        """Mail arrives in the inbox. Returns immutable ids. `mime_fails`: the server cannot give its MIME."""
        return [self.add("inbox", mime, received=received, mime_fails=mime_fails).immutable_id for mime in mimes]

    def put(self, folder: str, mime: bytes, *, received: datetime | None = None, draft: bool = False) -> str:
        """A message lies in a folder, as when the teacher sent or filed it. Returns its immutable id."""
        return self.add(folder, mime, received=received, draft=draft, read=True).immutable_id

    def drafts(self) -> list[bytes]:
        return self.contents("drafts")

    def sent(self) -> list[bytes]:
        return self.contents("sentitems")

    def contents(self, folder: str) -> list[bytes]:
        """The MIME of every message in a folder, in the order of their arrival."""
        with self.lock:
            wanted = self.folder(folder).id
            return [item.mime for item in self.items.values() if item.folder == wanted]

    def find(self, message_id: str) -> Item:
        """The newest message with this Message-ID (with or without angle brackets)."""
        wanted = message_id.strip("<>")
        with self.lock:
            return next(one for one in reversed(self.items.values()) if one.message_id.strip("<>") == wanted)

    def categories_of(self, message_id: str) -> list[str]:
        return list(self.find(message_id).categories)

    def set_categories(self, message_id: str, categories: list[str]) -> None:
        with self.lock:
            item = self.find(message_id)
            item.categories = list(categories)
            self.touch(item)

    def mark(self, message_id: str, *, read: bool | None = None, flagged: bool | None = None) -> None:
        """The teacher reads or flags a message."""
        with self.lock:
            item = self.find(message_id)
            if flagged is not None:
                item.flagged = flagged
                self.touch(item)
            if read is not None:
                item.is_read = read
                self.touch(item, "read")

    def move(self, message_id: str, folder: str) -> None:
        with self.lock:
            self.move_item(self.find(message_id), self.folder(folder).id)

    def delete(self, message_id: str) -> None:
        """Deleted for good."""
        with self.lock:
            self.remove(self.find(message_id))

    def forget_delta_tokens(self, code: str = "SyncStateNotFound") -> None:
        """No token that was given out so far means anything any more: 410 with this code."""
        with self.lock:
            self.generation += 1
            self.gone_code = code

    def hold_sending(self, where: Literal["draft", "nowhere"]) -> None:
        """From now on what is sent is under way, still seen as a draft or seen nowhere, until `release_sending`."""
        self._held = where

    def release_sending(self) -> None:
        """What was held leaves now, and so does what follows."""
        with self.lock:
            self._held = ""
            while self._waiting:
                self._depart(*self._waiting.popleft())

    @contextmanager
    def held_requests(self) -> Iterator[None]:
        """Requests to this mailbox are not answered before the block ends."""
        self._let.clear()
        try:
            yield
        finally:
            self._let.set()

    def hold(self) -> None:
        """Waits while requests are held."""
        self._let.wait(60)

    # What requests do

    def folder(self, name: str) -> Folder:
        """A folder by id or well-known name. Raises GraphError."""
        if name in self.folders:
            return self.folders[name]
        for folder in self.folders.values():
            if folder.well_known and folder.well_known == name.lower():
                return folder
        if len(name) < 40:
            raise GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")
        raise not_found()

    def item(self, id_: str) -> Item:
        """A message by either kind of id. Raises GraphError."""
        number = self._ids.get(id_)
        item = self.items.get(number) if number is not None else None
        if item is not None and id_ in (item.immutable_id, item.rest_id):
            return item
        if len(id_) < 40 or not id_.isascii() or not id_.replace("-", "").replace("_", "").rstrip("=").isalnum():
            raise GraphError(400, "ErrorInvalidIdMalformed", "Id is malformed.")
        raise not_found()

    def add(
        self,
        folder: str,
        mime: bytes,
        *,
        received: datetime | None = None,
        draft: bool = False,
        read: bool = False,
        mime_fails: bool = False,
        conversation: str = "",
    ) -> Item:
        """A new message in a folder."""
        with self.lock:
            self._number += 1
            item = Item(
                number=self._number,
                mime=mime,
                folder=self.folder(folder).id,
                received=received or self._now(),
                is_draft=draft,
                is_read=read or draft,
                mime_fails=mime_fails,
                conversation=conversation or _id("AAQkAGI2TG93", str(self._number), 76),
            )
            self.items[item.number] = item
            self._record(item, "created")
            return item

    def touch(self, item: Item, change: Change = "updated") -> None:
        """The item was changed."""
        item.modified = self._now()
        self._record(item, change)

    def move_item(self, item: Item, folder: str) -> None:
        if item.folder != folder:
            self._record(item, "deleted")
            item.folder = folder
            item.moves += 1
            item.modified = self._now()
            self._record(item, "created")

    def remove(self, item: Item) -> None:
        self._record(item, "deleted")
        del self.items[item.number]

    def send(self, item: Item, *, keep: bool = True) -> None:
        """Hands a message over; it leaves at once unless sending is held."""
        if not self._held:
            self._depart(item, keep)
            return
        self._waiting.append((item, keep))
        if self._held == "nowhere" and item.number in self.items:
            self.remove(item)

    def _depart(self, item: Item, keep: bool) -> None:
        self.departed.append(item.mime)
        if not keep:
            if item.number in self.items:
                self.remove(item)
            return
        if item.number in self.items:
            self._record(item, "deleted")
        item.folder = self.folder("sentitems").id
        item.moves += 1
        item.is_draft = False
        item.received = item.modified = self._now()
        self.items.pop(item.number, None)
        self.items[item.number] = item
        self._record(item, "created")

    def last_id(self, number: int, folder: str, *, immutable: bool) -> str:
        """The id that a message had in a folder that it has left."""
        return immutable_id(number) if immutable else self._left.get((number, folder), immutable_id(number))

    def _record(self, item: Item, change: Change) -> None:
        self._change += 1
        if change == "deleted":
            self._left[item.number, item.folder] = item.rest_id
        item.change = self._change
        self._ids[item.immutable_id] = self._ids[item.rest_id] = item.number
        self.folders[item.folder].journal.append((self._change, item.number, change))
        self.told(self, item, change)

    @property
    def last_change(self) -> int:
        return self._change


def not_found() -> GraphError:
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")

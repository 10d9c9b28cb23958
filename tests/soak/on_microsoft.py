"""Outlook on an Exchange Server and on Microsoft 365, and how a mailbox gets from one to the other."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from connectors.labels import NAMES, Label
from tests.servers.ews import Box as ExchangeBox
from tests.servers.ews import ExchangeServer
from tests.servers.ews.store import Item as StoredItem
from tests.servers.graph import Box as GraphBox
from tests.servers.graph.item import Item
from tests.soak.program import OWN_NAME

_OF_NAME = {name: label for label, name in NAMES.items()}


class ExchangeProgram:
    """A mailbox of the Exchange stand-in: Outlook, with categories."""

    def __init__(self, exchange: ExchangeServer, address: str) -> None:
        self.exchange, self.box = exchange, exchange.box(address)
        self._told = 0

    def deliver(self, raw: bytes, at: datetime) -> None:
        self.box.deliver(raw, received=at.astimezone(UTC))

    def sends(self, raw: bytes, at: datetime) -> None:
        self.box.deliver(raw, folder="sentitems", received=at.astimezone(UTC), is_read=True)

    def shown(self) -> Mapping[str, frozenset[Label]]:
        return {
            (item.properties.message_id or "").strip("<>"): _labels(item.categories)
            for item in self.box.folder("inbox").messages
        }

    def label(self, message_id: str, labels: frozenset[Label]) -> None:
        others = self.box.categories_of(message_id) - set(NAMES.values())
        self.box.set_categories(message_id, [*sorted(others), *sorted(NAMES[label] for label in labels)])

    def rename(self, message_id: str) -> None:
        self.box.set_categories(message_id, [OWN_NAME])

    def delete(self, message_ids: Iterable[str]) -> None:
        for message_id in message_ids:
            self.box.delete(message_id)

    def archive(self, message_ids: Iterable[str]) -> None:
        for message_id in message_ids:
            self.box.move(message_id, "Kept")

    def bring_back(self, message_id: str) -> None:
        self.box.move(message_id, "inbox")

    def empty_archive(self) -> None:
        self._remove(self.box.folder("Kept").messages)

    def expire(self, before: datetime) -> int:
        old = [
            item
            for folder in ("inbox", "sentitems")
            for item in self.box.folder(folder).messages
            if item.received < before
        ]
        self._remove(old)
        return len(old)

    def drafts(self) -> Sequence[bytes]:
        return self.box.drafts()

    def sends_draft(self, message_id: str) -> bytes:
        raw = self.box.item(message_id).mime
        self.box.move(message_id, "sentitems")
        self.box.item(message_id).is_draft = False
        return raw

    def departed(self) -> list[bytes]:
        everything = self.box.departed
        found, self._told = everything[self._told :], len(everything)
        return found

    def sent(self) -> int:
        return len(self.box.sent())

    def _remove(self, items: Sequence[StoredItem]) -> None:
        with self.exchange.lock:
            for item in list(items):
                self.box.mailbox.delete(item)


class GraphProgram:
    """A mailbox of the stand-in for Microsoft 365: Outlook, with categories."""

    def __init__(self, box: GraphBox) -> None:
        self.box = box

    def deliver(self, raw: bytes, at: datetime) -> None:
        self.box.deliver(raw, received=at.astimezone(UTC))

    def sends(self, raw: bytes, at: datetime) -> None:
        self.box.put("sentitems", raw, received=at.astimezone(UTC))

    def shown(self) -> Mapping[str, frozenset[Label]]:
        return {item.message_id.strip("<>"): _labels(item.categories) for item in self._items("inbox")}

    def label(self, message_id: str, labels: frozenset[Label]) -> None:
        others = [name for name in self.box.categories_of(message_id) if name not in NAMES.values()]
        self.box.set_categories(message_id, [*others, *sorted(NAMES[label] for label in labels)])

    def rename(self, message_id: str) -> None:
        self.box.set_categories(message_id, [OWN_NAME])

    def delete(self, message_ids: Iterable[str]) -> None:
        for message_id in message_ids:
            self.box.delete(message_id)

    def archive(self, message_ids: Iterable[str]) -> None:
        for message_id in message_ids:
            self.box.move(message_id, "archive")

    def bring_back(self, message_id: str) -> None:
        self.box.move(message_id, "inbox")

    def empty_archive(self) -> None:
        self._remove(self._items("archive"))

    def expire(self, before: datetime) -> int:
        old = [item for folder in ("inbox", "sentitems") for item in self._items(folder) if item.received < before]
        self._remove(old)
        return len(old)

    def drafts(self) -> Sequence[bytes]:
        return self.box.drafts()

    def sends_draft(self, message_id: str) -> bytes:
        with self.box.lock:
            item = self.box.find(message_id)
            item.is_draft = False
            self.box.move_item(item, self.box.folder("sentitems").id)
            return item.mime

    def departed(self) -> list[bytes]:
        found, self.box.departed[:] = list(self.box.departed), []
        return found

    def sent(self) -> int:
        return len(self._items("sentitems"))

    def _items(self, folder: str) -> list[Item]:
        with self.box.lock:
            wanted = self.box.folder(folder).id
            return [item for item in self.box.items.values() if item.folder == wanted]

    def _remove(self, items: Iterable[Item]) -> None:
        with self.box.lock:
            for item in items:
                self.box.remove(item)


def move(exchange: ExchangeBox, graph: GraphBox) -> int:
    """Moves a mailbox as Microsoft's own move does: content, categories, times and read marks stay, every id is new.
    How many messages."""
    folders = (("inbox", "inbox"), ("sentitems", "sentitems"), ("drafts", "drafts"), ("Kept", "archive"))
    moved = 0
    for here, there in folders:
        for item in sorted(exchange.folder(here).messages, key=lambda each: each.received):
            new = graph.add(there, item.mime, received=item.received, draft=here == "drafts", read=item.is_read)
            new.categories = list(item.categories)
            moved += 1
    return moved


def _labels(categories: Iterable[str]) -> frozenset[Label]:
    return frozenset(_OF_NAME[name] for name in categories if name in _OF_NAME)

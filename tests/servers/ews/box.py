"""A mailbox as a test handles it: mail arrives, the teacher marks and moves it, and one looks what is there."""

from collections.abc import Iterable
from datetime import UTC, datetime
from threading import RLock

from tests.servers.ews.properties import Properties
from tests.servers.ews.soap import Refused
from tests.servers.ews.store import Configuration, Flag, Folder, Item, Mailbox

ARRIVAL = ("CreatedEvent", "NewMailEvent")


class Box:
    """One mailbox, from the side of the people around it. Messages are named by their Message-ID without angle
    brackets; where several have it, the youngest is meant. Each call is done when it returns."""

    def __init__(self, mailbox: Mailbox, lock: RLock, left: list[tuple[str, bytes]]) -> None:
        self.mailbox = mailbox
        self._lock = lock
        self._left = left

    @property
    def address(self) -> str:
        """The mailbox's address."""
        return self.mailbox.address

    # What happens

    def deliver(
        self,
        *mimes: bytes,
        folder: str = "inbox",
        received: datetime | None = None,
        is_read: bool = False,
        item_class: str | None = None,
    ) -> list[str]:
        """Mail arrives, in this order; `folder` is a distinguished name. `item_class` is for what is no mail, e.g.
        IPM.Post; invitations and reports are known by themselves. The ids of the new items."""
        with self._lock:
            at = received or datetime.now(UTC)
            place = self.mailbox.folder(folder)
            return [
                self.mailbox.add(
                    place,
                    mime,
                    at=at,
                    events=ARRIVAL if folder == "inbox" else ARRIVAL[:1],
                    is_read=is_read,
                    is_draft=folder == "drafts",
                    item_class=item_class or Properties(mime).item_class,
                ).id
                for mime in mimes
            ]

    def sends(self, mime: bytes) -> str:
        """The teacher sends this with their own mail program, which leaves it in Sent Items. Its id."""
        return self.deliver(mime, folder="sentitems", is_read=True)[0]

    def set_categories(self, message_id: str, categories: Iterable[str]) -> None:
        """The teacher makes these the message's categories."""
        with self._lock:
            item = self.item(message_id)
            item.categories = tuple(categories)
            self.mailbox.touch(item, "item:Categories", at=datetime.now(UTC))

    def mark(self, message_id: str, *, read: bool | None = None, flagged: bool | None = None) -> None:
        """The teacher reads it, or sets the flag."""
        with self._lock:
            item = self.item(message_id)
            if read is not None:
                self.mailbox.mark_read(item, read)
            if flagged is not None:
                item.flag = Flag("Flagged" if flagged else "NotFlagged")
                self.mailbox.touch(item, "item:Flag", at=datetime.now(UTC))

    def delete(self, message_id: str) -> None:
        """The teacher deletes the message for good."""
        with self._lock:
            self.mailbox.delete(self.item(message_id))

    def move(self, message_id: str, folder: str) -> str:
        """The teacher moves the message to a folder: a distinguished name, or the name of one of their own, which is
        made below Inbox where it lacks. The id that it has there."""
        with self._lock:
            return self.mailbox.move(self.item(message_id), self.folder(folder)).id

    def forget_sync_states(self) -> None:
        """The server no longer knows any sync state, as after the mailbox came from a backup."""
        with self._lock:
            self.mailbox.states.clear()

    def unconvertible(self, message_id: str, code: str = "ErrorContentConversionFailed") -> None:
        """Exchange cannot make this message's MIME: GetItem refuses it, for this item alone."""
        with self._lock:
            self.item(message_id).unconvertible = code

    def sender(self, message_id: str, name: str, address: str, routing: str = "EX") -> None:
        """The message's sender is shown so, e.g. with the EX address of somebody in `ExchangeServer.directory`."""
        with self._lock:
            self.item(message_id).sender = (name, address, routing)

    def trouble(self, code: str | None, text: str = "") -> None:
        """From now on every request on this mailbox is refused so, e.g. ErrorMailboxMoveInProgress; None ends it."""
        with self._lock:
            self.mailbox.trouble = None if code is None else Refused(code, text or "The mailbox is not available.")

    def fill_up(self, full: bool = True) -> None:
        """The mailbox is over its quota: nothing can be saved or sent."""
        with self._lock:
            self.mailbox.full = full

    # What is there

    def folder(self, name: str) -> Folder:
        """A folder by its distinguished name or by the name that is shown; made below Inbox where it lacks."""
        with self._lock:
            for folder in self.mailbox.folders.values():
                if name in (folder.distinguished, folder.name):
                    return folder
            return self.mailbox.new_folder(self.mailbox.folder("inbox"), name)

    def item(self, message_id: str) -> Item:
        """The youngest item with this Message-ID. Raises LookupError."""
        wanted = f"<{message_id}>"
        with self._lock:
            for item in reversed(self.mailbox.items.values()):
                if item.properties.message_id == wanted:
                    return item
        raise LookupError(f"{self.address} has no message {wanted}")

    def messages(self, folder: str = "inbox") -> list[bytes]:
        """The MIME of every message in a folder."""
        with self._lock:
            return [item.mime for item in self.folder(folder).messages]

    def drafts(self) -> list[bytes]:
        """Every message in Drafts."""
        return self.messages("drafts")

    def sent(self) -> list[bytes]:
        """Every message in Sent Items."""
        return self.messages("sentitems")

    @property
    def departed(self) -> list[bytes]:
        """Every message that really left for its recipients, once for each time that it left."""
        with self._lock:
            return [mime for address, mime in self._left if address == self.address]

    def categories_of(self, message_id: str) -> frozenset[str]:
        """The message's categories."""
        with self._lock:
            return frozenset(self.item(message_id).categories)

    def configuration(self, name: str = "CategoryList", folder: str = "calendar") -> bytes | None:
        """The XmlData of a configuration: Outlook's categories with their colours are in Calendar's CategoryList."""
        with self._lock:
            found = self.mailbox.configurations.get((self.mailbox.folder(folder).id, name))
            return None if found is None else found.xml_data

    def configure(self, xml_data: bytes, name: str = "CategoryList", folder: str = "calendar") -> None:
        """Outlook writes a configuration."""
        with self._lock:
            key = (self.mailbox.folder(folder).id, name)
            made = Configuration(self.mailbox.new_id(), xml_data, change=self.mailbox.next_change())
            self.mailbox.configurations[key] = made

    def is_read(self, message_id: str) -> bool:
        """Whether the message is marked as read."""
        with self._lock:
            return self.item(message_id).is_read

    def is_flagged(self, message_id: str) -> bool:
        """Whether the message has a flag."""
        with self._lock:
            return self.item(message_id).flag.status == "Flagged"

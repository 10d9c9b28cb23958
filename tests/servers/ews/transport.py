"""What happens to mail that is sent: it leaves, at once or late, and arrives where the server has the mailbox."""

from collections.abc import Callable
from datetime import UTC, datetime

from tests.servers.ews.properties import Properties
from tests.servers.ews.store import Folder, Item, Mailbox
from tests.servers.ews.writing import check_recipients, with_message_id, without_header


class Transport:
    """The server's transport. Whoever uses it holds the server's lock."""

    def __init__(self, arrive: Callable[[str, bytes], None]) -> None:
        """`arrive` is given every address that a message goes to, and the message."""
        self.left: list[tuple[str, bytes]] = []
        """Every message that left: whose it was, and what it was."""
        self._arrive = arrive
        self.own_message_ids = False
        """Whether every message that leaves gets another Message-ID, as some transport rules and gateways do."""
        self._held: list[tuple[Item, Folder | None]] | None = None

    def submit(self, item: Item, keep: Folder | None) -> None:
        """Lets a draft leave: at once, or, where the transport is slow, when that catches up. `keep` is where the copy
        goes. Raises Refused."""
        mailbox = item.folder.mailbox
        if self._held is not None:
            check_recipients(item.mime, mailbox)
            item.is_submitted = True
            mailbox.touch(item, "item:IsSubmitted", at=datetime.now(UTC))
            self._held.append((item, keep))
            return
        sent = self.send(mailbox, item.mime)
        if keep is None:
            mailbox.delete(item)
            return
        moved = mailbox.move(item, keep)
        moved.replace_mime(sent)
        moved.is_draft, moved.is_read, moved.received = False, True, datetime.now(UTC).replace(microsecond=0)

    def send(self, mailbox: Mailbox, mime: bytes) -> bytes:
        """Lets a message leave, and returns what the copy in Sent Items holds. Raises Refused."""
        recipients = check_recipients(mime, mailbox)
        stamped = with_message_id(without_header(mime, "Message-ID") if self.own_message_ids else mime, mailbox)
        if not Properties(mime).addresses("From"):
            stamped = f"From: <{mailbox.address}>\r\n".encode() + stamped
        left = without_header(stamped, "Bcc")
        self.left.append((mailbox.address, left))
        for recipient in recipients:
            self._arrive(recipient, left)
        return stamped

    def slow_down(self) -> None:
        """From now on drafts that are sent stay where they are, submitted."""
        self._held = self._held or []

    def catch_up(self) -> None:
        """What was held back leaves, and the transport is quick again."""
        held, self._held = self._held or [], None
        for item, keep in held:
            if item.id in item.folder.items:
                item.is_submitted = False
                self.submit(item, keep)

"""Who is told what happens to mailboxes, as it happens."""

from contextlib import suppress
from typing import Protocol

from service.delivery import Delivered
from service.pipeline import Swept


class Watcher(Protocol):
    """Is told what happens, as it happens. Called from every mailbox's thread."""

    def swept(self, swept: Swept) -> None:
        """A page of changes is on record."""
        ...

    def delivered(self, mailbox: str, delivered: Delivered) -> None:
        """Deliveries were carried out."""
        ...

    def failed(self, mailbox: str, reason: str, pause: float) -> None:
        """A mailbox could not be worked on; it is tried again after `pause` seconds."""
        ...


class Quiet:
    """A watcher that does not look."""

    def swept(self, swept: Swept) -> None:
        """Nothing."""

    def delivered(self, mailbox: str, delivered: Delivered) -> None:
        """Nothing."""

    def failed(self, mailbox: str, reason: str, pause: float) -> None:
        """Nothing."""


class Sturdy:
    """Passes on to a watcher what happens, and goes on where it fails: a closed terminal must not stop the mail."""

    def __init__(self, watcher: Watcher) -> None:
        """`watcher` may raise whatever it likes."""
        self._watcher = watcher

    def swept(self, swept: Swept) -> None:
        """As `Watcher.swept`."""
        with suppress(Exception):
            self._watcher.swept(swept)

    def delivered(self, mailbox: str, delivered: Delivered) -> None:
        """As `Watcher.delivered`."""
        with suppress(Exception):
            self._watcher.delivered(mailbox, delivered)

    def failed(self, mailbox: str, reason: str, pause: float) -> None:
        """As `Watcher.failed`."""
        with suppress(Exception):
            self._watcher.failed(mailbox, reason, pause)

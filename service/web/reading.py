"""Fetches a message's text from its mailbox when somebody opens it. It is shown, and kept nowhere (decision 1)."""

import threading
import unicodedata
from collections.abc import Callable
from enum import StrEnum

import structlog

from config import ConfigError
from config.settings import MailboxSettings, Settings
from connectors.errors import FetchFailed, MailboxError, MessageGone
from connectors.mailbox import Mailbox, RawMessage
from connectors.message import Message
from connectors.mime import parse_message
from service.logs import said
from store.database import Database
from store.deadly import is_dangerous
from store.tables import MessageRecord

log = structlog.get_logger()

_AT_ONCE = 6
"""Mailboxes read for the pages at one time: slow mail servers must leave threads for the other pages."""
_WAIT_FOR_A_TURN = 5.0
"""Seconds."""
_OVERRIDES = frozenset("\u202d\u202e")
"""They turn what follows around (Unicode UAX #9 §2.2): words that read other than they are."""


class Trouble(StrEnum):
    """Why a text cannot be shown."""

    GONE = "gone"
    """Moved or deleted since it came."""
    AWAY = "away"
    """The mailbox cannot be reached, or lets us in no more."""
    BUSY = "busy"
    """Too many texts are being fetched at this moment."""
    UNREADABLE = "unreadable"
    """The server has it, and cannot hand it over."""


class Texts:
    """Fetches texts. Threads share it."""

    def __init__(self, settings: Settings, open_box: Callable[[MailboxSettings], Mailbox], database: Database) -> None:
        """`open_box` opens a mailbox; each text is fetched over a connection of its own. `database` knows which ones
        end whoever reads them."""
        self._boxes = {box.address: box for box in settings.mailboxes}
        self._open = open_box
        self._database = database
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def fetch(self, record: MessageRecord) -> Message | Trouble:
        """The message behind a record, or why it cannot be shown; the log has the mail server's own words."""
        box = self._boxes.get(record.mailbox)
        if box is None:
            return Trouble.AWAY  # the school has taken the mailbox out
        if not self._turns.acquire(timeout=_WAIT_FOR_A_TURN):
            return Trouble.BUSY
        try:
            raw = self._fetch(box, record)
        except MessageGone:
            return Trouble.GONE
        except (MailboxError, ConfigError) as error:
            log.error("a message could not be fetched for the pages", mailbox=box.address, reason=said(error))
            return Trouble.UNREADABLE if isinstance(error, FetchFailed) else Trouble.AWAY
        finally:
            self._turns.release()
        if not raw.raw:
            return Trouble.UNREADABLE
        return parse_message(raw.raw, mailbox=box.address, id=raw.id, received_at=raw.received_at, size=raw.size)

    def _fetch(self, box: MailboxSettings, record: MessageRecord) -> RawMessage:
        if is_dangerous(self._database, record):
            raise FetchFailed("it ends whoever reads it")
        mailbox = self._open(box)
        try:
            return mailbox.fetch(record.provider_id)
        finally:
            mailbox.close()


def printable(text: str) -> str:
    """`text` without control characters, which browsers may take for something else; lines and tabs stay."""
    return "".join(
        char for char in text if char in "\n\t" or (unicodedata.category(char) != "Cc" and char not in _OVERRIDES)
    )

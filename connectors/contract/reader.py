"""The store's part in the tests: commits pages, keeps the cursor, and answers what is known."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from email.parser import BytesHeaderParser

from connectors.labels import Label, taken_away, written
from connectors.mailbox import Changes, Mailbox, RawMessage

RAW_BOUND = 1024 * 1024
"""Bytes of one message that a page of changes may hold."""
PAGES_BOUND = 5000
"""Pages after which a connector that always has more is taken to go round in circles."""


def message_id_of(raw: bytes) -> str:
    """The Message-ID of a message without angle brackets; empty where it has none."""
    head = unwrapped(raw[:65536]).partition(b"\n\n")[0]
    return str(BytesHeaderParser().parsebytes(head)["Message-ID"] or "").strip().strip("<>")


def subject_of(raw: bytes) -> str:
    """The subject as a person reads it, whether it is encoded (RFC 2047), folded, or undeclared UTF-8 (RFC 6532)."""
    head = unwrapped(raw).partition(b"\n\n")[0].decode("utf-8", "replace")
    found = re.search(r"^subject:[ \t]*(.*(?:\n[ \t].*)*)", head, re.IGNORECASE | re.MULTILINE)
    return str(make_header(decode_header(re.sub(r"\n(?=[ \t])", "", found[1])))).strip() if found else ""


def unwrapped(raw: bytes) -> bytes:
    """A message with bare line feeds, so that systems that store CRLF and systems that do not compare equal."""
    return raw.replace(b"\r\n", b"\n").rstrip(b"\n")


@dataclass
class Reader:
    """Reads one mailbox as the service does: a page counts once it is committed, and nothing else is remembered."""

    mailbox: Mailbox
    cursor: str | None = None
    recorded: dict[str, frozenset[Label]] = field(default_factory=dict)
    message_ids: dict[str, str] = field(default_factory=dict)

    def known(self, ids: Sequence[str]) -> Mapping[str, frozenset[Label]]:
        """What the store has of `ids`."""
        return {id_: self.recorded[id_] for id_ in ids if id_ in self.recorded}

    def look(self, limit: int = 200) -> Changes:
        """The next page, checked, and not committed."""
        page = self.mailbox.changes(self.cursor, self.known, limit=limit)
        assert len(page.messages) <= limit, "a page holds more messages than asked for"
        assert all(len(message.raw) <= RAW_BOUND for message in page.messages), "a page holds too much of one message"
        assert page.cursor, "a cursor must not be empty"
        return page

    def commit(self, page: Changes) -> None:
        """Takes a page over."""
        for message in page.messages:
            self.recorded[message.id] = message.labels
            self.message_ids[message.id] = message_id_of(message.raw)
        for state in page.labels:
            assert state.id in self.recorded, "labels are told of a message that nobody was told of"
            self.recorded[state.id] = state.labels
        for gone in page.removed:
            self.recorded.pop(gone, None)
            self.message_ids.pop(gone, None)
        self.cursor = page.cursor

    def pages(self, limit: int = 200) -> list[Changes]:
        """Reads and commits until nothing more is ready."""
        pages: list[Changes] = []
        while not pages or pages[-1].more:
            assert len(pages) < PAGES_BOUND, "there is always more: the cursor goes round in circles"
            pages.append(self.look(limit))
            self.commit(pages[-1])
        return pages

    def sync(self, limit: int = 200) -> list[RawMessage]:
        """Reads and commits until nothing more is ready; the new messages in the order told."""
        return [message for page in self.pages(limit) for message in page.messages]

    def tag(self, id_: str, labels: frozenset[Label]) -> None:
        """Tags and records it, as delivery does."""
        self.mailbox.tag(id_, labels)
        self.recorded[id_] = written(labels).of(self.recorded[id_])

    def unmark(self, id_: str, labels: frozenset[Label]) -> None:
        """Takes labels away and records it, as delivery does."""
        self.mailbox.unmark(id_, labels)
        self.recorded[id_] = taken_away(labels).of(self.recorded[id_])

    def id_of(self, message_id: str) -> str:
        """The provider id of the message with this Message-ID."""
        return next(id_ for id_, found in self.message_ids.items() if found == message_id)

    def labels_of(self, message_id: str) -> frozenset[Label]:
        """The labels that the store has for the message with this Message-ID."""
        return self.recorded[self.id_of(message_id)]

    def restarted(self, mailbox: Mailbox) -> "Reader":
        """The same store with a fresh instance, as after a crash."""
        self.mailbox.close()
        return Reader(mailbox, self.cursor, self.recorded, self.message_ids)

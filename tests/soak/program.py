"""What a teacher's mail program can do, whatever the system: see `on_maildir`, `on_imap`, `on_microsoft`.

Messages are named by their Message-ID without angle brackets.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from connectors.labels import TEACHERS, Label

OWN_NAME = "Family"
"""What a teacher calls a label of their own."""


class Program(Protocol):
    """A mail program on one mailbox."""

    def deliver(self, raw: bytes, at: datetime) -> None:
        """Mail arrives in the inbox."""

    def sends(self, raw: bytes, at: datetime) -> None:
        """The teacher sent this: it lies in Sent."""

    def shown(self) -> Mapping[str, frozenset[Label]]:
        """Every message in the inbox, with its Alliance labels."""

    def label(self, message_id: str, labels: frozenset[Label]) -> None:
        """The teacher makes these its Alliance labels."""

    def rename(self, message_id: str) -> None:
        """The teacher replaces its Alliance labels by one of their own."""

    def delete(self, message_ids: Iterable[str]) -> None:
        """Deletes messages of the inbox for good."""

    def archive(self, message_ids: Iterable[str]) -> None:
        """Moves messages out of the inbox."""

    def bring_back(self, message_id: str) -> None:
        """Moves a message from the archive into the inbox."""

    def empty_archive(self) -> None:
        """Deletes for good what was moved out."""

    def expire(self, before: datetime) -> int:
        """The server's retention deletes what came before then, in the inbox and in Sent. How many."""

    def drafts(self) -> Sequence[bytes]:
        """Everything in Drafts."""

    def sends_draft(self, message_id: str) -> bytes:
        """The teacher sends a draft; its content."""

    def departed(self) -> list[bytes]:
        """What left since this was last asked."""

    def sent(self) -> int:
        """How many messages lie in Sent."""


def teachers_word(labels: frozenset[Label], tag: Label) -> frozenset[Label]:
    """The labels of a message whose tag the teacher sets right; what else they marked stays."""
    return (labels & TEACHERS) | {tag}


def header_of(raw: bytes, name: str) -> str:
    """A field of a mail's header, unfolded; empty where it has none."""
    head = raw.partition(b"\r\n\r\n")[0]
    found = re.search(rb"^" + name.encode() + rb":[ \t]*(.*(?:\r\n[ \t].*)*)", head, re.MULTILINE | re.IGNORECASE)
    return " ".join(found[1].decode("utf-8", "replace").split()) if found else ""

"""The content of messages: small ones twenty in a batch, large ones alone and cut, damaged ones from their properties.

https://learn.microsoft.com/graph/outlook-get-mime-message
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from connectors.graph_batch import Part, PartAnswer
from connectors.graph_client import GraphClient
from connectors.graph_entries import Entry, message_path
from connectors.graph_errors import Refused
from connectors.graph_rebuilt import REBUILT_SELECT, rebuilt

PAGE_BYTES = 1024 * 1024
"""How much of one message a page of changes holds: the text comes first, attachments after it."""
_SMALL = 256 * 1024
"""Up to this size in the store a message comes in a batch."""
_BATCH_BYTES = 4 * 1024 * 1024
"""Messages of a batch, together. Twice in base64 that is seven megabytes of answer."""
_BATCH_MESSAGES = 20
_AS_TEXT = 'outlook.body-content-type="text"'
LARGEST = 160 * 1024 * 1024
"""Bytes of one message that `whole` reads: more than Exchange Online takes (150 MB)."""


@dataclass(frozen=True, slots=True)
class Content:
    """A message, or its beginning, and the size of all of it in bytes."""

    raw: bytes
    size: int


class Contents:
    """Reads the content of one mailbox's messages."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def beginnings(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Content | None]]:
        """The first `PAGE_BYTES` of each message, in order, loaded as the iteration goes on; None where it is gone.
        Raises MailboxError."""
        for some in _grouped(entries):
            if len(some) == 1:
                yield some[0], self._alone(some[0], PAGE_BYTES)
                continue
            parts = [Part("GET", self._client.path(message_path(entry.id) + "/$value")) for entry in some]
            for entry, answer in zip(some, self._client.batch(parts), strict=True):
                yield entry, self._of_part(entry, answer)

    def whole(self, entry: Entry) -> Content | None:
        """All of a message, None where it is gone. Raises MailboxError."""
        return self._alone(entry, LARGEST)

    def _of_part(self, entry: Entry, answer: PartAnswer) -> Content | None:
        try:
            raw = _mime(answer.wanted())
        except Refused as error:
            return None if error.failure.gone else self._rebuilt(entry, PAGE_BYTES)
        if raw is None:
            return self._alone(entry, PAGE_BYTES)
        return Content(raw[:PAGE_BYTES], len(raw))

    def _alone(self, entry: Entry, most: int) -> Content | None:
        try:
            found = self._client.stream(message_path(entry.id) + "/$value", most)
        except Refused as error:
            return None if error.failure.gone else self._rebuilt(entry, most)
        return Content(found.head, found.size)

    def _rebuilt(self, entry: Entry, most: int) -> Content | None:
        """What the properties say; nothing, with a size, where the server cannot even tell them."""
        try:
            body = self._client.get(message_path(entry.id), {"$select": REBUILT_SELECT}, prefer=_AS_TEXT)
            raw = rebuilt(body)
        except Refused as error:
            return None if error.failure.gone else Content(b"", max(1, entry.size or 0))
        except ValueError:
            return Content(b"", max(1, entry.size or 0))
        return Content(raw[:most], len(raw))


def _grouped(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Messages that are loaded together. One of unknown size may be a large one."""
    some: list[Entry] = []
    size = 0
    for entry in entries:
        large = entry.size is None or entry.size > _SMALL
        if some and (large or len(some) == _BATCH_MESSAGES or size + (entry.size or 0) > _BATCH_BYTES):
            yield some
            some, size = [], 0
        if large:
            yield [entry]
        else:
            some.append(entry)
            size += entry.size or 0
    if some:
        yield some


def _mime(body: object) -> bytes | None:
    """The message in a part of a batch; None where it did not come through unharmed.

    Graph gives it in base64. The format of batches also allows the bare text (OData JSON §19.2), in which bytes that
    are no UTF-8 are lost.
    """
    if body is None:
        return b""
    if not isinstance(body, str):
        return None
    try:
        return base64.b64decode("".join(body.split()).encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None if "�" in body else body.encode("utf-8", "surrogatepass")

"""Opening items: whole messages, or their text alone where they are large or Exchange cannot make MIME of them."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from connectors.errors import AuthenticationFailed, FetchFailed, MessageGone
from connectors.exchange_connection import Answer, Connection
from connectors.exchange_errors import GONE, Unanswered, code_of
from connectors.exchange_items import Listed, item_in, items_in, mime_in, resolved_in
from connectors.exchange_mime import built, with_missing_headers
from connectors.exchange_requests import Element, get_mime, get_text, resolve

PAGE_BYTES = 64 * 1024
"""How much of one message a page of changes holds: the text comes first, attachments after it."""
_LARGE = 1024 * 1024
"""From this size on (bytes) a page of changes asks for the text alone: EWS cannot give the beginning of a message."""
_BATCH_BYTES = 4 * 1024 * 1024
_BATCH = 100
_TEXTS = 10
_TEXT_KILOBYTES = 256
_BREAKS = 8
"""So often the line may break over the messages of one page before any of them came: then it is not a message's
fault. (To find one among a hundred takes eight.)"""
_NAMES_KEPT = 1000

Opened = tuple[Listed, bytes | None]
"""An item as it was opened (with its time and categories of that moment) and its bytes; None where there are none."""


class Reading:
    """Opens items of one mailbox."""

    def __init__(self, connection: Connection) -> None:
        """Asks over `connection`."""
        self._connection = connection
        self._names: dict[str, str] = {}
        self._broke = 0
        self._came = False

    def whole(self, item_id: str) -> tuple[Listed, bytes]:
        """One whole message. Raises MessageGone, FetchFailed."""
        answer = _first(self._connection.ask(get_mime([item_id]), FetchFailed))
        element = _element(answer)
        mime = None if element is None else mime_in(element)
        if element is not None and mime is not None:
            return item_in(element), with_missing_headers(mime, element)
        if _gone(answer):
            raise MessageGone(f"{self._connection.where}: the message was deleted or moved")
        answer = _first(self._text([item_id], None))
        element = _element(answer)
        if element is None:
            code = code_of(answer) if isinstance(answer, BaseException) else "no item"
            raise FetchFailed(f"{self._connection.where}: the server hands nothing of the message over ({code})")
        return item_in(element), built(element, self.resolved)

    def beginnings(self, listed: Sequence[Listed]) -> list[Opened]:
        """The beginning of each message, at most `PAGE_BYTES`, with its size; those that are gone are left out. What
        Exchange cannot hand over comes without bytes, so that it holds up nothing else. Raises ConnectFailed and other
        errors of the connection."""
        self._broke, self._came = 0, False
        opened: dict[str, Opened] = {}
        small = [item for item in listed if item.size < _LARGE]
        texts = [item for item in listed if item.size >= _LARGE]
        for batch in _batches(small):
            for item, answer in self._carefully(batch, self._mimes):
                element = _element(answer)
                mime = mime_in(element) if element is not None else None
                if element is not None and mime is not None:
                    mime = with_missing_headers(mime, element)
                    seen = item_in(element)
                    opened[item.id] = (_sized(seen, item, len(mime)), mime[:PAGE_BYTES])
                elif not _gone(answer):
                    texts.append(item)
        for batch in _chunks(texts, _TEXTS):
            for item, answer in self._carefully(batch, lambda ids: self._text(ids, _TEXT_KILOBYTES)):
                element = _element(answer)
                if element is not None:
                    text = built(element, self.resolved)
                    size = max(item.size, len(text))
                    opened[item.id] = (_sized(item_in(element), item, size), text[:PAGE_BYTES])
                elif not _gone(answer):
                    # What the server has and cannot hand over must not look like an empty message.
                    opened[item.id] = (_sized(item, item, max(item.size, 1)), None)
        return [opened[item.id] for item in listed if item.id in opened]

    def resolved(self, address: str) -> str:
        """The SMTP address behind one of Exchange's own kind, empty where the directory has none."""
        if address not in self._names:
            if len(self._names) >= _NAMES_KEPT:
                self._names.clear()
            try:
                self._names[address] = resolved_in(self._connection.ask(resolve(address), FetchFailed))
            except (FetchFailed, AuthenticationFailed):
                return ""  # who may not look into the directory may read mail all the same
        return self._names[address]

    def _mimes(self, ids: list[str]) -> list[Answer]:
        return self._connection.ask(get_mime(ids), FetchFailed)

    def _text(self, ids: list[str], kilobytes: int | None) -> list[Answer]:
        """The answers for each item's properties: of all that a message has, or what any item has where it is none."""
        answers = self._connection.ask(get_text(ids, kilobytes=kilobytes), FetchFailed)
        answers += [None] * (len(ids) - len(answers))
        odd = [n for n, answer in enumerate(answers) if _element(answer) is None and not _gone(answer)]
        if odd:
            request = get_text([ids[n] for n in odd], kilobytes=kilobytes, of_messages=False)
            for n, answer in zip(odd, self._connection.ask(request, FetchFailed), strict=False):
                answers[n] = answer
        return answers

    def _carefully(
        self, items: Sequence[Listed], load: Callable[[list[str]], list[Answer]]
    ) -> Iterator[tuple[Listed, Answer]]:
        """Each item's answer. Where the server falls over one of them, the half is asked for until it is found."""
        try:
            answers = load([item.id for item in items])
        except (Unanswered, FetchFailed):
            self._broke += 1
            if self._broke > _BREAKS and not self._came:
                raise
            if len(items) == 1:
                yield items[0], None
                return
            for half in (items[: len(items) // 2], items[len(items) // 2 :]):
                yield from self._carefully(half, load)
            return
        self._came = True
        yield from zip(items, [*answers, *[None] * (len(items) - len(answers))], strict=False)


def _element(answer: Answer) -> Element | None:
    if answer is None or isinstance(answer, BaseException):
        return None
    found = items_in(answer)
    return found[0] if found else None


def _first(answers: Sequence[Answer]) -> Answer:
    return answers[0] if answers else None


def _gone(answer: Answer) -> bool:
    return isinstance(answer, BaseException) and code_of(answer) in GONE


def _sized(seen: Listed, listed: Listed, size: int) -> Listed:
    """The item as it was opened, under the id and the time that it was listed with."""
    return Listed(listed.id, seen.change_key, listed.received_at, size, seen.categories, seen.folder_id)


def _batches(items: Sequence[Listed]) -> Iterator[list[Listed]]:
    batch: list[Listed] = []
    total = 0
    for item in items:
        if batch and (len(batch) == _BATCH or total + item.size > _BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += item.size
    if batch:
        yield batch


def _chunks(items: Sequence[Listed], size: int) -> Iterator[list[Listed]]:
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk

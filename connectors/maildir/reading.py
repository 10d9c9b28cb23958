"""What changed in a Maildir since a cursor: list, compare with what the store has, read a page of what is new."""

import errno
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from connectors.labels import Label, Relabelling
from connectors.mailbox import Changes, Direction, Known, LabelState, Progress, RawMessage
from connectors.maildir.folder import Folder, NotAMessage, Place
from connectors.maildir.keywords import Keywords
from connectors.maildir.memory import Memory, Told
from connectors.maildir.names import delivery_time, flags_of, message_id
from connectors.maildir.position import UNSETTLED, Arrival, Position, settled

PAGE_BYTES = 64 * 1024
"""How much of one message a page of changes holds: the text comes first, attachments after it."""
SENT_PREFIX = "Sent/"
"""Stands before the ids of messages in Sent; no file name can hold a slash."""
_ASKED_AT_ONCE = 500
_ATTEMPTS = 10
_PLACES_KEPT = 20_000
_SECOND_NS = 1_000_000_000

log = logging.getLogger(__name__)
_Result = TypeVar("_Result")


class Reading:
    """Reads the inbox and Sent of one mailbox. Methods raise OSError."""

    def __init__(
        self, inbox: Folder, sent: Folder, keywords: Keywords, sent_keywords: Keywords, clock: Callable[[], int]
    ) -> None:
        """Every folder has letters of its own. `clock` tells the time in nanoseconds since 1970."""
        self._inbox = inbox
        self._sent = sent
        self._keywords = keywords
        self._sent_keywords = sent_keywords
        self._clock = clock
        self._memory = Memory()
        self._places: dict[str, Place] = {}
        """Where messages lie, as last met: those that wait to be told, and some that were told or asked for lately."""
        self._reported: set[str] = set()

    def forget(self) -> None:
        """Gives the memory back; the next page compares everything with the store again."""
        self._memory = Memory()
        self._places = {}

    def tagged(self, id_: str, change: Relabelling, place: Place) -> None:
        """Our own labels were written, and the message lies at `place` now."""
        self._memory.tagged(id_, change)
        self._places[id_] = place

    def locate(self, id_: str) -> Place | None:
        """Where the message lies, as far as is known: it may move at any time. None where it is not there."""
        place = self._places.get(id_)
        if place is None:
            folder = self.folder_of(id_)
            prefix = SENT_PREFIX if folder is self._sent else ""
            listed = {prefix + found: there for found, there in folder.places().items()}
            place = listed.get(id_) or folder.find(id_.removeprefix(SENT_PREFIX))
            few = len(listed) <= _PLACES_KEPT
            self._places |= {found: there for found, there in listed.items() if few or found in self._places}
            if place is not None:
                self._places[id_] = place
        return place

    def moved(self, id_: str) -> None:
        """The message is not where `locate` said."""
        self._places.pop(id_, None)

    def at_its_place(self, id_: str, act: Callable[[Folder, Place], _Result]) -> _Result | None:
        """Does something with the message's file, found again where a mail program moves or flags it meanwhile. None
        where there is no such message. Raises OSError."""
        for _ in range(_ATTEMPTS):
            place = self.locate(id_)
            if place is None:
                return None
            try:
                return act(self.folder_of(id_), place)
            except FileNotFoundError:
                self.moved(id_)
        raise OSError(errno.EBUSY, "another program renames it again and again", str(self._inbox.path))

    def changes(self, cursor: str | None, known: Known, limit: int) -> Changes:
        """The next page. See `connectors.mailbox.Mailbox.changes`."""
        now = self._clock()
        root = self._inbox.path.stat().st_ino
        since = Position.read(cursor) if cursor is not None else None
        letters = (self._keywords.stamp, self._sent_keywords.stamp)
        stamps = settled((*self._inbox.stamps(), *self._sent.stamps(), *letters), now)
        resync = since is None or since.root != root
        unsettled = UNSETTLED in stamps
        calm = since is not None and not (resync or since.pending or unsettled)
        if cursor is not None and since is not None and calm and since.stamps == stamps:
            return Changes(cursor=cursor)
        if not self._memory.follows(cursor):
            self.forget()
        boundary = since.boundary if since is not None else None
        if unsettled or self._memory.listed != stamps:
            found = self._list(known)
            if cursor is None:
                boundary = _boundary(found, now)
            self._memory.add(found, boundary)
            self._memory.listed = stamps
        start = since or Position(v=1, root=root, stamps=stamps, boundary=boundary, old_left=cursor is None)
        return self._page(cursor, start.model_copy(update={"root": root, "boundary": boundary}), stamps, resync, limit)

    def _list(self, known: Known) -> list[Arrival]:
        """Lists both folders and compares; returns what neither the store nor this instance has met."""
        self.refresh()
        before = (*self._inbox.stamps(), *self._sent.stamps())
        labels: dict[str, frozenset[Label]] = {}
        places: dict[str, Place] = {}
        for id_, place in self._present():
            places[id_] = place
            labels[id_] = self.letters_of(id_).labels(flags_of(place.name))
        memory = self._memory
        unknown = [id_ for id_ in places if id_ not in memory.seen and id_ not in memory.waiting]
        for chunk in _chunks(unknown, _ASKED_AT_ONCE):
            memory.seen |= known(chunk)
        quiet = settled(before, self._clock()) == (*self._inbox.stamps(), *self._sent.stamps())
        memory.listing(labels, certain=quiet)
        lately = [id_ for id_ in self._places if id_ in places and id_ not in memory.waiting][-_PLACES_KEPT:]
        waiting = (id_ for id_ in (*memory.waiting, *unknown) if id_ not in memory.seen)
        self._places = {id_: places[id_] for id_ in (*lately, *waiting)}
        arrivals = (self._arrival(id_) for id_ in unknown if id_ not in memory.seen)
        return [arrival for arrival in arrivals if arrival is not None]

    def _present(self) -> Iterator[tuple[str, Place]]:
        for place, regular in self._inbox.entries():
            if regular:
                yield message_id(place.name), place
            else:
                self._report(place.name, "is no regular file and is left alone")
        if self._sent.stamps() != (-1, -1):
            for place, regular in self._sent.entries():
                if regular:
                    yield SENT_PREFIX + message_id(place.name), place

    def _arrival(self, id_: str) -> Arrival | None:
        def read(folder: Folder, place: Place) -> Arrival:
            return Arrival(folder.modified_ns(place), *delivery_time(place.name), id_)

        return self.at_its_place(id_, read)

    def _page(self, cursor: str | None, start: Position, stamps: tuple[int, ...], resync: bool, limit: int) -> Changes:
        memory = self._memory
        told = Told(
            labels=dict(islice(memory.relabelled.items(), limit)),
            removed=tuple(memory.removed[:limit]),
        )
        messages, lost = self._read(limit, start.boundary)
        told.messages = {message.id: message.labels for message in messages}
        if lost:
            memory.drop(lost)
            memory.listed = None
        old_told = sum(message.backfill for message in messages)
        old_left = len(memory.old) - old_told
        more = (
            len(memory.live) + len(memory.old) > len(messages)
            or len(memory.relabelled) > len(told.labels)
            or len(memory.removed) > len(told.removed)
        )
        reading_old = start.old_left and (old_told > 0 or old_left > 0)
        end = start.model_copy(
            update={
                "stamps": (UNSETTLED,) * len(stamps) if lost else stamps,
                "old_done": start.old_done + old_told,
                "old_left": start.old_left and old_left > 0,
                "pending": more,
                "resync": (resync or start.resync) and more,
            }
        )
        if messages or told.labels or told.removed or end != start:
            end = end.model_copy(update={"page": secrets.token_hex(6)})
        memory.told, memory.before, memory.after = told, cursor, end.cursor()
        return Changes(
            cursor=memory.after,
            messages=tuple(messages),
            labels=tuple(LabelState(id_, labels) for id_, labels in told.labels.items()),
            removed=told.removed,
            more=more,
            resync=resync or start.resync,
            progress=Progress(end.old_done, end.old_done + old_left) if reading_old else None,
        )

    def _read(self, limit: int, boundary: tuple[int, int, int, str] | None) -> tuple[list[RawMessage], set[str]]:
        """Reads the next messages: live ones, oldest first, then old ones, newest first. Also returns the ids of those
        that could not be read, gone or forbidden; they are looked for again."""
        messages: list[RawMessage] = []
        lost: set[str] = set()
        for queue, backfill in ((iter(self._memory.live), False), (reversed(self._memory.old), True)):
            for arrival in queue:
                if len(messages) == limit:
                    return messages, lost
                message = self._raw(arrival.id, backfill=backfill and boundary is not None)
                if message is None:
                    lost.add(arrival.id)
                else:
                    messages.append(message)
        return messages, lost

    def _raw(self, id_: str, *, backfill: bool) -> RawMessage | None:
        try:
            return self.message(id_, PAGE_BYTES, backfill=backfill)
        except (NotAMessage, PermissionError) as error:
            self._report(id_, f"cannot be read ({error.strerror}); it is tried again")
            return None

    def message(self, id_: str, bound: int | None = None, *, backfill: bool = False) -> RawMessage | None:
        """Reads a message, at most `bound` bytes of it. None where there is none. Raises OSError."""
        sent = id_.startswith(SENT_PREFIX)

        def read(folder: Folder, place: Place) -> RawMessage:
            stored = folder.read(place, bound)
            return RawMessage(
                id=id_,
                direction=Direction.SENT if sent else Direction.RECEIVED,
                raw=stored.raw,
                size=stored.size,
                received_at=stored.received_at,
                labels=self.letters_of(id_).labels(flags_of(place.name)),
                backfill=backfill,
            )

        return self.at_its_place(id_, read)

    def refresh(self) -> None:
        """Reads which letters stand for labels, where that changed."""
        self._keywords.refresh()
        self._sent_keywords.refresh()

    def folder_of(self, id_: str) -> Folder:
        """The folder that a message with this id lies in."""
        return self._sent if id_.startswith(SENT_PREFIX) else self._inbox

    def letters_of(self, id_: str) -> Keywords:
        """The letters of that folder."""
        return self._sent_keywords if id_.startswith(SENT_PREFIX) else self._keywords

    def _report(self, name: str, what: str) -> None:
        """Says once per instance what is set aside; without the name's odd bytes, which could forge a log line."""
        if name not in self._reported and len(self._reported) < _ASKED_AT_ONCE:
            self._reported.add(name)
            log.warning("%s: %a %s", self._inbox.path, name, what)


def _boundary(found: Sequence[Arrival], now_ns: int) -> Arrival:
    """Up to which arrival mail is old when a mailbox is connected: the latest there, or a second ago. A file dated in
    the future does not count, or mail yet to come would pass for old. File times come from the file system's clock,
    which ticks slower than ours: hence the comparison with files, and a second's margin."""
    latest = max((arrival for arrival in found if arrival.modified_ns <= now_ns), default=Arrival(0, 0, 0, ""))
    return max(latest, Arrival(now_ns - _SECOND_NS, 0, 0, ""))


def _chunks(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))

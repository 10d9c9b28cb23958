"""One page of what happened in a Microsoft 365 mailbox: new mail, labels and deletions, then old mail.

Two delta queries are followed, over the inbox and over Sent Items
(https://learn.microsoft.com/graph/delta-query-messages), both in one batch: a look at a mailbox in which nothing
happened is one request. A delta query begins by telling everything that is there, which takes long in an old mailbox.
So connecting one begins two over the inbox: one that is filtered to what has just arrived, and is through at once, for
live mail; and one over everything, newest first, page by page, the backlog. When the second is through, its link takes
over, since the filtered one follows 5,000 messages at most.

A delta query does not say whether a message is new to us or was changed: the store is asked (`Known`). Immutable ids
outlive the loss of a link, so beginning anew tells nothing twice.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from connectors.errors import ChangesFailed
from connectors.graph_client import GraphClient
from connectors.graph_cursor import CLOCKS_APART, Backlog, Cursor, Stream, parse_cursor
from connectors.graph_entries import Entry
from connectors.graph_errors import Refused
from connectors.graph_labels import labels_in
from connectors.graph_mime import Contents
from connectors.graph_streams import INBOX, SENT, Round, Streams
from connectors.mailbox import OLD_SENT, Changes, Direction, Known, LabelState, Progress, RawMessage

_PAGE_TOTAL = 16 * 1024 * 1024
"""When the messages of a page hold so many bytes together, the page is full."""
_ROUND = 2_000
"""So many changes of a folder are put in order and told together; who has more gets them in several turns."""
_PAGES_AT_ONCE = 5
"""Pages of old mail that are looked through for something to tell before the caller hears of it."""
_SENT_RENEWED = OLD_SENT + timedelta(days=30)
"""When the filtered query over Sent reaches so far back it begins anew: it follows 5,000 messages at most."""
RESYNC = timedelta(days=30)
"""With a cursor that cannot be read, mail of so many days may be mail that nobody has seen."""
_BACKLOG = "backlog"


@dataclass(frozen=True, slots=True)
class Held:
    """What one page leaves for the next in memory: worth nothing unless the next continues that very page."""

    cursor: str = ""
    told: frozenset[str] = frozenset()
    """The ids of its messages. The store may just be recording them."""
    rounds: Mapping[str, Round] = field(default_factory=dict)
    """Rounds that the page had no room for, by their link."""
    fresh: Cursor | None = None
    """Where the mailbox stands if nothing happened since `cursor`: its links are newer."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A message to tell."""

    entry: Entry
    direction: Direction
    old: bool


class PageReader:
    """Reads one page. Made for one call of `Mailbox.changes`."""

    def __init__(
        self, client: GraphClient, known: Known, limit: int, held: Held, clock: Callable[[], datetime]
    ) -> None:
        """`clock` tells the time where the server does not."""
        self._client = client
        self._streams = Streams(client)
        self._contents = Contents(client)
        self._known = known
        self._room = self._limit = max(1, limit)
        self._given = held
        self._clock = clock
        self._messages: list[RawMessage] = []
        self._labels: dict[str, LabelState] = {}
        self._removed: dict[str, None] = {}
        self._bytes = 0
        self._resync = False
        self._left: dict[str, Round] = {}
        self.held = Held()
        """For the next page."""

    def read(self, text: str | None) -> Changes:
        """The next page after the cursor `text`. Raises MailboxError."""
        if not text or self._given.cursor != text:
            self._given = Held()
        before = self._given.fresh or parse_cursor(text)
        try:
            cursor, rounds = self._connected(lost=text is not None) if before is None else self._continued(before)
            cursor, through = self._live(cursor, rounds)
            progress = _progress(cursor.backlog)
            if cursor.backlog is not None and through and self._room:
                cursor, progress = self._old_mail(cursor, cursor.backlog, rounds[_BACKLOG])
        except Refused as error:
            raise ChangesFailed(f"Microsoft Graph, {self._client.address}: changes are refused ({error})") from error
        cursor = cursor.model_copy(update={"read": self._now().replace(minute=0, second=0, microsecond=0)})
        return self._page(text, cursor, progress, more=not through or cursor.backlog is not None)

    def _page(self, text: str | None, cursor: Cursor, progress: Progress | None, *, more: bool) -> Changes:
        kept = parse_cursor(text)
        told = self._messages or self._labels or self._removed
        if text and kept is not None and kept.read == cursor.read and not (told or more or self._resync):
            # New links are no news: a store has nothing to write.
            self.held = Held(cursor=text, fresh=cursor)
            return Changes(cursor=text)
        self.held = Held(cursor.text(), frozenset(one.id for one in self._messages), self._left)
        return Changes(
            cursor=self.held.cursor,
            messages=tuple(self._messages),
            labels=tuple(self._labels.values()),
            removed=tuple(self._removed),
            more=more,
            resync=self._resync or any(message.backfill for message in self._messages),
            progress=progress,
        )

    def _connected(self, *, lost: bool) -> tuple[Cursor, dict[str, Round]]:
        """A mailbox that is read for the first time, or whose cursor cannot be read."""
        self._resync = True
        total = self._streams.total()
        now = self._now()
        since = now - (RESYNC if lost else OLD_SENT)
        cursor = Cursor(
            connected=now - RESYNC if lost else now,
            read=now,
            inbox=self._streams.arriving(INBOX, now - CLOCKS_APART),
            sent=self._streams.arriving(SENT, since),
            sent_since=since,
            backlog=Backlog(stream=self._streams.everything(), total=total),
        )
        rounds = self._streams.rounds(_streams_of(cursor), self._limit, anew=True)
        if not lost and cursor.backlog is not None:
            # What has just come was there before us all the same: it is told with the backlog.
            rounds[INBOX], young = self._young(rounds[INBOX], now)
            cursor = cursor.model_copy(update={_BACKLOG: cursor.backlog.model_copy(update={"young": young})})
        return cursor, rounds

    def _young(self, one: Round, now: datetime) -> tuple[Round, frozenset[bytes]]:
        """Leads a fresh query for live mail to its end. Returns what came in this very moment, and who was there."""
        young: set[bytes] = set()
        fresh: list[Entry] = []
        while True:
            young.update(entry.key for entry in one.entries if entry.received_at <= now)
            fresh += [entry for entry in one.entries if entry.received_at > now]
            if one.through:
                return replace(one, entries=tuple(fresh)), frozenset(young)
            one = self._streams.following(one)

    def _continued(self, before: Cursor) -> tuple[Cursor, dict[str, Round]]:
        """A mailbox that was read before. Streams that the server does not know any more begin anew."""
        wanted = _streams_of(before)
        held = {name: self._given.rounds[one.link] for name, one in wanted.items() if one.link in self._given.rounds}
        asked = {name: one for name, one in wanted.items() if name not in held}
        rounds = held | self._streams.rounds(asked, self._limit)
        lost = set(wanted) - set(rounds)
        if self._now() - before.sent_since > _SENT_RENEWED:
            lost.add(SENT)
        if not lost:
            return before, rounds
        self._resync = True
        anew = self._anew(before, lost)
        begun = {name: one for name, one in _streams_of(anew).items() if name in lost or name not in wanted}
        if INBOX in lost:
            begun[_BACKLOG] = _streams_of(anew)[_BACKLOG]
        return anew, rounds | self._streams.rounds(begun, self._limit, anew=True)

    def _anew(self, before: Cursor, lost: set[str]) -> Cursor:
        """The cursor with fresh streams in place of those that were lost. What is known stays known; mail that came
        since the mailbox was connected, and that nobody knows, is new however late it is found."""
        now = self._now()
        update: dict[str, object] = {}
        if SENT in lost:
            since = min(now - OLD_SENT, before.read - timedelta(days=1))
            update |= {"sent": self._streams.arriving(SENT, since), "sent_since": since}
        if INBOX in lost:
            update["inbox"] = self._streams.arriving(INBOX, now - CLOCKS_APART)
        if INBOX in lost or _BACKLOG in lost:
            young = before.backlog.young if before.backlog is not None else frozenset[bytes]()
            update[_BACKLOG] = Backlog(stream=self._streams.everything(), young=young, total=self._streams.total())
        return before.model_copy(update=update)

    def _live(self, cursor: Cursor, rounds: dict[str, Round]) -> tuple[Cursor, bool]:
        """Tells what is new, oldest first. Returns the cursor behind it, and whether that was all of it."""
        live = {name: self._streams.gathered(rounds[name], _ROUND) for name in (INBOX, SENT)}
        found = {
            INBOX: self._candidates(cursor, live[INBOX].entries, Direction.RECEIVED),
            SENT: self._candidates(cursor, live[SENT].entries, Direction.SENT),
        }
        together = sorted((*found[INBOX], *found[SENT]), key=lambda one: one.entry.received_at)
        new = [one for one in together if not one.old]
        old = [one for one in reversed(together) if one.old]
        told = self._tell([*new, *old])
        update: dict[str, Stream] = {}
        through = True
        for (name, one), place in zip(live.items(), ("inbox", "sent"), strict=True):
            left = tuple(c.entry for c in found[name] if c.entry.id not in told)
            update[place] = self._behind(one, left)
            through = through and one.through and not left
        return cursor.model_copy(update=update), through

    def _behind(self, one: Round, left: tuple[Entry, ...]) -> Stream:
        """Where a stream goes on: behind the round, or within it where there was no room for all."""
        if not left:
            return Stream(link=one.after)
        waiting = {entry.id for entry in left}
        stream = one.stream.half_told(entry.state for entry in one.entries if entry.id not in waiting)
        self._left[stream.link] = replace(one, stream=stream, entries=left)
        return stream

    def _old_mail(self, cursor: Cursor, backlog: Backlog, one: Round) -> tuple[Cursor, Progress]:
        """Tells what was there before, newest first. Returns the cursor behind it."""
        for pages in range(1, _PAGES_AT_ONCE + 1):
            candidates = self._candidates(cursor, one.entries, Direction.RECEIVED)
            told = self._tell(candidates)
            left = tuple(c.entry for c in candidates if c.entry.id not in told)
            waiting = {entry.id for entry in left}
            done = sum(self._is_old(cursor, entry) for entry in one.entries if entry.id not in waiting)
            backlog = backlog.model_copy(update={"done": backlog.done + done, "stream": self._behind(one, left)})
            if one.through and not left:
                # The query is through: from now on it tells what happens in the whole inbox.
                total = max(backlog.total, backlog.done)
                return cursor.model_copy(update={"inbox": Stream(link=one.after), _BACKLOG: None}), Progress(
                    total, total
                )
            if left or not self._room or pages == _PAGES_AT_ONCE:
                break
            one = self._streams.following(one, self._limit)
        return cursor.model_copy(update={_BACKLOG: backlog}), Progress(backlog.done, max(backlog.total, backlog.done))

    def _candidates(self, cursor: Cursor, entries: Iterable[Entry], direction: Direction) -> list[_Candidate]:
        """The messages among `entries` that the store does not know. Of the others the labels are told, and who is
        gone."""
        entries = list(entries)
        there = [entry for entry in entries if entry.removed is None]
        known = self._given.told | set(self._known([entry.id for entry in there]) if there else ())
        for entry in entries:
            if entry.removed is not None:
                self._removed[entry.id] = None
            elif entry.id in known and entry.categories is not None:
                self._labels[entry.id] = LabelState(entry.id, labels_in(entry.categories))
        unknown = self._streams.completed(entry for entry in there if entry.id not in known)
        return [_Candidate(entry, direction, self._is_old(cursor, entry, direction)) for entry in unknown]

    def _is_old(self, cursor: Cursor, entry: Entry, direction: Direction = Direction.RECEIVED) -> bool:
        """Whether a message was there before the mailbox was connected."""
        if entry.removed is not None:
            return False
        if direction is Direction.SENT:
            return entry.received_at < cursor.connected
        young = cursor.backlog is not None and entry.key in cursor.backlog.young
        return young or entry.received_at < cursor.connected - CLOCKS_APART

    def _tell(self, candidates: list[_Candidate]) -> set[str]:
        """Reads and tells messages while there is room. Returns the ids of those that are done with."""
        done: set[str] = set()
        by_id = {one.entry.id: one for one in candidates[: self._room]}
        for entry, content in self._contents.beginnings([one.entry for one in by_id.values()]):
            done.add(entry.id)
            if content is None:
                continue  # deleted since it was listed
            one = by_id[entry.id]
            self._messages.append(
                RawMessage(
                    id=entry.id,
                    direction=one.direction,
                    raw=content.raw,
                    size=content.size,
                    received_at=entry.received_at,
                    labels=labels_in(entry.categories),
                    backfill=one.old,
                )
            )
            self._bytes += len(content.raw)
            self._room -= 1
            if self._bytes > _PAGE_TOTAL:
                self._room = 0
                break
        return done

    def _now(self) -> datetime:
        """The server's time, to the second, as it stamps messages."""
        return (self._client.served_at or self._clock()).astimezone(UTC).replace(microsecond=0)


def _streams_of(cursor: Cursor) -> dict[str, Stream]:
    streams = {INBOX: cursor.inbox, SENT: cursor.sent}
    return streams if cursor.backlog is None else streams | {_BACKLOG: cursor.backlog.stream}


def _progress(backlog: Backlog | None) -> Progress | None:
    return None if backlog is None else Progress(backlog.done, max(backlog.total, backlog.done))

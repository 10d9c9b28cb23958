"""One page of what happened in an Exchange mailbox: mail that the teacher sent, new mail, labels, deletions, old mail.

In this order, since a reply that the teacher wrote must be known before the message that it answers.

EWS gives no sync state for "from now on": a folder is listed once, ids only, 512 at a time, to come to one. The old
mail is then read by FindItem, newest first, while SyncFolderItems already tells what is new. What both tell, the store
knows already by its id, which stays the same while the message lies where it is.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from connectors.errors import ChangesFailed
from connectors.exchange_connection import Connection
from connectors.exchange_cursor import Backlog, Cursor, FolderCursor, digest, parse_cursor, second_after
from connectors.exchange_errors import code_of
from connectors.exchange_items import Listed, Synced, found_in, synced_in
from connectors.exchange_labels import labels_in
from connectors.exchange_reading import Reading
from connectors.exchange_requests import CATEGORIES, INBOX, LISTED, SENT, find_items, get_folders, sync_items
from connectors.labels import Label
from connectors.mailbox import OLD_SENT, Changes, Direction, Known, LabelState, Progress, RawMessage

RESYNC_DAYS = 30
"""How far back mail is looked for again when the server has forgotten a sync state."""
_LATE = timedelta(days=1)
"""A message that the server took in so long before the mailbox was connected, and brings only now, was held up on its
way. An older one was moved into the folder: it was there before."""
CLOCKS_APART = timedelta(minutes=5)
"""How far a message's time may be off: it is in whole seconds, and by another server's clock where there are more."""
_LARGEST_PAGE = 256
"""Messages on one page, whatever the limit is: 16 MiB where every single one is large."""
_MOST = 512
"""Changes in one answer: EWS allows no more."""
_LISTED_AT_ONCE = 16
"""So many answers of 512 ids one page takes to list a folder: the rest is listed by the next page."""
_LOOKS = 8
_LOOKED_AT = 100
"""So often one page looks for old mail that the store does not know, and at so many messages at least each time."""
_ASKED = 400
"""So many ids the store is asked about at once."""

Windows = dict[str, tuple[str, Synced]]
"""By folder: what happened since a sync state, where one page could not tell it all."""


class PageReader:
    """Reads one page. Made for one call of `Mailbox.changes`."""

    def __init__(
        self, connection: Connection, reading: Reading, windows: Windows, known: Known, limit: int, now: datetime
    ) -> None:
        """`windows` is kept from page to page; `now` is this machine's time, aware: it counts where the server tells
        none."""
        self._windows = windows
        self._connection = connection
        self._reading = reading
        self._known = known
        self._room = min(max(1, limit), _LARGEST_PAGE)
        self._now = now.astimezone(UTC)
        self._connected = self._now
        self._messages: list[RawMessage] = []
        self._labels: list[LabelState] = []
        self._removed: list[str] = []
        self._resync = False
        self._progress: Progress | None = None

    def read(self, cursor_text: str | None) -> Changes:
        """The next page after `cursor_text`."""
        before = parse_cursor(cursor_text)
        cursor = before or self._first(lost=cursor_text is not None)
        self._resync = before is None
        self._connected = cursor.connected
        sent, sent_more = self._followed(SENT, cursor.sent, cursor)
        inbox, inbox_more = self._followed(INBOX, cursor.inbox, cursor)
        told = len(self._messages)
        if not (sent_more or inbox_more):
            sent = self._old_mail(SENT, sent)
            inbox = self._old_mail(INBOX, inbox)
        end = Cursor(connected=self._connected, read=self._now.date(), inbox=inbox, sent=sent)
        return Changes(
            cursor=end.text(),
            messages=tuple(self._messages),
            labels=tuple(self._labels),
            removed=tuple(self._removed),
            more=sent_more or inbox_more or bool(inbox.backlog or sent.backlog),
            resync=self._resync or len(self._messages) > told,
            progress=self._progress,
        )

    def _first(self, *, lost: bool) -> Cursor:
        """Where a mailbox is connected, or its cursor cannot be read: then mail may have come that nobody has seen, but
        not weeks ago."""
        self._connection.ask_one(get_folders(self._connection.address, (INBOX,)), ChangesFailed)
        # From now on by the server's clock, whose times of messages are in whole seconds.
        connected = second_after(self._connection.server_time or self._now)
        return Cursor(
            connected=connected - timedelta(days=RESYNC_DAYS) if lost else connected,
            read=self._now.date(),
            inbox=FolderCursor(compare=lost, backlog=Backlog()),
            sent=FolderCursor(compare=lost, backlog=Backlog(since=connected - OLD_SENT)),
        )

    def _followed(self, folder: str, cursor: FolderCursor, page: Cursor) -> tuple[FolderCursor, bool]:
        """What happened in a folder, and whether the server has more to tell of it."""
        if not cursor.listed:
            return self._list(folder, cursor)
        if not self._room:
            return cursor, True
        synced = self._window(folder, cursor.state or "")
        if synced is None:
            return self._forgotten(folder, cursor, page)
        told, left = self._tell(folder, cursor, synced)
        if left:
            # The rest is told from the same state again: the store knows by then what was told now.
            return cursor.model_copy(update={"told": cursor.told + told}), True
        self._windows.pop(folder, None)
        return cursor.model_copy(update={"state": synced.state, "told": 0}), not synced.last

    def _window(self, folder: str, state: str) -> Synced | None:
        """Everything since `state`, as far as a page may look; None where the server does not know the state. Mail may
        come newest first, and is to be told oldest first."""
        kept = self._windows.get(folder)
        if kept is not None and kept[0] == state:
            return kept[1]
        synced = self._sync(folder, state, LISTED)
        for _ in range(_LISTED_AT_ONCE - 1):
            if synced is None or synced.last:
                break
            following = self._sync(folder, synced.state, LISTED)
            if following is None:
                return None
            synced = synced.followed_by(following)
        if synced is not None:
            self._windows[folder] = (state, synced)
        return synced

    def _forgotten(self, folder: str, cursor: FolderCursor, page: Cursor) -> tuple[FolderCursor, bool]:
        """The server no longer knows the sync state: the folder is listed again, and mail of the last weeks that the
        store does not have is looked for; all of it, where the old mail was not through."""
        self._resync = True
        since: datetime | None = None
        if cursor.backlog is None or cursor.backlog.since is not None:
            day = min(page.read, self._now.date()) - timedelta(days=RESYNC_DAYS)
            since = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return self._list(folder, FolderCursor(compare=True, backlog=Backlog(since=since, missed=True)))

    def _list(self, folder: str, cursor: FolderCursor) -> tuple[FolderCursor, bool]:
        """Comes to a sync state for the folder as it is."""
        state = cursor.state
        for _ in range(_LISTED_AT_ONCE):
            synced = self._sync(folder, state, (CATEGORIES,) if cursor.compare else ("item:Size",))
            if synced is None:
                state = None
                self._resync = True
                continue
            state = synced.state
            if cursor.compare:
                self._compare([*synced.created, *synced.updated])
            if synced.last:
                return FolderCursor(state=state, listed=True, backlog=cursor.backlog), False
        return cursor.model_copy(update={"state": state}), True

    def _sync(self, folder: str, state: str | None, fields: Sequence[str]) -> Synced | None:
        """What SyncFolderItems tells; None where the server does not know the state."""
        request = sync_items(self._connection.address, folder, state, _MOST, fields)
        answers = self._connection.ask(request, ChangesFailed)
        if answers and state is not None and code_of(answers[0]) == "ErrorInvalidSyncStateData":
            return None
        synced = synced_in(self._connection.sole(answers, ChangesFailed))
        if synced is None:
            raise ChangesFailed(f"{self._connection.where}: the answer holds no sync state")
        return synced

    def _tell(self, folder: str, cursor: FolderCursor, synced: Synced) -> tuple[int, bool]:
        """Tells what there is room for; how many new messages that were, and whether there are more."""
        changed = {item.id: item for item in (*synced.created, *synced.updated)}
        on_record = self._on_record([*changed, *synced.deleted])
        # A message that changed before the old mail came to it is told then, as it is then.
        waiting = synced.updated if folder == INBOX and cursor.backlog is None else ()
        listed = sorted((*synced.created, *waiting), key=lambda item: (item.received_at, item.number))
        new = [item for item in listed if item.id not in on_record]
        if len(new) == len(listed):
            new = new[cursor.told :]  # whoever asks keeps no record
        chosen = new[: self._room]
        told = self._open(folder, chosen, _LATE)
        if folder in self._windows:
            # What went since it was listed is never on record, and would be looked for again on every page.
            gone = {item.id for item in chosen} - told
            self._windows[folder] = (self._windows[folder][0], synced.without(gone))
        self._label([item for item in changed.values() if item.id in on_record], on_record)
        self._removed += [item_id for item_id in synced.deleted if item_id in on_record]
        return len(told), len(new) > len(chosen)

    def _compare(self, items: Sequence[Listed]) -> None:
        on_record = self._on_record([item.id for item in items])
        self._label([item for item in items if item.id in on_record], on_record)

    def _unknown(self, items: Sequence[Listed]) -> list[Listed]:
        on_record = {*self._on_record([item.id for item in items]), *(message.id for message in self._messages)}
        return [item for item in items if item.id not in on_record]

    def _on_record(self, ids: Sequence[str]) -> Mapping[str, frozenset[Label]]:
        found: dict[str, frozenset[Label]] = {}
        for start in range(0, len(ids), _ASKED):
            found |= self._known(ids[start : start + _ASKED])
        return found

    def _label(self, items: Sequence[Listed], on_record: Mapping[str, frozenset[Label]]) -> None:
        for item in items:
            labels = labels_in(item.categories)
            if labels != on_record[item.id]:
                self._labels.append(LabelState(item.id, labels))

    def _open(self, folder: str, items: Sequence[Listed], margin: timedelta) -> set[str]:
        """Opens and tells messages; what was received by `margin` before the mailbox was connected was there before.
        The ids of those that are still there."""
        already = len(self._messages)
        for item, raw in self._reading.beginnings(items):
            self._messages.append(
                RawMessage(
                    id=item.id,
                    direction=Direction.RECEIVED if folder == INBOX else Direction.SENT,
                    raw=raw or b"",
                    size=item.size,
                    received_at=item.received_at,
                    labels=labels_in(item.categories),
                    backfill=item.received_at < self._connected - margin,
                )
            )
        self._room = max(0, self._room - len(items))
        return {message.id for message in self._messages[already:]}

    def _old_mail(self, folder: str, cursor: FolderCursor) -> FolderCursor:
        """Mail that was there before, newest first, as far as there is room."""
        backlog = cursor.backlog
        for _ in range(_LOOKS):
            if backlog is None or not self._room:
                break
            backlog = self._older(folder, backlog)
        return cursor.model_copy(update={"backlog": backlog})

    def _older(self, folder: str, backlog: Backlog) -> Backlog | None:
        # One item more in front: does the one that was read last still stand where it stood?
        ahead = 1 if backlog.skip else 0
        offset, skipped = backlog.skip - ahead, backlog.skip
        request = find_items(
            self._connection.address,
            folder,
            offset=offset,
            most=min(max(self._room, _LOOKED_AT) + ahead, _MOST),
            before=backlog.before,
            since=backlog.since,
        )
        found = found_in(self._connection.ask_one(request, ChangesFailed))
        items = list(found.items)
        if ahead:
            if not items or digest(items[0].id) != backlog.last:
                # Something in front of it went or came: the whole second is looked at again, and the store asked.
                return backlog.model_copy(update={"skip": 0, "last": ""})
            items = items[1:]
        new = self._unknown(items)
        if len(new) > self._room:
            new = new[: self._room]
            items = items[: items.index(new[-1]) + 1]
        self._open(folder, new, CLOCKS_APART if backlog.missed else timedelta(0))
        total = backlog.done + max(0, found.total - skipped)
        done = min(backlog.done + len(items), total)
        finished = not items or (found.last and items[-1] == found.items[-1])
        if folder == INBOX:
            self._progress = Progress(total, total) if finished else Progress(done, total)
        if finished:
            return None
        before = second_after(items[-1].received_at)
        same = len([item for item in items if second_after(item.received_at) == before])
        skip = skipped + len(items) if before == backlog.before else same
        return Backlog(before=before, skip=skip, last=digest(items[-1].id), since=backlog.since, done=done, total=total)

"""One page of what happened in an IMAP mailbox: mail that the teacher sent, new mail, labels and deletions, old mail.

In this order, since a reply that the teacher wrote must be known before the message that it answers. Each page costs a
few commands however large the mailbox is: sequence numbers give exact pages of old mail, and deletions only ever lower
them, so reading downwards skips nothing.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from connectors.errors import ChangesFailed
from connectors.imap_answers import Listed, uid_sets
from connectors.imap_bodies import PAGE_BYTES, read_bodies
from connectors.imap_connection import FolderState
from connectors.imap_cursor import Backlog, Cursor, FolderCursor, anew, parse_cursor
from connectors.imap_folders import INBOX
from connectors.imap_ids import Place
from connectors.imap_labels import Marking, keeps, labels_in
from connectors.imap_marks import Comparison, Marked
from connectors.imap_session import Session
from connectors.labels import Label
from connectors.mailbox import OLD_SENT, Changes, Direction, Known, LabelState, Progress, RawMessage

_PAGE_TOTAL = 16 * 1024 * 1024
"""When the messages of a page hold so much together, the page is full."""
_AT_ONCE = 100
"""How many messages one command asks for: 6 MiB where every single one is large."""
RESYNC_DAYS = 30
"""How far back mail is listed again under its new numbers when the server has renumbered a folder."""
CLOCKS_APART = timedelta(minutes=5)
"""How far the server's clock and ours may differ."""

_Loaded = tuple[Listed, bytes | None]


class PageReader:
    """Reads one page. Made for one call of `Mailbox.changes`."""

    def __init__(self, session: Session, known: Known, limit: int, now: datetime, *, carefully: bool) -> None:
        """`now` is this machine's time, aware. `carefully` looks for a message over which the server falls."""
        self._carefully = carefully
        self._session = session
        self._known = known
        self._room = max(1, limit)
        self._now = now.astimezone(UTC)
        self._messages: list[RawMessage] = []
        self._connected = self._now
        self._marking = Marking.KEYWORDS
        self._bytes = 0
        self._lost = False
        self._sent_state: FolderState | None = None
        self._waiting: set[str] = set()
        """Folders of which the page had no room for all new mail."""
        self.inbox_seen: FolderState | None = None
        """INBOX as this page saw it."""

    def read(self, cursor_text: str | None) -> Changes:
        """The next page after `cursor_text`."""
        before = parse_cursor(cursor_text)
        self._lost = before is None and cursor_text is not None
        resync = before is None
        if before is not None:
            self._connected = before.connected
        elif self._lost:
            # A cursor that cannot be read: mail may have come that nobody has seen, but not weeks ago.
            self._connected = self._now - timedelta(days=RESYNC_DAYS)
        sent, sent_anew = self._sent_now(before)
        sent, sent_labels = self._sent_marked(sent)
        sent = self._new_sent(sent)
        state = self._session.inbox()
        self.inbox_seen = state
        self._marking = self._session.marking(state)
        inbox, inbox_anew = self._followed(INBOX, before.inbox if before else None, state, before)
        resync = resync or sent_anew or inbox_anew
        marked = self._marked(inbox, state)
        # The marks are told first, on the state as it was opened; reading may let the server renumber its messages.
        inbox = self._new_mail(inbox, state)
        inbox = inbox.model_copy(
            update={"modseq": state.modseq, "exists": state.exists, "horizon": state.uidnext, "marks": marked.marks}
        )
        told = len(self._messages)
        sent = self._old_sent(sent)
        reading_old = inbox.backlog
        inbox = self._old_mail(inbox)
        cursor = Cursor(connected=self._connected, read=self._now.date(), inbox=inbox, sent=sent)
        return Changes(
            cursor=cursor.text(),
            messages=tuple(self._messages),
            labels=(*sent_labels, *marked.labels),
            removed=marked.removed,
            more=bool(inbox.backlog or sent.backlog or self._waiting),
            resync=resync or len(self._messages) > told,
            progress=_progress(reading_old, inbox.backlog),
        )

    def _followed(
        self, name: str, known: FolderCursor | None, state: FolderState, before: Cursor | None
    ) -> tuple[FolderCursor, bool]:
        """Where the folder stands, and whether its old numbers are void."""
        if known is not None and known.name == name and known.uidvalidity == state.uidvalidity:
            return known, False
        if known is not None and known.name == name and not (known.exists or state.exists):
            # Courier gives an empty folder another UIDVALIDITY each time until somebody opens it.
            return known, False
        if before is None or known is None:
            since = None if name == INBOX else self._days_ago(OLD_SENT.days)
        elif known.backlog is not None and known.backlog.since is None:
            since = None  # the old mail was not through: all of it is read anew
        else:
            since = min(before.read, self._now.date()) - timedelta(days=RESYNC_DAYS)
        renumbered = before is not None or self._lost
        return anew(
            name, state.uidvalidity, state.uidnext, state.exists, since=since, renumbered=renumbered
        ), renumbered

    def _sent_now(self, before: Cursor | None) -> tuple[FolderCursor, bool]:
        folders = self._session.folders()
        if folders.sent not in folders.existing:
            self._session.forget_folders()  # it may come any time
            return before.sent if before else anew(folders.sent, 0, 0, 0), False
        # Opened, not asked for its STATUS: Dovecot, for one, tells there of no change of flags for a while.
        self._sent_state = self._session.connection().select(folders.sent)
        return self._followed(folders.sent, before.sent if before else None, self._sent_state, before)

    def _sent_waits(self, sent: FolderCursor) -> bool:
        return self._sent_state is not None and sent.uidnext < self._sent_state.uidnext

    def _new_sent(self, sent: FolderCursor) -> FolderCursor:
        if self._sent_state is None or not self._sent_waits(sent):
            return sent
        return self._new_mail(sent, self._sent_state)

    def _sent_marked(self, sent: FolderCursor) -> tuple[FolderCursor, tuple[LabelState, ...]]:
        """Labels that changed on mail in Sent: "good news", where the folder takes keywords."""
        state = self._sent_state
        if state is None or not (state.exists and keeps(state, Label.GOOD_NEWS)):
            return sent, ()
        connection, folders = self._session.connection(), self._session.folders()
        marked = Comparison(connection, folders, Marking.KEYWORDS, sent, state, self._known).relabelled()
        return sent.model_copy(update={"modseq": state.modseq}), marked.labels

    def _old_sent(self, sent: FolderCursor) -> FolderCursor:
        if sent.backlog is None or not self._room:
            return sent
        state = self._session.connection().select(sent.name)
        return self._old(sent, state)

    def _old_mail(self, inbox: FolderCursor) -> FolderCursor:
        if inbox.backlog is None or not self._room:
            return inbox
        connection = self._session.connection()
        fresh = self.inbox_seen if connection.numbered == INBOX else None
        return self._old(inbox, fresh or self._session.inbox())

    def _marked(self, inbox: FolderCursor, state: FolderState) -> Marked:
        connection, folders = self._session.connection(), self._session.folders()
        return Comparison(connection, folders, self._marking, inbox, state, self._known).marked()

    def _new_mail(self, cursor: FolderCursor, state: FolderState) -> FolderCursor:
        """Messages that came since the cursor, oldest first. The cursor goes as far as there are messages, not as far
        as the server counts: of a count that was too high, what came next would never be read."""
        first, seen = cursor.uidnext, cursor.uidnext
        while self._room and first < state.uidnext:
            last = min(first + self._at_once - 1, state.uidnext - 1)
            loaded = self._load(cursor, f"{first}:{last}", uid=True, count=last - first + 1)
            loaded = [(message, raw) for message, raw in loaded if first <= message.uid <= last]
            if len(loaded) <= last - first:
                loaded = sorted((*loaded, *self._left_out(cursor, first, last, loaded)), key=_uid)
            if not loaded and last + 1 < state.uidnext:
                # A gap, left by mail that came and went: jump over it.
                uids = self._session.connection().search("UID", f"{last + 1}:{state.uidnext - 1}")
                loaded = self._load_set(cursor, uids[: self._at_once])
                last = state.uidnext - 1 if len(uids) <= self._at_once else uids[self._at_once - 1]
            self._add(cursor, loaded, old=False)
            first = last + 1
            seen = max([seen, *(message.uid + 1 for message, _ in loaded)])
        if first < state.uidnext:
            self._waiting.add(cursor.name)
        return cursor.model_copy(update={"uidnext": first if first < state.uidnext else seen})

    def _left_out(self, cursor: FolderCursor, first: int, last: int, loaded: Sequence[_Loaded]) -> list[_Loaded]:
        """Messages that the server left out of an answer and has all the same. Raises ChangesFailed where it leaves
        them out again: passed over now, they would never be read."""
        connection = self._session.connection()
        had = {message.uid for message, _ in loaded}
        lacking = [
            uid for uid in connection.search("UID", f"{first}:{last}") if first <= uid <= last and uid not in had
        ]
        again = self._load_set(cursor, lacking) if lacking else []
        if len(again) < len(lacking):
            raise ChangesFailed(
                f"{connection.where}: {cursor.name} has {len(lacking)} messages that the server does not hand over; "
                "they are asked for again"
            )
        return again

    def _old(self, cursor: FolderCursor, state: FolderState) -> FolderCursor:
        """Messages that were there before, newest first."""
        backlog = cursor.backlog
        if backlog is None or state.uidvalidity != cursor.uidvalidity:
            return cursor
        if backlog.since is None:
            left = self._old_by_number(cursor, backlog, state.exists)
        else:
            left = self._old_by_date(cursor, backlog, backlog.since)
        return cursor.model_copy(update={"backlog": left})

    def _old_by_number(self, cursor: FolderCursor, backlog: Backlog, exists: int) -> Backlog | None:
        top, below, done = min(backlog.position, exists), backlog.below, backlog.done
        while top and self._room:
            if self._session.connection().numbered != cursor.name:
                top = min(top, self._session.connection().select(cursor.name).exists)
            low = max(1, top - self._at_once + 1)
            loaded = self._load(cursor, f"{low}:{top}", uid=False, count=top - low + 1)
            loaded = [(message, raw) for message, raw in reversed(loaded) if message.uid < below]
            self._add(cursor, loaded, old=True)
            top, below, done = low - 1, loaded[-1][0].uid if loaded else below, done + len(loaded)
        update = {"below": below, "position": top, "done": min(done, backlog.total)}
        return backlog.model_copy(update=update) if top else None

    def _old_by_date(self, cursor: FolderCursor, backlog: Backlog, since: date) -> Backlog | None:
        uids: list[int] = []
        if backlog.below > 1:
            uids = self._session.connection().search("UID", f"1:{backlog.below - 1}", "SINCE", since)
        below, done = backlog.below, backlog.done
        while uids and self._room:
            chosen = uids[-self._at_once :]
            loaded = self._load_set(cursor, chosen)
            self._add(cursor, loaded[::-1], old=True)
            uids, below, done = uids[: -len(chosen)], chosen[0], done + len(chosen)
        update = {"below": below, "done": done, "total": done + len(uids)}
        return backlog.model_copy(update=update) if uids else None

    @property
    def _at_once(self) -> int:
        return min(self._room, _AT_ONCE)

    def _load_set(self, cursor: FolderCursor, uids: Sequence[int]) -> list[_Loaded]:
        loaded = [self._load(cursor, part, uid=True, count=len(uids)) for part in uid_sets(uids)]
        return [(message, raw) for some in loaded for message, raw in some if message.uid in uids]

    def _load(self, cursor: FolderCursor, numbers: str, *, uid: bool, count: int) -> list[_Loaded]:
        """Messages of the open folder, ascending: in one command where the server can, else one after another."""
        connection = self._session.connection()
        if not self._carefully:
            loaded = connection.read(numbers, uid=uid, count=count, most=PAGE_BYTES)
            if loaded is not None:
                return list(loaded)
        # Without sizes: measuring a message is reading it.
        listed = connection.overview(numbers, uid=uid, count=count, sizes=False)
        bodies = read_bodies(self._session, cursor, [message.uid for message in listed])
        cut = sorted(uid for uid, raw in bodies.items() if raw is not None and len(raw) == PAGE_BYTES)
        measured = [self._session.connection().overview(part, uid=True, count=len(cut)) for part in uid_sets(cut)]
        by_uid = {message.uid: message for message in (*listed, *(m for some in measured for m in some))}
        return [(by_uid[message.uid], bodies[message.uid]) for message in listed if message.uid in bodies]

    def _add(self, cursor: FolderCursor, loaded: Sequence[_Loaded], *, old: bool) -> None:
        for message, raw in loaded:
            self._messages.append(self._raw(cursor, message, raw, old=old))
            self._bytes += len(raw or b"")
        self._room = 0 if self._bytes > _PAGE_TOTAL else self._room - len(loaded)

    def _raw(self, cursor: FolderCursor, message: Listed, raw: bytes | None, *, old: bool) -> RawMessage:
        renumbered = cursor.backlog is not None and cursor.backlog.renumbered
        inbox = cursor.name == INBOX
        exact = not inbox or self._marking is Marking.KEYWORDS
        return RawMessage(
            id=Place(cursor.name, cursor.uidvalidity, message.uid).message_id(),
            direction=Direction.RECEIVED if inbox else Direction.SENT,
            raw=raw or b"",
            # What the server has and cannot hand over must not look like an empty message.
            size=max(message.size, 1 if raw is None else len(raw)),
            received_at=message.received_at,
            labels=labels_in(message.flags) if exact else frozenset[Label](),
            backfill=old and not (renumbered and message.received_at >= self._connected - CLOCKS_APART),
        )

    def _days_ago(self, days: int) -> date:
        return self._now.date() - timedelta(days=days)


def _uid(loaded: _Loaded) -> int:
    return loaded[0].uid


def _progress(before: Backlog | None, after: Backlog | None) -> Progress | None:
    if before is None or (before.since is not None and after is not None and not after.total):
        return None
    if after is None:
        total = max(before.total, before.done)
        return Progress(total, total)
    return Progress(after.done, max(after.total, after.done))

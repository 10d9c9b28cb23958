"""One page of what happened in a Gmail mailbox: live mail first, labels and deletions, then old mail.

Live mail is what history tells, in its order. What skipped the inbox by a filter counts as well: a teacher who files
families under a label of their own still wants to know what is urgent. Spam, Trash, drafts and chats are no mail; what
comes back out of Spam or Trash is told like new.

Old mail is listed before history is read: whatever both of them hold arrived meanwhile, and is live.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta

from connectors.errors import AuthenticationFailed, ChangesFailed
from connectors.gmail_backlog import PAGE_BYTES, is_mail, list_old, read_old
from connectors.gmail_cursor import Backlog, Cursor, parse_cursor
from connectors.gmail_errors import Refused
from connectors.gmail_history import Folding, Touched
from connectors.gmail_labels import Labels
from connectors.gmail_mail import AWAY, SENT, Mail, Reading, Stored
from connectors.labels import Label
from connectors.mailbox import OLD_SENT, Changes, Direction, Known, LabelState, RawMessage

LOST_DAYS = 30
"""How far back mail may be unread by anybody where a cursor cannot be read at all."""
OVERLAP = timedelta(days=2)
"""How much further back than the last known day is listed again when Gmail has forgotten the history."""
CLOCKS_APART = timedelta(minutes=5)
"""How far Google's clock and ours may differ."""
IMPORTED = timedelta(days=1)
"""Mail that is new to the mailbox and was received so long before it was connected was carried over from elsewhere."""
_OLD_AT_LEAST = 10
_FORGOTTEN = frozenset({400, 404, 410})
"""Statuses by which Gmail says that it does not know a history id."""


class _Forgotten(Exception):
    """Gmail does not know the cursor's history id."""


class PageReader:
    """Reads one page. Made for one call of `Mailbox.changes`."""

    def __init__(self, reading: Reading, labels: Labels, known: Known, limit: int, now: datetime) -> None:
        """`now` is this machine's time, aware."""
        self._reading = reading
        self._labels = labels
        self._known = known
        self._limit = max(1, limit)
        self._now = now.astimezone(UTC)

    def read(self, cursor_text: str | None, address: str) -> Changes:
        """The next page after `cursor_text`. `address` is whose mailbox it should be. Raises AuthenticationFailed where
        it is another's."""
        cursor = parse_cursor(cursor_text)
        fresh = cursor is None
        if cursor is None:
            cursor = self._connected(address, lost=cursor_text is not None)
        self._labels.recall(cursor.labels)
        try:
            return self._page(cursor, resync=fresh)
        except _Forgotten as error:
            if fresh:
                raise ChangesFailed(f"Gmail forgets the history of {address} while it is told") from error
        return self._page(self._again(cursor), resync=True)

    def _connected(self, address: str, *, lost: bool) -> Cursor:
        """A mailbox that is read for the first time, or whose cursor is of no use: then mail may be among the old that
        nobody has read, but not from months ago."""
        profile = self._reading.profile()
        if profile.address != address:
            raise AuthenticationFailed(
                f"the credentials of {address} open the mailbox {profile.address}: nothing was read. Connect the right "
                "account, or name the mailbox by its primary address"
            )
        top = self._newest()
        days = LOST_DAYS if lost else OLD_SENT.days
        sent = Backlog(sent=True, since=_epoch(self._now - timedelta(days=days)), second=top, resync=lost)
        received = Backlog(sent=False, second=top, total=profile.total, resync=lost)
        return Cursor(
            connected=self._now - timedelta(days=LOST_DAYS) if lost else self._now,
            history=profile.history,
            ahead=profile.history,
            day=self._now.date(),
            backlogs=() if top is None else (sent, received),
        )

    def _again(self, cursor: Cursor) -> Cursor:
        """Gmail has forgotten the history since the cursor: what came since the last known day is listed."""
        profile = self._reading.profile()
        last = datetime.combine(min(cursor.day, self._now.date()), time(0), UTC)
        since = _epoch(last - OVERLAP)
        # What listed already what was newer than some second goes on there; what was to be listed anew begins anew.
        unfinished = tuple(backlog for backlog in cursor.backlogs if not (backlog.resync and backlog.since is not None))
        listed = tuple(Backlog(sent=sent, since=since, resync=True) for sent in (True, False))
        return cursor.model_copy(
            update={
                "history": profile.history,
                "within": 0,
                "ahead": profile.history,
                "day": self._now.date(),
                "backlogs": (*listed, *unfinished),
            }
        )

    def _newest(self) -> int | None:
        """When the newest message was received; None where there is none."""
        for stored in self._reading.states(self._reading.listing("", 1).ids).values():
            return stored.second
        return None

    def _page(self, cursor: Cursor, *, resync: bool) -> Changes:
        listed = list_old(self._reading, cursor.backlogs, self._limit)
        folding, current = self._history(cursor)
        live, changed, removed = self._live(folding.touched)
        messages = [self._raw(mail, cursor, old=None) for mail in live]
        cursor = self._stepped(cursor, folding, current)
        progress = None
        if folding.room and not folding.more and listed:
            arrived = {touched.id for touched in folding.touched if touched.added}
            old = read_old(self._reading, self._known, listed, room=self._affordable(folding.room), arrived=arrived)
            self._labels.look_for({label for told in old.told for label in told.mail.stored.labels})
            messages += [self._raw(told.mail, cursor, old=told.backlog) for told in old.told]
            changed += self._changed(old.states, old.known)
            resync = resync or any(told.backlog.resync for told in old.told)
            cursor = cursor.model_copy(update={"backlogs": (*old.left, *cursor.backlogs[len(listed) :])})
            progress = old.progress
        return Changes(
            cursor=cursor.model_copy(update={"labels": dict(self._labels.ids)}).text(),
            messages=tuple(messages),
            labels=tuple(changed),
            removed=removed,
            more=folding.more or bool(cursor.backlogs),
            resync=resync,
            progress=progress,
        )

    def _history(self, cursor: Cursor) -> tuple[Folding, str]:
        """What history tells, and the mailbox's own history id. Raises _Forgotten."""
        folding = Folding(cursor.history, cursor.within, self._limit)
        token: str | None = None
        while True:
            try:
                found = self._reading.history(cursor.history, self._limit, token)
            except Refused as error:
                if error.status in _FORGOTTEN:
                    raise _Forgotten from error
                raise
            folding.take(found.records)
            token = found.token
            if token is None or folding.full:
                folding.more = folding.more or token is not None
                return folding, found.current

    def _live(self, touched: Sequence[Touched]) -> tuple[list[Mail], list[LabelState], tuple[str, ...]]:
        """Messages to tell, labels that changed, and messages that are gone."""
        known = self._known([each.id for each in touched])
        wanted = [each.id for each in touched if each.arrived and not each.deleted and each.id not in known]
        found = self._reading.beginnings(wanted, PAGE_BYTES)
        mails = [found[id_] for id_ in wanted if id_ in found and is_mail(found[id_].stored)]
        relabelled = [each for each in touched if each.relabelled and each.id in known and not each.deleted]
        self._labels.look_for({label for mail in mails for label in mail.stored.labels})
        self._labels.look_for({label for each in relabelled for label in each.labels})
        telling = AWAY.union(self._labels.ids.values())
        to_ask = [each.id for each in relabelled if each.labels & telling]
        states = self._reading.states(to_ask)
        gone = {id_ for id_ in to_ask if id_ not in states or states[id_].labels & AWAY}
        gone |= {each.id for each in touched if each.deleted}
        changed = self._changed([stored for id_, stored in states.items() if id_ not in gone], known)
        return mails, changed, tuple(each.id for each in touched if each.id in gone)

    def _changed(self, states: Sequence[Stored], known: Mapping[str, frozenset[Label]]) -> list[LabelState]:
        """Labels of known messages that are others than on record."""
        self._labels.look_for({label for stored in states for label in stored.labels})
        now = [LabelState(stored.id, self._labels.read(stored.labels)) for stored in states]
        return [state for state in now if known.get(state.id) != state.labels]

    def _affordable(self, room: int) -> int:
        """How many old messages may be read without a long wait for Google's quota: live mail would wait with them."""
        return max(_OLD_AT_LEAST, min(room, self._reading.free))

    def _raw(self, mail: Mail, cursor: Cursor, *, old: Backlog | None) -> RawMessage:
        received = mail.stored.received_at
        if old is None:
            backfill = received < cursor.connected - IMPORTED
        else:
            backfill = not (old.resync and received >= cursor.connected - CLOCKS_APART)
        return RawMessage(
            id=mail.stored.id,
            direction=Direction.SENT if SENT in mail.stored.labels else Direction.RECEIVED,
            raw=mail.raw,
            size=mail.size,
            received_at=received,
            labels=self._labels.read(mail.stored.labels),
            backfill=backfill,
        )

    def _stepped(self, cursor: Cursor, folding: Folding, current: str) -> Cursor:
        reached, day = folding.reached, self._now.date()
        update: dict[str, object] = {"history": reached, "within": folding.within}
        if day > cursor.day:
            if not folding.more:
                update["history"] = max(reached, cursor.ahead, key=int)
            update |= {"ahead": max(current, reached, key=int), "day": day}
        return cursor.model_copy(update=update)


def _epoch(at: datetime) -> int:
    return int(at.timestamp())

"""One page of what happened in a JMAP account: `Email/changes` tells it, old mail comes by `Email/query`."""

import base64
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.errors import ChangesFailed
from connectors.labels import KEYWORDS, Label
from connectors.mailbox import Changes, Direction, Known, LabelState, Progress, RawMessage

from alliance_jmap.line import Line

_BEGINNING = 64 * 1024
"""Bytes of each message that a page holds: the text comes first, attachments after it."""
_AT_ONCE = 50
_RESYNC = timedelta(days=30)
"""How far back mail counts as new where nobody knows any more what was read."""
_CLOCKS_APART = timedelta(minutes=5)
_PROPERTIES = ["id", "blobId", "mailboxIds", "keywords", "size", "receivedAt"]
_TOLERATED = frozenset({"cannotCalculateChanges", "anchorNotFound"})

Email = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where reading stands. Old mail is read downwards from `anchor`, the last one told."""

    state: str
    connected: str
    anchor: str = ""
    old: bool = True
    done: int = 0
    total: int = 0
    resync: bool = False


class Reading:
    """Reads one page. Made for one call of `Mailbox.changes`."""

    def __init__(self, line: Line, places: dict[str, str], known: Known, limit: int, now: datetime) -> None:
        """`places` are the folders' ids by role, `now` is this machine's time, aware."""
        self._line = line
        self._places = places
        self._known = known
        self._limit = limit
        self._now = now

    def page(self, text: str | None) -> Changes:
        """The next page after the cursor `text`. Raises MailboxError, KeyError, TypeError, ValueError."""
        at = _parsed(text)
        if at is None:
            connected = self._now if text is None else self._now - _RESYNC
            at = Cursor(self._state(), connected.isoformat(), resync=text is not None)
            return self._page(at, starts=True)
        return self._page(at, starts=False)

    def _page(self, at: Cursor, *, starts: bool) -> Changes:
        old: dict[str, Any] = {"ids": [], "total": 0}
        calls = [("Email/changes", {"sinceState": at.state, "maxChanges": self._limit})]
        if at.old:
            # Before the changes: what arrives in between is told by these, and left out of the old.
            old, news = self._line.call(ChangesFailed, ("Email/query", self._below(at)), *calls, tolerated=_TOLERATED)
        else:
            (news,) = self._line.call(ChangesFailed, *calls, tolerated=_TOLERATED)
        if "error" in news:
            # The server has forgotten this state: everything is listed again, and what is known is left out.
            anew = Cursor(self._state(), at.connected, resync=True)
            return self._page(anew, starts=True)
        if "error" in old:
            at, old = replace(at, anchor=""), {"ids": [], "total": at.total, "again": True}
        if news["hasMoreChanges"]:
            old = {"ids": [], "total": at.total, "again": True}
        return self._told(at, news, old, starts=starts)

    def _told(self, at: Cursor, news: dict[str, Any], old: dict[str, Any], *, starts: bool) -> Changes:
        live = [*news["created"], *news["updated"]]
        known = self._known([*live, *news["destroyed"], *old["ids"]])
        chosen = old["ids"][: self._limit - len(live)]
        unread = [id_ for id_ in chosen if id_ not in known and id_ not in live]
        emails = {email["id"]: email for email in self._emails([*live, *unread])}
        came = sorted(
            (emails[id_] for id_ in live if id_ not in known and id_ in emails and self._place(emails[id_])),
            key=lambda email: str(email["receivedAt"]),
        )
        before = [emails[id_] for id_ in unread if id_ in emails and self._place(emails[id_])]
        left = at.old and (bool(old.get("again")) or len(old["ids"]) == self._limit or len(chosen) < len(old["ids"]))
        done = at.done + len(chosen)
        total = max(at.total, int(old["total"]), done) if left else done
        after = replace(
            at, state=news["newState"], anchor=chosen[-1] if chosen else at.anchor, old=left, done=done, total=total
        )
        labels = tuple(
            LabelState(id_, labels_in(emails[id_]))
            for id_ in live
            if id_ in known and id_ in emails and self._place(emails[id_]) and labels_in(emails[id_]) != known[id_]
        )
        here = {id_ for id_, email in emails.items() if self._place(email)}
        return Changes(
            cursor=json.dumps(asdict(after)),
            messages=tuple(self._messages(at, came, before)),
            labels=labels,
            removed=tuple(id_ for id_ in (*live, *news["destroyed"]) if id_ in known and id_ not in here),
            more=bool(left or news["hasMoreChanges"]),
            resync=starts or (at.resync and bool(before)),
            progress=Progress(done, total) if at.old else None,
        )

    def _messages(self, at: Cursor, came: list[Email], before: list[Email]) -> list[RawMessage]:
        beginnings = self._beginnings([*came, *before])
        connected = datetime.fromisoformat(at.connected)
        messages = []
        for email in (*came, *before):
            raw, received = beginnings.get(email["blobId"], b""), datetime.fromisoformat(email["receivedAt"])
            # In doubt mail is new. Only a query without doubts knows that what it finds was there before.
            sure = email in before and not at.resync
            backfill = sure or (received < connected - _CLOCKS_APART)
            place = self._place(email) or Direction.RECEIVED
            size = max(int(email["size"]), len(raw), 1)
            messages.append(RawMessage(email["id"], place, raw, size, received, labels_in(email), backfill))
        return messages

    def _below(self, at: Cursor) -> dict[str, Any]:
        here = [{"inMailbox": self._places["inbox"]}, {"inMailbox": self._places["sent"]}]
        wanted: dict[str, Any] = {
            "filter": {"operator": "OR", "conditions": here},
            "sort": [{"property": "receivedAt", "isAscending": False}],
            "limit": self._limit,
            "calculateTotal": True,
        }
        return wanted | ({"anchor": at.anchor, "anchorOffset": 1} if at.anchor else {})

    def _state(self) -> str:
        (answer,) = self._line.call(ChangesFailed, ("Email/get", {"ids": []}))
        return str(answer["state"])

    def _emails(self, ids: list[str]) -> list[Email]:
        if not ids:
            return []
        (answer,) = self._line.call(ChangesFailed, ("Email/get", {"ids": ids, "properties": _PROPERTIES}))
        return list(answer["list"])

    def _beginnings(self, emails: list[Email]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for some in (emails[first : first + _AT_ONCE] for first in range(0, len(emails), _AT_ONCE)):
            blobs = [email["blobId"] for email in some]
            wanted = {"ids": blobs, "properties": ["data:asBase64"], "offset": 0, "length": _BEGINNING}
            (answer,) = self._line.call(ChangesFailed, ("Blob/get", wanted))
            found |= {blob["id"]: base64.b64decode(blob["data:asBase64"]) for blob in answer["list"]}
        return found

    def _place(self, email: Email) -> Direction | None:
        return place_of(email, self._places)


def place_of(email: Email, places: dict[str, str]) -> Direction | None:
    """Whether a message came in or went out; None where it lies elsewhere."""
    if places["inbox"] in email["mailboxIds"]:
        return Direction.RECEIVED
    return Direction.SENT if places["sent"] in email["mailboxIds"] else None


def labels_in(email: Email) -> frozenset[Label]:
    """The Alliance labels among a message's keywords, which JMAP writes in lower case."""
    return frozenset(label for label, keyword in KEYWORDS.items() if keyword.lower() in email["keywords"])


def _parsed(text: str | None) -> Cursor | None:
    try:
        cursor = Cursor(**json.loads(text or ""))
        datetime.fromisoformat(cursor.connected).astimezone(UTC)
    except (ValueError, TypeError, AttributeError):
        return None
    return cursor

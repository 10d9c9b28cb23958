"""What only the database can tell of a day: rows that are stuck, cursors that go back, the audit chain, the figures."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlmodel import SQLModel, col

from config import SchoolCalendar
from config.settings import Settings
from scorecard.keeping import bring_up_to_date
from store import audit
from store.case_tables import ConflictCase
from store.contact_tables import Contact
from store.corrections import Corrections
from store.database import Database
from store.glow_tables import GlowDraft
from store.scorecard_tables import OF_TERMS
from store.tables import Correction, Delivery, DeliveryKind, DeliveryState, Item, MailboxState, MessageRecord, Notice
from tests.scorecard import kept_rows
from tests.scorecard.oracle import Figures, Oracle

_UNFINISHED = (DeliveryState.WAITING, DeliveryState.WORKING)
_STUCK_AFTER, _UNTOLD_AFTER = timedelta(hours=1), timedelta(hours=20)
"""At the end of a day nothing that was due in the afternoon is left; a morning mail is out or given up by then."""


@dataclass
class Records:
    """Looks at the database at the end of each day, and remembers what it must not forget."""

    _head: str | None = None
    _marks: dict[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict)
    _cursors: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def day(self, database: Database, now: datetime) -> list[str]:
        """What is not as it should be, a sentence each."""
        return [*_stuck(database, now), *self._gone_back(database), *self._audit(database)]

    def moved(self, mailbox: str) -> None:
        """The mailbox lies on another system from now on: its cursor begins anew."""
        self._marks.pop(mailbox, None)

    def _gone_back(self, database: Database) -> Iterator[str]:
        """A cursor only ever goes on: its numbers do not fall, and it is never what it was before it changed."""
        for row in _rows(database, MailboxState):
            if row.cursor is None:
                continue
            digest = sha256(row.cursor.encode()).hexdigest()
            before = self._cursors[row.address]
            if digest in before[:-1]:
                yield f"{row.address}: the cursor is one that it was before"
            if not before or before[-1] != digest:
                before.append(digest)
            kind, numbers = progress_of(row.cursor)
            known = self._marks.get(row.address)
            if known is None or known[0] != kind:
                known = (kind, numbers)
            if any(new < old for old, new in zip(known[1], numbers, strict=True)):
                yield f"{row.address}: the cursor goes back, from {known[1]} to {numbers}"
            self._marks[row.address] = (kind, numbers)

    def _audit(self, database: Database) -> Iterator[str]:
        chain = audit.check(database, self._head)
        if chain.broken_at is not None:
            yield f"the audit log is broken at entry {chain.broken_at}"
        if not chain.head_stands:
            yield "yesterday's end of the audit log stands there no more"
        self._head = chain.head


def progress_of(cursor: str) -> tuple[str, tuple[int, ...]]:
    """The numbers in a cursor that never fall, with what they are of: while that is the same they are comparable."""
    told: dict[str, Any] = json.loads(cursor)
    if "inbox" in told and "uidvalidity" in told["inbox"]:
        inbox, sent = told["inbox"], told["sent"]
        kind = f"imap {inbox['uidvalidity']} {sent['uidvalidity']}"
        return kind, (inbox["uidnext"], inbox.get("modseq") or 0, sent["uidnext"], sent.get("modseq") or 0)
    if "root" in told:
        return f"maildir {told['root']}", (told.get("old_done", 0),)
    read = datetime.fromisoformat(str(told["read"]))
    return f"microsoft {told['connected']}", (read.toordinal() * 24 + read.hour,)


def _stuck(database: Database, now: datetime) -> Iterator[str]:
    ended = (DeliveryState.DONE, DeliveryState.CANCELLED)
    for row in _rows(database, Delivery, col(Delivery.state).not_in(ended)):
        if row.state in _UNFINISHED and row.next_attempt_at < now - _STUCK_AFTER:
            yield f"{row.mailbox}: delivery {row.id} ({row.kind}) is stuck: {row.last_error}"
        if row.state in (DeliveryState.SET_ASIDE, DeliveryState.UNCERTAIN):
            yield f"{row.mailbox}: delivery {row.id} ({row.kind}) is {row.state}: {row.last_error}"
    for row in _rows(database, Notice):
        if row.told_at is None and row.created_at < now - _UNTOLD_AFTER:
            yield f"notice {row.id} ({row.kind}) of {row.created_at} was never told"
    for row in _rows(database, GlowDraft):
        if row.state in _UNFINISHED and row.next_attempt_at < now - _STUCK_AFTER:
            yield f"{row.mailbox}: the draft of good news {row.id} is stuck: {row.reason}"
    for row in _rows(database, MessageRecord, col(MessageRecord.set_aside).is_not(None)):
        yield f"{row.mailbox}: {row.rfc_message_id} is set aside: {row.set_aside}"


class ToTheMinute(Oracle):
    """The oracle, for times that are no multiples of its steps, and mailbox by mailbox: a year is long."""

    def open_minutes(self, start: datetime, end: datetime) -> int:
        """Minute by minute; the office opens and closes on whole ones."""
        at, end, open_for = start.astimezone(UTC), end.astimezone(UTC), timedelta()
        while at < end:
            following = min(end, at.replace(second=0, microsecond=0) + timedelta(minutes=1))
            open_for += (following - at) * self.calendar.office_is_open(at)
            at = following
        return open_for // timedelta(minutes=1)

    def own_figures(self, figures: Figures) -> None:
        """What the service counts of its own is counted for each mailbox by itself."""
        names = ("messages", "deliveries", "corrections", "items")
        everything = {name: getattr(self, name) for name in names}
        for mailbox in {row.mailbox for row in self.messages}:
            for name, rows in everything.items():
                setattr(self, name, [row for row in rows if row.mailbox == mailbox])
            super().own_figures(figures)
        for name, rows in everything.items():
            setattr(self, name, rows)


def figures(database: Database, settings: Settings, calendar: SchoolCalendar, now: datetime) -> Sequence[str]:
    """Where the scorecard's figures are not those of the oracle, which counts everything anew."""
    bring_up_to_date(database, settings, calendar, now, None)
    expected = ToTheMinute(database, settings, calendar, now).figures()
    with database.read() as connection:
        of_terms = {key: n for key, n in kept_rows.numbers(connection).items() if key[3] in OF_TERMS}
        found = {
            "weeks": (kept_rows.weekly(connection).items(), dict(expected.tallies).items()),
            "terms": (of_terms.items(), dict(expected.of_terms).items()),
            "families": (kept_rows.families(connection), expected.families),
            "cases": (kept_rows.cases(connection), expected.cases),
            "incidents": (kept_rows.incidents(connection), expected.incidents),
        }
    # What was erased for its age cannot be counted anew: the figures of a term that is over rest on it.
    today = now.astimezone(calendar.zone).date()
    running = {f"settings:{term.title}" for term in settings.terms if term.first <= today <= term.last}
    differing = {what: _of(running, kept) ^ _of(running, counted) for what, (kept, counted) in found.items()}
    return [
        f"of the scorecard's {what} {len(rows)} are not the oracle's, e.g. {sorted(map(str, rows))[:2]}"
        for what, rows in differing.items()
        if rows
    ]


def _of(terms: set[str], rows: Iterable[Any]) -> set[Any]:
    """The rows of these terms: the first column says which, or the first of the key."""
    return {row for row in rows if (row[0][0] if isinstance(row[0], tuple) else row[0]) in terms}


@dataclass(frozen=True)
class Known:
    """What the service knows of a mailbox and must know after it was moved."""

    messages: Counter[str]
    """By Message-ID."""
    corrections: frozenset[tuple[str, str | None]]
    """Of its messages: original and what the teacher says."""
    gone: frozenset[str]
    cases: frozenset[tuple[str, object]]
    items: frozenset[tuple[str, str]]
    done: Counter[tuple[str, str]]
    """Answers, routes and drafts, by kind and the Message-ID of what they are for."""

    @classmethod
    def of(cls, database: Database, mailbox: str) -> "Known":
        """Read from the database."""
        judged = [each for each in Corrections(database).judged() if each.mailbox == mailbox]
        cases = _rows(database, ConflictCase, col(ConflictCase.mailbox) == mailbox)
        items = _rows(database, Item, col(Item.mailbox) == mailbox)
        messages = {
            row.id: row.rfc_message_id for row in _rows(database, MessageRecord, col(MessageRecord.mailbox) == mailbox)
        }
        sending = _rows(database, Delivery, col(Delivery.mailbox) == mailbox, col(Delivery.kind) != DeliveryKind.TAG)
        return cls(
            messages=Counter(messages.values()),
            corrections=frozenset((each.original, each.tag) for each in judged),
            gone=frozenset(each.original for each in judged if each.gone),
            cases=frozenset((each.reference, each.agreed_at) for each in cases),
            items=frozenset((each.reference, str(each.state)) for each in items),
            done=Counter((str(each.kind), messages[each.message_id]) for each in sending),
        )


def forgotten(before: Known, after: Known) -> Iterator[str]:
    """What a moved mailbox no longer knows, or knows twice. What came meanwhile is new."""
    if again := [each for each, n in before.messages.items() if after.messages[each] != n]:
        yield f"the move made {len(again)} messages that were on record anew"
    if again := [each for each, n in after.done.items() if each[1] in before.messages and before.done[each] != n]:
        yield f"the move made {len(again)} answers, routes or drafts for messages that were on record"
    if before.corrections != after.corrections:
        yield f"the move lost or made {len(before.corrections ^ after.corrections)} corrections"
    if after.gone - before.gone:
        yield f"the move made {len(after.gone - before.gone)} corrected messages seem gone"
    if before.cases - after.cases:
        yield f"the move changed {len(before.cases - after.cases)} cases"
    if before.items - after.items:
        yield f"the move changed {len(before.items - after.items)} items at the office"


def counted(database: Database) -> dict[str, int]:
    """Rows that the final table names."""
    return {
        "corrections": len(_rows(database, Correction)),
        "cases": len(_rows(database, ConflictCase)),
        "items": len(_rows(database, Item)),
        "contacts": len(_rows(database, Contact)),
    }


def _rows(database: Database, table: type[SQLModel], *conditions: Any) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(select(table.__table__).where(*conditions)).all())  # type: ignore[attr-defined]

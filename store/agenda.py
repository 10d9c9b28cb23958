"""What is to be done about a mailbox, in one question: whoever looks at one in which nothing happens asks no more.

The answer says where to look, and never what to find there: each part asks for its own as it begins, and takes it as
before. What comes due a moment later is found at the next look. Cursors are compared when a page is recorded
(decision 2), so an answer that is a little old costs a look at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, or_, select
from sqlmodel import col

from store import cases, digests, glow_drafts, items, notices, outbox
from store.among import among_given
from store.answer_tables import OwnAnswer
from store.caution_tables import CarefulMailbox
from store.chunks import chunks
from store.database import Database
from store.digest_tables import DigestRecord
from store.glow_tables import GlowDraft, GlowWish
from store.moments import later, times
from store.pages import AnyRow, Query
from store.tables import Correction, Delivery, MailboxState, Notice, Parking

_OF_ONE = col(MailboxState.address) == bindparam("mailbox")
_OF_MANY = among_given(MailboxState.address, "mailboxes", {"mailboxes"})


@dataclass(frozen=True, slots=True)
class Agenda:
    """What waits in one mailbox. Where it is not on record yet, nobody knows, and everything may."""

    at: datetime
    """When it was asked for (aware)."""
    state: MailboxState | None = None
    """How far the mailbox was read; None where it has to be connected (again)."""
    follow_ups: bool = True
    """Corrections from which something is still to follow."""
    items: bool = True
    """Items that nobody took in time."""
    cases: bool = True
    """Cases that have to be looked at."""
    deliveries: bool = True
    good_news: bool = True
    """Drafts of good news, or the wish for some."""
    morning_mail: bool = True
    """A mail of a morning that is to be sent, or given up."""
    morning: date | None = None
    """The last one that was decided on."""
    parked: bool = True
    careful: bool = False
    """Whether a process died in this mailbox, so that it is read with care."""
    asked_at: datetime | None = None
    """When the mail system was last asked for the teacher's own out-of-office answer."""
    delivery_at: datetime | None = None
    """When the next delivery comes due."""
    step_at: datetime | None = None
    """When the next item goes on, or the next case is looked at."""
    good_news_at: datetime | None = None
    """When the next draft of good news comes due."""
    morning_mail_at: datetime | None = None
    """When a mail of a morning is tried (again)."""

    @property
    def due(self) -> bool:
        """Whether a delivery is due, or anything from which one may follow."""
        return self.follow_ups or self.items or self.cases or self.deliveries


class Agendas:
    """Asks what is to be done."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def of(self, mailbox: str, now: datetime) -> Agenda:
        """That of one mailbox."""
        with self._database.glance() as connection:
            row = connection.execute(_question(_OF_ONE), {"mailbox": mailbox, **_times(now)}).first()
        return Agenda(now) if row is None else _agenda(row, now)

    def of_all(self, mailboxes: Sequence[str], now: datetime) -> Mapping[str, Agenda]:
        """Those of many, by address."""
        found = {mailbox: Agenda(now) for mailbox in mailboxes}
        with self._database.glance() as connection:
            for chunk in chunks(mailboxes):
                rows = connection.execute(_question(_OF_MANY), {"mailboxes": chunk, **_times(now)})
                found.update((row.address, _agenda(row, now)) for row in rows)
        return found


@cache
def _question(of: ColumnElement[bool]) -> Query:
    """The statement, made once: making it takes longer than asking it."""
    box = col(MailboxState.address)
    correction = and_(col(Correction.mailbox) == box, col(Correction.followed_at).is_(None))
    wish = and_(col(GlowWish.mailbox) == box, col(GlowWish.done_at).is_(None))
    draft = and_(col(GlowDraft.mailbox) == box, glow_drafts.is_due(later))
    notice = and_(digests.unsent(box), col(Notice.id) == col(DigestRecord.notice_id), notices.is_due(later))
    answers = {
        "follow_ups": exists().where(correction),
        "items": exists().where(items.waits(box), items.is_due(later)),
        "cases": exists().where(cases.waits(box), cases.is_due(later)),
        "deliveries": exists().where(col(Delivery.mailbox) == box, outbox.is_due(later)),
        "good_news": or_(exists().where(wish), exists().where(draft)),
        "morning_mail": exists().where(notice),
        "morning": _only(select(func.max(col(DigestRecord.day))).where(col(DigestRecord.mailbox) == box)),
        "parked": exists().where(col(Parking.mailbox) == box, col(Parking.lifted_at).is_(None)),
        "careful": exists().where(col(CarefulMailbox.mailbox) == box),
        "asked_at": _only(select(col(OwnAnswer.asked_at)).where(col(OwnAnswer.mailbox) == box)),
        "delivery_at": _only(outbox.next_at(box)),
        "item_at": _only(items.next_at(box)),
        "case_at": _only(cases.next_at(box)),
        "good_news_at": _only(glow_drafts.next_at(box)),
        "morning_mail_at": _only(digests.next_at(box)),
    }
    state = (box, col(MailboxState.cursor), col(MailboxState.connected_at))
    return select(*state, *(answer.label(name) for name, answer in answers.items())).where(of)


def _only(query: Any) -> ColumnElement[Any]:
    """What a query finds, for each mailbox that the statement is about."""
    found: ColumnElement[Any] = query.correlate(MailboxState).scalar_subquery()
    return found


def _times(now: datetime) -> dict[str, datetime]:
    return times(now, items.is_due, cases.is_due, outbox.is_due, glow_drafts.is_due, notices.is_due)


def _agenda(row: AnyRow, now: datetime) -> Agenda:
    # A connection dated ahead was written by a clock that was: it is made anew (`store.pages.Pages.connect`).
    connected = row.connected_at <= now
    state = MailboxState(address=row.address, cursor=row.cursor, connected_at=row.connected_at) if connected else None
    return Agenda(
        now,
        state,
        follow_ups=row.follow_ups,
        items=row.items,
        cases=row.cases,
        deliveries=row.deliveries,
        good_news=row.good_news,
        morning_mail=row.morning_mail,
        morning=row.morning,
        parked=row.parked,
        careful=row.careful,
        asked_at=row.asked_at,
        delivery_at=row.delivery_at,
        step_at=min(filter(None, (row.item_at, row.case_at)), default=None),
        good_news_at=row.good_news_at,
        morning_mail_at=row.morning_mail_at,
    )

"""Erases what is older than the school keeps (`[retention]`), a little at a time, so that mail never waits for it.

Nothing that a promise rests on goes: what is still to be delivered stays, what the office has not taken stays, a
conversation goes as a whole when its last message is old, and from then on mail of that time is old mail wherever it
turns up. Figures of terms that are over stay as they were counted, as numbers with nobody behind them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Event
from typing import Any

import structlog
from sqlalchemy import Connection, and_, delete, func, or_, select
from sqlmodel import col

from autoresponder.items import ItemState
from config import SchoolCalendar
from config.settings import Settings
from config.wallclock import instant
from scorecard.erased_figures import ErasedFigures, Leaving
from scorecard.report import SchoolTerm
from scorecard.terms import terms_of
from service.logs import place
from service.privacy.receipts import write_receipt
from store import audit
from store.answer_tables import AnswerLetOut
from store.case_tables import CaseMail, ConflictCase
from store.ceiling import FORGOTTEN
from store.contact_tables import Contact, HeardReply, Incident
from store.database import Database, dialect_of
from store.digest_tables import DigestRecord
from store.erasing import UNDER_WAY, Erased, erase_messages
from store.erasure_tables import PastAnswer, Retention
from store.glow_tables import GlowDraft, GlowWish
from store.marks import monday_of
from store.roster_tables import (
    RosterAddress,
    RosterCare,
    RosterFamily,
    RosterGrade,
    RosterMatch,
    RosterMembership,
    RosterPerson,
)
from store.scorecard_tables import CaseStanding, FamilyStanding, IncidentStanding
from store.tables import Delivery, Item, ItemMail, MessageRecord
from store.tombstones import ANSWERS_REMEMBERED, retention_of

log = structlog.get_logger()

PURGED = "erased what was older than it is kept"
_EVERY = timedelta(hours=20)
_SECONDS_BETWEEN = 600.0
_AT_ONCE = 400
"""Messages that go in one transaction, and some more: a conversation goes as a whole."""


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """The days before which records of each kind go."""

    mail: date
    cases: date
    lists: date
    roster: date


def cutoffs(settings: Settings, terms: Iterable[SchoolTerm], today: date, earlier: Retention) -> Cutoffs:
    """What is kept begins on a Monday, and never after the first day of a term that runs: its figures rest on all that
    happened in it. What was erased once is not kept again where the settings say longer now. Pure."""
    kept = settings.retention
    running = [term.first for term in terms if term.last >= today]
    mail = monday_of(min([today - timedelta(days=kept.mail_days), *running]))
    if earlier.mail_before is not None:
        mail = max(mail, earlier.mail_before.astimezone(settings.school.zone).date())
    return Cutoffs(
        mail=mail,
        cases=min(mail, today - timedelta(days=kept.cases_days)),
        lists=min(mail, today - timedelta(days=kept.lists_days)),
        roster=min(mail, today - timedelta(days=kept.roster_days)),
    )


@dataclass(frozen=True, slots=True)
class Purge:
    """Erases by age in one installation."""

    database: Database
    settings: Settings
    calendar: SchoolCalendar
    clock: Callable[[], datetime]

    def is_due(self) -> bool:
        """Whether the service has not done so for a day."""
        with self.database.read() as connection:
            looked_at = retention_of(connection).looked_at
        return looked_at is None or not timedelta(0) <= self.clock() - looked_at < _EVERY

    def daily(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Erases once a day what is too old. Survives every error: it is done again the next time."""
        try:
            if self.settings.retention.daily and self.is_due():
                erased = self.carry_out(stopped)
                if sum(erased.values()):
                    log.info("what was older than it is kept was erased", rows=sum(erased.values()))
        except Exception as error:  # noqa: BLE001 - erasing must not end the service
            log.error("what is too old could not be erased", error=place(error))

    def keep(self, stop: Event) -> None:
        """Does so again and again, until `stop` is set."""
        while not stop.wait(_SECONDS_BETWEEN):
            self.daily(stop.is_set)

    def would_go(self) -> Mapping[str, int]:
        """How many records would go now, by table. Changes nothing."""
        with self.database.read() as connection:
            cut = self._cutoffs(connection)
            boxes = _boxes(connection, self._at(cut.mail))
            counts = Counter({"message": sum(len(self._mail(connection, box, cut, None)) for box in boxes)})
            for table, where in (*_cases(cut, self._at), *_lists(cut), *_small(cut, self._at(cut.mail)), *_roster(cut)):
                counts[table.__tablename__] += connection.execute(
                    select(func.count()).select_from(table).where(where)
                ).scalar_one()
        return {table: number for table, number in sorted(counts.items()) if number}

    def carry_out(self, stopped: Callable[[], bool] = lambda: False) -> Mapping[str, int]:
        """Erases it, and puts a receipt on record. Returns how many rows went, by table. Broken off anywhere, the next
        time goes on."""
        together: Counter[str] = Counter()
        with self.database.read() as connection:
            cut = self._cutoffs(connection)
            boxes = _boxes(connection, self._at(cut.mail))
        self._seal(cut)
        self._erase(cut, together)
        for box in boxes:
            while not stopped() and self._erase_mail(box, cut, together):
                pass
        now = self.clock()
        with self.database.write() as connection:
            put = dialect_of(connection).insert(Retention).values(id=1, looked_at=now)
            connection.execute(put.on_conflict_do_update(index_elements=["id"], set_={"looked_at": now}))
            if sum(together.values()):
                erased = Erased(together)
                reference = write_receipt(connection, "purge", erased, now)
                audit.append(connection, at=now, person=None, act=PURGED, about=f"receipt {reference}")
        return {table: number for table, number in sorted(together.items()) if number}

    def _cutoffs(self, connection: Connection) -> Cutoffs:
        today = self.clock().astimezone(self.calendar.zone).date()
        terms = terms_of(connection, self.settings, self.calendar, today)
        return cutoffs(self.settings, terms, today, retention_of(connection))

    def _at(self, day: date) -> datetime:
        return instant(datetime.combine(day, datetime.min.time()), self.calendar.zone)

    def _seal(self, cut: Cutoffs) -> None:
        """From here on the figures of terms that began before are numbers alone, and mail of that time is old mail."""
        today = self.clock().astimezone(self.calendar.zone).date()
        with self.database.write() as connection:
            ErasedFigures(connection, self.settings, self.calendar, self.clock())
            values = {"mail_before": self._at(cut.mail), "lists_before": cut.lists}
            put = dialect_of(connection).insert(Retention).values(id=1, **values)
            connection.execute(put.on_conflict_do_update(index_elements=["id"], set_=values))
            terms = terms_of(connection, self.settings, self.calendar, today)
            unsealed = [term.id for term in terms if term.first >= cut.mail]
            for table in (FamilyStanding, CaseStanding, IncidentStanding):
                connection.execute(delete(table).where(col(table.term).not_in(unsealed)))

    def _erase(self, cut: Cutoffs, together: Counter[str]) -> None:
        """What is no mail."""
        with self.database.write() as connection:
            erased = Erased()
            figures = ErasedFigures(connection, self.settings, self.calendar, self.clock())
            found = {
                table: frozenset(connection.execute(select(table.id).where(where)).scalars())
                for table, where in _cases(cut, self._at)
            }
            figures.erasing(Leaving(items=found[Item], cases=found[ConflictCase]))
            erased.delete_behind(connection, Item, found[Item])
            figures.settle()
            erased.delete_behind(connection, ConflictCase, found[ConflictCase])
            for table, where in (*_lists(cut), *_small(cut, self._at(cut.mail)), *_roster(cut)):
                erased.delete(connection, table, where)
            # No record of a family, and so no receipt: each mailbox forgets its own as it answers again.
            connection.execute(delete(AnswerLetOut).where(col(AnswerLetOut.at) < self.clock() - FORGOTTEN))
            old = self.clock() - ANSWERS_REMEMBERED
            erased.delete(connection, PastAnswer, col(PastAnswer.at) < old)
        together.update(erased.rows)

    def _erase_mail(self, mailbox: str, cut: Cutoffs, together: Counter[str]) -> bool:
        """Some of a mailbox's old mail. True where there may be more."""
        with self.database.write() as connection:
            figures = ErasedFigures(connection, self.settings, self.calendar, self.clock())
            messages = self._mail(connection, mailbox, cut, _AT_ONCE)
            if not messages:
                return False
            erased = Erased()
            figures.erasing(Leaving(messages=frozenset(messages)))
            erase_messages(connection, messages, erased)
            figures.settle()
        together.update(erased.rows)
        return True

    def _mail(self, connection: Connection, mailbox: str, cut: Cutoffs, limit: int | None) -> list[int]:
        """Numbers of messages of conversations that are over and old, of which nothing is still to be done and that
        belong to no item and no case."""
        of, before = MessageRecord, self._at(cut.mail)
        ended = (
            select(col(of.thread))
            .where(col(of.mailbox) == mailbox)
            .group_by(col(of.thread))
            .having(and_(func.max(col(of.received_at)) < before, func.max(col(of.recorded_at)) < before))
        )
        busy = or_(
            select(col(Delivery.id))
            .where(col(Delivery.message_id) == col(of.id), col(Delivery.state).in_(UNDER_WAY))
            .exists(),
            select(col(ItemMail.item_id)).where(col(ItemMail.message_id) == col(of.id)).exists(),
            select(col(CaseMail.case_id)).where(col(CaseMail.message_id) == col(of.id)).exists(),
        )
        held = select(col(of.thread)).where(col(of.mailbox) == mailbox, busy)
        threads = ended.where(col(of.thread).not_in(held)).order_by(col(of.thread))
        if limit is not None:
            threads = threads.limit(limit)
        query = select(col(of.id)).where(col(of.mailbox) == mailbox, col(of.thread).in_(threads))
        return [number for number in connection.execute(query).scalars() if number is not None]


def _boxes(connection: Connection, before: datetime) -> list[str]:
    """Mailboxes with mail that is old enough: of a district's thousands, few on most days."""
    old = select(col(MessageRecord.mailbox)).where(col(MessageRecord.received_at) < before)
    return sorted(connection.execute(old.distinct()).scalars())


def _cases(cut: Cutoffs, at: Callable[[date], datetime]) -> list[tuple[Any, Any]]:
    """Items and cases that have been over for long. What nobody at the office has taken stays."""
    before = at(cut.cases)
    return [
        (
            Item,
            and_(col(Item.state) != ItemState.OPEN, col(Item.last_mail_at) < before, col(Item.changed_at) < before),
        ),
        (ConflictCase, and_(col(ConflictCase.last_mail_at) < before, col(ConflictCase.changed_at) < before)),
    ]


def _lists(cut: Cutoffs) -> list[tuple[Any, Any]]:
    return [(Contact, col(Contact.on_day) < cut.lists), (Incident, col(Incident.on_day) < cut.lists)]


def _small(cut: Cutoffs, before: datetime) -> list[tuple[Any, Any]]:
    """What tells of mornings and drafts."""
    return [
        (HeardReply, col(HeardReply.heard_at) < before),
        (GlowWish, col(GlowWish.asked_at) < before),
        (GlowDraft, and_(col(GlowDraft.finished_at) < before, col(GlowDraft.day) < cut.mail)),
        (DigestRecord, and_(col(DigestRecord.day) < cut.mail, col(DigestRecord.notice_id).is_(None))),
    ]


def _roster(cut: Cutoffs) -> list[tuple[Any, Any]]:
    """What held before, and who left before; those first that refer to the others."""
    left = select(col(RosterPerson.id)).where(col(RosterPerson.until) < cut.roster)
    rows: list[tuple[Any, Any]] = [
        (RosterMatch, or_(col(RosterMatch.person).in_(left))),
        (RosterAddress, or_(col(RosterAddress.until) < cut.roster, col(RosterAddress.person).in_(left))),
        (
            RosterCare,
            or_(
                col(RosterCare.until) < cut.roster,
                col(RosterCare.student).in_(left),
                col(RosterCare.guardian).in_(left),
            ),
        ),
        (RosterGrade, or_(col(RosterGrade.until) < cut.roster, col(RosterGrade.student).in_(left))),
        (RosterFamily, or_(col(RosterFamily.until) < cut.roster, col(RosterFamily.student).in_(left))),
        (RosterMembership, or_(col(RosterMembership.until) < cut.roster, col(RosterMembership.person).in_(left))),
    ]
    return [*rows, (RosterPerson, col(RosterPerson.until) < cut.roster)]


__all__ = ["PURGED", "Cutoffs", "Purge", "cutoffs"]

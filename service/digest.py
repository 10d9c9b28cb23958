"""The teacher's morning mail: on school days, once, before the first bell, and only where there is something to tell.

Once a mailbox and day it is decided whether there is something; that decision is on record, with the mail's Message-ID,
before the mail leaves. The mail goes from the teacher's own mailbox to itself, so that what families are called leaves
it for nowhere. Where a mail system cannot say whether a mail is out, it is not sent again: a morning without it is a
small loss, two of one morning teach that it may be ignored.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from autoresponder.digest import digest_message_id, digest_note
from autoresponder.hours import HOUR
from config.calendar import NoSchoolDay, SchoolCalendar
from config.settings import MailboxSettings, Settings, Stage
from config.wallclock import instant
from connectors.mailbox import Mailbox
from service.courier import Courier, Errand, Failure, is_not_out
from service.digest_facts import DigestReader
from service.logs import place
from service.notices import mail_to_staff
from service.steps import OnStep, no_step
from store.agenda import Agenda
from store.digests import Digests, Morning

if TYPE_CHECKING:
    from service.assembly import Assembly

log = structlog.get_logger()

_STAGES = tuple(Stage)


@dataclass(frozen=True, slots=True)
class Before:
    """The stretch of a school day in which the mail is sent: from, and up to (not including) the first bell."""

    begins: datetime
    ends: datetime

    def holds(self, at: datetime) -> bool:
        """Whether `at` lies in it. As instants: two times of one zone would be compared by their digits (PEP 495)."""
        return self.begins.timestamp() <= at.timestamp() < self.ends.timestamp()


def before_school(day: date, settings: Settings, calendar: SchoolCalendar) -> Before | None:
    """When the mail of `day` is sent, aware, in the school's zone; None where there is no school."""
    if not calendar.is_school_day(day):
        return None
    midnight = datetime.combine(day, datetime.min.time())
    first_bell = datetime.combine(day, calendar.opens)
    at = settings.digest.at
    begins = max(first_bell - HOUR, midnight) if at is None else datetime.combine(day, at)
    return Before(instant(begins, calendar.zone), instant(first_bell, calendar.zone))


def gets_digest(box: MailboxSettings, settings: Settings) -> bool:
    """Whether a mailbox gets the morning mail: it is on, its stage allows it, and a teacher reads it."""
    nobody_reads = {settings.office.reply_to, settings.service.notices_from}
    reached = box.stage is not Stage.OBSERVE and _STAGES.index(box.stage) >= _STAGES.index(
        Stage(settings.digest.from_stage)
    )
    return settings.digest.enabled and box.digest and reached and box.address not in nobody_reads


class MorningMail:
    """Sends the morning mails of one installation. Threads share it, each with its own mailbox. Raises nothing: what it
    cannot do is logged and tried again until the first bell; other mail goes on meanwhile."""

    def __init__(self, assembly: "Assembly", *, on_step: OnStep | None = None) -> None:
        """`on_step` is told of each step as soon as its effect stands."""
        settings = assembly.settings
        self._settings = settings
        self._calendar = assembly.calendar
        self._clock = assembly.clock
        self._on_step = on_step or no_step
        self._digests = Digests(assembly.database, timedelta(seconds=settings.service.lease_seconds))
        self._reader = DigestReader.of(settings, assembly.calendar, assembly.roster, assembly.database)
        self._courier = Courier(
            self._digests.notices,
            assembly.clock,
            self._on_step,
            failure=Failure.MORNING,
            settle=timedelta(seconds=settings.service.settle_seconds),
        )

    def look_after(self, box: MailboxSettings, mailbox: Mailbox) -> None:
        """Decides on the mailbox's mail of this morning, and sends it, where its time has come."""
        try:
            self._decide(box)
            while (morning := self._digests.take(box.address, self._clock())) is not None:
                self._bring(box, mailbox, morning)
        except Exception as failure:  # noqa: BLE001 - families' mail must not wait for this one
            log.error("a morning mail could not be looked after", mailbox=box.address, error=place(failure))

    def wants(self, box: MailboxSettings, agenda: Agenda) -> bool:
        """Whether there is anything to look after, given what waits in the mailbox."""
        now = self._clock()
        day = now.astimezone(self._calendar.zone).date()
        return agenda.morning_mail or (agenda.morning != day and self._is_time(box, day, now))

    def next_at(self, box: MailboxSettings, agenda: Agenda) -> datetime | None:
        """When there is something to do next that no change in the mailbox would announce; None where nothing is."""
        if not gets_digest(box, self._settings):
            return None
        now = self._clock()
        begins = self._next_morning(now)
        return min((at for at in (begins, agenda.morning_mail_at) if at is not None and at > now), default=None)

    def _next_morning(self, now: datetime) -> datetime | None:
        today = now.astimezone(self._calendar.zone).date()
        before = before_school(today, self._settings, self._calendar)
        try:
            if before is None or before.begins.timestamp() <= now.timestamp():
                before = before_school(self._calendar.next_school_day(today), self._settings, self._calendar)
        except NoSchoolDay:
            return None
        return None if before is None else before.begins

    def _decide(self, box: MailboxSettings) -> None:
        now = self._clock()
        day = now.astimezone(self._calendar.zone).date()
        if not self._is_time(box, day, now) or self._digests.is_decided(box.address, day):
            return
        told_at = self._digests.last_told_at(box.address, day)
        nothing = self._reader.facts(box, now, told_at=told_at).is_empty
        if self._digests.decide(box.address, day, now, None if nothing else digest_message_id(box.address, day)):
            self._on_step("digest decided", 0)

    def _is_time(self, box: MailboxSettings, day: date, now: datetime) -> bool:
        before = before_school(day, self._settings, self._calendar)
        return before is not None and before.holds(now) and gets_digest(box, self._settings)

    def _bring(self, box: MailboxSettings, mailbox: Mailbox, morning: Morning) -> None:
        self._on_step("notice taken", morning.notice.id or 0)
        errand = Errand(
            morning.notice,
            compose=partial(self._compose, box, morning),
            may_go=partial(is_not_out, morning.notice),
            finish=lambda out: self._digests.finish(morning, self._clock(), out=out),
        )
        self._courier.bring(errand, lambda: nullcontext(mailbox))

    def _compose(self, box: MailboxSettings, morning: Morning) -> bytes | None:
        """The mail as things stand now; None where it comes too late, or there is nothing to tell any more."""
        now = self._clock()
        if not self._is_time(box, morning.day, now):
            return None
        facts = self._reader.facts(box, now, told_at=self._digests.last_told_at(box.address, morning.day))
        if facts.is_empty:
            return None
        return mail_to_staff(
            digest_note(facts, self._settings),
            rfc_message_id=morning.notice.rfc_message_id,
            sender=box.address,
            recipient=box.address,
            now=now,
        )

"""The principal's mail of the week: on its first morning with school, before the first bell, once to each leader.

What it tells is decided once a week for all leaders, and on record with the mails' Message-IDs before one leaves; from
then on it says the same, however often a worker stops. It goes out from the service's own mailbox. Where a mail system
cannot say whether it is out, it is not sent again: the page has the same figures.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from config.calendar import SchoolCalendar
from config.settings import MailboxSettings, Role, Settings, Staff
from connectors.mailbox import Mailbox
from scorecard.readers import reader_of
from scorecard.reading import first_look, read_report
from scorecard.report import Report
from scorecard.weekly_mail import Week, week_of, weekly_message_id, weekly_note
from service.courier import Courier, Errand, Failure, is_not_out
from service.digest import before_school
from service.logs import place
from service.notices import mail_to_staff, staff_words
from service.parking import service_box
from service.steps import OnStep, no_step
from service.web.links import scorecard_page
from store.database import Database
from store.marks import monday_of
from store.scorecard_tables import Grouping
from store.weekly_mails import Planned, ToldFigure, Weekly, WeeklyMails

if TYPE_CHECKING:
    from service.assembly import Assembly

log = structlog.get_logger()

Read = Callable[[str, datetime], Report | None]
"""The scorecard as the person with this address sees it at a time, protected; None where there is none."""


def leaders(settings: Settings) -> Sequence[Staff]:
    """Who gets the mail, each once."""
    found = {each.address: each for each in settings.staff if each.role is Role.LEADER}
    return list(found.values())


def read_for(
    leader: str, database: Database, settings: Settings, calendar: SchoolCalendar, now: datetime
) -> Report | None:
    """The scorecard as the leader with this address sees it; None where there are no figures."""
    reader, words = reader_of(settings, leader), staff_words(settings)
    with database.read() as connection:
        return read_report(connection, settings, calendar, now, reader, scope=first_look(settings), words=words)


class WeeklyMail:
    """Sends the mails of the week of one installation. Threads share it. Raises nothing: what it cannot do is logged
    and tried again on the mornings of the week; families' mail goes on meanwhile."""

    def __init__(
        self,
        assembly: "Assembly",
        *,
        environ: Mapping[str, str] | None = None,
        on_step: OnStep | None = None,
        read: Read | None = None,
    ) -> None:
        """`environ` holds the passwords; `read` reads the scorecard, the database's where left out; `on_step` is told
        of each step as soon as its effect stands."""
        settings = assembly.settings
        self._assembly = assembly
        self._settings = settings
        self._environ = environ
        self._clock = assembly.clock
        self._on_step = on_step or no_step
        self._read = read or self._read_report
        self._box = service_box(settings)
        self._mails = WeeklyMails(assembly.database, timedelta(seconds=settings.service.lease_seconds))
        self._courier = Courier(
            self._mails.notices,
            assembly.clock,
            self._on_step,
            failure=Failure.WEEK,
            settle=timedelta(seconds=settings.service.settle_seconds),
        )

    @property
    def has_mailbox(self) -> bool:
        """Whether the configuration says from which mailbox the mail goes out."""
        return self._box is not None

    def tell(self) -> None:
        """Decides on the mails of this week, and sends them, where their time has come."""
        if self._box is None:
            return
        try:
            self._decide(self._box)
            while (weekly := self._mails.take(self._clock())) is not None:
                self._bring(self._box, weekly)
        except Exception as failure:  # noqa: BLE001 - families' mail must not wait for this one
            log.error("the mails of the week could not be looked after", error=place(failure))

    def _decide(self, box: MailboxSettings) -> None:
        now = self._clock()
        if not self._settings.scorecard.weekly_mail or not self._is_time(now):
            return
        today = self._today(now)
        monday = monday_of(today)
        waiting = self._mails.undecided([each.address for each in leaders(self._settings)], monday)
        if waiting and self._mails.decide(monday, now, {each: self._planned(each, box, now) for each in waiting}):
            self._on_step("weekly mail decided", 0)

    def _planned(self, leader: str, box: MailboxSettings, now: datetime) -> Planned | None:
        report = self._read(leader, now)
        week = week_of(report, self._today(now)) if report is not None else None
        if week is None:
            return None
        return Planned(weekly_message_id(leader, monday_of(self._today(now)), box.address), week.as_json())

    def _bring(self, box: MailboxSettings, weekly: Weekly) -> None:
        self._on_step("notice taken", weekly.notice.id or 0)
        errand = Errand(
            weekly.notice,
            compose=partial(self._compose, box, weekly),
            may_go=partial(is_not_out, weekly.notice),
            finish=partial(self._finish, weekly),
        )
        self._courier.bring(errand, partial(self._opened, box))

    def _compose(self, box: MailboxSettings, weekly: Weekly) -> bytes | None:
        """The mail as it was decided; None where it comes too late, or nobody gets it any more."""
        now = self._clock()
        wanted = leaders(self._settings) if self._settings.scorecard.weekly_mail else ()
        leader = next((each for each in wanted if each.address == weekly.leader), None)
        if leader is None or not self._is_time(now) or monday_of(self._today(now)) != weekly.monday:
            return None
        week = Week.of_json(weekly.told)
        note = weekly_note(week, leader.name, scorecard_page(self._settings), staff_words(self._settings))
        return mail_to_staff(
            note,
            rfc_message_id=weekly.notice.rfc_message_id,
            sender=box.address,
            recipient=leader.address,
            now=now,
        )

    def _finish(self, weekly: Weekly, out: bool) -> None:
        # A mail that was handed over may have been read, whatever the server could say of it.
        told = told_by(Week.of_json(weekly.told)) if out or weekly.notice.handovers else ()
        self._mails.finish(weekly, self._clock(), told, out=out)

    def _is_time(self, now: datetime) -> bool:
        before = before_school(self._today(now), self._settings, self._assembly.calendar)
        return before is not None and before.holds(now)

    def _today(self, now: datetime) -> date:
        return now.astimezone(self._assembly.calendar.zone).date()

    def _read_report(self, leader: str, now: datetime) -> Report | None:
        return read_for(leader, self._assembly.database, self._settings, self._assembly.calendar, now)

    def _opened(self, box: MailboxSettings) -> AbstractContextManager[Mailbox]:
        return closing(self._assembly.open(box, self._environ))


def told_by(week: Week) -> tuple[ToldFigure, ...]:
    """What a mail tells, as it is kept."""
    return tuple(
        ToldFigure(week.report.term.id, week.monday, str(each.indicator), each.value, Grouping.ALL)
        for each in week.tellings()
    )

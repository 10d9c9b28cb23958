"""Tells the administrator what is wrong, once, and once when it is over; by the courier that brings every notice.

At least once, like a parked mailbox's notice: hearing of it twice bothers somebody, never hearing of it leaves urgent
mail unread.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from autoresponder.alerts import AlertKind, Trouble, alert_note, all_clear_note
from autoresponder.identifiers import derived_message_id
from autoresponder.routes import PRODUCT
from config.said import place
from config.settings import MailboxSettings
from connectors.mailbox import Mailbox
from service.courier import Courier, Errand, Failure
from service.notices import mail_to_staff, staff_words
from service.operating.standing import Standing
from service.operating.troubles import still_silent, troubles_of, without_mail_of
from service.parking import notices_box
from service.steps import OnStep, no_step
from service.web.links import queue_page
from store.alerts import Alerts, TakenAlerts
from store.operating_tables import EVERYWHERE, Alert
from store.tables import NoticeKind
from store.vitals import last_mail, mail_times

if TYPE_CHECKING:
    from service.assembly import Assembly

log = structlog.get_logger()

_GATHERED_FOR = timedelta(minutes=2)
"""How long what is noticed is gathered, so that one cause is one mail."""
_APART = timedelta(minutes=30)
"""Between two such mails; what is noticed meanwhile stands in the later one."""
_OVER_FOR = timedelta(minutes=15)
"""How much longer something must have been over, before that is told, than it takes to be noticed: what comes and goes
fills nobody's inbox."""
_HANDOVERS = 6
"""So often a notice is handed over without the server saying that it took it."""
_MAIL_LOOKED_AT_EVERY = timedelta(hours=1)


class AlertTeller:
    """Puts on record what is wrong, and tells the administrator where the configuration says whom. Any number of
    processes may do so at once. Raises nothing."""

    def __init__(
        self, assembly: "Assembly", *, environ: Mapping[str, str] | None = None, on_step: OnStep | None = None
    ) -> None:
        """`environ` holds the passwords."""
        settings = assembly.settings
        self._assembly = assembly
        self._environ = environ
        self._on_step = on_step or no_step
        self._box = notices_box(settings) if settings.monitoring.alerts else None
        self._alerts = Alerts(assembly.database, timedelta(seconds=settings.service.lease_seconds))
        self._courier = Courier(self._alerts.notices, assembly.clock, self._on_step, failure=Failure.ADMINISTRATOR)
        slowest = max(settings.monitoring.silent_minutes, settings.monitoring.queue_minutes)
        self._over_for = timedelta(minutes=slowest) + _OVER_FOR
        self._without_mail: Mapping[str, datetime] = {}
        self._mail_looked_at: datetime | None = None

    def look(self, standing: Standing) -> None:
        """Notes what is wrong and what is over, as of `standing`, and sends what is due."""
        try:
            self._note(standing)
            if self._box is not None:
                self._tell(self._box)
        except Exception as error:  # noqa: BLE001 - telling must not end what is told of
            log.error("alerts could not be looked after", error=place(error))

    def _note(self, standing: Standing) -> None:
        settings, calendar = self._assembly.settings, self._assembly.calendar
        looked_at = self._mail_looked_at
        if looked_at is None or not timedelta(0) <= standing.at - looked_at < _MAIL_LOOKED_AT_EVERY:
            database = self._assembly.database
            self._without_mail = without_mail_of(
                last_mail(database),
                lambda mailbox, since: mail_times(database, mailbox, since),
                standing,
                settings,
                calendar,
            )
            self._mail_looked_at = standing.at
        troubles = troubles_of(standing, settings, calendar, self._without_mail)
        self._alerts.observe({**still_silent(self._alerts.all(), standing), **troubles}, standing.at)

    def _tell(self, box: MailboxSettings) -> None:
        now = self._assembly.clock()
        alerts = self._alerts.all()
        for kind, due in due_now(alerts, now, self._over_for).items():
            lately = self._alerts.announced_at(kind)
            # A time that lies ahead was written by a clock that was: it is no reason to wait for it.
            if lately is not None and timedelta(0) <= now - lately < _APART:
                continue
            told = sorted(
                (each.kind.value, each.subject, each.noticed_at.isoformat(), str(each.over_at)) for each in due
            )
            if self._alerts.announce(kind, due, derived_message_id(f"{kind} {told}", "notice", box.address), now):
                self._on_step("notice announced", 0)
        while (taken := self._alerts.take(self._assembly.clock())) is not None:
            self._on_step("notice taken", taken.notice.id or 0)
            self._courier.bring(self._errand(box, taken), lambda: self._opened(box))

    def _errand(self, box: MailboxSettings, taken: TakenAlerts) -> Errand:
        return Errand(
            taken.notice,
            compose=lambda: self._compose(box, taken),
            may_go=lambda _state, _mailbox: taken.notice.handovers < _HANDOVERS,
            finish=lambda out: self._alerts.finish(taken, self._assembly.clock(), out=out),
        )

    def _compose(self, box: MailboxSettings, taken: TakenAlerts) -> bytes | None:
        """The complete mail; None where nothing of it is true any more."""
        over = taken.notice.kind is NoticeKind.ALL_CLEAR
        troubles = gathered([each for each in taken.alerts if (each.over_at is not None) == over], over=over)
        if not troubles:
            return None
        settings = self._assembly.settings
        words, zone = staff_words(settings), settings.school.zone
        if over:
            note = all_clear_note(troubles, words, zone, product=PRODUCT)
        else:
            note = alert_note(troubles, words, zone, product=PRODUCT, queue=queue_page(settings))
        return mail_to_staff(
            note,
            rfc_message_id=taken.notice.rfc_message_id,
            sender=box.address,
            recipient=settings.service.administrator or "",
            now=self._assembly.clock(),
        )

    def _opened(self, box: MailboxSettings) -> AbstractContextManager[Mailbox]:
        return closing(self._assembly.open(box, self._environ))


def due_now(alerts: Sequence[Alert], now: datetime, over_for: timedelta) -> Mapping[NoticeKind, list[Alert]]:
    """What is to be told now, by kind of notice; nothing while it is still being gathered, and no end of what has not
    been over for `over_for`. Pure."""
    due: dict[NoticeKind, list[Alert]] = {}
    wrong = [each for each in alerts if each.over_at is None and each.told is None]
    # A time that lies ahead was written by a clock that was.
    if wrong and not timedelta(0) <= now - min(each.noticed_at for each in wrong) < _GATHERED_FOR:
        due[NoticeKind.ALERT] = wrong
    ended = [each for each in alerts if each.over_at is not None and each.told is not None and each.all_clear is None]
    over = [each.over_at for each in ended if each.over_at is not None]
    if over and not timedelta(0) <= now - min(over) < over_for:
        due[NoticeKind.ALL_CLEAR] = ended
    return due


def gathered(alerts: Sequence[Alert], *, over: bool) -> list[Trouble]:
    """Alerts of one kind together, as they are told. Pure."""
    found: dict[tuple[AlertKind, bool], list[Alert]] = {}
    for alert in alerts:
        found.setdefault((alert.kind, alert.subject == EVERYWHERE), []).append(alert)
    troubles = []
    for (kind, everywhere), some in found.items():
        mailboxes = tuple(sorted(each.subject for each in some)) if kind in _OF_MAILBOXES and not everywhere else ()
        times = [each.over_at if over and each.over_at is not None else each.since for each in some]
        troubles.append(Trouble(kind, max(times) if over else min(times), len(some), mailboxes))
    return troubles


_OF_MAILBOXES = frozenset({AlertKind.SILENT, AlertKind.NO_MAIL})

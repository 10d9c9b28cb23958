"""Parked mailboxes: what only a person can mend is put on record, told to the administrator once, and lifted when the
mailbox works again. The other mailboxes go on.

The notice is at least once, like a route to the office: an administrator who hears of a dead mailbox twice is bothered,
one who never hears of it misses urgent mail. Its Message-ID is derived from the outages it tells of and looked up in
Sent before any further try, so that twice means: the mail server itself could not say.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

import structlog

from config import ConfigError
from config.settings import MailboxSettings, Settings
from connectors.errors import MailboxError
from connectors.mailbox import Mailbox
from service.courier import Courier, Errand, Failure
from service.logs import place, said
from service.notices import compose_notice, notice_message_id
from service.steps import OnStep, no_step
from service.stopping import StopTeller
from store.parking import ParkingLot, Taken
from store.tables import NoticeKind, Parking

if TYPE_CHECKING:
    from service.assembly import Assembly

log = structlog.get_logger()

_APART = timedelta(minutes=15)
"""Between two notices of outages: what fails meanwhile stands in the later one."""
_WORKING_AGAIN = timedelta(minutes=20)
"""How long a mailbox must have worked again before that is told: longer than a parked one waits for its next try, so
that all come back in one notice, and a mailbox that comes and goes fills nobody's inbox."""
_HANDOVERS = 6
"""So often a notice is handed over without the server saying that it took it."""
_LONGEST_REASON = 1000
AT_ONCE = timedelta(0)


class _Told(StrEnum):
    """Whether anybody hears of a parked mailbox, as the log says it."""

    BY_MAIL = "is told by mail"
    NOT_AT_ALL = "set service.administrator and service.notices_from for a mail"


def needs_a_person(error: Exception | None) -> bool:
    """Whether trying again is of no use before somebody acts: a refused password, a lacking right, a certificate, a
    credential that cannot be read."""
    return isinstance(error, ConfigError) or (isinstance(error, MailboxError) and not error.transient)


def settling_time(settings: Settings) -> timedelta:
    """How long outages are gathered before they are told: every mailbox has had its turn by then, so that one revoked
    key is one notice."""
    return timedelta(seconds=min(max(2 * settings.service.poll_seconds, 60), 900))


def notices_box(settings: Settings) -> MailboxSettings | None:
    """The mailbox that notices are sent from; None where the configuration names none, or nobody to tell."""
    return None if settings.service.administrator is None else service_box(settings)


def service_box(settings: Settings) -> MailboxSettings | None:
    """The mailbox that the service's own mail to the staff is sent from: as the configuration lists it, else reached as
    the school's other mailboxes are; None where the configuration names none, or none that can be reached so."""
    address = settings.service.notices_from
    if address is None:
        return None
    listed = [box for box in settings.mailboxes if box.address == address]
    if listed:
        return listed[0]
    domain = address.rpartition("@")[2]
    # A Maildir says nothing of where another mailbox lies.
    models = [box for box in settings.mailboxes if box.connector != "maildir"]
    models.sort(key=lambda box: box.address.rpartition("@")[2] != domain)
    if not models:
        return None
    its_own = {"address": address, "aliases": (), "teacher": "Alliance Inbox", "username": None, "password_env": None}
    return models[0].model_copy(update=its_own)


def _sign_in_names(settings: Settings) -> Iterator[str]:
    """The accounts that the configuration signs in with: whoever mends a refusal must know which of them it was."""
    servers = () if settings.exchange is None else (settings.exchange,)
    yield from (each.username for each in (*settings.mailboxes, *servers) if each.username)


def ripe(
    parkings: Sequence[Parking], outage_announced_at: datetime | None, now: datetime, settle: timedelta
) -> Mapping[NoticeKind, list[Parking]]:
    """What is to be told now, by kind of notice; nothing while it is still being gathered. Pure."""
    due: dict[NoticeKind, list[Parking]] = {}
    outages = [parking for parking in parkings if parking.lifted_at is None and parking.outage_notice is None]
    lately = outage_announced_at is not None and timedelta(0) <= now - outage_announced_at < _APART
    # A time that lies ahead was written by a clock that was: it is no reason to wait for it.
    if outages and not lately and not (timedelta(0) <= now - min(parking.since for parking in outages) < settle):
        due[NoticeKind.PARKED] = outages
    ends = [parking for parking in parkings if parking.lifted_at is not None and parking.lifting_notice is None]
    over = [parking.lifted_at for parking in ends if parking.lifted_at is not None]
    if over and not (timedelta(0) <= now - min(over) < _WORKING_AGAIN):
        due[NoticeKind.LIFTED] = ends
    return due


class Attendant:
    """Looks after the parked mailboxes of one installation, and tells of those whose answers stopped. Threads share it.
    Raises nothing: what it cannot record or tell is logged, and tried again; mail goes on meanwhile."""

    def __init__(
        self, assembly: "Assembly", *, environ: Mapping[str, str] | None = None, on_step: OnStep | None = None
    ) -> None:
        """`environ` holds the passwords."""
        self._assembly = assembly
        self._environ = environ
        self._on_step = on_step or no_step
        settings = assembly.settings
        self._lot = ParkingLot(assembly.database, timedelta(seconds=settings.service.lease_seconds))
        self._box = notices_box(settings)
        self._courier = Courier(self._lot.notices, assembly.clock, self._on_step, failure=Failure.ADMINISTRATOR)
        self._stops = StopTeller(settings, assembly.database, self._courier)

    @property
    def tells(self) -> bool:
        """Whether the configuration says whom to tell and from which mailbox."""
        return self._box is not None

    def refused(self, mailbox: str, error: Exception, *, sending: bool = False) -> None:
        """A mailbox could not be worked on, or (`sending`) could be read and nothing could be sent from it. Does
        nothing where trying again may help."""
        if not needs_a_person(error):
            return
        names = {mailbox, *_sign_in_names(self._assembly.settings)}
        reason = " ".join(said(error, naming=names).split())[:_LONGEST_REASON]
        try:
            begins = self._lot.park(mailbox, self._assembly.clock(), reason, sending=sending)
        except Exception as failure:  # noqa: BLE001 - the record is a help; the mailbox is tried again anyway
            log.error("a parked mailbox could not be recorded", mailbox=mailbox, error=place(failure))
            return
        if begins:
            told = _Told.BY_MAIL if self.tells else _Told.NOT_AT_ALL
            log.error("a mailbox is parked", mailbox=mailbox, reason=said(error), administrator=told)

    def works(self, mailbox: str, *, sent: bool) -> None:
        """A mailbox was worked on without trouble; `sent` says whether mail was sent from it."""
        try:
            over = self._lot.lift(mailbox, self._assembly.clock(), sent=sent)
        except Exception as failure:  # noqa: BLE001 - as above
            log.error("the end of an outage could not be recorded", mailbox=mailbox, error=place(failure))
            return
        if over is not None:
            log.info("a parked mailbox works again", mailbox=mailbox, since=over.since)

    def tell(self, settle: timedelta | None = None) -> None:
        """Sends the notices that are due. Outages are gathered for `settle` first, `settling_time` where left out."""
        if self._box is None:
            return
        try:
            self._announce(self._box, settling_time(self._assembly.settings) if settle is None else settle)
            while (taken := self._lot.take(self._assembly.clock())) is not None:
                self._bring(self._box, taken)
            self._stops.tell(self._box, partial(self._opened, self._box))
        except Exception as failure:  # noqa: BLE001 - as above
            log.error("notices could not be looked after", error=place(failure))

    def _announce(self, box: MailboxSettings, settle: timedelta) -> None:
        parkings = self._lot.all()
        if not parkings:
            return
        now = self._assembly.clock()
        for kind, mailboxes in ripe(parkings, self._lot.outage_announced_at(), now, settle).items():
            if self._lot.announce(kind, mailboxes, notice_message_id(kind, mailboxes, box.address), now):
                self._on_step("notice announced", 0)

    def _bring(self, box: MailboxSettings, taken: Taken) -> None:
        """Sends one notice, or puts it off."""
        settings = self._assembly.settings
        self._on_step("notice taken", taken.notice.id or 0)

        def compose() -> bytes | None:
            return compose_notice(
                taken,
                settings,
                parked=sum(parking.lifted_at is None for parking in self._lot.all()),
                sender=box.address,
                recipient=settings.service.administrator or "",
                now=self._assembly.clock(),
            )

        errand = Errand(
            taken.notice,
            compose,
            may_go=lambda _state, _mailbox: taken.notice.handovers < _HANDOVERS,
            finish=lambda _out: self._lot.finish(taken, self._assembly.clock()),
        )
        self._courier.bring(errand, partial(self._opened, box))

    def _opened(self, box: MailboxSettings) -> AbstractContextManager[Mailbox]:
        return closing(self._assembly.open(box, self._environ))

"""The administrator is told, once for each time, that a mailbox's answers stopped; in English.

At least once, like a parked mailbox's notice and by the same courier: hearing of it twice bothers somebody, never
hearing of it leaves families without a note.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from types import MappingProxyType

from sqlmodel import col

from autoresponder.ceiling import FOR_ONE_PERSON, Cause
from autoresponder.identifiers import derived_message_id
from autoresponder.note import Block, Note, Paragraph, Row, Rows, Section
from autoresponder.routes import PRODUCT
from config.settings import MailboxSettings, Settings
from connectors.mailbox import Mailbox
from service.courier import Courier, Errand
from service.notices import mail_to_staff, when
from store.answer_tables import AnswerStop
from store.ceiling import StopNotices
from store.database import Database
from store.tables import Notice, NoticeKind

_APART = timedelta(minutes=15)
"""Between two notices: what stops meanwhile stands in the later one."""
_HANDOVERS = 6
"""So often a notice is handed over without the server saying that it took it."""


def stop_reason(cause: Cause, settings: Settings) -> str:
    """Why a mailbox's answers stopped, as the staff read it; without a full stop."""
    reasons: Mapping[Cause, str] = MappingProxyType(
        {
            Cause.HOUR: f"{settings.norm.answers_per_hour} answers left within an hour (norm.answers_per_hour)",
            Cause.PERSON: f"one address got {FOR_ONE_PERSON} answers within a day, which looks like a loop",
            Cause.DOMAIN: "many unknown addresses of one domain wrote within minutes, which looks like a loop",
        }
    )
    return reasons[cause]


class StopTeller:
    """Tells the administrator of stops. Raises what the store raises; what fails at the mail server is put off."""

    def __init__(self, settings: Settings, database: Database, courier: Courier) -> None:
        """`courier` brings the notices."""
        self._settings = settings
        self._stops = StopNotices(database)
        self._courier = courier

    def tell(self, box: MailboxSettings, opened: Callable[[], AbstractContextManager[Mailbox]]) -> None:
        """Sends what is due from the mailbox `box`, that `opened` opens."""
        self._announce(box, self._courier.clock())
        while (
            notice := self._courier.notices.take(col(Notice.kind) == NoticeKind.STOPPED, self._courier.clock())
        ) is not None:
            self._courier.on_step("notice taken", notice.id or 0)
            self._courier.bring(self._errand(box, notice), opened)

    def _announce(self, box: MailboxSettings, now: datetime) -> None:
        stops = self._stops.untold()
        if not stops:
            return
        lately = self._stops.announced_at()
        # A time that lies ahead was written by a clock that was: it is no reason to wait for it.
        if lately is not None and timedelta(0) <= now - lately < _APART:
            return
        told = [(stop.mailbox, stop.stopped_at.isoformat()) for stop in stops]
        if self._stops.announce(stops, derived_message_id(f"{NoticeKind.STOPPED} {told}", "notice", box.address), now):
            self._courier.on_step("notice announced", 0)

    def _errand(self, box: MailboxSettings, notice: Notice) -> Errand:
        return Errand(
            notice,
            compose=lambda: self._compose(box, notice),
            may_go=lambda _state, _mailbox: notice.handovers < _HANDOVERS,
            finish=lambda _out: self._courier.notices.finish(notice, self._courier.clock()),
        )

    def _compose(self, box: MailboxSettings, notice: Notice) -> bytes | None:
        stops = self._stops.told_of(notice)
        if not stops:
            return None
        subject = f"{PRODUCT} has stopped answering families from {_counted(stops)}"
        note = Note(title=subject, sections=(Section("en", "ltr", tuple(_blocks(stops, self._settings))),))
        return mail_to_staff(
            note,
            rfc_message_id=notice.rfc_message_id,
            sender=box.address,
            recipient=self._settings.service.administrator or "",
            now=self._courier.clock(),
        )


def _blocks(stops: Sequence[AnswerStop], settings: Settings) -> Iterator[Block]:
    one = len(stops) == 1
    yield Paragraph(
        f"More automatic answers were about to leave {'this mailbox' if one else f'these {len(stops)} mailboxes'} than "
        "a busy day brings, so they have stopped. Please have a look.",
        strong=True,
    )
    pause = timedelta(hours=settings.norm.answers_pause_hours)
    for stop in stops:
        yield Rows(
            (
                Row("Mailbox", (stop.mailbox,)),
                Row("Stopped", (when(stop.stopped_at, settings),)),
                Row("Why", (stop_reason(Cause(stop.cause), settings),)),
                Row("Answers again by itself", (when(stop.stopped_at + pause, settings),)),
            )
        )
    yield Paragraph(
        "Everything else goes on: mail is read and tagged, what is urgent reaches the office, and the first people "
        "with an urgent message still get the note that says whom to call. Other families get no note until then, and "
        "none later for what they wrote meanwhile. Teachers see their mail as always."
    )
    addresses = stops[0].mailbox if one else "--all"
    steps = (
        "Look into the Sent folder: do many notes go to one address, to strangers of one domain, or to a machine?",
        "If so, have that sender blocked at your mail server, or ask its owner to mark its mail as automatic.",
        f"When all is well, “alliance answers resume {addresses}” lets the answers go on at once.",
        "If it was simply a busy hour, a higher norm.answers_per_hour in the configuration allows for the next one.",
    )
    yield Rows((Row("What to do", steps),))
    yield Paragraph("You get this message once for each time that answers stop.")


def _counted(stops: Sequence[AnswerStop]) -> str:
    return stops[0].mailbox if len(stops) == 1 else f"{len(stops)} mailboxes"

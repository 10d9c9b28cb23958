"""The administrator is told, once for each time, that a mailbox's answers stopped, in the language of the staff.

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
from autoresponder.wording import OFFICE, Wording, wording
from config.settings import MailboxSettings, Settings
from connectors.mailbox import Mailbox
from service.courier import Courier, Errand
from service.notices import mail_to_staff, staff_words, when
from store.answer_tables import AnswerStop
from store.ceiling import StopNotices
from store.database import Database
from store.tables import Notice, NoticeKind

_APART = timedelta(minutes=15)
"""Between two notices: what stops meanwhile stands in the later one."""
_HANDOVERS = 6
"""So often a notice is handed over without the server saying that it took it."""


def stop_reason(cause: Cause, settings: Settings, words: Wording | None = None) -> str:
    """Why a mailbox's answers stopped, as the staff read it, in English where no words are given; without a full
    stop."""
    _ = (words or wording("en", OFFICE)).gettext
    reasons: Mapping[Cause, str] = MappingProxyType(
        {
            Cause.HOUR: _("{count} answers left within an hour ({setting})").format(
                count=settings.norm.answers_per_hour, setting="norm.answers_per_hour"
            ),
            Cause.PERSON: _("one address got {count} answers within a day, which looks like a loop").format(
                count=FOR_ONE_PERSON
            ),
            Cause.DOMAIN: _("many unknown addresses of one domain wrote within minutes, which looks like a loop"),
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
        words = staff_words(self._settings)
        blocks = tuple(_blocks(stops, self._settings, words))
        note = Note(title=_subject(stops, words), sections=(Section(words.language, words.direction, blocks),))
        return mail_to_staff(
            note,
            rfc_message_id=notice.rfc_message_id,
            sender=box.address,
            recipient=self._settings.service.administrator or "",
            now=self._courier.clock(),
        )


def _subject(stops: Sequence[AnswerStop], words: Wording) -> str:
    _ = words.gettext
    one = _("{product} has stopped answering families from {mailbox}")
    many = _("{product} has stopped answering families from {count} mailboxes")
    return (one if len(stops) == 1 else many).format(product=PRODUCT, mailbox=stops[0].mailbox, count=len(stops))


def _blocks(stops: Sequence[AnswerStop], settings: Settings, words: Wording) -> Iterator[Block]:
    _ = words.gettext
    one = _(
        "More automatic answers were about to leave this mailbox than a busy day brings, so they have stopped. Please "
        "have a look."
    )
    many = _(
        "More automatic answers were about to leave these {count} mailboxes than a busy day brings, so they have "
        "stopped. Please have a look."
    )
    yield Paragraph((one if len(stops) == 1 else many).format(count=len(stops)), strong=True)
    pause = timedelta(hours=settings.norm.answers_pause_hours)
    for stop in stops:
        yield Rows(
            (
                Row(_("Mailbox"), (stop.mailbox,)),
                Row(_("Stopped"), (when(stop.stopped_at, settings, words),)),
                Row(_("Why"), (stop_reason(Cause(stop.cause), settings, words),)),
                Row(_("Answers again by itself"), (when(stop.stopped_at + pause, settings, words),)),
            )
        )
    yield Paragraph(
        _(
            "Everything else goes on: mail is read and tagged, what is urgent reaches the office, and the first people "
            "with an urgent message still get the note that says whom to call. Other families get no note until then, "
            "and none later for what they wrote meanwhile. Teachers see their mail as always."
        )
    )
    addresses = stops[0].mailbox if len(stops) == 1 else "--all"
    steps = (
        _("Look into the Sent folder: do many notes go to one address, to strangers of one domain, or to a machine?"),
        _("If so, have that sender blocked at your mail server, or ask its owner to mark its mail as automatic."),
        _("When all is well, “alliance answers resume {addresses}” lets the answers go on at once.").format(
            addresses=addresses
        ),
        _("If it was simply a busy hour, a higher {setting} in the configuration allows for the next one.").format(
            setting="norm.answers_per_hour"
        ),
    )
    yield Rows((Row(_("What to do"), steps),))
    yield Paragraph(_("You get this message once for each time that answers stop."))

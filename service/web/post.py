"""Sign-in links on their way: a thread of its own sends them, so that no page waits for the mail server, and none takes
longer for an address that somebody has than for one that nobody has.

A link is not in the database, only its digest. So what is not sent when the process ends is lost, and whoever waits for
it asks again; the page says so.
"""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from autoresponder.identifiers import derived_message_id
from autoresponder.note import Block, Link, Note, Paragraph, Section
from autoresponder.routes import PRODUCT
from autoresponder.wording import OFFICE, Wording, wording
from config import ConfigError
from config.settings import MailboxSettings, Settings
from connectors.errors import MailboxError
from connectors.mailbox import Mailbox
from service.logs import place, said
from service.notices import mail_to_staff
from service.parking import service_box
from service.web.people import Person
from store.access import Access, digest

log = structlog.get_logger()

OpenBox = Callable[[MailboxSettings], Mailbox]
_MOST_WAITING = 200
_TRIES = 2
"""The same link twice is harmless."""
_ENDING_AT_MOST = 10.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A link for somebody."""

    person: Person
    url: str
    secret: str
    language: str
    expires_at: datetime
    minutes: int


class Post:
    """Sends links, one after the other. Threads share it."""

    def __init__(self, settings: Settings, open_box: OpenBox, access: Access, clock: Callable[[], datetime]) -> None:
        """`open_box` opens the mailbox that links are sent from."""
        self._settings = settings
        self._box = service_box(settings)
        self._open = open_box
        self._access = access
        self._clock = clock
        self._waiting: queue.Queue[Letter | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def sends(self) -> bool:
        """Whether there is a mailbox to send from."""
        return self._box is not None

    def hand_in(self, letter: Letter) -> None:
        """Takes a letter to be sent soon. Never waits; where too many wait already it is dropped, and logged."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="sign-in links", daemon=True)
                self._thread.start()
        try:
            self._waiting.put_nowait(letter)
        except queue.Full:
            log.error("a sign-in link was not sent: too many are waiting", waiting=_MOST_WAITING)

    def settle(self) -> None:
        """Returns when everything that was handed in is sent, or given up."""
        self._waiting.join()

    def close(self) -> None:
        """Sends what waits, within some seconds, and ends the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            thread.join(_ENDING_AT_MOST)

    def _work(self) -> None:
        while (letter := self._waiting.get()) is not None:
            try:
                self._send(letter)
            except Exception as error:  # noqa: BLE001 - one letter's trouble is not the next one's
                log.error("a sign-in link was not sent", reason=place(error))
            finally:
                self._waiting.task_done()
        self._waiting.task_done()

    def _send(self, letter: Letter) -> None:
        box = self._box
        if box is None or letter.expires_at <= self._clock():
            return
        mime = link_mail(letter, self._settings, sender=box.address, now=self._clock())
        for left in reversed(range(_TRIES)):
            try:
                self._bring(box, mime)
                break
            except (MailboxError, ConfigError) as error:
                log.error("a sign-in link could not be sent", mailbox=box.address, reason=said(error), tries_left=left)
                if not left:
                    return
        self._access.link_sent(letter.person.address, self._clock())

    def _bring(self, box: MailboxSettings, mime: bytes) -> None:
        mailbox = self._open(box)
        try:
            mailbox.send_draft(mailbox.save_draft(mime))
        finally:
            mailbox.close()


def link_mail(letter: Letter, settings: Settings, *, sender: str, now: datetime) -> bytes:
    """The complete mail with a sign-in link, in the language of the page that it was asked on."""
    words = wording(letter.language, OFFICE)
    subject = words.gettext("Your sign-in link for {product}").format(product=PRODUCT)
    section = Section(words.language, words.direction, tuple(_blocks(letter, settings, words)))
    return mail_to_staff(
        Note(title=subject, sections=(section,)),
        rfc_message_id=derived_message_id(digest(letter.secret), "notice", sender),
        sender=sender,
        recipient=letter.person.address,
        now=now,
    )


def _blocks(letter: Letter, settings: Settings, words: Wording) -> list[Block]:
    _ = words.gettext
    until = words.clock(letter.expires_at.astimezone(settings.school.zone))
    return [
        Paragraph(_("Hello, {name},").format(name=letter.person.name)),
        Paragraph(
            _("with this link you sign in to {product} of {school}. It works once, until {time}.").format(
                product=PRODUCT, school=settings.school.name, time=until
            )
        ),
        Link(_("Sign in"), letter.url),
        Paragraph(
            _(
                "You did not ask for it? Then somebody else typed your address. Nothing has happened, and nothing will "
                "as long as you do not press the button on the page behind the link. Please do not pass this mail on."
            )
        ),
    ]

"""Keeps every mailbox up to date: one thread per mailbox reads, delivers, and waits for the next change."""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from math import inf
from random import Random
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from config import ConfigError
from config.settings import MailboxSettings, Stage
from connectors.errors import MailboxError, Throttled
from connectors.mailbox import Mailbox
from service.assembly import Assembly
from service.delivery import Delivered
from service.digest import MorningMail
from service.escalation import escalate
from service.figure_keeping import FigureKeeper
from service.following import follow
from service.glow_writer import GlowWriter
from service.logs import place
from service.parking import AT_ONCE, Attendant, needs_a_person
from service.pipeline import Swept
from service.reminding import remind
from service.roster_keeping import RosterKeeper
from service.steps import OnStep
from service.weekly import WeeklyMail

log = structlog.get_logger()

_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 300.0
_PAUSE_FOR_A_PERSON = 900.0
"""Seconds until a refused password or certificate is tried again: only a person can mend it, and a server locks an
account that keeps knocking."""
_SHORTEST_WAIT = 0.2
_NOTICES_LOOKED_AFTER_EVERY = 15.0
_DELIVERING_AT_MOST = 20.0
"""Seconds after which a mailbox with much to deliver looks for new mail again: some of it may be urgent."""


class Watcher(Protocol):
    """Is told what happens, as it happens. Called from every mailbox's thread."""

    def swept(self, swept: Swept) -> None:
        """A page of changes is on record."""
        ...

    def delivered(self, mailbox: str, delivered: Delivered) -> None:
        """Deliveries were carried out."""
        ...

    def failed(self, mailbox: str, reason: str, pause: float) -> None:
        """A mailbox could not be worked on; it is tried again after `pause` seconds."""
        ...


class Quiet:
    """A watcher that does not look."""

    def swept(self, swept: Swept) -> None:
        """Nothing."""

    def delivered(self, mailbox: str, delivered: Delivered) -> None:
        """Nothing."""

    def failed(self, mailbox: str, reason: str, pause: float) -> None:
        """Nothing."""


class Runner:
    """Works on the mailboxes of one installation, until stopped."""

    def __init__(
        self,
        assembly: Assembly,
        *,
        environ: Mapping[str, str] | None = None,
        watcher: Watcher | None = None,
        on_step: OnStep | None = None,
        boxes: Sequence[MailboxSettings] | None = None,
        keeps_figures: bool = True,
    ) -> None:
        """`boxes` are the mailboxes to work on, all where left out; `environ` holds the passwords. Without
        `keeps_figures`, `run_once` leaves the scorecard's figures to whoever reads them next."""
        self._assembly = assembly
        self._environ = environ
        self._keeps_figures = keeps_figures
        self._watcher = _Sturdy(watcher or Quiet())
        self._on_step = on_step
        self._attendant = Attendant(assembly, environ=environ, on_step=on_step)
        self._morning_mail = MorningMail(assembly, on_step=on_step)
        self._weekly_mail = WeeklyMail(assembly, environ=environ, on_step=on_step)
        self._glow_writer = GlowWriter(assembly, on_step=on_step)
        self._figures = FigureKeeper(assembly.settings, assembly.calendar, assembly.database, assembly.clock)
        self._boxes = tuple(boxes if boxes is not None else assembly.settings.mailboxes)
        self._stop = threading.Event()
        self._open: set[Mailbox] = set()
        self._lock = threading.Lock()
        self._jitter = Random()  # noqa: S311 - spreads retries, guards no secret

    def run_once(self) -> Mapping[str, str]:
        """Brings every mailbox up to date once, one after the other. Returns what failed: reason by address."""
        failures: dict[str, str] = {}
        for box in self._boxes:
            mailbox = None
            try:
                mailbox = self._open_mailbox(box)
                self._work(box, mailbox)
            except Exception as error:  # noqa: BLE001 - one mailbox's trouble must not end the others' turn
                self._attendant.refused(box.address, error)
                failures[box.address] = _reason(error)
                self._watcher.failed(box.address, failures[box.address], 0)
            finally:
                if mailbox is not None:
                    self._close(mailbox)
        self._attendant.tell(AT_ONCE)
        if self._keeps_figures:
            self._look_at_figures()
        self._weekly_mail.tell()
        return failures

    def run(self) -> None:
        """Works until `stop` is called from another thread or a signal handler."""
        threads = [
            threading.Thread(target=self._keep, args=(box,), name=f"mailbox {box.address}") for box in self._boxes
        ]
        if self._attendant.tells or self._weekly_mail.has_mailbox:
            threads.append(threading.Thread(target=self._look_after_notices, name="notices"))
        parts = self._assembly
        keeper = RosterKeeper(parts.settings, parts.database, parts.clock, parts.roster)
        threads.append(threading.Thread(target=keeper.keep, args=(self._stop,), name="roster"))
        threads.append(threading.Thread(target=self._figures.keep, args=(self._stop,), name="scorecard"))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        """Asks every thread to finish what it holds in hand and end. Returns at once."""
        self._stop.set()
        with self._lock:
            waiting = list(self._open)
        for mailbox in waiting:
            with suppress(Exception):  # the others are to be told all the same
                mailbox.interrupt()

    def _keep(self, box: MailboxSettings) -> None:
        """One mailbox's thread. Survives every error of its mailbox and of the database."""
        mailbox: Mailbox | None = None
        failures = 0
        while not self._stop.is_set():
            try:
                if mailbox is None:
                    mailbox = self._open_mailbox(box)
                self._work(box, mailbox, _DELIVERING_AT_MOST)
                failures = 0
                self._wait(box, mailbox)
            except Exception as error:  # noqa: BLE001 - one mailbox's trouble must not end the service
                failures += 1
                self._attendant.refused(box.address, error)
                pause = self._pause(error, failures)
                self._watcher.failed(box.address, _reason(error), pause)
                if mailbox is not None:
                    self._close(mailbox)
                    mailbox = None
                self._stop.wait(pause)
        if mailbox is not None:
            self._close(mailbox)

    def _look_at_figures(self) -> None:
        try:
            self._figures.look(None)
        except Exception as error:  # noqa: BLE001 - the figures' trouble is not the mail's
            log.error("the scorecard could not be brought up to date", error=place(error))

    def _look_after_notices(self) -> None:
        while not self._stop.is_set():
            self._attendant.tell()
            self._weekly_mail.tell()
            self._stop.wait(_NOTICES_LOOKED_AFTER_EVERY)

    def _work(self, box: MailboxSettings, mailbox: Mailbox, at_most: float = inf) -> None:
        """Reads what is new, page by page, and delivers in between, `at_most` so many seconds at a time: urgent mail
        waits neither for old mail nor for a long line of replies."""
        assembly = self._assembly
        deliverer, items = assembly.deliverer(on_step=self._on_step), assembly.items()
        delivered: list[Delivered] = []

        def deliver() -> None:
            follow(box, mailbox, assembly)
            escalate(box, items, assembly.settings, assembly.calendar, assembly.clock())
            remind(box, assembly.cases(), assembly.settings, assembly.calendar, assembly.clock())
            until = time.monotonic() + at_most
            done = deliverer.deliver(box, mailbox, lambda: self._stop.is_set() or time.monotonic() > until)
            self._watcher.delivered(box.address, done)
            delivered.append(done)

        delivered_after_last_page = False
        for swept in self._assembly.pipeline.sweep(box, mailbox, lambda: self._is_due(box)):
            self._watcher.swept(swept)
            delivered_after_last_page = swept.free
            if swept.free:
                deliver()
            if self._stop.is_set():
                return
        if not delivered_after_last_page:
            deliver()
        self._glow_writer.look_after(box, mailbox)
        self._morning_mail.look_after(box, mailbox)
        self._note(box, delivered)

    def _note(self, box: MailboxSettings, delivered: Sequence[Delivered]) -> None:
        """The mailbox could be read; what came of sending says whether it works altogether."""
        refused = next((done.refused for done in delivered if done.refused is not None), None)
        if refused is not None:
            self._attendant.refused(box.address, refused, sending=True)
        else:
            self._attendant.works(box.address, sent=any(done.routes or done.replies for done in delivered))

    def _is_due(self, box: MailboxSettings) -> bool:
        due_at = self._next_due_at(box)
        return due_at is not None and due_at <= self._assembly.clock()

    def _next_due_at(self, box: MailboxSettings) -> datetime | None:
        """When the next delivery of a mailbox is due, an item that nobody takes goes on, or a case is looked at."""
        items_at = None if box.stage is Stage.OBSERVE else self._assembly.items().next_due_at(box.address)
        cases_at = None if box.stage is Stage.OBSERVE else self._assembly.cases().next_due_at(box.address)
        due = (self._assembly.outbox().next_due_at(box.address), items_at, cases_at)
        return min(filter(None, due), default=None)

    def _wait(self, box: MailboxSettings, mailbox: Mailbox) -> None:
        """Until the server says that something changed, the next poll is due, or a delivery is."""
        seconds = self._assembly.settings.service.poll_seconds
        due = (self._next_due_at(box), self._morning_mail.next_at(box), self._glow_writer.next_at(box))
        due_at = min(filter(None, due), default=None)
        if due_at is not None:
            until_due = (due_at - self._assembly.clock()).total_seconds()
            seconds = min(seconds, max(until_due, _SHORTEST_WAIT))
        began = time.monotonic()
        if not self._stop.is_set() and not mailbox.wait(seconds):
            self._stop.wait(max(0.0, seconds - (time.monotonic() - began)))

    def _pause(self, error: Exception, failures: int) -> float:
        if needs_a_person(error):
            return _PAUSE_FOR_A_PERSON
        if isinstance(error, Throttled) and error.retry_after is not None:
            return error.retry_after * self._jitter.uniform(1, 1.25)
        pause = min(_FIRST_PAUSE * float(2 ** min(failures - 1, 10)), _LONGEST_PAUSE)
        return pause * self._jitter.uniform(0.75, 1.25)

    def _open_mailbox(self, box: MailboxSettings) -> Mailbox:
        mailbox = self._assembly.open(box, self._environ)
        with self._lock:
            self._open.add(mailbox)
        return mailbox

    def _close(self, mailbox: Mailbox) -> None:
        with self._lock:
            self._open.discard(mailbox)
        with suppress(Exception):  # it is given up in any case
            mailbox.close()


class _Sturdy:
    """Passes on to a watcher what happens, and goes on where it fails: a closed terminal must not stop the mail."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def swept(self, swept: Swept) -> None:
        with suppress(Exception):
            self._watcher.swept(swept)

    def delivered(self, mailbox: str, delivered: Delivered) -> None:
        with suppress(Exception):
            self._watcher.delivered(mailbox, delivered)

    def failed(self, mailbox: str, reason: str, pause: float) -> None:
        with suppress(Exception):
            self._watcher.failed(mailbox, reason, pause)


def _reason(error: Exception) -> str:
    if isinstance(error, MailboxError | ConfigError):
        return str(error)
    if isinstance(error, SQLAlchemyError):
        return f"the database refused: {getattr(error, 'orig', None) or type(error).__name__}"
    return f"unexpected: {place(error)}"

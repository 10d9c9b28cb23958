"""Keeps every mailbox up to date: one thread per mailbox reads, delivers, and waits for the next change."""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog

from config.settings import MailboxSettings
from connectors.mailbox import Mailbox
from service.assembly import Assembly
from service.figure_keeping import FigureKeeper
from service.logs import place, said
from service.mailbox_work import DELIVERING_AT_MOST, MailboxWork, Slice
from service.parking import AT_ONCE, Attendant
from service.privacy.purging import Purge
from service.roster_keeping import RosterKeeper
from service.steps import OnStep
from service.watcher import Quiet, Sturdy, Watcher
from service.weekly import WeeklyMail

log = structlog.get_logger()

_SHORTEST_WAIT = 0.2
_NOTICES_LOOKED_AFTER_EVERY = 15.0


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
        self._stop = threading.Event()
        self._watcher = Sturdy(watcher or Quiet())
        self._attendant = Attendant(assembly, environ=environ, on_step=on_step)
        self._work = MailboxWork(assembly, self._attendant, self._watcher, self._stop.is_set, on_step=on_step)
        self._weekly_mail = WeeklyMail(assembly, environ=environ, on_step=on_step)
        self._figures = FigureKeeper(assembly.settings, assembly.calendar, assembly.database, assembly.clock)
        self._boxes = tuple(boxes if boxes is not None else assembly.settings.mailboxes)
        self._open: set[Mailbox] = set()
        self._lock = threading.Lock()

    def run_once(self) -> Mapping[str, str]:
        """Brings every mailbox up to date once, one after the other. Returns what failed: reason by address."""
        failures: dict[str, str] = {}
        for box in self._boxes:
            mailbox = None
            try:
                mailbox = self._open_mailbox(box)
                self._work.turn(box, mailbox)
            except Exception as error:  # noqa: BLE001 - one mailbox's trouble must not end the others' turn
                self._attendant.refused(box.address, error)
                failures[box.address] = said(error)
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
        purge = Purge(parts.database, parts.settings, parts.calendar, parts.clock)
        threads.append(threading.Thread(target=purge.keep, args=(self._stop,), name="retention"))
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
                self._work.turn(box, mailbox, Slice(delivering=DELIVERING_AT_MOST))
                failures = 0
                self._wait(box, mailbox)
            except Exception as error:  # noqa: BLE001 - one mailbox's trouble must not end the service
                failures += 1
                pause = self._work.failed(box, error, failures)
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

    def _wait(self, box: MailboxSettings, mailbox: Mailbox) -> None:
        """Until the server says that something changed, the next poll is due, or a delivery is."""
        seconds = self._assembly.settings.service.poll_seconds
        due_at = self._work.next_at(box)
        if due_at is not None:
            until_due = (due_at - self._assembly.clock()).total_seconds()
            seconds = min(seconds, max(until_due, _SHORTEST_WAIT))
        began = time.monotonic()
        if not self._stop.is_set() and not mailbox.wait(seconds):
            self._stop.wait(max(0.0, seconds - (time.monotonic() - began)))

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

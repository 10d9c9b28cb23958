"""Tells a person or a log what the runner does: progress bars on a terminal, log lines elsewhere."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from service.delivery import Delivered
from service.pipeline import Swept
from service.watcher import Watcher

log = structlog.get_logger()

_STEP = 0.05
"""Without a terminal, the share of old mail after which progress is logged again."""


class LogWatcher:
    """Logs what was done; numbers only. Thread-safe."""

    def __init__(self) -> None:
        self._reported: dict[str, float] = {}
        self._lock = threading.Lock()

    def swept(self, swept: Swept) -> None:
        """Logs new mail, corrections, and old mail's progress now and then."""
        live = [entry.record for entry in swept.entries if not entry.record.backfill]
        if live or swept.corrections:
            tags = [record.tag.value for record in live if record.tag is not None]
            log.info(
                "read",
                mailbox=swept.mailbox,
                messages=len(live),
                urgent=tags.count("urgent"),
                conflict=tags.count("conflict"),
                routine=tags.count("routine"),
                set_aside=sum(record.set_aside is not None for record in live),
                corrections=swept.corrections,
            )
        self._old_mail(swept)

    def delivered(self, mailbox: str, delivered: Delivered) -> None:
        """Logs labels, routes and replies."""
        if delivered.tags or delivered.routes or delivered.replies or delivered.drafts:
            log.info(
                "delivered",
                mailbox=mailbox,
                labelled=delivered.tags,
                routed=delivered.routes,
                answered=delivered.replies,
                drafted=delivered.drafts,
            )

    def failed(self, mailbox: str, reason: str, pause: float) -> None:
        """Logs why a mailbox is not worked on, and for how long."""
        log.warning("mailbox failed", mailbox=mailbox, reason=reason, next_try_in_seconds=round(pause))

    def _old_mail(self, swept: Swept) -> None:
        progress = swept.progress
        if progress is None or not progress.total:
            return
        share = progress.done / progress.total
        with self._lock:
            last = self._reported.get(swept.mailbox, 0.0)
            if share < 1 and share - last < _STEP:
                return
            if last >= 1:
                return
            self._reported[swept.mailbox] = share
        log.info("reading old mail", mailbox=swept.mailbox, done=progress.done, total=progress.total)


class TerminalWatcher(LogWatcher):
    """The same, with a progress bar for each mailbox whose old mail is being read."""

    def __init__(self, progress: Progress) -> None:
        """`progress` is already running."""
        super().__init__()
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def _old_mail(self, swept: Swept) -> None:
        if swept.progress is None or not swept.progress.total:
            return
        with self._lock:
            if swept.mailbox not in self._bars:
                if swept.progress.done >= swept.progress.total:
                    return
                self._bars[swept.mailbox] = self._progress.add_task(f"old mail of {swept.mailbox}")
            bar = self._bars[swept.mailbox]
        self._progress.update(bar, completed=swept.progress.done, total=swept.progress.total)


@contextmanager
def watcher() -> Iterator[Watcher]:
    """The watcher that fits standard error."""
    if not sys.stderr.isatty():
        yield LogWatcher()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield TerminalWatcher(progress)

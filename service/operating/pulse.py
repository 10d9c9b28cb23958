"""What one process does, as it does it: counted for the metrics, and noted down so that a silence is noticed."""

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from config.settings import Settings
from service.delivery import Delivered
from service.operating.metrics import NO_TAG, Metrics, delay_of
from service.pipeline import Swept
from service.watcher import Watcher


class Pulse:
    """A watcher that counts, and passes on to another. Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        watcher: Watcher,
        clock: Callable[[], datetime],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` tells the time, aware; `monotonic` in seconds, and is never set back."""
        self._connectors = {box.address: box.connector for box in settings.mailboxes}
        self._metrics = metrics
        self._watcher = watcher
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looked_at: dict[str, datetime] = {}
        self._last_beat = monotonic()

    def beat(self) -> None:
        """The process is at work: something came to an end, well or not."""
        self._last_beat = self._monotonic()

    @property
    def quiet_for(self) -> float:
        """Seconds since anything came to an end."""
        return self._monotonic() - self._last_beat

    def new_looks(self) -> Mapping[str, datetime]:
        """Mailboxes that were read to their end since this was last asked, and when."""
        with self._lock:
            looked_at, self._looked_at = self._looked_at, {}
        return looked_at

    def not_noted(self, looked_at: Mapping[str, datetime]) -> None:
        """Looks that could not be put on record; they are told of again."""
        with self._lock:
            self._looked_at = {**looked_at, **self._looked_at}

    def swept(self, swept: Swept) -> None:
        """Counts a page's messages, and a look where the page was the last."""
        self._watcher.swept(swept)
        self.beat()
        now, metrics = self._clock(), self._metrics
        for entry in swept.entries:
            record = entry.record
            if not record.backfill:
                metrics.messages.labels(NO_TAG if record.tag is None else record.tag.value).inc()
                metrics.set_aside.inc(record.set_aside is not None)
                metrics.delay.observe(delay_of(record.received_at, now))
        metrics.corrections.inc(swept.corrections)
        if not swept.more:
            self._swept(swept.mailbox, "ok")
            with self._lock:
                self._looked_at[swept.mailbox] = now

    def delivered(self, mailbox: str, delivered: Delivered) -> None:
        """Counts deliveries."""
        self._watcher.delivered(mailbox, delivered)
        self.beat()
        done = {"tag": delivered.tags, "route": delivered.routes, "reply": delivered.replies, "draft": delivered.drafts}
        for kind, count in done.items():
            self._metrics.deliveries.labels(kind).inc(count)

    def failed(self, mailbox: str, reason: str, pause: float) -> None:
        """Counts a look that failed."""
        self._watcher.failed(mailbox, reason, pause)
        self.beat()
        self._swept(mailbox, "failed")

    def _swept(self, mailbox: str, outcome: str) -> None:
        if (connector := self._connectors.get(mailbox)) is not None:
            self._metrics.sweeps.labels(connector, outcome).inc()

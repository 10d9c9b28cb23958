"""Reading with care where a process died: one message at a time, and each leaves a trace before it is read. Carrying
out with care what a process died of: a delivery's lease is its trace.

A message may end the process that reads it, past every `except`: a parser of native code fails, the memory is used up,
the system kills it. Whoever starts it again would die again, for ever. So a mailbox in which a process ended without a
word is read with care: the same message in the hands of two that died, and nobody reads it any more
(docs/discussions/hostile-input.md). Where nothing died, nothing of this costs a single question or write.

A delivery may do the same. Whoever takes one that another process left in the middle asks whether that one died, and
counts it on the delivery; one that was in hand at a death is carried out alone, as a message is read; and labels, which
need no lease, get one in a mailbox that is read with care.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from hmac import new as hmac

import structlog

from connectors.mailbox import RawMessage
from service.logs import place
from service.process_name import has_ended, process_name
from store.caution import Caution, Trace
from store.database import Database
from store.deadly import why_deadly
from store.processes import Processes
from store.tables import Delivery, DeliveryState
from store.workers import Workers

log = structlog.get_logger()

_ALONE_WITHIN = 60.0
"""Seconds a mailbox waits until another one's message is read. Then it goes on beside it: a mail server that hangs
must not hold up the others, and what is known of a death is a little less certain."""
_TELLING_BODY = 200
"""Bytes. A shorter body is that of many mails."""


class Care:
    """Reads one page of a mailbox with care."""

    def __init__(self, caution: Caution, mailbox: str, key: bytes, now: datetime, alive: Callable[[str], bool]) -> None:
        """`key` is the installation's secret; `alive` tells of another process, by its name, whether it lives."""
        self._caution, self._mailbox, self._key, self._now, self._alive = caution, mailbox, key, now, alive
        self.left = 1
        """Messages that are still to be read with care."""

    def begin(self, raw: RawMessage) -> str | None:
        """Leaves the trace of a message that is about to be read. Returns why it is not to be read, None where it
        is."""
        me = process_name()
        for other in self._caution.in_hands(me):
            if not self._alive(other):
                self._caution.died(other)
        begun = self._caution.begin(Trace(self._mailbox, raw.id, self._digest(raw), me, self._now))
        self.left = begun.left
        if not begun.kills:
            return None
        log.error("a message ended whoever read it, nobody reads it any more", mailbox=self._mailbox, message=raw.id)
        return why_deadly(begun.deaths)

    def _digest(self, raw: RawMessage) -> str | None:
        body = raw.raw.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
        return hmac(self._key, body, sha256).hexdigest() if len(body) >= _TELLING_BODY else None


class Cautious:
    """Reads mailboxes with care, one message of the whole process at a time: so it is known which one killed it.
    Threads share it."""

    def __init__(self, database: Database, key: bytes, clock: Callable[[], datetime]) -> None:
        """`key` is the installation's secret; `clock` tells the time, aware."""
        self._caution = Caution(database)
        self._database, self._key, self._clock = database, key, clock
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, mailbox: str) -> Iterator[Care]:
        """While the block runs, a page of the mailbox is read and recorded. An error in it is no death."""
        with self.alone():
            try:
                yield Care(self._caution, mailbox, self._key, self._clock(), self._lives)
            except BaseException:
                self._end(mailbox, recorded=False)
                raise
            else:
                self._end(mailbox, recorded=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While the block runs, no other thread of this process has in hand what may have ended one."""
        alone = self._lock.acquire(timeout=_ALONE_WITHIN)
        try:
            yield
        finally:
            if alone:
                self._lock.release()

    def died_with(self, delivery: Delivery) -> bool:
        """Whether a process died with this delivery in hand. Asked of what nobody left behind, it asks nothing."""
        if delivery.state is not DeliveryState.WORKING or delivery.lease_holder is None:
            return False
        process = delivery.lease_holder.rpartition(":")[0]
        if has_ended(process) is False:
            return False
        if self._database.url.get_backend_name() == "postgresql" and Workers(self._database).died(process):
            return True
        return process in Processes(self._database).died("run", self._clock(), has_ended)

    def over(self, mailbox: str) -> None:
        """The mailbox was read beyond where a process died."""
        self._caution.over(mailbox, self._clock())

    def mark(self, raw: RawMessage) -> str:
        """What a message that nobody reads is recognised by, also under another id."""
        return hmac(self._key, raw.raw, sha256).hexdigest() if raw.raw else raw.id

    def _end(self, mailbox: str, *, recorded: bool) -> None:
        try:
            self._caution.end(mailbox, process_name(), recorded=recorded)
        except Exception as error:  # noqa: BLE001 - the page is on record, or is read again
            log.warning("a message's trace could not be taken back", mailbox=mailbox, error=place(error))

    def _lives(self, process: str) -> bool:
        if has_ended(process) is False:  # of this machine, and there: whatever the clocks say
            return True
        if self._database.url.get_backend_name() == "postgresql" and Workers(self._database).lives(process):
            return True
        return Processes(self._database).lives(process, "run", self._clock(), has_ended)


def after_unclean_ends(database: Database, mailboxes: list[str], now: datetime) -> None:
    """Before a process reads these mailboxes: where one like it died in the middle of its work, all of them are read
    with care. What the database refuses is logged; mail comes first."""
    try:
        ended = Processes(database).died("run", now, has_ended)
        if ended:
            log.warning("the service ended without a word, mailboxes are read with care", times=len(ended))
            Caution(database).begin_after(ended, mailboxes, now)
    except Exception as error:  # noqa: BLE001 - noticed after the next death
        log.error("it is not known whether the service died", error=place(error))

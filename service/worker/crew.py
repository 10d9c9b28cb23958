"""The threads of one worker: each works on a mailbox whose turn it is, for a bounded time, and says how it ended."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

import structlog

from config.settings import MailboxSettings
from connectors.bells import Ringing
from connectors.errors import Throttled
from connectors.mailbox import Mailbox
from service.logs import place
from service.mailbox_work import MailboxWork, Slice
from service.worker.shelf import NoRoom, Shelf
from store.agenda import Agenda
from store.mailbox_turns import Ended, Turn
from store.worker_tables import Pace

log = structlog.get_logger()

SLICE = Slice(reading=5.0, delivering=10.0)
"""What one turn may take: who was connected today and has ten years of old mail waits for others after each slice."""
_URGENT_SLICE = 20.0
_AHEAD = 0.5
"""So many mailboxes more than there are threads are taken, as a share of the threads: one query takes several."""
_SEVERAL = 8
_FOR_BACKLOG = 0.5
"""The share of the threads that old mail may keep busy, so that new mail always finds one."""
_FOR_ONE_SYSTEM = 0.75
"""The share that one mail system may keep busy where there are several: one that hangs does not hold up the others."""
_FULL_SHELF_PAUSE = 1.0
_LONG_POLL = 120.0
"""Seconds: mailboxes looked at more seldom are asked when something comes due in them."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many more mailboxes of a system may be begun now."""

    live: int
    backlog: int

    def old_mail_first(self, taking: int) -> int:
        """How many mailboxes with old mail are begun before any with new mail, at the `taking`th time that there was
        room: else those would never be, where new mail keeps every thread busy."""
        return min(self.backlog, ceil(self.live / 4)) if taking % 4 == 0 else 0


class Crew:
    """Works on mailboxes in threads. Any thread may call it."""

    def __init__(
        self,
        boxes: Mapping[str, MailboxSettings],
        work: MailboxWork,
        shelf: Shelf,
        clock: Callable[[], datetime],
        *,
        threads: int,
        systems: int,
        poll_seconds: float,
    ) -> None:
        """`boxes` by address; `systems` is how many kinds of mail system there are among them."""
        self._boxes = boxes
        self._work = work
        self._shelf = shelf
        self._clock = clock
        self._poll = timedelta(seconds=poll_seconds)
        self._places = threads + max(1, int(threads * _AHEAD))
        self._per_system = self._places if systems == 1 else max(1, int(self._places * _FOR_ONE_SYSTEM))
        self._backlog = max(1, int(threads * _FOR_BACKLOG))
        self._several = max(1, min(_SEVERAL, self._per_system // 3))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mailbox")
        self._busy: Counter[str] = Counter()
        self._backlogs = 0
        self._ended: list[Ended] = []
        self._changed = threading.Condition()
        self._stopping = False

    def room(self, system: str) -> Room:
        """How many more may be begun."""
        with self._changed:
            return self._room(system)

    def room_soon(self, system: str, seconds: float) -> Room:
        """The same, when several more may be begun, so that one query takes them; after so many seconds in any
        case."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._room(system).live >= self._several, seconds)
            return self._room(system)

    def begin(self, system: str, turns: Sequence[Turn]) -> None:
        """Has threads work on mailboxes as soon as some are free. What waits in them is asked for all at once."""
        agendas = self._agendas(turns)
        with self._changed:
            self._busy[system] += len(turns)
            self._backlogs += sum(turn.pace is Pace.BACKLOG for turn in turns)
        for turn in turns:
            self._pool.submit(self._take, system, turn, agendas.get(turn.mailbox))

    def ended(self) -> Sequence[Ended]:
        """The turns that ended since this was last asked."""
        with self._changed:
            ended, self._ended = self._ended, []
        return ended

    def urgent(self, address: str) -> bool:
        """Brings what is due in a mailbox on its way, urgent mail first, in the caller's thread; whoever else works on
        that mailbox goes on. False where that fails, which is logged."""
        box = self._boxes.get(address)
        if box is None:
            return False
        try:
            mailbox = self._shelf.borrow(box, urgent=True)
            self._using(box, mailbox, lambda: self._work.tend(box, mailbox, _URGENT_SLICE))
        except Exception as error:  # noqa: BLE001 - its deliveries have their own next attempts, on record
            self._work.failed(box, error, 1)
            return False
        return True

    def stop(self) -> None:
        """Begins nothing more, and returns when what is in hand has ended."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._pool.shutdown(wait=True)

    def _room(self, system: str) -> Room:
        if self._stopping:
            return Room(0, 0)
        free = max(0, min(self._places - self._busy.total(), self._per_system - self._busy[system]))
        return Room(free, max(0, min(free, self._backlog - self._backlogs)))

    def _agendas(self, turns: Sequence[Turn]) -> Mapping[str, Agenda]:
        try:
            return self._work.agendas([turn.mailbox for turn in turns])
        except Exception as error:  # noqa: BLE001 - each turn asks for its own, and says what is the matter
            log.warning("what waits could not be asked for several mailboxes at once", error=place(error))
            return {}

    def _take(self, system: str, turn: Turn, agenda: Agenda | None) -> None:
        ended = Ended(turn, Pace.FAILING, _FULL_SHELF_PAUSE, turn.failures + 1)
        try:
            ended = self._turn(turn, agenda)
        except Exception as error:  # noqa: BLE001 - a thread must not end without saying how
            log.error("a turn ended unexpectedly", mailbox=turn.mailbox, error=place(error))
        finally:
            with self._changed:
                self._busy[system] -= 1
                self._backlogs -= turn.pace is Pace.BACKLOG
                self._ended.append(ended)
                self._changed.notify_all()

    def _turn(self, turn: Turn, agenda: Agenda | None) -> Ended:
        if self._stopping:
            return Ended(turn, turn.pace, 0.0, turn.failures, at_once=True)
        box = self._boxes[turn.mailbox]
        try:
            mailbox = self._shelf.borrow(box)
            more = self._using(box, mailbox, lambda: self._look(box, mailbox, agenda))
        except NoRoom:
            # It stays live, since old mail has its turns last; and a live one is told from when it was due.
            late = turn.late if turn.pace is Pace.LIVE else 0.0
            return Ended(turn, turn.pace, late + _FULL_SHELF_PAUSE, turn.failures)
        except Exception as error:  # noqa: BLE001 - one mailbox's trouble must not end the others' turn
            failures = turn.failures + 1
            return Ended(turn, Pace.FAILING, self._work.failed(box, error, failures), failures)
        if more:
            return Ended(turn, Pace.BACKLOG, 0.0, at_once=True)
        return Ended(turn, Pace.LIVE, self._until_next(box))

    def _look(self, box: MailboxSettings, mailbox: Mailbox, agenda: Agenda | None) -> bool:
        more = self._work.turn(box, mailbox, SLICE, agenda)
        if isinstance(mailbox, Ringing):
            mailbox.listen()
        return more

    def _using(self, box: MailboxSettings, mailbox: Mailbox, work: Callable[[], object]) -> bool:
        try:
            done = work()
        except Throttled:
            # It is connected, and signing in anew would only be more to ask of a server that wants to be asked less.
            self._shelf.put_back(box, mailbox)
            raise
        except BaseException:
            self._shelf.discard(box, mailbox)
            raise
        self._shelf.put_back(box, mailbox)
        return bool(done)

    def _until_next(self, box: MailboxSettings) -> float:
        """Seconds from one turn to the next, where nothing fails and nobody wakes it."""
        poll = self._poll.total_seconds()
        if poll <= _LONG_POLL:
            return poll
        due = self._work.next_at(box)
        return poll if due is None else min(poll, max((due - self._clock()).total_seconds(), 1.0))

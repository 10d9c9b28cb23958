"""One worker of a district: takes mailboxes whose turn it is, brings urgent mail on its way, does its share of chores.

Any number of them run at once, on any machines. What they agree on through the database is for speed and fairness;
that nothing is lost and nobody is answered twice rests on cursors and leases (decision 2 of the design). Losing its
database, a worker goes on with what it holds, and comes back when the database does.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from math import ceil

import structlog

from config.settings import MailboxSettings, Settings
from service.assembly import Assembly
from service.logs import place
from service.mailbox_work import MailboxWork
from service.parking import Attendant
from service.process_name import process_name
from service.roster_keeping import RosterKeeper
from service.steps import OnStep
from service.watcher import Quiet, Sturdy, Watcher
from service.worker.chores import Chores
from service.worker.clock import DatabaseClock
from service.worker.crew import Crew, Room
from service.worker.queue import Chore, Duties, Queue, turns_queue
from service.worker.shelf import Shelf
from service.worker.telling import DistrictPurse, Rung, listening
from store.allowances import Allowances
from store.mailbox_turns import Ended, MailboxTurns
from store.worker_tables import Pace
from store.workers import SIGN_EVERY, Workers

log = structlog.get_logger()

_LOOKS_EVERY = 1.0
"""Seconds between two looks at what is due."""
_BURIES_EVERY = 5.0
_KNOWS_EVERY = 60.0
"""Seconds between two looks at which mailboxes there are."""
_GIVES_BACK_EVERY = 0.2
_FEEDS_FOR = 10.0
_FEEDS_AGAIN = 0.25
_GIVES_UP_AFTER = 2.0
_URGENT_AT_ONCE = 4
_QUEUE_STANDS_STILL = 15.0
"""Seconds after which a worker looks after what is due without being told to."""
_SAME_AGAIN = 5.0
"""Seconds until the same mailbox's urgent mail is asked for again."""


def server_of(box: MailboxSettings, settings: Settings) -> str:
    """The server whose connections a mailbox's are counted with."""
    imap = box.imap or settings.imap
    if box.connector == "imap" and imap is not None:
        return f"imap {imap.host}"
    return box.connector


class Worker:
    """Works until it is stopped."""

    def __init__(
        self,
        assembly: Assembly,
        clock: DatabaseClock,
        *,
        environ: Mapping[str, str] | None = None,
        watcher: Watcher | None = None,
        on_step: OnStep | None = None,
    ) -> None:
        """`assembly` goes by `clock`, over a PostgreSQL whose tables are up to date; `environ` holds the passwords."""
        settings, database = assembly.settings, assembly.database
        self._assembly, self._clock = assembly, clock
        self._boxes = {box.address: box for box in settings.mailboxes}
        self._systems = sorted({box.connector for box in settings.mailboxes})
        self._servers = {server_of(box, settings) for box in settings.mailboxes}
        self._stop = threading.Event()
        self._name = process_name()
        self._workers = Workers(database)
        self._turns = MailboxTurns(database, self._name)
        self._allowances = Allowances(database, self._name)
        attendant = Attendant(assembly, environ=environ, on_step=on_step)
        work = MailboxWork(assembly, attendant, Sturdy(watcher or Quiet()), self._stop.is_set, on_step=on_step)
        limits = settings.worker
        self._shelf = Shelf(
            lambda box: assembly.open(box, environ), lambda box: server_of(box, settings), limits.open_mailboxes
        )
        self._crew = Crew(
            self._boxes,
            work,
            self._shelf,
            clock,
            threads=limits.threads,
            systems=len(self._systems),
            poll_seconds=settings.service.poll_seconds,
        )
        self._chores = Chores(assembly, attendant, self._stop, environ=environ, on_step=on_step)
        self._rung = Rung()
        self._purse = DistrictPurse(self._allowances)
        self._kept: list[Ended] = []
        self._strangers: list[str] = []
        self._asked: dict[str, float] = {}
        self._alive = 1
        self._unfed_since: dict[str, float] = {}
        self._takings = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: Queue | None = None

    def run(self) -> None:
        """Works until `stop` is called. Raises what the database raises where it is not there at the start."""
        with listening(self._assembly.database, self._purse, self._rung):
            self._run()

    def _run(self) -> None:
        poll = self._assembly.settings.service.poll_seconds
        self._sign()
        self._turns.add({box.address: box.connector for box in self._boxes.values()}, poll)
        self._strangers = self._turns.strangers(self._boxes)
        threads = [
            threading.Thread(target=self._keep_signing, name="signs of life"),
            threading.Thread(target=self._keep_giving_back, name="turns"),
            threading.Thread(target=self._roster_keeper().keep, args=(self._stop,), name="roster"),
        ]
        for thread in threads:
            thread.start()
        try:
            asyncio.run(self._work())
        finally:
            self._stop.set()
            self._crew.stop()
            for thread in threads:
                thread.join()
            self._shelf.close()
            with suppress(Exception):  # a worker that is gone is found out
                self._give_back()
                self._workers.leave(self._name)

    def stop(self) -> None:
        """Finishes what is in hand and ends. Returns at once; any thread or signal handler may call it."""
        self._stop.set()
        if self._loop is not None and self._queue is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._queue.stop)

    async def _work(self) -> None:
        self._loop = asyncio.get_running_loop()
        # A job waits for its threads in one of its own.
        self._loop.set_default_executor(ThreadPoolExecutor(16, thread_name_prefix="job"))
        duties = Duties(self._feed, self._deliver_urgent, self._chores.do)
        url = self._assembly.database.url
        async with Queue(url, duties, self._systems, urgent=_URGENT_AT_ONCE) as self._queue:
            if self._stop.is_set():
                return
            looking = [
                asyncio.create_task(self._again(_LOOKS_EVERY, self._look_for_work)),
                asyncio.create_task(self._again(_BURIES_EVERY, self._bury)),
                asyncio.create_task(self._again(_KNOWS_EVERY, self._look_who_is_there)),
            ]
            try:
                await self._queue.work()
            finally:
                for task in looking:
                    task.cancel()
                await asyncio.gather(*looking, return_exceptions=True)

    async def _again(self, seconds: float, do: Callable[[], Awaitable[None]]) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                await do()
            except Exception as error:  # noqa: BLE001 - the database may be away, and comes back
                log.warning("a worker cannot look for work", error=place(error))
            await asyncio.sleep(max(0.05, seconds - (time.monotonic() - began)))

    async def _look_for_work(self) -> None:
        """Says in the queue what there is to do. Every worker does; what is said twice is done once."""
        queue = self._queue
        if queue is None:
            return
        urgent = await asyncio.to_thread(self._turns.urgent)
        now = time.monotonic()
        for address in urgent:
            box = self._boxes.get(address)
            if box is not None and self._asked.get(address, 0.0) < now:
                self._asked[address] = now + _SAME_AGAIN
                await queue.urgent(address)
        self._asked = {address: at for address, at in self._asked.items() if at > now}
        await asyncio.to_thread(self._turns.hasten)
        due = await asyncio.to_thread(self._turns.waiting, self._strangers)
        said = await queue.waiting()
        for system in self._systems:
            if not due.get(system):
                self._unfed_since.pop(system, None)
                continue
            if said.get(turns_queue(system), 0) < max(1, self._alive):
                await queue.turns(system)
            if now - self._unfed_since.setdefault(system, now) > _QUEUE_STANDS_STILL:
                log.warning("the queue stands still, mailboxes are looked after all the same", system=system)
                self._loop_do(self._feed, system)
        for chore in Chore:
            if not said.get("chores") and await asyncio.to_thread(self._chores.is_time, chore, self._allowances):
                await queue.chore(chore)

    def _loop_do(self, work: Callable[[str], None], system: str) -> None:
        if self._loop is not None:
            self._loop.run_in_executor(None, work, system)

    async def _bury(self) -> None:
        if self._queue is not None:
            jobs = await self._queue.bury()
            freed = await asyncio.to_thread(self._workers.bury)
            if jobs or freed:
                log.warning("a worker died, its work is taken over", jobs=jobs, deliveries=freed)
        closed = await asyncio.to_thread(self._shelf.tidy, 3 * self._assembly.settings.service.poll_seconds)
        log.debug("mailboxes that others look after are closed", closed=closed)

    async def _look_who_is_there(self) -> None:
        self._strangers = await asyncio.to_thread(self._turns.strangers, self._boxes)
        await asyncio.to_thread(self._turns.forget, self._strangers)

    def _feed(self, system: str) -> None:
        """Takes mailboxes of a system whose turn it is, a batch at a time, as threads become free."""
        until, idle_until = time.monotonic() + _FEEDS_FOR, time.monotonic() + _GIVES_UP_AFTER
        while not self._stop.is_set() and (now := time.monotonic()) < until:
            self._unfed_since.pop(system, None)
            room = self._crew.room_soon(system, _FEEDS_AGAIN)
            if not room.live:
                continue
            taken = self._take(system, room)
            if taken:
                idle_until = time.monotonic() + _GIVES_UP_AFTER
            elif now > idle_until:
                return
            else:
                self._stop.wait(_FEEDS_AGAIN)

    def _take(self, system: str, room: Room) -> int:
        """Begins as many turns as there is room for, none while all mailboxes of the system are to be left alone.
        Returns how many."""
        if self._purse.holds(system) > 0:
            return 0
        self._takings += 1
        old = self._begin(system, room.old_mail_first(self._takings), Pace.BACKLOG)
        new = self._begin(system, room.live - old, Pace.LIVE, Pace.FAILING)
        return old + new + self._begin(system, min(room.backlog, room.live - new) - old, Pace.BACKLOG)

    def _begin(self, system: str, most: int, *paces: Pace) -> int:
        """Takes and begins so many turns at most. Returns how many."""
        if most <= 0:
            return 0
        turns = self._turns.take(system, most, paces, self._strangers)
        if turns:
            self._crew.begin(system, turns)
        return len(turns)

    def _deliver_urgent(self, address: str) -> None:
        if not self._crew.urgent(address):
            self._asked[address] = time.monotonic() + 4 * _SAME_AGAIN

    def _keep_giving_back(self) -> None:
        while not self._stop.is_set():
            self._give_back()
            self._stop.wait(_GIVES_BACK_EVERY)

    def _give_back(self) -> None:
        """Ends turns, many in one go, and wakes mailboxes whose bells rang. What cannot be written is tried again."""
        rung = self._rung.taken()
        self._kept += self._crew.ended()
        ended = self._kept
        try:
            self._turns.give_back(ended)
            self._kept = []
            if rung:
                self._turns.wake(rung)
        except Exception as error:  # noqa: BLE001 - the database may be away, and comes back
            log.warning("turns could not be given back", turns=len(ended), error=place(error))

    def _keep_signing(self) -> None:
        while not self._stop.wait(SIGN_EVERY):
            try:
                self._sign()
            except Exception as error:  # noqa: BLE001 - the database may be away, and comes back
                log.warning("a worker cannot say that it lives", error=place(error))

    def _sign(self) -> None:
        sign = self._workers.sign(self._name, _version())
        self._clock.set(sign.now)
        self._alive = sign.alive
        limit = self._assembly.settings.worker.connections_per_server
        wanted = ceil(limit / sign.alive)
        self._shelf.share({server: self._allowances.hold(server, wanted, limit) for server in self._servers})

    def _roster_keeper(self) -> RosterKeeper:
        parts = self._assembly
        return RosterKeeper(parts.settings, parts.database, parts.clock, parts.roster)


def _version() -> str:
    try:
        return version("alliance-inbox")
    except PackageNotFoundError:
        return "unknown"

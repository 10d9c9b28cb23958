"""The queue of a district's jobs: Procrastinate, in the same PostgreSQL.

Three kinds of job, each with workers of its own in every process, so that none waits behind another: urgent mail;
batches of mailboxes, a queue for each mail system; chores. A job is a hint that there is work, never the work's record:
one that is lost is deferred again within a second, one too many finds nothing to do. So no lock of the queue's is used
for correctness, none is used together with another (procrastinate issue 1543), and a dead worker's jobs are deleted
rather than retried.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Status
from procrastinate.worker import Worker as QueueWorker
from sqlalchemy.engine import URL

from service.logs import place

log = structlog.get_logger()

URGENT = "urgent"
CHORES = "chores"
_URGENT_PRIORITY = 100
_HEARTBEAT = 3.0
_DEAD_AFTER = 15.0
"""Seconds without a heartbeat after which a process's jobs are anybody's."""
_POLL = 1.0
_CONNECTIONS = 4
_AGAIN = 2.0
"""Seconds until the queue is gone back to after the database was away."""
_WAITING_JOBS = """
    SELECT queue_name, count(*) AS jobs FROM procrastinate_jobs WHERE status = 'todo' GROUP BY queue_name
"""


class Chore(StrEnum):
    """What one worker at a time does for all."""

    NOTICES = "notices"
    """Tells the administrator and the principals what there is to tell."""
    FIGURES = "figures"
    """Brings the scorecard's figures up to date."""


@dataclass(frozen=True, slots=True)
class Duties:
    """What is done for a job. Called in threads; each raises nothing that matters to the queue."""

    take_turns: Callable[[str], None]
    """Works on the mailboxes of a system that are due."""
    deliver_urgent: Callable[[str], None]
    """Brings the urgent mail of a mailbox on its way."""
    do_chore: Callable[[Chore], None]


class Queue:
    """The queue as one process sees it."""

    def __init__(self, url: URL, duties: Duties, systems: Sequence[str], *, urgent: int) -> None:
        """`systems` are the mail systems whose mailboxes this process looks after; so many urgent jobs at once."""
        conninfo = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connector = PsycopgConnector(conninfo=conninfo, min_size=1, max_size=_CONNECTIONS)
        self._app = App(connector=self._connector)
        self._define(duties)
        self._rows: Sequence[tuple[Sequence[str], int, bool]] = (
            ([URGENT], urgent, True),
            *(([turns_queue(system)], 1, False) for system in systems),
            ([CHORES], 1, False),
        )
        self._working: set[QueueWorker] = set()
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> "Queue":
        await self._app.open_async()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._app.close_async()

    async def work(self) -> None:
        """Carries out jobs until `stop` is called. Survives the database's absence."""
        await asyncio.gather(*(self._keep(*row) for row in self._rows))

    def stop(self) -> None:
        """Fetches no more jobs; those in hand are finished. For the loop's own thread."""
        self._stopping.set()
        for worker in self._working:
            worker.stop()  # type: ignore[no-untyped-call]

    async def waiting(self) -> Mapping[str, int]:
        """How many jobs wait in each queue."""
        rows = await self._connector.execute_query_all_async(_WAITING_JOBS)
        return {str(row["queue_name"]): int(row["jobs"]) for row in rows}

    async def turns(self, system: str) -> None:
        """There are mailboxes of a system to work on."""
        await self._app.configure_task("alliance.take_turns", queue=turns_queue(system)).defer_async(system=system)

    async def urgent(self, mailbox: str) -> None:
        """There is urgent mail in a mailbox that nobody brings on its way. Says so once: a second job for the same
        mailbox would only find it done."""
        task = self._app.configure_task(
            "alliance.deliver_urgent", queue=URGENT, priority=_URGENT_PRIORITY, queueing_lock=f"urgent {mailbox}"
        )
        try:
            await task.defer_async(mailbox=mailbox)
        except AlreadyEnqueued:
            return

    async def chore(self, chore: Chore) -> None:
        """It is time for a chore."""
        await self._app.configure_task("alliance.do_chore", queue=CHORES).defer_async(chore=chore.value)

    async def bury(self) -> int:
        """Deletes the jobs of workers that are dead. Returns how many."""
        stalled = await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_DEAD_AFTER)
        numbers = [job.id for job in stalled if job.id is not None]
        for number in numbers:
            try:
                await self._app.job_manager.finish_job_by_id_async(number, Status.FAILED, delete_job=True)
            except ConnectorException:  # another worker was faster
                continue
        await self._app.job_manager.prune_stalled_workers(_DEAD_AFTER)
        return len(numbers)

    async def _keep(self, queues: Sequence[str], concurrency: int, listens: bool) -> None:
        while not self._stopping.is_set():
            worker = QueueWorker(
                self._app,
                queues=queues,
                name=queues[0],
                concurrency=concurrency,
                fetch_job_polling_interval=_POLL,
                abort_job_polling_interval=60.0,
                listen_notify=listens,
                delete_jobs="always",
                install_signal_handlers=False,
                update_heartbeat_interval=_HEARTBEAT,
                stalled_worker_timeout=_DEAD_AFTER,
            )
            self._working.add(worker)
            try:
                await worker.run()  # type: ignore[no-untyped-call]
            except Exception as error:  # noqa: BLE001 - the database may be away, and comes back
                log.warning("the queue cannot be asked, it is tried again", queue=queues[0], error=place(error))
            finally:
                self._working.discard(worker)
            if not self._stopping.is_set():
                await _sleep(self._stopping, _AGAIN)

    def _define(self, duties: Duties) -> None:
        def take_turns(system: str, **_later: Any) -> None:
            duties.take_turns(system)

        def deliver_urgent(mailbox: str, **_later: Any) -> None:
            duties.deliver_urgent(mailbox)

        def do_chore(chore: str, **_later: Any) -> None:
            if chore in list(Chore):  # a newer worker may know others
                duties.do_chore(Chore(chore))

        self._app.task(name="alliance.take_turns")(take_turns)
        self._app.task(name="alliance.deliver_urgent")(deliver_urgent)
        self._app.task(name="alliance.do_chore")(do_chore)


def turns_queue(system: str) -> str:
    """The queue of a system's batches."""
    return f"turns.{system}"


async def _sleep(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return

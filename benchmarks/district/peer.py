"""What a queue alone takes when every look at a mailbox is a job of its own: Procrastinate, as its manual shows it,
with jobs that do nothing. It prints milliseconds of processor for a job: the worker's and the database's.

`python -m benchmarks.district.peer URL POSTMASTER JOBS`, over a database that has no tables of the queue yet.
"""

import asyncio
import sys
import time

import psutil
from procrastinate import App, PsycopgConnector

from benchmarks.district.processes import with_children


async def _run(url: str, postmaster: int, jobs: int) -> tuple[float, float]:
    app = App(connector=PsycopgConnector(conninfo=url, min_size=4, max_size=26))

    @app.task(name="look")
    async def look(mailbox: str) -> None:
        del mailbox

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        database = psutil.Process(postmaster)
        before, before_there = time.process_time(), with_children(database)
        for number in range(jobs):
            await look.defer_async(mailbox=f"t{number}@district.example")
        await app.run_worker_async(concurrency=24, wait=False, install_signal_handlers=False)
        return time.process_time() - before, with_children(database) - before_there


def main() -> None:
    """Prints both, in milliseconds a job."""
    jobs = int(sys.argv[3])
    ours, there = asyncio.run(_run(sys.argv[1], int(sys.argv[2]), jobs))
    print(f"{ours / jobs * 1000:.3f} {there / jobs * 1000:.3f}")


if __name__ == "__main__":
    main()

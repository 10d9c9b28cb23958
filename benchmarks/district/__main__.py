"""A district's morning: mailboxes at a simulated provider, worked on by `alliance worker` over PostgreSQL.

`python -m benchmarks.district` starts a PostgreSQL, a provider that answers after 50 to 300 milliseconds, and workers;
waits until every mailbox is connected; measures a minute without mail, then, after one that is not measured, minutes at
the rate of the morning's peak (40 % of 50 mails a mailbox and day between 7 and 9); and computes what other districts
take. What is judged is what the provider saw: when a message was handed over, labelled, and came to the office.
"""

import argparse
import gc
import shutil
import tempfile
import time
from pathlib import Path
from subprocess import PIPE, run
from sys import executable
from typing import Any

from sqlalchemy import Engine, create_engine, text

from benchmarks import machine
from benchmarks.district.connector import asked
from benchmarks.district.delays import delays_of
from benchmarks.district.estimate import Assumed, Measured
from benchmarks.district.post import addresses
from benchmarks.district.processes import ROOT, Spent, Standing, configure, standing
from benchmarks.district.report import tell_delays, tell_needs, tell_queue
from tests.servers.postgres import postgres

_SERVER = ("shared_buffers=512MB", "max_wal_size=4GB")
"""Otherwise as it comes: nothing that risks data is turned off."""
_CONNECTED_WITHIN = 1800.0
_DRAINED_WITHIN = 120.0
_LAST_PAGE = 30.0
"""Seconds for the last page of old mail, which was handed over, to be judged."""
_PEER_JOBS = 1000


def main() -> None:
    """Runs it and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mailboxes", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=24, help="of each worker")
    parser.add_argument("--quiet", type=float, default=1, metavar="MINUTES", help="without mail, measured first")
    parser.add_argument("--warm", type=float, default=1, help="minutes at the rate of the peak that are not measured")
    parser.add_argument("--minutes", type=float, default=5, help="at the rate of the peak")
    parser.add_argument("--families", type=float, default=0.5, help="share of mail from families, the rest is lists'")
    parser.add_argument(
        "--tags",
        type=float,
        nargs=2,
        default=(),
        metavar=("URGENT", "CONFLICT"),
        help="shares of letters, the others are routine; a third each, as in the corpus, where it is left out",
    )
    parser.add_argument("--old", type=int, default=5, help="mailboxes that are connected with 300 old messages each")
    parser.add_argument("--seed", type=int, default=2026)
    options = parser.parse_args()
    print(machine.describe())
    folder = Path(tempfile.mkdtemp(prefix="district-"))
    try:
        with postgres(settings=_SERVER) as server:
            url = server.database()
            socket = folder / "provider"
            boxes = addresses(options.mailboxes)
            config = configure(folder, url, boxes, socket, threads=options.threads)
            engine = create_engine(url)
            with standing(
                folder,
                config,
                socket,
                seed=options.seed,
                mailboxes=options.mailboxes,
                old=options.old,
                workers=options.workers,
            ) as running:
                measured = _morning(options, running, engine, socket, boxes)
                postmaster = running.database.pid
            engine.dispose()
            tell_queue(_queue(server.database(), postmaster), measured)
        tell_needs(measured, Assumed())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _morning(
    options: argparse.Namespace, running: Standing, engine: Engine, socket: Path, boxes: list[str]
) -> Measured:
    """The measured part; prints what it saw."""
    path, per_second = str(socket), options.mailboxes * 50 * 0.4 / 7200
    connected = _connect(path, running, options.mailboxes)
    print(f"connected {options.mailboxes:,} mailboxes in {connected:.0f} s, {options.workers} workers")
    quiet, looks, _ = _stretch(path, running, options.quiet * 60)
    sweep, sweep_database = quiet.workers / looks * 1e3, quiet.database / looks * 1e3
    print(
        f"quiet     {looks / options.quiet / 60:.1f} looks a second, each {sweep:.2f} ms of processor of a worker, "
        f"{sweep_database:.2f} ms of the database (and {quiet.provider / looks * 1e3:.2f} ms of the provider)"
    )

    def begin(seed: int, minutes: float) -> None:
        mix = {"families": options.families, "tags": options.tags, "mailboxes": boxes}
        _ask(path, do="begin", seed=seed, per_second=per_second, seconds=minutes * 60, **mix)

    begin(options.seed + 1, options.warm)  # what a worker makes once, for each language that it meets
    time.sleep(options.warm * 60)
    size_before = _size(engine)
    counted, began = _ask(path, do="counted"), time.time()
    begin(options.seed, options.minutes)
    peak, looks, seconds = _stretch(path, running, options.minutes * 60)
    seen = _drained(path, began, counted["gaps"])
    delays = delays_of(seen)
    arrived = max(delays.arrived, 1)
    message = (peak.workers * 1e3 - looks * sweep) / arrived
    message_database = (peak.database * 1e3 - looks * sweep_database) / arrived
    growth = (_size(engine) - size_before) / arrived
    memory = running.memory()
    print(
        f"peak      {delays.arrived:,} messages in {seconds:.0f} s ({per_second:.1f} a second), {delays.urgent} urgent "
        f"as people see it; {looks / seconds:.1f} looks a second; {peak.workers / seconds:.2f} cores of workers, "
        f"{peak.database / seconds:.2f} of the database, {peak.provider / seconds:.2f} of the provider"
    )
    print(
        f"message   {message:.1f} ms of processor of a worker and {message_database:.1f} ms of the database, all told"
    )
    print("memory    " + ", ".join(f"{rss / 1e6:,.0f} MB ({uss / 1e6:,.0f} MB its own)" for rss, uss in memory))
    a_day = growth * 50 * options.mailboxes / 1e6
    print(f"database  {growth / 1e3:.1f} kB a message with its indexes, {a_day:,.0f} MB a school day")
    tell_delays(delays)
    return Measured(
        sweep, sweep_database, message, message_database, max(rss for rss, _ in memory), growth
    )  # fmt: skip


def _connect(path: str, running: Standing, mailboxes: int) -> float:
    """Waits until every mailbox was looked at twice and old mail was handed over and judged. Returns seconds."""
    began = time.monotonic()
    while time.monotonic() - began < _CONNECTED_WITHIN:
        running.spent()  # a worker that has ended says so
        try:
            told = _ask(path, do="counted")
        except OSError:  # the provider is starting
            told = {"looked": 0, "gaps": 0, "old": 0}
        if told["looked"] == mailboxes and told["gaps"] >= mailboxes and told["old"] <= 0:
            took = time.monotonic() - began
            time.sleep(_LAST_PAGE)
            return took
        time.sleep(0.5)
    raise RuntimeError(f"not all of {mailboxes} mailboxes were looked at within {_CONNECTED_WITHIN:.0f} seconds")


def _stretch(path: str, running: Standing, seconds: float) -> tuple[Spent, int, float]:
    """What was spent in so many seconds, how many looks there were, and how long it really was."""
    gc.collect()
    before, counted, began = running.spent(), _ask(path, do="counted"), time.monotonic()
    time.sleep(seconds)
    looks = _ask(path, do="counted")["calls"].get("changes", 0) - counted["calls"].get("changes", 0)
    return running.spent().since(before), max(looks, 1), time.monotonic() - began


def _drained(path: str, since: float, gaps: int) -> dict[str, Any]:
    """What the provider saw, once all that arrived was read and has had a little time, or too much time has passed."""
    until = time.monotonic() + _DRAINED_WITHIN
    while True:
        seen = _ask(path, do="seen", since=since, gaps=gaps)
        if not delays_of(seen).unread or time.monotonic() > until:
            time.sleep(10)
            return _ask(path, do="seen", since=since, gaps=gaps)
        time.sleep(2)


def _ask(path: str, **said: object) -> dict[str, Any]:
    return asked(path, dict(said))


def _size(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())


def _queue(url: str, postmaster: int) -> tuple[float, float]:
    """What Procrastinate alone takes for a job, in milliseconds: a worker's, and the database's."""
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    command = [executable, "-m", "benchmarks.district.peer", plain, str(postmaster), str(_PEER_JOBS)]
    ours, there = run(command, check=True, stdout=PIPE, text=True, cwd=ROOT).stdout.split()
    return float(ours), float(there)


if __name__ == "__main__":
    main()

"""The processes that take part, and what each of them costs: PostgreSQL, the provider, and `alliance worker`."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired, run

import psutil

from benchmarks.service import ALLIANCE

ROOT = Path(__file__).parent.parent.parent
_ENTRY_POINT = "[alliance.connectors]\ndistrict = benchmarks.district.connector:DistrictMailbox\n"


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of processor."""

    workers: float
    database: float
    provider: float

    def since(self, before: "Spent") -> "Spent":
        """What came on top of `before`."""
        return Spent(self.workers - before.workers, self.database - before.database, self.provider - before.provider)


@dataclass(frozen=True, slots=True)
class Standing:
    """What runs."""

    workers: Sequence[psutil.Process]
    database: psutil.Process
    provider: psutil.Process

    def spent(self) -> Spent:
        """By now. Raises RuntimeError where a worker has ended."""
        dead = [each.pid for each in self.workers if each.status() == psutil.STATUS_ZOMBIE]
        if dead:
            raise RuntimeError(f"{len(dead)} workers have ended; see their logs")
        return Spent(sum(map(_seconds, self.workers)), with_children(self.database), _seconds(self.provider))

    def memory(self) -> list[tuple[int, int]]:
        """Bytes of each worker: resident, and of these its own alone."""
        told = [each.memory_full_info() for each in self.workers]
        return [(each.rss, each.uss) for each in told]


def configure(folder: Path, database: str, mailboxes: Sequence[str], socket: Path, *, threads: int) -> Path:
    """Writes the district's configuration and returns its path. Every day is a school day, from just after midnight to
    just before, so that the hour at which this runs makes no difference."""
    listed = "".join(
        f'[[mailboxes]]\naddress = "{address}"\nteacher = "Teacher {number}"\nstage = "reply"\n'
        f'connector = "district"\noptions = {{ socket = "{socket}" }}\n'
        for number, address in enumerate(mailboxes)
    )
    path = folder / "alliance.toml"
    path.write_text(
        f"""
        [school]
        name = "Maple County"
        timezone = "UTC"
        days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        opens = "00:30"
        closes = "23:59"
        [office]
        address = "office@district.example"
        phone = "555 0100"
        [service]
        database = "{database}"
        poll_seconds = 50
        [worker]
        threads = {threads}
        {listed}
        """
    )
    return path


@contextmanager
def standing(
    folder: Path, config: Path, socket: Path, *, seed: int, mailboxes: int, old: int, workers: int
) -> Iterator[Standing]:
    """Runs the provider and the workers as long as the block. The PostgreSQL runs already, as this process's child."""
    entry_point = folder / "benchmark_connector-1.0.dist-info"
    entry_point.mkdir()
    (entry_point / "METADATA").write_text("Metadata-Version: 2.1\nName: benchmark-connector\nVersion: 1.0\n")
    (entry_point / "entry_points.txt").write_text(_ENTRY_POINT)
    environ = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    run([ALLIANCE, "migrate", "--config", config], check=True, env=environ, stdout=DEVNULL)
    database = next(each for each in psutil.Process().children() if each.name().startswith("postgres"))
    with ExitStack() as stack:
        command = [sys.executable, "-m", "benchmarks.district.provider", str(socket)]
        command += map(str, (seed, mailboxes, old))
        provider = stack.enter_context(_running(command, folder / "provider.log", environ))
        _wait_for(socket, provider)
        command = [str(ALLIANCE), "worker", "--config", str(config)]
        started = [
            stack.enter_context(_running(command, folder / f"worker{number}.log", environ))
            for number in range(1, workers + 1)
        ]
        yield Standing(started, database, provider)


def _wait_for(socket: Path, provider: psutil.Process) -> None:
    while not socket.exists():
        if provider.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError("the provider ended; see its log")
        time.sleep(0.1)


@contextmanager
def _running(command: Sequence[str], log: Path, environ: dict[str, str]) -> Iterator[psutil.Process]:
    with log.open("wb") as output:
        process = Popen(command, stdin=DEVNULL, stdout=output, stderr=output, env=environ, cwd=ROOT)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except TimeoutExpired:  # pragma: no cover - a worker that does not stop
                process.kill()


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def with_children(process: psutil.Process) -> float:
    """Seconds of processor of a process and its children, those that have ended among them."""
    times = process.cpu_times()
    ended = float(times.children_user + times.children_system)
    return _seconds(process) + ended + sum(map(_seconds_if_alive, process.children()))


def _seconds_if_alive(process: psutil.Process) -> float:
    try:
        return _seconds(process)
    except psutil.NoSuchProcess:  # it is among the ended next time
        return 0.0

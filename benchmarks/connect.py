"""A mailbox with 100,000 old messages is connected: how long, how much memory, and whether anybody is answered.

`python -m benchmarks.connect` runs `alliance run` in stage reply over it, with an SMTP server that would take every
answer, until all is on record; prints its memory on the way and what the service itself reported as progress.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import Popen

import psutil

from benchmarks import machine
from benchmarks.mail import TEACHER, mails, store
from benchmarks.service import Recorded, configure, recorded, running
from tests.servers import dovecot, smtp_sink

_LOOK_SECONDS = 0.25


def main() -> None:
    """Runs it and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    options = parser.parse_args()
    print(machine.describe())
    marks = sorted({options.messages // 10, options.messages // 2, options.messages})
    folder = Path(tempfile.mkdtemp(prefix="connect-"))
    try:
        with dovecot.running(users=(TEACHER,)) as server, smtp_sink.running() as smtp:
            size = store(server.maildir(), mails(options.messages, attachments=False))
            server.own(server.home())
            print(f"mailbox   {options.messages:,} messages, {size / 1e6:,.0f} MB", flush=True)
            config = configure(folder, server.imap("tls"), [TEACHER], stage="reply", smtp=smtp.settings())
            with running(config, folder / "log") as process:
                found = _watch(folder / "alliance.db", process, marks)
            told = [line for line in (folder / "log").read_text().splitlines() if "old mail" in line]
            print(f"progress  told {len(told)} times, at last: {told[-1] if told else 'never'}")
            print(f"answered  {len(smtp.arrived)} sent, {found.deliveries} planned, of {found.messages:,} on record")
            if smtp.arrived or found.deliveries:
                raise SystemExit("old mail was answered")
    finally:
        shutil.rmtree(folder)


def _watch(database: Path, process: Popen[bytes], marks: Sequence[int]) -> Recorded:
    """Prints the memory at each mark of recorded messages, and returns what is on record at the last."""
    service = psutil.Process(process.pid)
    began = time.perf_counter()
    largest = 0
    for mark in marks:
        while (found := recorded(database)).messages < mark:
            if process.poll() is not None:
                raise RuntimeError(f"alliance run ended with {process.returncode}")
            largest = max(largest, service.memory_info().rss)
            time.sleep(_LOOK_SECONDS)
        now = service.memory_info().rss
        largest = max(largest, now)
        seconds = time.perf_counter() - began
        print(
            f"at {found.messages:>9,} after {seconds:6.1f} s: {now / 1e6:,.0f} MB resident, "
            f"at its largest so far {largest / 1e6:,.0f} MB",
            flush=True,
        )
    return found


if __name__ == "__main__":
    main()

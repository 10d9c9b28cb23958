"""What the service costs while nothing happens: `alliance run` with 50 IMAP mailboxes, each waiting in IDLE.

`python -m benchmarks.idle` connects 50 mailboxes with a few old messages each, waits until all are up to date, then
measures the process from outside for two minutes.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks import machine
from benchmarks.mail import mails, store
from benchmarks.service import configure, recorded, running
from tests.servers import dovecot

_OLD_MAIL = 20


def main() -> None:
    """Runs it and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mailboxes", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=2)
    options = parser.parse_args()
    print(machine.describe())
    folder = Path(tempfile.mkdtemp(prefix="idle-"))
    addresses = [f"teacher{number}@maple.example" for number in range(1, options.mailboxes + 1)]
    try:
        with dovecot.running(users=addresses) as server:
            letters = list(mails(_OLD_MAIL))
            for address in addresses:
                store(server.maildir(address), letters)
                server.own(server.home(address))
            config = configure(folder, server.imap("tls"), addresses)
            with running(config, folder / "log") as process:
                service = psutil.Process(process.pid)
                began = time.perf_counter()
                _wait_until_read(folder / "alliance.db", _OLD_MAIL * len(addresses), service)
                print(f"connected {len(addresses)} mailboxes in {time.perf_counter() - began:.1f} s")
                time.sleep(20)  # what connecting left over is done
                _measure(service, options.minutes)
    finally:
        shutil.rmtree(folder)


def _wait_until_read(database: Path, messages: int, service: psutil.Process) -> None:
    while recorded(database).messages < messages:
        if service.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError("alliance run ended; see its log")
        time.sleep(0.5)


def _measure(service: psutil.Process, minutes: float) -> None:
    before = service.cpu_times()
    began = time.perf_counter()
    time.sleep(minutes * 60)
    after = service.cpu_times()
    passed = (time.perf_counter() - began) / 60
    spent = (after.user + after.system - before.user - before.system) / passed
    memory = service.memory_full_info()
    print(f"processor {spent:.2f} s a minute ({spent / 60:.2%} of one core)")
    print(f"memory    {memory.rss / 1e6:,.0f} MB resident, {memory.uss / 1e6:,.0f} MB of it its own")
    print(f"threads   {service.num_threads()}, connections {len(service.net_connections())}")


if __name__ == "__main__":
    main()

"""What a look at a mailbox costs in which nothing happened and nothing waits: processor time, the database's with it.

`python -m benchmarks.quiet` looks at 300 of 10,000 mailboxes, three times each, in one thread, over SQLite and over a
PostgreSQL of its own. The mail system is not there: a mailbox says at once that there is nothing new, so that what is
left is the service's own.
"""

import argparse
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks import machine
from benchmarks.district.processes import with_children
from config.settings import ImapServer, MailboxSettings, Office, School, Settings, SmtpServer
from connectors.mailbox import Changes, Known, nothing_known
from service.assembly import Assembly
from service.mailbox_work import MailboxWork
from service.parking import Attendant
from service.watcher import Quiet
from store.database import Database
from tests.servers.postgres import postgres
from tests.service.mailbox_in_memory import MailSystem, MemoryMailbox
from tests.service.maple import Clock

_LOOKED_AT = 300
_ROUNDS = 3


class _Silent(MemoryMailbox):
    """A mailbox in which nothing happens."""

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        """Nothing new."""
        del known, limit
        return Changes(cursor=cursor or "nothing yet")


def main() -> None:
    """Runs it and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mailboxes", type=int, default=10_000)
    options = parser.parse_args()
    print(machine.describe())
    settings = Settings(
        school=School(name="Maple County", timezone="America/Chicago"),
        office=Office(address="office@district.example", phone="555 0100"),
        imap=ImapServer(host="mail.district.example"),
        smtp=SmtpServer(host="mail.district.example"),
        mailboxes=tuple(
            MailboxSettings(address=f"t{number}@district.example", teacher=f"Teacher {number}")
            for number in range(options.mailboxes)
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        _measure("SQLite", settings, Database.open(str(Path(folder, "alliance.db"))), None)
    with postgres(settings=()) as server:
        process = next(each for each in psutil.Process().children() if each.name().startswith("postgres"))
        _measure("PostgreSQL", settings, Database.open(server.database()), process)


def _measure(name: str, settings: Settings, database: Database, server: psutil.Process | None) -> None:
    assembly = Assembly.build(settings, database=database)
    work = MailboxWork(assembly, Attendant(assembly, environ={}), Quiet(), lambda: False)
    system, boxes = MailSystem(Clock()), settings.mailboxes[:_LOOKED_AT]
    opened = [_Silent(system, box.address) for box in boxes]
    for box, mailbox in zip(boxes, opened, strict=True):
        system.account(box.address)
        work.turn(box, mailbox)
    before, there, began = time.process_time(), _there(server), time.perf_counter()
    for _ in range(_ROUNDS):
        for box, mailbox in zip(boxes, opened, strict=True):
            work.turn(box, mailbox)
    each = 1e3 / (_ROUNDS * len(boxes))
    ours, theirs = (time.process_time() - before) * each, (_there(server) - there) * each
    by_the_clock = (time.perf_counter() - began) * each
    print(f"{name:10} {ours:.2f} ms of processor a look, {theirs:.2f} ms of a server's; {by_the_clock:.2f} ms in all")
    database.close()


def _there(server: psutil.Process | None) -> float:
    return 0.0 if server is None else with_children(server)


if __name__ == "__main__":
    main()

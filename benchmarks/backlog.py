"""How long a freshly connected mailbox takes until every message in it is read, judged and on record, beside mbsync.

`python -m benchmarks.backlog` puts 10,000 messages into one Dovecot mailbox. Then, in turn, `alliance run --once`
connects it, reads, classifies and records everything, and mbsync copies it into a Maildir; both over TLS, both as
processes of their own, timed from their start to their end. mbsync runs as it comes and, in its own favour, without
waiting for the disk.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from statistics import median

from benchmarks import machine
from benchmarks.mail import TEACHER, mails, store
from benchmarks.service import ALLIANCE, Cost, configure, recorded, timed
from config.settings import ImapServer
from tests.servers import dovecot
from tests.servers.required import required


def main() -> None:
    """Runs it and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(machine.describe())
    folder = Path(tempfile.mkdtemp(prefix="backlog-"))
    try:
        with dovecot.running(users=(TEACHER,)) as server:
            size = store(server.maildir(), mails(options.messages))
            server.own(server.home())
            print(f"mailbox   {options.messages:,} messages, {size / 1e6:,.0f} MB")
            _compare(folder, server, options.messages, options.rounds)
    finally:
        shutil.rmtree(folder)


def _compare(folder: Path, server: dovecot.Dovecot, messages: int, rounds: int) -> None:
    imap = server.imap("tls")
    # Once unmeasured: Dovecot builds its index, Python its bytecode, the system its cache.
    _mbsync(folder, imap, fsync=False)
    _ours(folder, imap, messages)
    ours: list[Cost] = []
    theirs: dict[str, list[Cost]] = {"mbsync": [], "mbsync, FSync no": []}
    for number in range(1, rounds + 1):
        ours.append(_ours(folder, imap, messages))
        for name, costs in theirs.items():
            costs.append(_mbsync(folder, imap, fsync=name == "mbsync"))
        _print(f"round {number}", "alliance run --once", ours[-1])
        for name, costs in theirs.items():
            _print("", name, costs[-1])
    ours_median = median(cost.seconds for cost in ours)
    print(f"median    alliance run --once  {ours_median:7.2f} s, {messages / ours_median:,.0f} messages a second")
    for name, costs in theirs.items():
        seconds = median(cost.seconds for cost in costs)
        print(f"          {name:19}  {seconds:7.2f} s; alliance takes {ours_median / seconds:.2f} of its time")
    print(f"memory    alliance at its largest {max(cost.memory for cost in ours) / 1e6:,.0f} MB")


def _print(label: str, name: str, cost: Cost) -> None:
    print(
        f"{label:9} {name:19}  {cost.seconds:7.2f} s, processor {cost.processor:6.2f} s, {cost.memory / 1e6:6,.0f} MB",
        flush=True,
    )


def _ours(folder: Path, server: ImapServer, messages: int) -> Cost:
    home = folder / "ours"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    config = configure(home, server, [TEACHER])
    cost = timed([ALLIANCE, "run", "--once", "--config", config], home / "log")
    found = recorded(home / "alliance.db")
    if found.messages != messages or not found.judged or found.deliveries:
        raise RuntimeError(f"expected {messages} messages on record and no answer to any, found {found}")
    return cost


def _mbsync(folder: Path, server: ImapServer, *, fsync: bool) -> Cost:
    home = folder / "mbsync"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    config = home / "mbsyncrc"
    config.write_text(
        f"""
FSync {"yes" if fsync else "no"}

IMAPAccount school
Host {server.host}
Port {server.port}
User {TEACHER}
Pass "{dovecot.PASSWORD}"
SSLType IMAPS
CertificateFile {server.ca_file}

IMAPStore far
Account school

MaildirStore near
Path {home}/
Inbox {home}/Inbox

Channel inbox
Far :far:INBOX
Near :near:INBOX
Create Near
Sync Pull
SyncState *
"""
    )
    cost = timed([required("mbsync", "isync"), "-c", config, "-q", "inbox"], home / "log")
    shutil.rmtree(home / "Inbox")
    return cost


if __name__ == "__main__":
    main()

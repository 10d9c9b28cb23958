"""What looking for new mail costs, and how fast a backlog is read: our connectors beside the program that others use.

`python -m benchmarks.poll` fills one mailbox a system, on a server of its own. The connector and mailsuite (for
Exchange Server, which mailsuite does not know, exchangelib by itself) read it in turn, each in a process of its own,
so that the processor time is the client's alone. A first round goes through a network that counts requests, and shows
that all got the same bytes and that a poll finds a new message; the other rounds go to the server directly and are
timed. Last, once, with a server so far away that every answer begins 30 milliseconds later. Time begins where the
mailbox is opened: what a program imports before is left out. Both look at INBOX and Sent, as ours always does; a line
of its own tells what the other takes for INBOX alone.
"""

import argparse
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from itertools import islice
from statistics import median

from benchmarks import machine
from benchmarks.mail import TEACHER, Mail, mails
from benchmarks.poll_system import System, Whose, peers_python
from benchmarks.poll_systems import SYSTEMS
from benchmarks.poll_table import Row, print_table
from benchmarks.readers.process import Running, running
from benchmarks.readers.serve import Work
from tests.servers import network

_LARGEST = 60_000
"""Bytes of a message in the mailbox: our connectors read the first 64 KiB of each, others all of it."""
_PEERS = ("mailsuite", "exchangelib", "imapclient", "google-api-python-client", "msgraph-sdk")


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who reads, and how."""

    name: str
    whose: Whose
    options: Mapping[str, object]
    counted: bool = True
    """Whether requests are counted,"""
    timed: bool = True
    """a backlog is timed,"""
    polls: bool = True
    """and idle polls are."""


def main() -> None:
    """Runs it and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, help="In each mailbox; left out, what makes sense for the system.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--polls", type=int, default=50, help="How many idle polls a round.")
    parser.add_argument("--away", type=float, default=30, help="Milliseconds that a server far away takes longer.")
    parser.add_argument("--only", choices=SYSTEMS, nargs="+", help="These systems.", default=list(SYSTEMS))
    options = parser.parse_args()
    print(machine.describe())
    print(f"against   {_versions()}")
    for name in options.only:
        kind = SYSTEMS[name]
        backlog = _small(options.messages or kind.messages)
        with kind.running() as system:
            system.fill(backlog)
            _compare(system, backlog, options.rounds, min(options.polls, system.most_polls), options.away)


def _small(count: int) -> Sequence[Mail]:
    """So many messages, oldest first."""
    few = (mail for mail in mails(2 * count, attachments=False) if len(mail.content) <= _LARGEST)
    return list(islice(few, count))


def _versions() -> str:
    """Of what takes part on the other side. Raises SystemExit where it is not installed."""
    script = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    try:
        asked = subprocess.run([peers_python(), "-c", script, *_PEERS], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SystemExit(f"{peers_python()} is not there: `make peers` installs what is compared with") from None
    if asked.returncode:
        raise SystemExit(f"{peers_python()} lacks {', '.join(_PEERS)} or one of them: `make peers` installs them")
    return ", ".join(f"{name} {number}" for name, number in zip(_PEERS, asked.stdout.split(), strict=True))


def _compare(system: System, backlog: Sequence[Mail], rounds: int, polls: int, away: float) -> None:
    contestants = _contestants(system)
    rows = {contestant.name: Row() for contestant in contestants}
    rows |= _counted(system, [one for one in contestants if one.counted], len(backlog), polls)
    system.rest()
    timed = [one for one in contestants if one.timed]
    times: dict[str, list[tuple[Work, Work | None]]] = {one.name: [] for one in timed}
    for _ in range(rounds):
        for contestant in timed:
            with running(system.reader(contestant.whose, contestant.options)) as reader:
                work = reader.backlog()
                _demand(system, contestant, work, len(backlog) + 1)
                times[contestant.name].append((work, _idle(system, reader, polls) if contestant.polls else None))
    rows |= {name: _timed(rows[name], found, polls) for name, found in times.items()}
    if system.speaks:
        rows |= {one.name: _far_away(system, one, rows[one.name], away) for one in timed if one.counted}
    size = sum(len(mail.content) for mail in backlog) / 1e6
    print(f"\n{system.name}: {len(backlog):,} messages, {size:,.0f} MB; far away: {away:g} ms")
    ratios = {"alliance : the same": ("alliance", system.peer)}
    if system.parses:
        ratios["alliance, parsed : the same"] = ("alliance, parsed", f"{system.peer}, parsed")
    print_table(f"{system.name}, {system.server}", rows, ratios)


def _contestants(system: System) -> list[Contestant]:
    found = [
        Contestant("alliance", "ours", {}),
        Contestant(system.peer, "theirs", {}),
    ]
    if system.speaks:
        found.append(Contestant(f"{system.peer}, INBOX alone", "theirs", {"folders": system.inbox}, timed=False))
    if system.parses:
        found += [
            Contestant("alliance, parsed", "ours", {"parse": True}, counted=False, polls=False),
            Contestant(f"{system.peer}, parsed", "theirs", {"parse": True}, counted=False, polls=False),
        ]
    return found


def _counted(system: System, contestants: Sequence[Contestant], messages: int, polls: int) -> dict[str, Row]:
    """The round that is not timed: requests, and whether everybody does the work."""
    rows: dict[str, Row] = {}
    contents: dict[str, str] = {}
    with network.running() as between, ExitStack() as stack:
        readers = []
        for contestant in contestants:
            reader = stack.enter_context(running(system.reader(contestant.whose, contestant.options, between)))
            readers.append(reader)
            before = between.exchanges
            work = reader.backlog(digest=True)
            _demand(system, contestant, work, messages)
            contents[contestant.name] = work.digest
            read = between.exchanges
            _idle(system, reader, polls)
            counts = ((between.exchanges - read) / polls, float(read - before))
            rows[contestant.name] = Row(*counts) if system.speaks else Row()
        if len(set(contents.values())) > 1:
            raise RuntimeError(f"{system.name}: not everybody read the same: {contents}")
        system.deliver(_letter())
        for contestant, reader in zip(contestants, readers, strict=True):
            _demand(system, contestant, reader.poll(), 1)
    return rows


def _demand(system: System, contestant: Contestant, work: Work, messages: int) -> None:
    if work.messages != messages:
        raise RuntimeError(
            f"{system.name}: {contestant.name} read {work.messages} messages where there were {messages}"
        )


def _letter() -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = "Ana Alvarez <ana@family.example>", TEACHER
    mail["Date"], mail["Message-ID"] = format_datetime(datetime.now(UTC)), make_msgid(domain="family.example")
    mail["Subject"] = "A question"
    mail.set_content("Is there school on Monday?\n")
    return mail.as_bytes(policy=SMTP)


def _idle(system: System, reader: Running, polls: int) -> Work:
    work = reader.poll(polls, pause=system.pause)
    if work.messages:
        raise RuntimeError(f"{system.name}: {work.messages} messages were read where none had come")
    return work


def _timed(row: Row, times: Sequence[tuple[Work, Work | None]], polls: int) -> Row:
    """`row` with medians of the rounds."""
    idle = [1000 * work.processor / polls for _, work in times if work is not None]
    return replace(
        row,
        processor_a_poll=median(idle) if idle else None,
        speed=median(backlog.messages / backlog.seconds for backlog, _ in times),
        processor_a_message=median(1000 * backlog.processor / backlog.messages for backlog, _ in times),
        waiting=median(max(0.0, 1 - backlog.processor / backlog.seconds) for backlog, _ in times),
    )


def _far_away(system: System, contestant: Contestant, row: Row, away: float) -> Row:
    def late(exchange: network.Exchange) -> network.Fate:
        time.sleep(away / 1000)
        return network.calm(exchange)

    with (
        network.running(late) as between,
        running(system.reader(contestant.whose, contestant.options, between)) as reader,
    ):
        work = reader.backlog()
    return replace(row, speed_away=work.messages / work.seconds)


if __name__ == "__main__":
    main()

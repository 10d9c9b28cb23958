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
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from itertools import islice
from statistics import median

from benchmarks import machine
from benchmarks.mail import TEACHER, Mail, mails
from benchmarks.poll_systems import SYSTEMS, System, Whose, peers_python
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


@dataclass(frozen=True, slots=True)
class Requests:
    """How many requests reached the server."""

    backlog: int
    a_poll: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians of one contestant; milliseconds of processor. `waiting` is the share of the backlog's time in which the
    program itself did nothing: the higher, the more the server alone sets the speed."""

    speed: float
    processor_a_message: float
    waiting: float
    processor_a_poll: float
    speed_away: float | None
    """With the server far away; None where nobody looked."""


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
    requests = _counted(system, contestants, len(backlog), polls)
    times: dict[str, list[tuple[Work, Work]]] = {contestant.name: [] for contestant in contestants}
    system.rest()
    for _ in range(rounds):
        for contestant in contestants:
            with running(system.reader(contestant.whose, contestant.options)) as reader:
                times[contestant.name].append((reader.backlog(), _idle(system, reader, contestant, polls)))
    far = _far_away(system, contestants[:2], away) if system.speaks else {}
    figures = {name: _figures(found, polls, far.get(name)) for name, found in times.items()}
    print(f"\n{len(backlog):,} messages, {sum(len(mail.content) for mail in backlog) / 1e6:,.0f} MB")
    _print(system, requests, figures, away)


def _contestants(system: System) -> list[Contestant]:
    alone = {"folders": system.inbox}
    found = [
        Contestant("alliance", "ours", {}),
        Contestant(system.peer, "theirs", {}),
        Contestant(f"{system.peer}, INBOX alone", "theirs", alone),
    ]
    if system.parses:
        found += [
            Contestant("alliance, parsed", "ours", {"parse": True}),
            Contestant(f"{system.peer}, parsed", "theirs", {"parse": True}),
        ]
    return found


def _counted(system: System, contestants: Sequence[Contestant], messages: int, polls: int) -> dict[str, Requests]:
    """The round that is not timed: requests, and whether everybody does the work."""
    found: dict[str, Requests] = {}
    contents: dict[str, str] = {}
    with network.running() as between, ExitStack() as stack:
        readers = []
        for contestant in contestants:
            reader = stack.enter_context(running(system.reader(contestant.whose, contestant.options, between)))
            readers.append(reader)
            before = between.exchanges
            work = reader.backlog(digest=True)
            read = between.exchanges
            _idle(system, reader, contestant, polls)
            found[contestant.name] = Requests(read - before, (between.exchanges - read) / polls)
            contents[contestant.name] = work.digest
            if work.messages != messages:
                raise RuntimeError(f"{system.name}: {contestant.name} read {work.messages} of {messages} messages")
        if len(set(contents.values())) > 1:
            raise RuntimeError(f"{system.name}: not everybody read the same: {contents}")
        system.deliver(_letter())
        for contestant, reader in zip(contestants, readers, strict=True):
            if (new := reader.poll().messages) != 1:
                raise RuntimeError(f"{system.name}: one message came, {contestant.name} saw {new}")
    return found


def _letter() -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = "Ana Alvarez <ana@family.example>", TEACHER
    mail["Date"], mail["Message-ID"] = format_datetime(datetime.now(UTC)), make_msgid(domain="family.example")
    mail["Subject"] = "A question"
    mail.set_content("Is there school on Monday?\n")
    return mail.as_bytes(policy=SMTP)


def _idle(system: System, reader: Running, contestant: Contestant, polls: int) -> Work:
    work = reader.poll(polls, pause=system.pause)
    if work.messages:
        raise RuntimeError(f"{contestant.name} saw {work.messages} new messages where none had come")
    return work


def _far_away(system: System, contestants: Sequence[Contestant], away: float) -> dict[str, Work]:
    def late(exchange: network.Exchange) -> network.Fate:
        time.sleep(away / 1000)
        return network.calm(exchange)

    found = {}
    for contestant in contestants:
        with (
            network.running(late) as between,
            running(system.reader(contestant.whose, contestant.options, between)) as reader,
        ):
            found[contestant.name] = reader.backlog()
    return found


def _figures(times: Sequence[tuple[Work, Work]], polls: int, far: Work | None) -> Figures:
    return Figures(
        speed=median(backlog.messages / backlog.seconds for backlog, _ in times),
        processor_a_message=median(1000 * backlog.processor / backlog.messages for backlog, _ in times),
        waiting=median(max(0.0, 1 - backlog.processor / backlog.seconds) for backlog, _ in times),
        processor_a_poll=median(1000 * idle.processor / polls for _, idle in times),
        speed_away=None if far is None else far.messages / far.seconds,
    )


def _print(system: System, requests: Mapping[str, Requests], figures: Mapping[str, Figures], away: float) -> None:
    upper = ("requests", "requests", "ms of CPU", "messages", "ms of CPU", "", "a second,")
    lower = ("a poll", "a backlog", "a poll", "a second", "a message", "waiting", f"{away:g} ms away")
    for head, words in (("", upper), (f"{system.name}, {system.server}", lower)):
        print(f"{head:32}" + "".join(f"{word:>12}" for word in words))
    for name, found in figures.items():
        asked = requests[name]
        _print_row(
            name,
            f"{asked.a_poll:.3g}" if system.speaks else "-",
            f"{asked.backlog:,}" if system.speaks else "-",
            f"{found.processor_a_poll:.3f}",
            f"{found.speed:,.0f}",
            f"{found.processor_a_message:.3f}",
            f"{found.waiting:.0%}",
            "" if found.speed_away is None else f"{found.speed_away:,.0f}",
        )
    for ours, theirs in (("alliance", system.peer), ("alliance, parsed", f"{system.peer}, parsed")):
        if theirs in figures:
            mine, other, asked, others = figures[ours], figures[theirs], requests[ours], requests[theirs]
            far = mine.speed_away and other.speed_away and mine.speed_away / other.speed_away
            _print_row(
                f"{ours} : the same",
                f"{asked.a_poll / others.a_poll:.2f}" if system.speaks else "-",
                f"{asked.backlog / others.backlog:.3f}" if system.speaks else "-",
                f"{mine.processor_a_poll / other.processor_a_poll:.2f}",
                f"{mine.speed / other.speed:.1f}",
                f"{mine.processor_a_message / other.processor_a_message:.2f}",
                "",
                f"{far:.1f}" if far else "",
            )


def _print_row(name: str, *words: str) -> None:
    print(f"{name:32}" + "".join(f"{word:>12}" for word in words), flush=True)


if __name__ == "__main__":
    main()

"""What happens in a run, worked out from its seed alone: who writes when, and what breaks when and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from tests.faults.wire import Lie, Moment

STORM = 3.0
"""Seconds in which letters come and things break."""
FAMILIES = 4
TEACHERS = 2


class Base(StrEnum):
    """The database that the service keeps its record in."""

    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL"


class Kind(StrEnum):
    """What may break. `Fault.seconds` says for how long, where it is not over at once."""

    KILL = "a process is killed"
    KILL_AT = "a process is killed at the n-th command to a server"
    TERM = "a process is asked to end"
    MAIL_CUT = "the mailboxes' server cannot be reached"
    MAIL_SILENT = "the mailboxes' server takes connections and says nothing"
    MAIL_LIES = "the mailboxes' server lies"
    MAIL_CRASH = "the mailboxes' server is killed and started again"
    POST_CUT = "the outgoing server cannot be reached"
    POST_SILENT = "the outgoing server takes connections and says nothing"
    POST_SAYS = "the outgoing server refuses, or hangs up"
    POST_TAKES = "the outgoing server takes a mail, and the line breaks before it says so"
    BASE_CUT = "the database cannot be reached"
    BASE_SILENT = "the database hears and says nothing"
    BASE_RESTART = "the database is restarted"
    BASE_CRASH = "the database crashes"
    BASE_READ_ONLY = "the database can only be read"
    BASE_FULL = "the database is full"
    DISK_FULL = "the disk under the service is full"
    BASE_LOCKED = "somebody else has the database locked"
    CLOCK = "the clock jumps"
    REVOKED = "a mailbox's password is another one"
    RESTORE = "the database is restored from the last backup"
    UPGRADE = "a newer version migrates the database under the running one, works beside it, and replaces it"


CANNOT_LOSE_AN_ANSWER = frozenset({Kind.TERM, Kind.POST_SAYS, Kind.REVOKED, Kind.UPGRADE})
"""What keeps nobody from learning that the outgoing server took a mail: no excuse for an office that has it twice."""
_ANYWHERE = (
    *(Kind.KILL, Kind.KILL_AT, Kind.KILL_AT, Kind.TERM, Kind.MAIL_CUT, Kind.MAIL_SILENT, Kind.MAIL_LIES),
    *(Kind.MAIL_CRASH, Kind.POST_CUT, Kind.POST_SILENT, Kind.POST_SAYS, Kind.POST_TAKES, Kind.CLOCK, Kind.REVOKED),
    *(Kind.RESTORE, Kind.UPGRADE),
)
_AS_OFTEN_AS_DRAWN = frozenset({Kind.KILL, Kind.KILL_AT, Kind.TERM, Kind.CLOCK})
_OF_BASE = {
    Base.SQLITE: (Kind.DISK_FULL, Kind.BASE_LOCKED),
    Base.POSTGRESQL: (
        *(Kind.BASE_CUT, Kind.BASE_SILENT, Kind.BASE_RESTART, Kind.BASE_CRASH, Kind.BASE_READ_ONLY, Kind.BASE_FULL),
    ),
}
_COMMANDS = {
    "imap": (r"UID STORE", r"APPEND", r"UID MOVE", r"UID FETCH", r"FETCH", r"SELECT", r"UID SEARCH", r"LOGIN", r"IDLE"),
    "smtp": (r"MAIL", r"RCPT", r"DATA", r"DOT", r"QUIT"),
    "postgresql": (r"",),
}
_REFUSALS = (
    *(("mail", "451 4.3.0 later"), ("rcpt", "450 4.2.0 later"), ("rcpt", "close"), ("data", "451 4.3.0 later")),
    *(("data", "close"), ("end", "451 4.3.0 later"), ("end", "452 4.3.1 no room"), ("mail", "421 4.3.2 closing")),
)


@dataclass(frozen=True)
class Letter:
    """A letter of family `family` to some teachers, by number."""

    at: float
    family: int
    teachers: tuple[int, ...]
    kind: str
    """urgent, routine, conflict; or robot."""


@dataclass(frozen=True)
class Fault:
    """Something that breaks at `at`, seconds after the storm began, and is mended `seconds` later."""

    at: float
    kind: Kind
    seconds: float = 0.0
    process: int = 0
    """Which process, teacher or letter box is hit, where one is."""
    wire: str = ""
    command: str = ""
    number: int = 1
    moment: Moment = Moment.BEFORE
    lie: Lie = Lie.PRETEND
    says: tuple[str, str] = ("", "")
    minutes: float = 0.0

    def __str__(self) -> str:
        more = {
            Kind.KILL_AT: f": {self.wire} {self.command or 'packet'} {self.number}, {self.moment.value}",
            Kind.MAIL_LIES: f": it {self.lie.value}",
            Kind.POST_SAYS: f": {' '.join(self.says)}",
            Kind.CLOCK: f" by {self.minutes:g} minutes",
        }
        lasting = f", for {self.seconds:.1f} s" if self.seconds and self.kind is not Kind.KILL_AT else ""
        return f"{self.at:4.1f} s  {self.kind.value}{more.get(self.kind, '')}{lasting}"


@dataclass(frozen=True)
class Plan:
    """A whole run."""

    seed: int
    base: Base
    command: str
    """What the processes run: run or worker."""
    processes: int
    stage: str
    letters: tuple[Letter, ...]
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        head = f"seed {self.seed}: {self.processes} x alliance {self.command} on {self.base}, stage {self.stage}"
        return "\n".join([head, *(f"  {fault}" for fault in self.faults)])


def plan_of(seed: int, *, commands: Sequence[str] = ("run", "worker")) -> Plan:
    """The plan of a seed. Seeds that follow each other take turns with what breaks first, so that a few dozen have
    everything."""
    draw = Random(seed)
    base = draw.choice(list(Base)) if seed % 5 == 0 else list(Base)[seed % 2]
    command = commands[(seed // 2 + seed // 40) % len(commands)] if base is Base.POSTGRESQL else "run"
    kinds = dict.fromkeys((*_OF_BASE[base], *_ANYWHERE))
    first = list(kinds)[(seed // 2) % len(kinds)]
    chosen = [first, *(draw.choice((*_ANYWHERE, *_OF_BASE[base])) for _ in range(draw.randint(1, 3)))]
    chosen = [kind for number, kind in enumerate(chosen) if kind not in chosen[:number] or kind in _AS_OFTEN_AS_DRAWN]
    if Kind.RESTORE in chosen:
        # What a lying server says of Sent cannot be found out by a record that has forgotten it as well.
        chosen = [kind for kind in chosen if kind is not Kind.MAIL_LIES]
    faults = sorted((_fault(kind, draw, base) for kind in chosen), key=lambda fault: fault.at)
    letters = sorted((_letter(draw, alone=Kind.RESTORE in chosen) for _ in range(draw.randint(5, 8))), key=_when)
    return Plan(
        seed=seed,
        base=base,
        command=command,
        processes=draw.choice((1, 2, 2)),
        stage=draw.choice(("reply",) * 8 + ("tag", "observe")),
        letters=tuple(letters),
        faults=tuple(faults),
    )


def _when(letter: Letter) -> float:
    return letter.at


def _letter(draw: Random, *, alone: bool) -> Letter:
    teachers = draw.choice(((0,), (1,), (0,) if alone else (0, 1)))
    kind = draw.choice(("urgent", "urgent", "routine", "routine", "conflict", "robot"))
    return Letter(draw.uniform(0, STORM * 0.8), draw.randrange(FAMILIES), teachers, kind)


def _fault(kind: Kind, draw: Random, base: Base) -> Fault:
    fault = Fault(draw.uniform(0.1, STORM * 0.8), kind, process=draw.randrange(2))
    match kind:
        case Kind.KILL_AT:
            wire = draw.choice([name for name in _COMMANDS if name != "postgresql" or base is Base.POSTGRESQL])
            number = draw.randint(1, 40) if wire == "postgresql" else draw.randint(1, 3)
            moment, wait = draw.choice(list(Moment)), draw.uniform(0, 0.03)
            command = draw.choice(_COMMANDS[wire])
            trap = {"wire": wire, "command": command, "number": number, "moment": moment, "seconds": wait}
            fault = replace(fault, at=fault.at / 3, **trap)
        case Kind.CLOCK:
            fault = replace(fault, minutes=draw.choice((-130.0, -40.0, -3.0, 2.0, 19.0, 90.0, 300.0)))
        case Kind.RESTORE:
            fault = replace(fault, at=fault.at / 2, seconds=draw.uniform(0.8, 1.6))
        case Kind.MAIL_LIES:
            fault = replace(fault, seconds=draw.uniform(0.5, 1.5), lie=draw.choice(list(Lie)))
        case Kind.MAIL_SILENT | Kind.POST_SILENT:
            fault = replace(
                fault, at=fault.at / 2, seconds=draw.uniform(0.5, 5.0)
            )  # longer than servers are waited for
        case Kind.POST_SAYS:
            fault = replace(fault, seconds=draw.uniform(0.5, 1.5), says=draw.choice(_REFUSALS))
        case Kind.POST_TAKES:
            answer = draw.choice(("after close", "after hang"))
            fault = replace(fault, seconds=draw.uniform(0.5, 1.5), says=("end", answer))
        case Kind.KILL | Kind.TERM | Kind.BASE_RESTART | Kind.BASE_CRASH | Kind.UPGRADE:
            pass
        case _:
            fault = replace(fault, seconds=draw.uniform(0.3, 2.0))
    return fault

"""What happens in a run, worked out from its seed alone: who writes when, and what breaks when and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from tests.faults.wire import Lie, Moment

STORM = 3.0
"""Seconds in which letters come and things break."""
FAMILIES = 4
"""So many write any time."""
WITNESSES = 10
"""And so many more at most, each once, just as something breaks: a fault that meets no mail tries nothing."""
TEACHERS = 2


class Base(StrEnum):
    """The database that the service keeps its record in."""

    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL"


class Kind(StrEnum):
    """What may break. `Fault.seconds` says for how long, where it is not over at once."""

    KILL = "a process is killed"
    KILL_AT = "a process is killed at the n-th command to a server"
    STAND_STILL = "a process stands still at the n-th command to a server, is replaced, and goes on"
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
BLINDS = frozenset({Kind.MAIL_LIES, Kind.MAIL_SILENT, Kind.CLOCK})
"""What may keep the service from seeing that a mail lies in Sent, or make two of it look at the same time."""
_ANYWHERE = (
    *(Kind.KILL, Kind.KILL_AT, Kind.KILL_AT, Kind.TERM, Kind.MAIL_CUT, Kind.MAIL_SILENT, Kind.MAIL_LIES),
    *(Kind.MAIL_CRASH, Kind.POST_CUT, Kind.POST_SILENT, Kind.POST_SAYS, Kind.POST_TAKES, Kind.CLOCK, Kind.REVOKED),
    *(Kind.RESTORE, Kind.UPGRADE),
)
_TRAPS = frozenset({Kind.KILL_AT, Kind.STAND_STILL})
_AS_OFTEN_AS_DRAWN = frozenset({Kind.KILL, Kind.KILL_AT, Kind.TERM, Kind.CLOCK})
_OF_BASE = {
    Base.SQLITE: (Kind.DISK_FULL, Kind.BASE_LOCKED),
    Base.POSTGRESQL: (
        *(Kind.BASE_CUT, Kind.BASE_SILENT, Kind.BASE_RESTART, Kind.BASE_CRASH, Kind.BASE_READ_ONLY, Kind.BASE_FULL),
    ),
}
_EVERY = 18
_BESIDES = {
    **dict.fromkeys((1, 7, 13), Kind.STAND_STILL),
    **dict.fromkeys((0, 2, 14), Kind.RESTORE),
    3: Kind.KILL_AT,
}
"""What breaks besides in some of eighteen seeds: what a record holds up that others wrote meanwhile, or that was cut in
two, or has forgotten, is tried by little else."""
AT_CURSOR = r"(?s).*UPDATE mailbox SET cursor"
AT_PAGE = r"(?s).*INSERT INTO message "
"""The statements that record a page: how far the mailbox was read, and then what was read."""
_STANDS_STILL = {
    # Where the lease or the cursor of somebody who has stood still is over: with a page in hand, or a mail.
    Base.POSTGRESQL: (("postgresql", AT_CURSOR), ("imap", r"APPEND"), ("postgresql", AT_CURSOR), ("smtp", r"DATA")),
    Base.SQLITE: (("imap", r"(UID )?FETCH"), ("imap", r"APPEND"), ("imap", r"UID MOVE"), ("smtp", r"DATA")),
}
_OF_POST = frozenset({Kind.POST_CUT, Kind.POST_SILENT, Kind.POST_SAYS, Kind.POST_TAKES})
_LEAVE_LINES_ALONE = _OF_POST | {Kind.STAND_STILL, Kind.CLOCK}
_KEEP_FROM_SENT = frozenset(
    {
        *(Kind.KILL, Kind.KILL_AT, Kind.MAIL_CUT, Kind.MAIL_SILENT, Kind.MAIL_LIES, Kind.MAIL_CRASH, Kind.REVOKED),
        *(Kind.POST_CUT, Kind.POST_SILENT, Kind.POST_TAKES, Kind.STAND_STILL),
    }
)
_COMMANDS = {
    "imap": (r"UID STORE", r"APPEND", r"UID MOVE", r"UID FETCH", r"FETCH", r"SELECT", r"UID SEARCH", r"LOGIN", r"IDLE"),
    "smtp": (r"MAIL", r"RCPT", r"DATA", r"DOT", r"QUIT"),
    "postgresql": (r"", AT_PAGE),
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
    awaited: bool = False
    """Whether the storm lasts until it has come to that."""

    def __str__(self) -> str:
        more = {
            Kind.KILL_AT: f": {self.wire} {_said(self.command)} {self.number}, {self.moment.value}",
            Kind.STAND_STILL: f": {self.wire} {_said(self.command)} {self.number}, {self.moment.value}",
            Kind.MAIL_LIES: f": it {self.lie.value}",
            Kind.POST_TAKES: f", {self.number} times",
            Kind.POST_SAYS: f": {' '.join(self.says)}",
            Kind.CLOCK: f" by {self.minutes:g} minutes",
        }
        lasting = f", for {self.seconds:.1f} s" if self.seconds and self.kind not in _TRAPS else ""
        return f"{self.at:4.1f} s  {self.kind.value}{more.get(self.kind, '')}{lasting}"


def _said(command: str) -> str:
    return command.removeprefix("(?s).*").strip() or "packet"


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
    besides = _BESIDES.get(seed % _EVERY)
    chosen += [besides] if besides is not None and besides is not Kind.KILL_AT else []
    chosen = [kind for number, kind in enumerate(chosen) if kind not in chosen[:number] or kind in _AS_OFTEN_AS_DRAWN]
    if besides in _TRAPS:
        # Whoever is to be hit has to come so far, and what it has in hand is to be there still when it goes on.
        chosen = [kind for kind in chosen if kind in _LEAVE_LINES_ALONE]
    if Kind.RESTORE in chosen:
        # Of what is out and lies not in Sent, a record that has forgotten it as well cannot know.
        chosen = [kind for kind in chosen if kind not in _KEEP_FROM_SENT]
    unsorted = [_fault(kind, draw, base, seed // 6) for kind in chosen]
    if besides is Kind.KILL_AT and base is Base.POSTGRESQL:
        trap = {"wire": "postgresql", "command": AT_PAGE, "number": 1, "moment": Moment.BEFORE, "seconds": 0.0}
        trap["awaited"] = True
        unsorted.append(replace(_fault(Kind.KILL_AT, draw, base, 0), **trap))
    faults = sorted(unsorted, key=lambda fault: fault.at)
    letters = [_letter(draw, alone=Kind.RESTORE in chosen) for _ in range(draw.randint(5, 8))]
    hit = [fault for fault in faults for _ in range(2 if fault.kind in _OF_POST else 1)]
    letters += [_witness(number, fault, draw) for number, fault in enumerate(hit)]
    return Plan(
        seed=seed,
        base=base,
        command=command,
        # Who stands still is to be alone, until it is replaced: else the other has done already what it has in hand.
        processes=1 if Kind.STAND_STILL in chosen else draw.choice((1, 2, 2)),
        stage="reply" if besides is not None else draw.choice(("reply",) * 8 + ("tag", "observe")),
        letters=tuple(sorted(letters, key=_when)),
        faults=tuple(faults),
    )


def _when(letter: Letter) -> float:
    return letter.at


def _letter(draw: Random, *, alone: bool) -> Letter:
    teachers = draw.choice(((0,), (1,), (0,) if alone else (0, 1)))
    kind = draw.choice(("urgent", "urgent", "routine", "routine", "conflict", "robot"))
    return Letter(draw.uniform(0, STORM * 0.8), draw.randrange(FAMILIES), teachers, kind)


def _witness(number: int, fault: Fault, draw: Random) -> Letter:
    """Somebody writes into a fault, of a family that nobody has answered yet."""
    at = fault.at + draw.uniform(0.02, 0.2)
    return Letter(at, FAMILIES + number, (draw.randrange(TEACHERS),), ("routine", "urgent")[number % 2])


def _fault(kind: Kind, draw: Random, base: Base, turn: int) -> Fault:
    """Kinds of which there are some take turns by `turn` with what they hit."""
    fault = Fault(draw.uniform(0.1, STORM * 0.8), kind, process=draw.randrange(2))
    match kind:
        case Kind.KILL_AT:
            wire = draw.choice([name for name in _COMMANDS if name != "postgresql" or base is Base.POSTGRESQL])
            number = draw.randint(1, 40) if wire == "postgresql" else draw.randint(1, 3)
            moment, wait = draw.choice(list(Moment)), draw.uniform(0, 0.03)
            command = draw.choice(_COMMANDS[wire])
            trap = {"wire": wire, "command": command, "number": number, "moment": moment, "seconds": wait}
            fault = replace(fault, at=fault.at / 3, **trap)
        case Kind.STAND_STILL:
            wire, command = _STANDS_STILL[base][turn % 4]
            moment = Moment.BEFORE if wire == "postgresql" else draw.choice((Moment.BEFORE, Moment.AFTER))
            trap = {"wire": wire, "command": command, "number": 1, "moment": moment}
            fault = replace(fault, at=fault.at / 3, seconds=draw.uniform(1.5, 2.5), **trap)
        case Kind.CLOCK:
            fault = replace(fault, minutes=draw.choice((-130.0, -40.0, -3.0, 2.0, 19.0, 90.0, 300.0)))
        case Kind.RESTORE:
            fault = replace(fault, at=fault.at / 2, seconds=draw.uniform(1.5, 3.0))
        case Kind.MAIL_LIES:
            fault = replace(fault, seconds=draw.uniform(0.5, 1.5), lie=draw.choice(list(Lie)))
        case Kind.MAIL_SILENT | Kind.POST_SILENT:
            fault = replace(
                fault, at=fault.at / 2, seconds=draw.uniform(0.5, 5.0)
            )  # longer than servers are waited for
        case Kind.POST_SAYS:
            fault = replace(fault, at=fault.at / 2, seconds=draw.uniform(1.5, 3.0), says=draw.choice(_REFUSALS))
        case Kind.POST_TAKES:
            fault = replace(fault, at=fault.at / 2, number=draw.randint(3, 5))
        case Kind.KILL | Kind.TERM | Kind.BASE_RESTART | Kind.BASE_CRASH | Kind.UPGRADE:
            pass
        case _:
            fault = replace(fault, seconds=draw.uniform(0.3, 2.0))
    return fault

"""One run: the plan is carried out on real parts, everything is mended, and the checker judges."""

import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from re import compile as pattern

from sqlalchemy.exc import SQLAlchemyError

from tests.faults import newer_version
from tests.faults.checker import Expected, Judgement, judge
from tests.faults.plan import CANNOT_LOSE_AN_ANSWER, STORM, TEACHERS, Fault, Kind, Plan
from tests.faults.school import School, school
from tests.faults.servers import Servers
from tests.faults.wire import Trap, Wire

MENDED_WITHIN = 300.0
"""Seconds after the last fault until every promise must be kept. The service needs three or so; a busy machine more."""
_JUMP = timedelta(minutes=16)
"""What the clock makes after the last fault, again and again: longer than a refused password parks a mailbox."""
_JUMPS_AT_MOST = 20
"""All together less than a night: an answer to old mail is not given any more."""
_IN_HAND = 5.0
"""Seconds that what is in hand when the clock jumps may still take: a little longer than a server is waited for."""
_LOOKED_EVERY = 0.8
_LOOKS_MORE = 3
_BESIDE = 1.0
"""Seconds for which two versions work side by side."""
_NEVER = float("inf")
_DISK_LEFT = 4096
"""Bytes that a file may have where the disk is full."""


@dataclass
class Result:
    """What became of a run."""

    plan: Plan
    judgement: Judgement
    faults: list[str] = field(default_factory=list)
    """What else was wrong: a process that did not end when asked."""
    seconds: float = 0.0
    log: str = ""
    sabotage: str = ""

    @property
    def passed(self) -> bool:
        """Whether all was well in the end."""
        return self.judgement.kept and not self.faults

    def __str__(self) -> str:
        judged = self.judgement
        wrong = [f"    WRONG: {each}" for each in (*judged.broken, *judged.owed, *self.faults)]
        counts = (
            f"    {judged.letters} letters, {judged.answers} answers, {judged.routes} at the office "
            f"({judged.excused} twice within the window), {self.seconds:.1f} s"
        )
        wrong += [f"    note: {each} lies in Drafts" for each in judged.drafts]
        again = f"    again: {reproduction(self.plan.seed, self.sabotage)}"
        return "\n".join([str(self.plan), counts, *wrong, *([again] if not self.passed else [])])


def reproduction(seed: int, sabotage: str = "") -> str:
    """The command that runs one seed again."""
    return f".venv/bin/python -m tests.faults {seed}" + (f" --sabotage {sabotage}" if sabotage else "")


def run(plan: Plan, folder: Path, servers: Servers, *, sabotage: str = "", patience: float = MENDED_WITHIN) -> Result:
    """Carries a plan out and judges: `patience` seconds after the last fault every promise must be kept."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    servers.smtp.behave()
    with school(plan, folder, servers, sabotage=sabotage) as place:
        storm = _Storm(place)
        storm.connect()
        storm.rage()
        storm.mend()
        judgement = storm.wait_for_judgement(patience)
        codes = place.stop()
        # Asked before it listens to signals, it ends by the signal: systemd takes both for a good end.
        wrong = [code for code in codes if code not in {0, -signal.SIGTERM}]
        faults = [f"a process that was asked to end ended with {code}" for code in wrong]
        log = place.log.read_text(errors="replace") if place.log.exists() else ""
        return Result(plan, judgement, faults, time.monotonic() - began, log, sabotage)


class _Storm:
    def __init__(self, place: School) -> None:
        self.place = place
        self.plan = place.plan
        self._troubled: list[list[float]] = []
        self._administrator = ThreadPoolExecutor(1, thread_name_prefix="administrator")
        """Does one thing after the other, beside the storm: the database that it waits for is mended meanwhile."""
        self._administered: list[Future[None]] = []
        self._supervised = threading.Event()
        self._paused = threading.Lock()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def connect(self) -> None:
        """The mailboxes are connected in peace, with an old letter in each."""
        for teacher in range(TEACHERS):
            self.place.write(self.place.family(teacher), (teacher,), "old")
        self.place.perform("run", "--once")

    def rage(self) -> None:
        """Letters come, and things break and are mended, each at its time."""
        for number in range(self.plan.processes):
            self.place.start(number)
        self.place.wait_until_up()
        self._supervisor.start()
        deeds: list[tuple[float, Callable[[], None]]] = []
        for letter in self.plan.letters:
            sender = self.place.robot if letter.kind == "robot" else self.place.family(letter.family)
            deeds.append((letter.at, lambda a=sender, b=letter.teachers, c=letter.kind: self.place.write(a, b, c)))
        for fault in self.plan.faults:
            deeds += self._deeds(fault)
        began = time.monotonic()
        with self._administrator:
            for at, deed in sorted(deeds, key=lambda each: each[0]):
                time.sleep(max(0.0, began + at - time.monotonic()))
                deed()
            time.sleep(max(0.0, began + STORM - time.monotonic()))
        for done in self._administered:
            done.result()

    def mend(self) -> None:
        """Everything works again, whatever the plan left broken. Whoever writes now is owed an answer."""
        for wire in filter(None, (self.place.mail, self.place.post, self.place.base)):
            wire.heal()
        self.place.servers.smtp.behave()
        self._disk(None)
        if self.place.base is not None:  # a backup may have been taken while it was full
            self.place.servers.administrate(
                "DROP FUNCTION IF EXISTS full_disk CASCADE", database=self.place.database_name
            )
        self.place.set_clock()
        for end in self._troubled:
            end[1] = min(end[1], time.time())
        for number, family in enumerate(self.place.late_families):
            self.place.write(family, (number,), ("urgent", "routine")[number % 2])

    def wait_for_judgement(self, patience: float) -> Judgement:
        """Looks until all that is owed is there, the clock going on; then a while longer, for what comes twice."""
        deadline, jumps, sent = time.monotonic() + patience, 0, -1
        longer = _LOOKS_MORE
        while longer and time.monotonic() < deadline:
            time.sleep(_LOOKED_EVERY)
            found = judge(self.place.view, self._expected(), in_full=False)
            if found.broken:
                break
            longer -= found.kept and not found.drafts
            if sent == self.place.post.commands and jumps < _JUMPS_AT_MOST:
                # What is in hand just now, somebody else may take over: its lease is over before it is out.
                self._troubled.append([time.time(), time.time() + _IN_HAND])
                self.place.jump(_JUMP)
                jumps += 1
            sent = self.place.post.commands
            if jumps == _JUMPS_AT_MOST and found.kept:
                break  # what still lies in Drafts stays there
        self._supervised.set()
        self._supervisor.join()
        return judge(self.place.view, self._expected())

    def _expected(self) -> Expected:
        return Expected(self.place.late_families, [(begin, end) for begin, end in self._troubled])

    def _supervise(self) -> None:
        while not self._supervised.wait(0.05):
            with self._paused:
                self.place.supervise()

    def _deeds(self, fault: Fault) -> Iterator[tuple[float, Callable[[], None]]]:
        """What is to be done when, for one fault."""
        begin, end = _DEEDS[fault.kind]
        trouble = [_NEVER, _NEVER]

        def break_it() -> None:
            trouble[0] = time.time()
            if fault.kind not in CANNOT_LOSE_AN_ANSWER:
                self._troubled.append(trouble)
            begin(self, fault)
            if end is None:
                trouble[1] = time.time()

        def mend_it() -> None:
            if end is not None:
                end(self, fault)
            trouble[1] = time.time()

        yield fault.at, break_it
        if end is not None:
            yield fault.at + fault.seconds, mend_it

    # What breaks -----------------------------------------------------------------------------------------------------

    def kill(self, fault: Fault) -> None:
        self.place.kill(fault.process)

    def term(self, fault: Fault) -> None:
        self.place.end(fault.process)

    def kill_at(self, fault: Fault) -> None:
        wire = {"imap": self.place.mail, "smtp": self.place.post, "postgresql": self.place.base}[fault.wire]
        assert wire is not None

        def spring() -> None:
            self._troubled.append([time.time(), time.time()])
            self.place.kill(fault.process)

        wire.set_trap(Trap(pattern(fault.command), fault.number, fault.moment, spring, fault.seconds))

    def crash_mail(self, fault: Fault) -> None:
        self.place.servers.dovecot.kill()

    def start_mail(self, fault: Fault) -> None:
        self.place.servers.dovecot.start()

    def lie(self, fault: Fault) -> None:
        self.place.mail.lie = fault.lie

    def say(self, fault: Fault) -> None:
        stage, answer = fault.says
        self.place.servers.smtp.say(stage, answer)  # type: ignore[arg-type]

    def behave(self, fault: Fault) -> None:
        self.place.servers.smtp.behave()

    def jump(self, fault: Fault) -> None:
        self.place.jump(timedelta(minutes=fault.minutes))

    def revoke(self, fault: Fault) -> None:
        self.place.servers.set_password(self.place.teachers[fault.process % TEACHERS], "another one")
        self.place.mail.hang_up()

    def unrevoke(self, fault: Fault) -> None:
        self.place.servers.set_password(self.place.teachers[fault.process % TEACHERS])

    def restart_base(self, fault: Fault) -> None:
        self.place.servers.postgres().stop()
        self.place.servers.postgres().start()

    def crash_base(self, fault: Fault) -> None:
        self.place.servers.postgres().stop(signal.SIGQUIT)
        self.place.servers.postgres().start()

    def only_read(self, fault: Fault) -> None:
        self._alter("SET default_transaction_read_only = on")

    def write_again(self, fault: Fault) -> None:
        self._alter("RESET default_transaction_read_only")

    def _alter(self, change: str) -> None:
        name = self.place.database_name
        self.place.servers.administrate(
            f"ALTER DATABASE {name} {change}",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )

    def fill_base(self, fault: Fault) -> None:
        """Every row that is to be added or changed meets a full disk, as PostgreSQL words it (SQLSTATE 53100)."""
        raise_it = "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'"
        function = f"FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {raise_it}; END $$"
        self.place.servers.administrate(f"CREATE {function}", database=self.place.database_name)
        for table in ("message", "delivery", "mailbox"):
            trigger = f"TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table}"
            with suppress(SQLAlchemyError):  # in use: the disk under the others is full all the same
                self.place.servers.administrate(
                    "SET lock_timeout = '200ms'",
                    f"CREATE {trigger} FOR EACH STATEMENT EXECUTE FUNCTION full_disk()",
                    database=self.place.database_name,
                )

    def empty_base(self, fault: Fault) -> None:
        self.place.servers.administrate("DROP FUNCTION IF EXISTS full_disk CASCADE", database=self.place.database_name)

    def fill_disk(self, fault: Fault) -> None:
        self._disk(_DISK_LEFT)

    def empty_disk(self, fault: Fault) -> None:
        self._disk(None)

    def _disk(self, most: int | None) -> None:
        """No file of the service may grow beyond this: what SQLite then hears is that it cannot write."""
        for process in self.place.processes:
            with suppress(ProcessLookupError, PermissionError):
                if process.pid is not None and process.is_alive():
                    hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)[1]
                    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard if most is None else most, hard))

    def lock_base(self, fault: Fault) -> None:
        """Somebody looks at the database with a tool of theirs, and holds it."""
        self._tool = sqlite3.connect(self.place.folder / "alliance.db", check_same_thread=False, timeout=30)
        self._tool.isolation_level = None
        self._tool.execute("BEGIN IMMEDIATE")

    def unlock_base(self, fault: Fault) -> None:
        self._tool.execute("ROLLBACK")
        self._tool.close()

    def back_up(self, fault: Fault) -> None:
        self.place.back_up()

    def restore(self, fault: Fault) -> None:
        with self._paused:
            self.place.restore()
        if self._administered and self.plan.command == "worker":  # a backup of before the upgrade, or so it may be
            self._administered.append(self._administrator.submit(self.place.perform, "migrate"))

    def upgrade(self, fault: Fault) -> None:
        """The newer version starts beside the older one, on the same database, and some time later the older ends."""
        self._administered.append(self._administrator.submit(self._upgrade))

    def _upgrade(self) -> None:
        migrations = newer_version.migrations(self.place.folder / "migrations")
        if self.plan.command == "worker":
            self.place.perform("migrate", migrations=migrations)
        with self._paused:
            older = len(self.place.processes)
            self.place.migrations = migrations
            self.place.start(older)
        time.sleep(_BESIDE)
        for number in range(older):
            self.place.end(number)


def _on(wire: str, deed: Callable[[Wire], None]) -> Callable[[_Storm, Fault], None]:
    def do(storm: _Storm, _fault: Fault) -> None:
        deed(getattr(storm.place, wire))

    return do


_Deed = Callable[[_Storm, Fault], None]
_DEEDS: dict[Kind, tuple[_Deed, _Deed | None]] = {
    Kind.KILL: (_Storm.kill, None),
    Kind.KILL_AT: (_Storm.kill_at, None),
    Kind.TERM: (_Storm.term, None),
    Kind.MAIL_CUT: (_on("mail", Wire.cut), _on("mail", Wire.heal)),
    Kind.MAIL_SILENT: (_on("mail", Wire.silence), _on("mail", Wire.heal)),
    Kind.MAIL_LIES: (_Storm.lie, _on("mail", Wire.heal)),
    Kind.MAIL_CRASH: (_Storm.crash_mail, _Storm.start_mail),
    Kind.POST_CUT: (_on("post", Wire.cut), _on("post", Wire.heal)),
    Kind.POST_SILENT: (_on("post", Wire.silence), _on("post", Wire.heal)),
    Kind.POST_SAYS: (_Storm.say, _Storm.behave),
    Kind.POST_TAKES: (_Storm.say, _Storm.behave),
    Kind.BASE_CUT: (_on("base", Wire.cut), _on("base", Wire.heal)),
    Kind.BASE_SILENT: (_on("base", Wire.silence), _on("base", Wire.heal)),
    Kind.BASE_RESTART: (_Storm.restart_base, None),
    Kind.BASE_CRASH: (_Storm.crash_base, None),
    Kind.BASE_READ_ONLY: (_Storm.only_read, _Storm.write_again),
    Kind.BASE_FULL: (_Storm.fill_base, _Storm.empty_base),
    Kind.DISK_FULL: (_Storm.fill_disk, _Storm.empty_disk),
    Kind.BASE_LOCKED: (_Storm.lock_base, _Storm.unlock_base),
    Kind.CLOCK: (_Storm.jump, None),
    Kind.REVOKED: (_Storm.revoke, _Storm.unrevoke),
    Kind.RESTORE: (_Storm.back_up, _Storm.restore),
    Kind.UPGRADE: (_Storm.upgrade, None),
}
assert set(_DEEDS) == set(Kind)

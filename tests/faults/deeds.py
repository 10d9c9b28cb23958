"""What breaks, and how it is mended: one deed for each kind of fault."""

import os
import resource
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing.process import BaseProcess
from re import compile as pattern

from imapclient.exceptions import IMAPClientError
from sqlalchemy.exc import SQLAlchemyError

from tests.faults import newer_version
from tests.faults.plan import BLINDS, CANNOT_LOSE_AN_ANSWER, TEACHERS, Fault, Kind
from tests.faults.school import School
from tests.faults.wire import Moment, Trap, Wire

IN_HAND = 5.0
"""Seconds that what is in hand when the clock jumps may still take: a little longer than a server is waited for."""
_LEASE_OVER = timedelta(minutes=3)
"""Longer than the lease of what a process has in hand, and than a worker that says nothing is taken to live."""
_REPLACED_WITHIN = 15.0
_OUT_WITHIN = 5.0
_FILED_WITHIN = 0.5
"""Seconds, mostly, from when the outgoing server has a mail to when it lies in Sent."""
_BESIDE = 1.0
"""Seconds for which two versions work side by side."""
_NEVER = float("inf")
_DISK_LEFT = 4096
"""Bytes that a file may have where the disk is full."""


class Deeds:
    """The deeds of one run. What is due at a time of the plan is done by whoever carries the plan out; what may have to
    wait for something that is mended later is done beside, one thing after the other."""

    def __init__(self, place: School) -> None:
        """`place` is what breaks."""
        self.place = place
        self.plan = place.plan
        self.troubled: list[list[float]] = []
        """When something was wrong, from and to, in seconds since 1970."""
        self.blinded: list[list[float]] = []
        """When the service could not go by what lies in Sent."""
        self.paused = threading.Lock()
        """Whoever holds it keeps processes from being started again."""
        self._administrator = ThreadPoolExecutor(1, thread_name_prefix="administrator")
        self._administered: list[Future[None]] = []

    @contextmanager
    def administered(self) -> Iterator[None]:
        """What is done beside the block is done at its end. Raises what was raised there."""
        with self._administrator:
            yield
        for done in self._administered:
            done.result()

    @property
    def awaited(self) -> bool:
        """Whether something is still to break at a command that is sure to come."""
        return any(wire.awaits for wire in self._wires())

    def of(self, fault: Fault) -> Iterator[tuple[float, Callable[[], None]]]:
        """What is to be done when, for one fault."""
        begin, end = _DEEDS[fault.kind]
        trouble = [_NEVER, _NEVER]

        def break_it() -> None:
            trouble[0] = time.time()
            if fault.kind not in CANNOT_LOSE_AN_ANSWER:
                self.troubled.append(trouble)
            if fault.kind in BLINDS:
                self.blinded.append(trouble)
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

    def mend(self) -> None:
        """Everything works again, whatever the plan left broken."""
        for wire in self._wires():
            wire.heal()
            wire.clear_traps()
        self.place.servers.smtp.behave()
        self._disk(None)
        if self.place.base is not None:  # a backup may have been taken while it was full
            self.place.servers.administrate(
                "DROP FUNCTION IF EXISTS full_disk CASCADE", database=self.place.database_name
            )
        self.place.set_clock()
        for end in self.troubled:
            end[1] = min(end[1], time.time())

    def _wires(self) -> Iterator[Wire]:
        yield from filter(None, (self.place.mail, self.place.post, self.place.base))

    def kill(self, fault: Fault) -> None:
        self.place.kill(fault.process)

    def term(self, fault: Fault) -> None:
        self.place.end(fault.process)

    def kill_at(self, fault: Fault) -> None:
        def aim(port: int) -> Callable[[], None]:
            speaker = self.place.speaker(port)
            return lambda: self._kill(fault.process if speaker is None else speaker)

        trap = Trap(pattern(fault.command), fault.number, fault.moment, aim, fault.seconds, awaited=fault.awaited)
        self._wire(fault).set_trap(trap)

    def _kill(self, number: int) -> None:
        self.troubled.append([time.time(), time.time()])
        self.place.kill(number)

    def stand_still(self, fault: Fault) -> None:
        def aim(port: int) -> Callable[[], None]:
            speaker = self.place.speaker(port)
            return lambda: None if speaker is None else self._hold(self.place.processes[speaker], fault.seconds)

        trap = Trap(pattern(fault.command), fault.number, fault.moment, aim, breaks=False, awaited=True)
        self._wire(fault).set_trap(trap)

    def _hold(self, process: BaseProcess, seconds: float) -> None:
        """Stops a process where it is, as a machine that is put to sleep does. Others go on without it."""
        _signalled(process, signal.SIGSTOP)
        trouble = [time.time(), _NEVER]
        self.troubled.append(trouble)
        self.blinded.append(trouble)
        try:
            self._administered.append(self._administrator.submit(self._without, process, trouble, seconds))
        except RuntimeError:  # the storm is over
            _signalled(process, signal.SIGCONT)

    def _without(self, process: BaseProcess, trouble: list[float], seconds: float) -> None:
        """Teachers tidy up, the same families write again, whoever stands still is taken for dead and replaced; and
        when all that is done, it goes on with what it had in hand."""
        try:
            with suppress(OSError, IMAPClientError):  # the mail server is away just now
                for sender, teacher, kind in self.place.tidy_up():
                    self.place.write(sender, (teacher,), kind)
            self.place.jump(_LEASE_OVER)
            starts, until = self.place.starts, time.monotonic() + _REPLACED_WITHIN
            with self.paused:
                self.place.start(len(self.place.processes))
            while self.place.starts == starts and time.monotonic() < until:
                time.sleep(0.05)
            time.sleep(seconds)
        finally:
            _signalled(process, signal.SIGCONT)
            trouble[1] = time.time() + IN_HAND

    def _wire(self, fault: Fault) -> Wire:
        wire = {"imap": self.place.mail, "smtp": self.place.post, "postgresql": self.place.base}[fault.wire]
        assert wire is not None
        return wire

    def crash_mail(self, fault: Fault) -> None:
        self.place.servers.dovecot.kill()

    def start_mail(self, fault: Fault) -> None:
        self.place.servers.dovecot.start()

    def lie(self, fault: Fault) -> None:
        self.place.mail.lie = fault.lie

    def say(self, fault: Fault) -> None:
        stage, answer = fault.says
        self.place.servers.smtp.say(stage, answer)  # type: ignore[arg-type]

    def take_and_break(self, fault: Fault) -> None:
        def aim(_port: int) -> Callable[[], None]:
            return lambda: self.troubled.append([time.time(), time.time()])

        self.place.post.set_trap(Trap(pattern("DOT"), 1, Moment.AFTER, aim, times=fault.number, awaited=True))

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
        self._arrived = len(self.place.servers.smtp.arrived)

    def restore(self, fault: Fault) -> None:
        """Not before something is out that the backup knows nothing of, if that comes soon."""
        until = time.monotonic() + _OUT_WITHIN
        while len(self.place.servers.smtp.arrived) == self._arrived and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(_FILED_WITHIN)
        with self.paused:
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
        with self.paused:
            older = len(self.place.processes)
            self.place.migrations = migrations
            self.place.start(older)
        time.sleep(_BESIDE)
        for number in range(older):
            self.place.end(number)


def _signalled(process: BaseProcess, which: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        if process.pid is not None and process.is_alive():
            os.kill(process.pid, which)


def _on(wire: str, deed: Callable[[Wire], None]) -> Callable[[Deeds, Fault], None]:
    def do(storm: Deeds, _fault: Fault) -> None:
        deed(getattr(storm.place, wire))

    return do


_Deed = Callable[[Deeds, Fault], None]
_DEEDS: dict[Kind, tuple[_Deed, _Deed | None]] = {
    Kind.KILL: (Deeds.kill, None),
    Kind.KILL_AT: (Deeds.kill_at, None),
    Kind.STAND_STILL: (Deeds.stand_still, None),
    Kind.TERM: (Deeds.term, None),
    Kind.MAIL_CUT: (_on("mail", Wire.cut), _on("mail", Wire.heal)),
    Kind.MAIL_SILENT: (_on("mail", Wire.silence), _on("mail", Wire.heal)),
    Kind.MAIL_LIES: (Deeds.lie, _on("mail", Wire.heal)),
    Kind.MAIL_CRASH: (Deeds.crash_mail, Deeds.start_mail),
    Kind.POST_CUT: (_on("post", Wire.cut), _on("post", Wire.heal)),
    Kind.POST_SILENT: (_on("post", Wire.silence), _on("post", Wire.heal)),
    Kind.POST_SAYS: (Deeds.say, Deeds.behave),
    Kind.POST_TAKES: (Deeds.take_and_break, None),
    Kind.BASE_CUT: (_on("base", Wire.cut), _on("base", Wire.heal)),
    Kind.BASE_SILENT: (_on("base", Wire.silence), _on("base", Wire.heal)),
    Kind.BASE_RESTART: (Deeds.restart_base, None),
    Kind.BASE_CRASH: (Deeds.crash_base, None),
    Kind.BASE_READ_ONLY: (Deeds.only_read, Deeds.write_again),
    Kind.BASE_FULL: (Deeds.fill_base, Deeds.empty_base),
    Kind.DISK_FULL: (Deeds.fill_disk, Deeds.empty_disk),
    Kind.BASE_LOCKED: (Deeds.lock_base, Deeds.unlock_base),
    Kind.CLOCK: (Deeds.jump, None),
    Kind.REVOKED: (Deeds.revoke, Deeds.unrevoke),
    Kind.RESTORE: (Deeds.back_up, Deeds.restore),
    Kind.UPGRADE: (Deeds.upgrade, None),
}
assert set(_DEEDS) == set(Kind)

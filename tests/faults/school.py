"""A school under fire: its people, its letters, its database, and the processes that look after its mailboxes."""

import multiprocessing
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.utils import format_datetime
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from tests.faults import checker
from tests.faults.clock import Clock
from tests.faults.plan import FAMILIES, TEACHERS, WITNESSES, Base, Plan
from tests.faults.servers import Servers
from tests.faults.wire import Wire, laid
from tests.servers.dovecot import PASSWORD
from tests.servers.postgres import program
from tests.servers.smtp_sink import Arrived

_URGENT = "Please do not let Leo get on the bus today. His father may not pick him up, call me before the bell rings."
_ROUTINE = "Could you tell me which pages are for homework this week? Thank you."
_CONFLICT = (
    "I am very upset about the grade you gave my son. This is unfair and I want to meet with you and the principal."
)
_WORDS = {"urgent": _URGENT, "routine": _ROUTINE, "conflict": _CONFLICT, "robot": _ROUTINE, "old": _URGENT}
_FAMILYS = frozenset({"urgent", "routine", "conflict"})
_TIDY = "Kept"
_CONFIGURATION = """
[school]
name = "Maple Street School"
timezone = "America/Chicago"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
opens = 00:01:00
closes = 23:58:00
languages = ["en", "es"]

[office]
address = "{office}"
phone = "555 0100"

[digest]
enabled = false

[service]
database = "{database}"
poll_seconds = 1
settle_seconds = 0
lease_seconds = 60

[imap]
host = "127.0.0.1"
port = {imap}
security = "none"
allow_insecure = true
timeout_seconds = 2.5

[smtp]
host = "127.0.0.1"
port = {smtp}
security = "none"
allow_insecure = true
authenticate = false
timeout_seconds = 4
"""
_MAILBOX = """
[[mailboxes]]
address = "{address}"
teacher = "{teacher}"
grade = "{grade}"
stage = "{stage}"
password_env = "PASSWORD"
"""
_ENDS_WITHIN = 120.0
_UNTIL_TRIED_AGAIN = 0.2
_IN_HAND = 10.0
"""Seconds that a process has for finishing what it is at, before it is killed."""
_AT_WORK = re.compile(rb'"event": "(running|working)"')
_ROOT = Path(__file__).parents[2]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.service.one_run", "tests.faults.service_process"])


def _perform(arguments: list[str], clock: Path, log: Path, sabotage: str, migrations: Path | None) -> None:
    from tests.faults.service_process import perform  # noqa: PLC0415 - loaded by the fork server, not by the test

    perform(arguments, clock, log, sabotage, migrations)


@dataclass
class School:
    """One school. `school` is the way to make one."""

    plan: Plan
    folder: Path
    servers: Servers
    clock: Clock
    mail: Wire
    post: Wire
    base: Wire | None
    database: str
    """The URL or file name, as the processes reach it."""
    sabotage: str = ""
    migrations: Path | None = None
    """Where the newer version's are, once there is one."""
    processes: list[BaseProcess] = field(default_factory=list)
    _letters: int = 0
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _administered: threading.Lock = field(default_factory=threading.Lock)
    """Held while the database is put back, and while a command runs that is not to see it half put back."""

    @property
    def teachers(self) -> tuple[str, ...]:
        """The teachers' addresses."""
        return tuple(f"teacher-{number}.{self.plan.seed}@maple.example" for number in range(TEACHERS))

    @property
    def office(self) -> str:
        """The office's address."""
        return f"office.{self.plan.seed}@maple.example"

    def family(self, number: int) -> str:
        """A family's address. The last are of those that write when all is well again."""
        return f"family-{number}.{self.plan.seed}@family.example"

    @property
    def robot(self) -> str:
        """Something that writes to teachers and is no family."""
        return f"robot.{self.plan.seed}@news.example"

    @property
    def late_families(self) -> tuple[str, ...]:
        """Who writes when all is well again."""
        return tuple(self.family(FAMILIES + WITNESSES + number) for number in range(TEACHERS))

    @property
    def view(self) -> checker.School:
        """The school as its mail servers show it."""
        families = (*(self.family(number) for number in range(FAMILIES + WITNESSES)), *self.late_families, self.robot)
        port = self.servers.dovecot.ports[0]
        return checker.School("127.0.0.1", port, PASSWORD, self.teachers, self.office, families, self.plan.stage)

    @property
    def log(self) -> Path:
        """What the processes say."""
        return self.folder / "log"

    def write(self, sender: str, teachers: Sequence[int], kind: str) -> None:
        """Somebody writes to some of the teachers, past all that is broken."""
        self._letters += 1
        mail = EmailMessage()
        recipients = [self.teachers[number] for number in teachers]
        mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(recipients), f"letter {self._letters}"
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<letter-{self._letters}.{self.plan.seed}@{sender.partition('@')[2]}>"
        mail["X-Letter"] = kind
        if kind == "robot":
            mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(_WORDS[kind])
        self.servers.post.take(Arrived(sender, tuple(recipients), mail.as_bytes()))

    def start(self, number: int) -> None:
        """Starts a process that does what the plan says, under this number."""
        with self._starting:
            process = self._process(self.plan.command)
            process.start()
            self.processes[number : number + 1] = [process]

    @property
    def starts(self) -> int:
        """How often a process has said so far that it works."""
        return len(_AT_WORK.findall(self.log.read_bytes() if self.log.exists() else b""))

    def wait_until_up(self) -> None:
        """Until every process says that it works: what breaks before is no trouble to it. Raises TimeoutError."""
        until = time.monotonic() + _ENDS_WITHIN
        while self.starts < len(self.processes):
            if time.monotonic() > until:
                raise TimeoutError(f"the service does not start: {self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)

    def perform(self, *arguments: str, migrations: Path | None = None) -> None:
        """Runs a command to its end, again and again where a server was away or too slow; by the `migrations` of a
        newer version where they are given. Raises RuntimeError where it does not succeed within two minutes."""
        until = time.monotonic() + _ENDS_WITHIN
        while time.monotonic() < until:
            with self._administered:
                process = self._process(*arguments, migrations=migrations)
                process.start()
                process.join(max(0.0, until - time.monotonic()))
            if process.exitcode == 0:
                return
            process.kill()
            time.sleep(_UNTIL_TRIED_AGAIN)
        said = self.log.read_text(errors="replace")[-3000:]
        raise RuntimeError(f"alliance {' '.join(arguments)} ended with {process.exitcode}: {said}")

    def _process(self, *arguments: str, migrations: Path | None = None) -> BaseProcess:
        command = [*arguments, "--config", str(self.folder / "alliance.toml")]
        kept = (self.folder / "clock", self.log, self.sabotage, migrations or self.migrations)
        return _PROCESSES.Process(target=_perform, args=(command, *kept))

    def speaker(self, port: int) -> int | None:
        """The number of the process that has a connection from this port; None where none has it (any more)."""
        for number, process in enumerate(tuple(self.processes)):
            with suppress(psutil.Error):
                lines = psutil.Process(process.pid).net_connections("tcp")
                if any(line.laddr and line.laddr.port == port for line in lines):
                    return number
        return None

    def tidy_up(self) -> list[tuple[str, int, str]]:
        """Teachers move to a folder of theirs what nobody has tagged. Returns whose it was: sender, teacher, kind."""
        moved = []
        for number, teacher in enumerate(self.teachers):
            with self.servers.dovecot.client(teacher) as client:
                client.select_folder("INBOX")
                untagged = [word for tag in checker.TAGS for word in ("UNKEYWORD", tag)]
                for uid, told in client.fetch(client.search(untagged), ["BODY.PEEK[HEADER]"]).items():
                    head = message_from_bytes(told[b"BODY[HEADER]"])
                    if head["X-Letter"] in _FAMILYS:
                        if not client.folder_exists(_TIDY):
                            client.create_folder(_TIDY)
                        client.move([uid], _TIDY)
                        moved.append((str(head["From"]), number, str(head["X-Letter"])))
        return moved

    def kill(self, number: int) -> None:
        """SIGKILL to a process, where it lives."""
        self._signal(number, signal.SIGKILL)

    def end(self, number: int) -> None:
        """SIGTERM to a process, where it lives."""
        self._signal(number, signal.SIGTERM)

    def _signal(self, number: int, which: signal.Signals) -> None:
        with self._starting:
            if not self.processes:
                return
            process = self.processes[number % len(self.processes)]
            if process.pid is not None and process.is_alive():
                with suppress(ProcessLookupError):
                    os.kill(process.pid, which)

    def supervise(self) -> None:
        """Starts again whatever has ended, as systemd would."""
        for number, process in enumerate(tuple(self.processes)):
            if not process.is_alive():
                process.join()
                self.start(number)

    def stop(self) -> list[int | None]:
        """SIGTERM to all; how each ended, None where it had to be killed."""
        for number in range(len(self.processes)):
            self.end(number)
        codes = []
        for process in self.processes:
            process.join(_ENDS_WITHIN)
            codes.append(process.exitcode)
            if process.exitcode is None:
                process.kill()
                process.join()
        self.processes.clear()
        return codes

    def back_up(self) -> None:
        """Last night's backup, taken under the running service."""
        if self.base is None:
            (self.folder / "backup.db").unlink(missing_ok=True)
            source, target = sqlite3.connect(self.folder / "alliance.db"), sqlite3.connect(self.folder / "backup.db")
            with source, target:
                source.backup(target)
            source.close()
            target.close()
            return
        self._tool("pg_dump", "-f", "backup.sql")

    def restore(self) -> None:
        """The database is as it was last night. The processes are asked to end first, and started after."""
        for number in range(len(self.processes)):
            self.end(number)
        for number, process in enumerate(self.processes):
            process.join(_IN_HAND)
            self.kill(number)
            process.join()
        with self._administered:
            self._put_back()

    def _put_back(self) -> None:
        if self.base is None:
            for leftover in self.folder.glob("alliance.db*"):
                leftover.unlink()
            shutil.copy(self.folder / "backup.db", self.folder / "alliance.db")
            return
        name = self.database_name
        self.servers.administrate(
            f"DROP DATABASE {name} WITH (FORCE)",
            f"CREATE DATABASE {name}",
            f"ALTER DATABASE {name} SET search_path = public, pg_catalog",
        )
        self._tool("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", "backup.sql")
        self.set_clock()

    def jump(self, by: timedelta) -> None:
        """Sets the clock forward, or back: of the processes' machine, and of the database's."""
        self.clock.jump(by)
        self.set_clock()

    def set_clock(self) -> None:
        """Tells the database what time it is, where it can be told."""
        if self.base is not None:
            seconds = self.clock.ahead.total_seconds()
            with suppress(SQLAlchemyError):
                self.servers.administrate(
                    f"UPDATE the_clock SET ahead = make_interval(secs => {seconds})",
                    database=self.database_name,
                )

    @property
    def database_name(self) -> str:
        """Of a database in PostgreSQL."""
        return str(make_url(self.database).database)

    def _tool(self, name: str, *options: str) -> None:
        folder = Path(self.servers.postgres().socket).parent
        command = [program(name), "-h", str(folder), "-U", "alliance", *options, self.database_name]
        subprocess.run(command, check=True, cwd=self.folder, capture_output=True)


@contextmanager
def school(plan: Plan, folder: Path, servers: Servers, *, sabotage: str = "") -> Iterator[School]:
    """A school with its mailboxes connected, as long as the block; its processes are not started yet."""
    with ExitStack() as stack:
        mail = stack.enter_context(laid("imap", ("127.0.0.1", servers.dovecot.ports[0]), plan.seed))
        post = stack.enter_context(laid("smtp", ("127.0.0.1", servers.smtp.port), plan.seed))
        base, database = None, str(folder / "alliance.db")
        if plan.base is Base.POSTGRESQL:
            base = stack.enter_context(laid("postgresql", servers.postgres().socket, plan.seed))
            name = servers.school()
            database = f"postgresql+psycopg://alliance@127.0.0.1:{base.port}/{name}"
        else:
            shutil.copy(servers.empty, database)
        place = School(plan, folder, servers, Clock(folder / "clock"), mail, post, base, database, sabotage)
        servers.move_in((*place.view.teachers, place.office, *place.view.families))
        configuration = _CONFIGURATION.format(office=place.office, database=database, imap=mail.port, smtp=post.port)
        for number, address in enumerate(place.teachers):
            teacher = {"teacher": f"Ms. {number}", "grade": 5 + number}
            configuration += _MAILBOX.format(address=address, stage=plan.stage, **teacher)
        (folder / "alliance.toml").write_text(configuration)
        stack.callback(place.stop)
        yield place

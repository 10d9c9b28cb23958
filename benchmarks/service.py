"""The service as a school runs it: a configuration on disk, `alliance` as a process of its own, and what it costs."""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, Popen

import psutil

from config.settings import ImapServer, SmtpServer
from tests.servers.dovecot import PASSWORD

ALLIANCE = Path(sys.executable).with_name("alliance")
_LOOK_SECONDS = 0.02
_PASSWORD_VARIABLE = "ALLIANCE_BENCHMARK_PASSWORD"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: seconds by the clock, seconds of processor, bytes of memory at its largest."""

    seconds: float
    processor: float
    memory: int


def configure(
    folder: Path, imap: ImapServer, addresses: Sequence[str], *, stage: str = "observe", smtp: SmtpServer | None = None
) -> Path:
    """Writes the configuration of a school with these mailboxes on one IMAP server and returns its path."""
    sending = f"[smtp]\n{_server(smtp)}authenticate = false" if smtp else ""
    mailboxes = "".join(
        f'[[mailboxes]]\naddress = "{address}"\nteacher = "Ms. Rivera"\nstage = "{stage}"\n'
        f'password_env = "{_PASSWORD_VARIABLE}"\n'
        for address in addresses
    )
    path = folder / "alliance.toml"
    path.write_text(
        f"""
        [school]
        name = "Maple School"
        timezone = "America/Chicago"
        [office]
        address = "office@maple.example"
        phone = "555 0100"
        [imap]
        {_server(imap)}
        {sending}
        {mailboxes}
        """
    )
    return path


def _server(server: ImapServer | SmtpServer) -> str:
    trust = f'ca_file = "{server.ca_file}"' if server.security != "none" else "allow_insecure = true"
    return f'host = "{server.host}"\nport = {server.port}\nsecurity = "{server.security}"\n{trust}\n'


def environment() -> dict[str, str]:
    """The environment that a service with this configuration needs. Bytecode is kept, as where a school installs it."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, _PASSWORD_VARIABLE: PASSWORD}


def timed(command: Sequence[str | Path], log: Path) -> Cost:
    """Runs a command to its end. Raises RuntimeError with its log where it fails."""
    began = time.perf_counter()
    with log.open("wb") as output:
        process = Popen(command, stdin=DEVNULL, stdout=output, stderr=output, env=environment())
        ended, memory = 0, 0
        while not ended:
            # Not ru_maxrss: that one is handed down from the process that starts another.
            memory = max(memory, _resident(process.pid))
            time.sleep(_LOOK_SECONDS)
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} exited with {process.returncode}:\n{log.read_text(errors='replace')[-4000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, memory)


def _resident(pid: int) -> int:
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:  # it has just ended
        return 0


@contextmanager
def running(config: Path, log: Path) -> Iterator[Popen[bytes]]:
    """`alliance run` as long as the block; stopped as an administrator stops it."""
    with log.open("wb") as output:
        process = Popen(
            [ALLIANCE, "run", "--config", config], stdin=DEVNULL, stdout=output, stderr=output, env=environment()
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(60)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a database says: messages on record, those with a verdict, replies and routes that are planned or done."""

    messages: int
    judged: int
    deliveries: int


def recorded(database: Path) -> Recorded:
    """Counts, from outside, while the service may be writing. All 0 before there are tables."""
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM message WHERE model IS NOT NULL),"
                " (SELECT count(*) FROM delivery WHERE kind <> 'tag')"
            ).fetchone()
    except sqlite3.OperationalError:
        return Recorded(0, 0, 0)
    return Recorded(*row)

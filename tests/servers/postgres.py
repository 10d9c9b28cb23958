"""A real PostgreSQL for a test: a cluster of its own in a folder of its own, reached by a socket there alone."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import create_engine, make_url
from sqlalchemy.engine import URL

from store.database import Database
from tests.servers.required import Guard, lacking

_DEBIAN = Path("/usr/lib/postgresql")
_NOT_ROOT = ("postgres", "nobody")
"""PostgreSQL refuses to run as root; who it runs as instead, the first that there is."""
_UNSAFE_BUT_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Postgres:
    """A server. Every `database()` is a new one. `start` and `stop` are for tests that need it to fail."""

    def __init__(self, folder: Path, command: Sequence[str | Path], user: str | None) -> None:
        """`folder` holds the socket; `command` runs the server as `user`, as this user where that is None."""
        self._folder = folder
        self._command = list(command)
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._numbers = count(1)
        self._with_tables: str | None = None

    @property
    def socket(self) -> str:
        """The path of the Unix socket that it listens at."""
        return str(self._folder / ".s.PGSQL.5432")

    def start(self) -> None:
        """Starts it and returns when it takes connections, what a crash left behind being mended by then."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=subprocess.DEVNULL,
                stderr=log,
                user=self._user,
                group=_group(self._user),
                cwd=self._folder,
                start_new_session=True,
            )
        self._guard = Guard(self._process.pid, self._folder)
        _wait(self._process, self._folder)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it: in good order, sessions being ended (SIGINT), or as a crash would (SIGQUIT)."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None

    def url(self, name: str) -> URL:
        """Where the database of this name is."""
        return URL.create("postgresql+psycopg", username="alliance", database=name, query={"host": str(self._folder)})

    def school(self) -> Database:
        """A new database with the tables of this version, and nothing in them."""
        if self._with_tables is None:
            self._with_tables = self.database()
            Database.open(self._with_tables).close()
        return Database.at(self.database(like=self._with_tables))

    def database(self, *, like: str | None = None) -> str:
        """The URL of a new database: empty, or with all that the one at the URL `like` holds, which nobody may be
        connected to meanwhile."""
        name = f"school{next(self._numbers)}"
        template = f" TEMPLATE {make_url(like).database}" if like is not None else ""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}{template}")
        engine.dispose()
        return self.url(name).render_as_string()


@contextmanager
def postgres(*, settings: Sequence[str] = _UNSAFE_BUT_FAST) -> Iterator[Postgres]:
    """Runs a server while the block runs. `settings` are lines of postgresql.conf: those of a test lose data in a power
    cut, which no test survives either."""
    initdb, server = program("initdb"), program("postgres")
    user = next(name for name in _NOT_ROOT if _is_known(name)) if os.geteuid() == 0 else None
    # A socket's path may have 107 bytes at most (unix(7)): a test's own folder is too deep.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        cluster = folder / "cluster"
        command = [
            initdb,
            "-D",
            cluster,
            "-U",
            "alliance",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        subprocess.run(command, check=True, capture_output=True, user=user, group=_group(user), cwd=folder)
        options = [part for line in settings for part in ("-c", line)]
        place = ["-D", cluster, "-k", folder, "-c", "listen_addresses=", "-c", "max_connections=200"]
        running = Postgres(folder, [server, *place, *options], user)
        try:
            running.start()
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Until it takes connections, as pg_isready says. Raises RuntimeError where it ended instead."""
    isready = program("pg_isready")
    while subprocess.run([isready, "-q", "-t", "10", "-h", folder], check=False).returncode != 0:
        if process.poll() is not None:
            raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text(errors='replace')[-2000:]}")


def program(name: str) -> str:
    """Where a program of PostgreSQL is. Debian keeps the server's out of the way, by version: the newest one's."""
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda path: float(path.parent.name)) if _DEBIAN.is_dir() else []
    found = shutil.which(name, path=str(versions[-1])) if versions else shutil.which(name)
    if found is None:
        lacking(f"{name} is not installed; on Debian: apt-get install postgresql")
    return found


def _is_known(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _group(user: str | None) -> int | None:
    return pwd.getpwnam(user).pw_gid if user is not None else None

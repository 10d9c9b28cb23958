"""An administrator's folder: a configuration with comments, files with secrets, and everything that was printed."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from typer.testing import CliRunner, Result

from service.cli import app

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0
"""Seconds after which a command that says nothing is taken to hang."""
SCHOOL = """\
# Maple Street School. Ask the office before changing the hours.
[school]
name = "Maple Street School"
timezone = "America/Chicago"

[office]
address = "office@maple.example"
phone = "555 0100"   # the front desk

"""


@dataclass
class Home:
    """One folder, and the `alliance` command in it."""

    folder: Path
    said: list[str] = field(default_factory=list)
    """Everything that the command has printed."""
    environ: dict[str, str] = field(default_factory=dict)
    given: dict[Path, str] = field(default_factory=dict)
    """Files that hold a secret in clear because the administrator put them there."""

    @property
    def config(self) -> Path:
        return self.folder / "alliance.toml"

    def configure(self, rest: str) -> None:
        """Writes the configuration: the school, and this."""
        self.config.write_text(SCHOOL + rest)

    def secret(self, name: str, text: str) -> str:
        """A file with a secret; its path."""
        path = self.folder / name
        path.write_text(text)
        self.given[path] = text
        return str(path)

    def call(self, *arguments: str, typed: str | None = None, environ: Mapping[str, str] | None = None) -> Result:
        """Runs `alliance` on a terminal of 80 columns."""
        env = {"COLUMNS": "80", "TERM": "dumb", **self.environ, **(environ or {})}
        run = CliRunner().invoke(app, [*arguments, "--config", str(self.config)], input=typed, env=env)
        self.said.append(run.output)
        assert run.exception is None or isinstance(run.exception, SystemExit), run.exception
        return run

    @contextmanager
    def terminal(self, *arguments: str) -> Iterator["Terminal"]:
        """The same on a real terminal, with a person before it."""
        command = [
            sys.executable,
            "-c",
            "from service.cli import main; main()",
            *arguments,
            "--config",
            str(self.config),
        ]
        here, there = pty.openpty()
        fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", **self.environ}
        process = subprocess.Popen(command, stdin=there, stdout=there, stderr=there, env=env, start_new_session=True)
        os.close(there)
        screen = Terminal(here, process)
        try:
            yield screen
        finally:
            process.kill()
            process.wait()
            os.close(here)
            self.said.append(screen.shown)

    def leaks(self, *secrets: str) -> list[str]:
        """Where any of these stands in clear: in what was printed, or in a file that nobody but we wrote."""
        found = [f"printed: {secret[:4]}…" for secret in secrets for said in self.said if secret in said]
        for path in (path for path in self.folder.rglob("*") if path.is_file() and path not in self.given):
            content = path.read_bytes()
            found += [str(path) for secret in secrets if secret.encode() in content]
        return found

    def files(self) -> dict[str, bytes]:
        """Every file, by its path."""
        return {
            os.path.relpath(path, self.folder): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }


@dataclass
class Terminal:
    """What a terminal shows of a running command, and its keyboard."""

    handle: int
    process: subprocess.Popen[bytes]
    shown: str = ""

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Reads until this is shown."""
        while (found := re.search(pattern, self.shown, flags=re.MULTILINE)) is None:
            assert self._read(), f"{pattern} was never shown:\n{self.shown}"
        return found

    def type(self, line: str) -> None:
        """A person types a line."""
        os.write(self.handle, f"{line}\n".encode())

    def end(self) -> int:
        """Reads to the end. The exit status."""
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def _read(self) -> bool:
        ready, _, _ = select.select([self.handle], [], [], PATIENCE)
        assert ready, f"nothing happens any more:\n{self.shown}"
        try:
            read = os.read(self.handle, 65536)
        except OSError:  # Linux, when the other end is closed
            return False
        self.shown += read.decode().replace("\r\n", "\n")
        return bool(read)


def words(run: Result) -> str:
    """What was printed, on one line."""
    return " ".join(run.output.split())


def marks(run: Result) -> dict[str, str]:
    """The mark of each permission of the one mailbox that was tried."""
    lines = [line.split(maxsplit=1) for line in run.output.splitlines() if line[:4].strip() in {"✓", "✗", "–"}]
    return {rest[:17].strip(): mark for mark, rest in lines}

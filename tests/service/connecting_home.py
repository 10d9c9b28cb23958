"""An administrator's folder: a configuration with comments, files with secrets, and everything that was printed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from typer.testing import CliRunner, Result

from service.cli import app

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


def words(run: Result) -> str:
    """What was printed, on one line."""
    return " ".join(run.output.split())


def marks(run: Result) -> dict[str, str]:
    """The mark of each permission of the one mailbox that was tried."""
    lines = [line.split(maxsplit=1) for line in run.output.splitlines() if line[:4].strip() in {"✓", "✗", "–"}]
    return {rest[:17].strip(): mark for mark, rest in lines}

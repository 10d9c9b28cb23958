"""A reader as a process of its own, so that its processor time is its own and not the server's."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

from benchmarks.readers.serve import Work

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Program:
    """What reads: a module of `benchmarks.readers`, the Python that runs it, and its options."""

    python: Path
    module: str
    options: Mapping[str, Any]


class Running:
    """A program that waits for orders. Every order raises RuntimeError, with what the program said, where it failed."""

    def __init__(self, process: Popen[str], log: Path) -> None:
        self._process = process
        self._log = log

    def backlog(self, *, digest: bool = False) -> Work:
        """Opens the mailbox, as if for the first time, and reads all that is in it."""
        return self._ask("digest" if digest else "backlog")

    def poll(self, times: int = 1, *, pause: float = 0) -> Work:
        """Asks `times` times for what is new, after `pause` seconds each."""
        return self._ask(f"poll {times} {pause}")

    def _ask(self, order: str) -> Work:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._process.wait(60)
            raise RuntimeError(f"the reader ended over {order!r}:\n{self._log.read_text(errors='replace')[-4000:]}")
        return Work(**json.loads(answer))


@contextmanager
def running(program: Program) -> Iterator[Running]:
    """The program as long as the block. It ends when its standard input does, so also if this process is killed."""
    command = [program.python, "-m", f"benchmarks.readers.{program.module}"]
    with (
        tempfile.NamedTemporaryFile(prefix="reader-") as log,
        Popen(command, cwd=_ROOT, stdin=PIPE, stdout=PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(json.dumps(program.options) + "\n")
        process.stdin.flush()
        try:
            yield Running(process, Path(log.name))
        finally:
            if not process.stdin.closed and process.poll() is None:
                process.stdin.close()
            process.wait(60)

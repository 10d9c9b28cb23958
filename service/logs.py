"""Structured logs. What is logged names mailboxes and numbers; never a family's address, never words of a message."""

import logging
import sys
import traceback
from contextlib import suppress
from typing import TextIO

import structlog


class _Lines:
    """Writes log lines, to standard error as it is at the time where no file is given. A closed terminal or a full disk
    under the log must not stop the mail: what cannot be written is dropped."""

    def __init__(self, file: TextIO | None = None) -> None:
        """`file` is open for writing."""
        self._file = file

    def msg(self, message: str) -> None:
        """Writes one line."""
        with suppress(OSError, ValueError):
            print(message, file=self._file or sys.stderr, flush=True)

    debug = info = warning = error = critical = log = msg


def configure(*, verbose: bool = False, file: TextIO | None = None) -> None:
    """Sends logs to `file`, or to standard error: coloured lines on a terminal, JSON lines otherwise."""
    on_terminal = file is None and sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=lambda *_: _Lines(file),
        cache_logger_on_first_use=False,
    )


def place(error: BaseException) -> str:
    """Which error, and where in our code: not its text, which may quote the message that caused it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"

"""Structured logs. What is logged names mailboxes and numbers; never a family's address, never words of a message."""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO

import structlog

_ADDRESS = re.compile(r"[^\s<>\"',;:()]+@[^\s<>\"',;:()]+")


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
            _without_addresses,
            structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=lambda *_: _Lines(file),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    others = [handler for handler in root.handlers if not isinstance(handler, _FromLibraries)]
    root.handlers = [*others, _FromLibraries()]


def _without_addresses(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Takes e-mail addresses out of everything but the name of the mailbox: mail servers put families' into errors."""
    for key, value in event.items():
        if key != "mailbox" and isinstance(value, str) and "@" in value:
            event[key] = _ADDRESS.sub("(address)", value)
    return event


class _FromLibraries(logging.Handler):
    """What connectors and libraries log in Python's own way takes the same road."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line; without the error's traceback, which may quote a message."""
        with suppress(Exception):
            structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name)


def place(error: BaseException) -> str:
    """Which error, and where in our code: not its text, which may quote the message that caused it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"

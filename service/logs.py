"""Structured logs. What is logged names mailboxes and numbers; never a family's address, never words of a message.

That is so by construction (`service.log_fields`): a line holds sentences that stand in the code, and fields that
somebody has vouched for. What a library logs is told without its values, and no traceback is ever printed with the
text of its error, wherever it was raised.
"""

import asyncio
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import MutableMapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog

from config.said import OURS, Said, place, said
from service.log_fields import WITHHELD, is_written_out, shown

__all__ = ["configure", "place", "said"]

_FRAMES = 12
"""So many places of a traceback are told, the last ones."""


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


def configure(
    *, verbose: bool = False, file: TextIO | None = None, style: Literal["auto", "text", "json"] = "auto"
) -> None:
    """Sends logs to `file`, or to standard error: as text, coloured on a terminal, or as JSON lines (`style`; `auto` is
    text on a terminal and JSON elsewhere). From then on, errors that nobody caught, warnings and what libraries log
    take the same road."""
    on_terminal = file is None and sys.stderr.isatty()
    as_text = on_terminal if style == "auto" else style == "text"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_what_is_vouched_for,
            structlog.dev.ConsoleRenderer(colors=on_terminal, exception_formatter=structlog.dev.plain_traceback)
            if as_text
            else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=lambda *_: _Lines(file),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    others = [handler for handler in root.handlers if not isinstance(handler, _FromLibraries)]
    root.handlers = [*others, _FromLibraries()]
    logging.raiseExceptions = False  # a record that cannot be formatted would be printed whole
    warnings.showwarning = _show_warning
    threading.excepthook = _thread_ended
    sys.unraisablehook = _nobody_to_tell
    sys.excepthook = last_words


def last_words(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What is printed of an error that ends the program: its kind and where it was raised, without its text and without
    any value (`sys.excepthook`). Whoever needs the text finds the line of code."""
    del kind
    if isinstance(error, KeyboardInterrupt):
        return
    with suppress(OSError, ValueError):
        print(f"{said(error)}", file=sys.stderr)
        for frame in traceback.extract_tb(trace)[-_FRAMES:]:
            print(f"  {frame.filename}:{frame.lineno} in {frame.name}", file=sys.stderr)
        print(
            "This is a fault of the program. The error's own text is left out: it may quote a letter.", file=sys.stderr
        )


def watch(loop: asyncio.AbstractEventLoop) -> None:
    """Has a loop tell of errors that nobody awaited in the same way, without their text."""

    def tell(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        structlog.get_logger().error("a task ended", error=place(error) if isinstance(error, Exception) else None)

    loop.set_exception_handler(tell)


def _only_what_is_vouched_for(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Withholds whatever nobody has vouched for (`service.log_fields`)."""
    sentence = event.pop("event", "")
    error = event.pop("exc_info", None)
    if error:
        found = error if isinstance(error, BaseException) else sys.exc_info()[1]
        event.setdefault("error", None if found is None else place(found))
    event.pop("stack_info", None)
    written_out = is_written_out(sentence)
    fields = {key if key.isidentifier() else "field": shown(key, value) for key, value in event.items()}
    return {"event": str(sentence) if written_out else WITHHELD, **fields}


class _FromLibraries(logging.Handler):
    """What connectors and libraries log in Python's own way takes the same road: the sentence as it stands in the code,
    with numbers and this program's own words in its places."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line; without the error's traceback, which may quote a message."""
        with suppress(Exception):
            sentence = record.msg if is_written_out(record.msg) else WITHHELD
            error = record.exc_info[1] if record.exc_info else None
            where = Said(f"{record.module}:{record.lineno}")
            told = Said(_filled(sentence, record.args))
            structlog.get_logger().log(
                record.levelno, told, logger=record.name, place=where, **({"error": place(error)} if error else {})
            )


def _filled(sentence: str, args: Any) -> str:
    """A sentence of `logging` with its places filled."""
    if not args:
        return sentence
    if isinstance(args, dict):
        return sentence % {key: _argument(value) for key, value in args.items()}
    return sentence.replace("%d", "%s").replace("%r", "%s").replace("%a", "%s") % tuple(map(_argument, args))


def _argument(value: object) -> object:
    if isinstance(value, Said) or value is None or isinstance(value, bool | int | float):
        return value
    return (
        said(value)
        if isinstance(value, Exception) and type(value).__module__.partition(".")[0] in OURS
        else (place(value) if isinstance(value, BaseException) else WITHHELD)
    )


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """A warning's kind and place; its text may quote what it warns of."""
    del message, file, line
    where = Said(f"{filename.rpartition('/')[2]}:{lineno}")
    structlog.get_logger().warning("a library warns", error=Said(category.__name__), place=where)


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        structlog.get_logger().error("a thread ended", error=place(args.exc_value))


def _nobody_to_tell(args: "sys.UnraisableHookArgs") -> None:
    if args.exc_value is not None:
        structlog.get_logger().error("an error came where nobody could be told", error=place(args.exc_value))

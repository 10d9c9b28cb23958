"""Structured logs. What is logged names mailboxes and numbers; never a family's address, never words of a message."""

import logging
import sys
import traceback

import structlog


def configure(*, verbose: bool = False) -> None:
    """Sends logs to standard error: coloured lines on a terminal, JSON lines otherwise."""
    on_terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def place(error: BaseException) -> str:
    """Which error, and where in our code: not its text, which may quote the message that caused it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"

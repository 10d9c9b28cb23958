"""What may stand in a line of the log: the fields that there are, and what each may hold. Everything else is withheld.

The list lets through, it does not filter out: a field that nobody has vouched for, a text in a field of numbers, a
sentence that was put together at run time leave "(withheld)" behind. So a careless `log.info("…", body=text)` tells
nothing, and whoever misses a field adds it here, where it is looked at.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from enum import Enum, StrEnum
from inspect import currentframe
from pathlib import PurePath
from types import CodeType, MappingProxyType
from typing import Any

from config.said import Said, place, without_addresses

WITHHELD = "(withheld)"
_LONGEST = 500
_ADDRESS = re.compile(r"[\w.!#$%&'*/=?^`{|}~-]{1,64}@[\w.-]{1,255}")
_IDENTIFIER = re.compile(r"[!-~]{1,250}")
"""What mail servers call a message: no white space."""
_WORD = re.compile(r"[\w.-]{1,64}")
_NAME = re.compile(r"[\w .&'()/-]{1,80}")
_URL = re.compile(r"https?://[\w.:\[\]-]{1,255}/?")
_PATH = re.compile(r"/[\w{}./:-]{0,200}|\(no page\)")
_COMMAND = re.compile(r"alliance [\w -]{1,60}( [\w.!#$%&'*/=?^`{|}~-]{1,64}@[\w.-]{1,255})?")

Allowed = Callable[[object], bool]


def _like(pattern: re.Pattern[str]) -> Allowed:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_said(value: object) -> bool:
    return isinstance(value, Said)


FIELDS: Mapping[str, Allowed] = MappingProxyType(
    {
        "mailbox": _like(_ADDRESS),
        "message": _like(_IDENTIFIER),
        "error": _is_said,
        "reason": _is_said,
        "why": _is_said,
        "fault": _is_said,
        "administrator": _is_said,
        "file": lambda value: isinstance(value, PurePath),
        "model": _like(_WORD),
        "worker": _like(_WORD),
        "queue": _like(_WORD),
        "system": _like(_WORD),
        "signal": _like(_WORD),
        "code": _like(_WORD),
        "cause": _like(_NAME),
        "desk": _like(_NAME),
        "provider": _like(_NAME),
        "listen": _like(_URL),
        "url": _like(_URL),
        "path": _like(_PATH),
        "resume": _like(_COMMAND),
        "logger": _like(_WORD),
        "place": _is_said,
        "level": _like(_WORD),
        "timestamp": _like(re.compile(r"[\dT:.+Z-]{10,40}")),
    }
)
"""The fields that may hold text, and which. The staff's mailboxes are named; what is said of an error is said in words
of this program (`config.said`)."""


def shown(name: str, value: object) -> object:
    """What stands in the log for a field: the value where it may, else "(withheld)". Numbers, times and words of an
    enumeration may stand under any name."""
    if value is None or isinstance(value, bool | int | float):
        return value
    for kind, as_text in _BY_KIND.items():
        if isinstance(value, kind):
            return as_text(value)
    allowed = FIELDS.get(name)
    if allowed is None or not allowed(value):
        return WITHHELD
    text = value.name if isinstance(value, PurePath) else str(value)
    return (text if name in {"mailbox", "resume"} else without_addresses(text))[:_LONGEST]


_BY_KIND: Mapping[Any, Callable[[Any], object]] = MappingProxyType(
    {
        date: lambda value: value.isoformat(),
        timedelta: lambda value: value.total_seconds(),
        BaseException: place,
        Enum: lambda value: value.value if isinstance(value.value, str | int) else WITHHELD,
    }
)


def is_written_out(event: object) -> bool:
    """Whether a sentence stands as it is in the code of a function that is just being carried out: one that was put
    together from values does not. A `Said` was
    looked at already, the words of an enumeration stand in the code."""
    if isinstance(event, Said | StrEnum):
        return True
    if not isinstance(event, str):
        return False
    frame = currentframe()
    while frame is not None:
        if _stands_in(frame.f_code, event):
            return True
        frame = frame.f_back
    return False


def _stands_in(code: CodeType, text: str) -> bool:
    # By identity: a sentence that was made at run time is another object than the one in the code, even if it is equal.
    return any(each is text for each in code.co_consts)

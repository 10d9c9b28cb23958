"""Words that may stand in a log or in a table: this program's own, and nobody else's.

What an error of a library says may quote the message that it failed on, so of such an error only its kind and its place
are told. The log (`service.logs`) lets text through in this type only: whoever writes `reason=str(error)` out of habit
finds "(withheld)" there, and no letter.
"""

import re
import traceback
from collections.abc import Collection

OURS = frozenset({"autoresponder", "classifier", "config", "connectors", "scorecard", "service", "store"})
"""The packages whose sentences are this program's own."""
_ADDRESS = re.compile(r"[^\s<>\"',;:()]{1,320}@[^\s<>\"',;:()]{1,255}")


_SQLITE = frozenset(
    {
        "attempt to write a readonly database",
        "database disk image is malformed",
        "database is locked",
        "database or disk is full",
        "disk I/O error",
        "unable to open database file",
    }
)


_LACKING = re.compile(r"no such (?:table|column): [\w.]{1,100}")


class Said(str):
    """Text that this program made of its own words. Made by `said` and `place` alone; a test holds that."""

    __slots__ = ()


def said(error: BaseException, naming: Collection[str] = ()) -> Said:
    """What an error may be told by: its own sentence, without addresses other than those in `naming`, where this
    program worded it; what the operating system says (`OSError.strerror`); of anything else, its kind and place."""
    if type(error).__module__.partition(".")[0] in OURS:
        return Said(without_addresses(str(error), naming))
    if type(error).__module__.startswith("sqlalchemy."):
        return _of_database(getattr(error, "orig", None) or error)
    if isinstance(error, OSError) and error.strerror and error.errno is not None:
        return Said(f"{type(error).__name__}: {error.strerror}")
    return Said(f"unexpected: {place(error)}")


def place(error: BaseException) -> Said:
    """Which error, and where in the code: not its text, which may quote the message that caused it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].name}:{frames[-1].lineno}" if frames else ""
    return Said(f"{type(error).__name__}{where}")


def _of_database(error: BaseException) -> Said:
    """PostgreSQL quotes the row that it refuses: of its errors the code is told (SQLSTATE), of SQLite's the sentences
    that never hold a value."""
    code, text = getattr(error, "sqlstate", None), str(error)
    if code:
        return Said(f"the database refused: {type(error).__name__} {code}")
    harmless = text in _SQLITE or _LACKING.fullmatch(text)
    return Said(f"the database refused: {text if harmless else type(error).__name__}")


def without_addresses(text: str, naming: Collection[str] = ()) -> str:
    """The text with each e-mail address replaced: mail servers put families' into their refusals. Those in `naming`,
    the school's own, stay."""
    if "@" not in text:
        return text
    ours = {address.lower() for address in naming}
    return _ADDRESS.sub(lambda found: found[0] if found[0].rstrip(".").lower() in ours else "(address)", text)

"""What is wrong with a configuration: every fault at once, each with its place and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

KeyPath = tuple[str | int, ...]
"""A key's way from the top of the file: names of tables and keys, and places in lists, counted from 0."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `origin` is the file or the environment variable it stands in; `line` counts from 1, None where lines
    mean nothing. `expected` completes the sentence "expected …"; `found` is None where nothing is there, or where it
    must not be shown."""

    origin: str
    key: str
    expected: str
    line: int | None = None
    found: str | None = None
    advice: str = ""

    def __str__(self) -> str:
        """`alliance.toml:12: school.opens: expected a time of day such as "08:00", found 800`."""
        place = self.origin if self.line is None else f"{self.origin}:{self.line}"
        sentence = f"{place}: {self.key}: " if self.key else f"{place}: "
        sentence += f"expected {self.expected}"
        if self.found is not None:
            sentence += f", found {self.found}"
        return f"{sentence}; {self.advice}" if self.advice else sentence


class ConfigError(Exception):
    """The configuration cannot be used. `faults` holds everything that is wrong with it, in the order of the file."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Takes at least one fault."""
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


def file_fault(path: Path, expected: str, *, line: int | None = None, key: str = "", advice: str = "") -> ConfigError:
    """The error for one fault in a file."""
    return ConfigError([Fault(str(path), key, expected, line=line, advice=advice)])


def dotted(path: KeyPath) -> str:
    """A key path as people write it; the second mailbox's server is `mailboxes[2].imap.host`."""
    words = ""
    for part in path:
        words += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if words else part
    return words

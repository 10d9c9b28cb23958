"""What the doctor says: one finding per thing looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """The service runs, but not as somebody may expect."""
    FAIL = "fail"
    """The service, or one mailbox of it, cannot run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `fix` says what to do, empty where all is well. Neither ever holds a secret."""

    about: str
    level: Level
    seen: str
    fix: str = ""

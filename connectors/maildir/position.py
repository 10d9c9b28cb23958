"""The cursor of a Maildir: what the folders looked like when they were last read, and how far the old mail is read."""

from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

UNSETTLED = -2
"""Stands for a folder whose modification time cannot be relied on, so that it is listed again."""
_SETTLED_AFTER_NS = 2_000_000_000
"""A folder may change again without its modification time changing, within the clock tick of its file system: two
seconds on the coarsest (FAT), some milliseconds on ext4."""


class Arrival(NamedTuple):
    """When a message came, so that messages can be put in order: the file's modification time in nanoseconds, then what
    the file name says (seconds, microseconds), then the id."""

    modified_ns: int
    seconds: int
    microseconds: int
    id: str


class Position(BaseModel):
    """What a cursor says, as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    v: Literal[1]
    root: int
    """Inode of the Maildir: another one is another Maildir (restored, moved), whose names may be new."""
    stamps: tuple[int, ...]
    """Modification times of what is read, `UNSETTLED` where it must be read again."""
    boundary: tuple[int, int, int, str] | None
    """The `Arrival` up to which mail is old: there when the mailbox was connected. None where that is not known; then
    nothing passes for old, since old mail is never acted on."""
    old_done: int = 0
    """Old messages read so far."""
    old_left: bool = False
    """Whether old mail was left to read."""
    pending: bool = False
    """Whether anything was left to tell."""
    resync: bool = False
    """Whether what is told may be known under other ids."""
    page: str = ""
    """Tells pages apart that leave everything else the same."""

    @classmethod
    def read(cls, cursor: str) -> "Position | None":
        """The position that a cursor stands for; None for what is no cursor of this connector and version."""
        try:
            return cls.model_validate_json(cursor)
        except (ValidationError, ValueError):
            return None

    def cursor(self) -> str:
        """The cursor that stands for this position."""
        return self.model_dump_json()


def settled(stamps: tuple[int, ...], now_ns: int) -> tuple[int, ...]:
    """`stamps` with those that are too young to be relied on replaced by `UNSETTLED`. A folder that does not exist
    (-1) is not young."""
    return tuple(stamp if stamp == -1 or now_ns - stamp > _SETTLED_AFTER_NS else UNSETTLED for stamp in stamps)

"""Where reading of an Exchange mailbox stands: a JSON text that the store keeps without looking inside.

Per folder it holds the sync state (MS-OXWSSYNC §2.2.4: opaque, some kilobytes in a large folder) and how far the old
mail has been read.
"""

from datetime import date, timedelta
from hashlib import sha256
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

_SECOND = timedelta(seconds=1)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Backlog(_Frozen):
    """Old mail that is still to be read, newest first.

    Exchange gives an item's time in whole seconds and keeps it more exactly; so reading goes on at the second of the
    item that was read last, behind as many items as were read of that second.
    """

    before: AwareDatetime | None = None
    """Items received from here on have been read; None at the beginning."""
    skip: int = Field(default=0, ge=0)
    """The newest items before that which have been read too."""
    last: str = ""
    """A digest of the id of the last item read, to see whether it still stands where it stood."""
    since: AwareDatetime | None = None
    """Only mail received from here on."""
    missed: bool = False
    """The server forgot where reading stood: mail may be among it that came since the mailbox was connected."""
    done: int = Field(default=0, ge=0)
    total: int = Field(default=0, ge=0)


class FolderCursor(_Frozen):
    """Where one folder stands."""

    state: str | None = None
    """Changes up to this sync state have been told. None where reading has not begun."""
    told: int = Field(default=0, ge=0)
    """So many of the messages that came since were told already: more came than a page holds."""
    listed: bool = False
    """Whether the sync state stands for the whole folder: EWS gives none for "from now on", so the folder is listed
    once, ids only, without reading anything."""
    compare: bool = False
    """While it is listed: whether the labels of known messages are to be compared with the store's."""
    backlog: Backlog | None = None


class Cursor(_Frozen):
    """Where the mailbox stands."""

    version: Literal[1] = 1
    connected: AwareDatetime
    """When the mailbox was connected, by the server's clock: mail from before is recorded and never acted on."""
    read: date
    """The day (UTC) of the last reading."""
    inbox: FolderCursor = FolderCursor()
    sent: FolderCursor = FolderCursor()

    def text(self) -> str:
        """As the store keeps it."""
        return self.model_dump_json(exclude_defaults=True)


def parse_cursor(text: str | None) -> Cursor | None:
    """The cursor in `text`, None where there is none or it is of no use."""
    if not text:
        return None
    try:
        return Cursor.model_validate_json(text)
    except (ValidationError, ValueError):
        return None


def digest(item_id: str) -> str:
    """A short stand-in for an id."""
    return sha256(item_id.encode()).hexdigest()[:16]


def second_after(moment: AwareDatetime) -> AwareDatetime:
    """The beginning of the second after the one that `moment` is in."""
    return moment.replace(microsecond=0) + _SECOND

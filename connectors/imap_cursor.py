"""Where reading of an IMAP mailbox stands: a small JSON text that the store keeps without looking inside.

It holds per folder what RFC 4549 §3 asks a disconnected client to remember: UIDVALIDITY, UIDNEXT, the modification
sequence (RFC 7162), and how far the old mail has been read.
"""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

_Uid = Field(ge=0, lt=2**32)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Backlog(_Frozen):
    """Old mail that is still to be read, newest first."""

    below: int = _Uid
    """Everything from this UID on has been read."""
    position: int = _Uid
    """The next message to read has this sequence number or a lower one: deletions only ever lower it."""
    done: int = 0
    total: int = 0
    since: date | None = None
    """Only mail that was received on this day or later."""
    renumbered: bool = False
    """The server gave the folder new numbers: mail may be among it that nobody has read."""


class FolderCursor(_Frozen):
    """Where one folder stands."""

    name: str
    uidvalidity: int = _Uid
    uidnext: int = _Uid
    """Everything below has been read, or belongs to the backlog."""
    backlog: Backlog | None = None
    modseq: int | None = None
    """Changes of flags up to here have been told."""
    exists: int = 0
    """How many messages there were."""
    horizon: int = 0
    """UIDNEXT when there were so many."""
    marks: str = ""
    """A digest of the newest messages' labels, where the server keeps no history of them."""


class Cursor(_Frozen):
    """Where the mailbox stands."""

    version: Literal[1] = 1
    connected: AwareDatetime
    """When the mailbox was connected, by this machine's clock: older mail is recorded and never acted on."""
    read: date
    """The day (UTC) of the last reading."""
    inbox: FolderCursor
    sent: FolderCursor

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


def anew(
    name: str, uidvalidity: int, uidnext: int, exists: int, *, since: date | None = None, renumbered: bool = False
) -> FolderCursor:
    """A folder that is read for the first time, or from the start: what arrives from now on, then the old mail, all of
    it or that since a day."""
    backlog = Backlog(below=uidnext, position=exists, total=0 if since else exists, since=since, renumbered=renumbered)
    return FolderCursor(
        name=name,
        uidvalidity=uidvalidity,
        uidnext=uidnext,
        backlog=backlog if exists else None,
        exists=exists,
        horizon=uidnext,
    )

"""Where reading of a Gmail mailbox stands: a small JSON text that the store keeps without looking inside.

Live mail is followed by history ids (developers.google.com/workspace/gmail/api/guides/sync). Old mail is read backwards
in time, and the place reached is a second, not a page token: tokens expire and say nothing when mail is deleted.
"""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from connectors.labels import Label

_HistoryId = Field(pattern=r"^\d{1,40}$")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Backlog(_Frozen):
    """Old mail that is still to be read, newest first."""

    sent: bool
    """Mail that the teacher sent; otherwise mail that came in."""
    since: int | None = None
    """Only what was received at this second (since 1970) or later."""
    second: int | None = None
    """All that is newer than this second has been read."""
    read: tuple[str, ...] = ()
    """What has been read of this second and the one above it: Google does not say to which of them a bound belongs."""
    done: int = 0
    total: int = 0
    resync: bool = False
    """The server forgot the history: mail may be among it that nobody has read, and labels that changed unseen."""


class Cursor(_Frozen):
    """Where the mailbox stands."""

    version: Literal[1] = 1
    connected: AwareDatetime
    """When the mailbox was connected, by this machine's clock: older mail is recorded and never acted on."""
    history: str = _HistoryId
    """The last record of history that has been told."""
    within: int = 0
    """How many messages of the next record have been told: one record may hold more than a page."""
    ahead: str = _HistoryId
    """The mailbox's history id on `day`. Stepped to on a later day, so that an idle mailbox's id does not expire; a day
    later, because records may show up a little after their number."""
    day: date
    """The day (UTC) of `ahead`."""
    labels: dict[Label, str] = Field(default_factory=dict, strict=False)
    """Google's ids of our labels: by them they are found again when the teacher has renamed them."""
    backlogs: tuple[Backlog, ...] = ()
    """What is still to be read, first things first."""

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

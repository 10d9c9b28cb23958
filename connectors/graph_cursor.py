"""Where reading of a Microsoft 365 mailbox stands: a small JSON text that the store keeps without looking inside.

Delta links are the server's own words, of which only the host is left out
(https://learn.microsoft.com/graph/delta-query-overview#state-tokens).
"""

import base64
import binascii
from collections.abc import Iterable
from datetime import timedelta
from hashlib import blake2b
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

CLOCKS_APART = timedelta(minutes=5)
"""How far the clocks of Microsoft's machines may differ."""
_DIGEST = 8
"""Bytes by which one message is told from another: among a hundred thousand, two are alike once in four thousand
million mailboxes."""


def digest(*words: str) -> bytes:
    """Stands for a message, or for one state of it, in a cursor."""
    return blake2b("\0".join(words).encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()


def _packed(digests: frozenset[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(digests))).decode()


def _unpacked(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        raw = base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError("no base64") from error
    return frozenset(raw[start : start + _DIGEST] for start in range(0, len(raw), _DIGEST))


def _whole(value: frozenset[bytes]) -> frozenset[bytes]:
    if any(len(one) != _DIGEST for one in value):
        raise ValueError("half a digest")
    return value


Digests = Annotated[
    frozenset[bytes], BeforeValidator(_unpacked), AfterValidator(_whole), PlainSerializer(_packed, return_type=str)
]
"""A set of `digest`s; in JSON one base64 text."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Stream(_Frozen):
    """One delta query."""

    link: str = Field(min_length=2, max_length=32_768, pattern=r"^/[!-~]+$")
    """Where it goes on: a delta link, or the next page of a round, as a path below the endpoint's version, so that it
    leads nowhere else."""
    told: Digests = frozenset()
    """What was told already of what comes next, by id and ETag: the page had no room for all."""

    def after(self, link: str) -> "Stream":
        """The stream where all before `link` is told."""
        return Stream(link=link)

    def half_told(self, more: Iterable[bytes]) -> "Stream":
        """The stream where some of what comes next is told."""
        return Stream(link=self.link, told=self.told | frozenset(more))


class Backlog(_Frozen):
    """Old mail that is still to be read, newest first: the first round of a delta query over all of the inbox, which
    becomes the inbox's own stream when it is through."""

    stream: Stream
    young: Digests = frozenset()
    """The messages, by id, that had come within `CLOCKS_APART` before the mailbox was connected."""
    done: int = Field(default=0, ge=0)
    total: int = Field(default=0, ge=0)


class Cursor(_Frozen):
    """Where the mailbox stands."""

    version: Literal[1] = 1
    connected: AwareDatetime
    """When the mailbox was connected, by the server's clock: older mail is recorded and never acted on."""
    read: AwareDatetime
    """When it was last read, by the server's clock."""
    inbox: Stream
    sent: Stream
    sent_since: AwareDatetime
    """What was sent before is not followed."""
    backlog: Backlog | None = None

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

"""What Microsoft Graph tells of a message beside its content: https://learn.microsoft.com/graph/api/resources/message."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from connectors.errors import ConnectFailed
from connectors.graph_cursor import digest

SIZE = "Integer 0x0E08"
"""PidTagMessageSize (MS-OXPROPS): bytes of the message in the store. Its MIME is up to half as long again."""
FLAGS = "Integer 0x0E07"
"""PidTagMessageFlags (MS-OXCMSG §2.2.1.6)."""
_SUBMITTED = 0x4
"""mfSubmitted: the server is about to send the message."""
ENTRY_SELECT = "receivedDateTime,categories"
"""What a page of changes tells of each message."""
_Model = TypeVar("_Model", bound=BaseModel)
_ID = re.compile(r"[A-Za-z0-9_=+/-]{1,512}")


def is_id(text: str) -> bool:
    """Whether `text` can be the id of a message. Nothing else may become part of an address."""
    return _ID.fullmatch(text) is not None


def message_path(id_: str) -> str:
    """Where a message is, below its mailbox. Of what ids are made of, only the slash means something in an address."""
    return f"/messages/{id_.replace('/', '%2F') if is_id(id_) else quote(id_, safe='')}"


def expand(*properties: str) -> str:
    """The $expand that tells extended properties."""
    wanted = " or ".join(f"id eq '{one}'" for one in properties)
    return f"singleValueExtendedProperties($filter={wanted})"


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Extended(_Lenient):
    id: str = ""
    value: str | None = None


class _EmailAddress(_Lenient):
    address: str = ""


class _Recipient(_Lenient):
    email: _EmailAddress = Field(default=_EmailAddress(), alias="emailAddress")


def _listed(value: object) -> object:
    return value if isinstance(value, list) else ()


class Entry(_Lenient):
    """One message, as a list or a page of changes tells it. What was not asked for, or not told, is None."""

    id: str = Field(min_length=1)
    etag: str = Field(default="", alias="@odata.etag")
    received: AwareDatetime | None = Field(default=None, alias="receivedDateTime")
    categories: tuple[str, ...] | None = None
    removed: Mapping[str, Any] | None = Field(default=None, alias="@removed")
    is_draft: bool | None = Field(default=None, alias="isDraft")
    folder: str = Field(default="", alias="parentFolderId")
    message_id: str = Field(default="", alias="internetMessageId")
    to: tuple[_Recipient, ...] = Field(default=(), alias="toRecipients")
    cc: tuple[_Recipient, ...] = Field(default=(), alias="ccRecipients")
    bcc: tuple[_Recipient, ...] = Field(default=(), alias="bccRecipients")
    extended: Annotated[tuple[_Extended, ...], BeforeValidator(_listed)] = Field(
        default=(), alias="singleValueExtendedProperties"
    )

    @cached_property
    def size(self) -> int | None:
        """Bytes in the store, None where that was not told."""
        return self._number(SIZE)

    @property
    def submitted(self) -> bool:
        """Whether the server is about to send it."""
        return bool((self._number(FLAGS) or 0) & _SUBMITTED)

    @property
    def recipients(self) -> frozenset[str]:
        """Everybody it goes to, lower case."""
        return frozenset(one.email.address.lower() for one in (*self.to, *self.cc, *self.bcc))

    @property
    def received_at(self) -> datetime:
        """When it was received, in UTC."""
        return (self.received or datetime.fromtimestamp(0, UTC)).astimezone(UTC)

    @cached_property
    def key(self) -> bytes:
        """Stands for the message in a cursor."""
        return digest(self.id)

    @cached_property
    def state(self) -> bytes:
        """Stands for the message as it is now in a cursor."""
        return digest(self.id, self.etag, "" if self.removed is None else "removed")

    def _number(self, name: str) -> int | None:
        """An extended property. Graph shortens the numbers of tags: 0x0E08 comes back as 0xe08."""
        tag = int(name.split()[1], 16)
        for one in self.extended:
            words = one.id.split()
            if len(words) == 2 and re.fullmatch(r"0[xX][0-9A-Fa-f]{1,8}", words[1]) and int(words[1], 16) == tag:
                return int(one.value) if one.value is not None and re.fullmatch(r"\d{1,15}", one.value) else None
        return None


class EntryPage(_Lenient):
    """A page of messages, or of changes."""

    value: tuple[Entry, ...] = ()
    next_link: str | None = Field(default=None, alias="@odata.nextLink")
    delta_link: str | None = Field(default=None, alias="@odata.deltaLink")


class Folder(_Lenient):
    """A mail folder."""

    id: str = Field(min_length=1)
    total: int = Field(default=0, ge=0, alias="totalItemCount")


class Category(_Lenient):
    """A category of the master list (https://learn.microsoft.com/graph/api/resources/outlookcategory)."""

    name: str = Field(default="", alias="displayName")


class CategoryPage(_Lenient):
    """The master list."""

    value: tuple[Category, ...] = ()


def read_page(body: object) -> EntryPage:
    """A page out of an answer's JSON. Raises ConnectFailed for what is none."""
    return _read(EntryPage, body)


def read_entry(body: object) -> Entry:
    """A message out of an answer's JSON. Raises ConnectFailed for what is none."""
    return _read(Entry, body)


def read_folder(body: object) -> Folder:
    """A folder out of an answer's JSON. Raises ConnectFailed for what is none."""
    return _read(Folder, body)


def read_categories(body: object) -> CategoryPage:
    """The master list out of an answer's JSON. Raises ConnectFailed for what is none."""
    return _read(CategoryPage, body)


def _read(kind: type[_Model], body: object) -> _Model:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, one["loc"])) for one in error.errors()})[:5])
        # The values stay out of it: they are words of mail.
        raise ConnectFailed(f"Microsoft Graph answers what is no {kind.__name__} ({fields})") from None

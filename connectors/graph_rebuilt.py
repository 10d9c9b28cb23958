"""A message as MIME out of its JSON properties, where the server cannot give its MIME: damaged, or converted badly.

Its header fields and its text are there, attachments are not. https://learn.microsoft.com/graph/api/resources/message
"""

import base64
import re
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

REBUILT_SELECT = (
    "subject,from,toRecipients,ccRecipients,replyTo,sentDateTime,internetMessageId,internetMessageHeaders,body"
)
"""What has to be asked for."""
_NAME = re.compile(r"[!-9;-~]{1,200}")  # RFC 5322 §2.2
_STRUCTURE = re.compile(r"content-.*|mime-version", re.IGNORECASE)
_LINE = re.compile(r"[\r\n\x00]+\s*")


def _listed(value: object) -> object:
    return value if isinstance(value, list) else ()


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Address(_Lenient):
    name: str | None = None
    address: str | None = None


class _Recipient(_Lenient):
    emailAddress: _Address = _Address()  # noqa: N815 - the name in Graph

    def __str__(self) -> str:
        address, name = _clean(self.emailAddress.address), _clean(self.emailAddress.name).replace('"', "'")
        return f'"{name}" <{address}>' if name and name != address else f"<{address}>"


class _Field(_Lenient):
    name: str = ""
    value: str | None = None


class _Body(_Lenient):
    contentType: str | None = "text"  # noqa: N815 - the name in Graph
    content: str | None = ""


_Recipients = Annotated[tuple[_Recipient, ...], BeforeValidator(_listed)]


class Properties(_Lenient):
    """What Graph tells of a message."""

    subject: str | None = None
    sender: _Recipient | None = Field(default=None, alias="from")
    to: _Recipients = Field(default=(), alias="toRecipients")
    cc: _Recipients = Field(default=(), alias="ccRecipients")
    reply_to: _Recipients = Field(default=(), alias="replyTo")
    sent: str | None = Field(default=None, alias="sentDateTime")
    message_id: str | None = Field(default=None, alias="internetMessageId")
    headers: Annotated[tuple[_Field, ...], BeforeValidator(_listed)] = Field(default=(), alias="internetMessageHeaders")
    body: _Body | None = None


def rebuilt(body: object) -> bytes:
    """The message that an answer's JSON describes. Raises ValueError where it describes none."""
    found = Properties.model_validate(body)
    fields = [(one.name, _clean(one.value)) for one in found.headers if _NAME.fullmatch(one.name)]
    fields = [(name, value) for name, value in fields if not _STRUCTURE.fullmatch(name)]
    there = {name.lower() for name, _ in fields}
    fields += [(name, value) for name, value in _described(found) if value and name.lower() not in there]
    content = found.body or _Body()
    html = (content.contentType or "").lower() == "html"
    fields += [
        ("MIME-Version", "1.0"),
        ("Content-Type", f"text/{'html' if html else 'plain'}; charset=utf-8"),
        ("Content-Transfer-Encoding", "base64"),
    ]
    text = (content.content or "").encode("utf-8", "replace")
    head = "".join(f"{name}: {value}\r\n" for name, value in fields).encode("utf-8", "replace")
    return head + b"\r\n" + base64.encodebytes(text).replace(b"\n", b"\r\n")


def _described(found: Properties) -> Sequence[tuple[str, str]]:
    return (
        ("From", str(found.sender) if found.sender else ""),
        ("To", ", ".join(map(str, found.to))),
        ("Cc", ", ".join(map(str, found.cc))),
        ("Reply-To", ", ".join(map(str, found.reply_to))),
        ("Subject", _clean(found.subject)),
        ("Date", _date(found.sent)),
        ("Message-ID", _clean(found.message_id)),
    )


def _date(value: str | None) -> str:
    try:
        return format_datetime(datetime.fromisoformat(value or ""))
    except ValueError:
        return ""


def _clean(value: str | None) -> str:
    """One line, whatever the server says: nothing may smuggle in another header field."""
    return _LINE.sub(" ", value or "").strip()

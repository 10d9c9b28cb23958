"""What Exchange reads out of a message's MIME: the standard email package, and whatever bytes there are."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime
from functools import cached_property

_ENCODED_WORD = r"=\?[^?\s]+\?[bBqQ]\?[^?]*\?="
_ENCODED_WORDS = re.compile(rf"{_ENCODED_WORD}(?:\s+{_ENCODED_WORD})*")
_NO_PLAIN_MESSAGE = re.compile(rb"text/calendar|multipart/report", re.IGNORECASE)
_CALENDAR_METHOD = re.compile(
    rb"^content-type:\s*text/calendar;[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*?method=\"?(\w+)", re.IGNORECASE | re.MULTILINE
)
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Address:
    """One person in a header, or an EX address of the organisation's own directory."""

    name: str
    address: str
    routing: str = "SMTP"


class Properties:
    """The properties of one message, each worked out when it is first asked for."""

    def __init__(self, mime: bytes) -> None:
        self.mime = mime

    @cached_property
    def _raw_headers(self) -> list[tuple[str, str]]:
        end = _END_OF_HEADERS.search(self.mime)
        block = self.mime[: end.start()] if end else self.mime
        parsed = BytesHeaderParser(policy=compat32).parsebytes(block)
        return [(name, _unfolded(value)) for name, value in parsed.raw_items()]

    @cached_property
    def headers(self) -> list[tuple[str, str]]:
        """Every header in its order, unfolded and decoded."""
        return [(name, _decoded(value)) for name, value in self._raw_headers]

    def header(self, name: str) -> str | None:
        """The first header of this name, unfolded and decoded."""
        wanted = name.lower()
        return next((_decoded(value) for found, value in self._raw_headers if found.lower() == wanted), None)

    def addresses(self, *names: str) -> tuple[Address, ...]:
        """The people in every header of these names."""
        wanted = {name.lower() for name in names}
        values = [value for name, value in self._raw_headers if name.lower() in wanted]
        found = [(_decoded(name), address) for name, address in getaddresses(values) if address]
        return tuple(Address(name or address, address) for name, address in found)

    @cached_property
    def message_id(self) -> str | None:
        """With its angle brackets, as EWS shows it."""
        return (self.header("Message-ID") or "").strip() or None

    @cached_property
    def subject(self) -> str:
        """Decoded; empty where there is none."""
        return self.header("Subject") or ""

    @cached_property
    def topic(self) -> str:
        """The subject without its prefixes: what Exchange calls the conversation's topic."""
        return re.sub(r"^(\s*(re|fw|fwd|aw|wg|rv|tr)\s*:\s*)+", "", self.subject, flags=re.IGNORECASE).strip()

    @cached_property
    def root_id(self) -> str:
        """What the conversation is known by."""
        for name in ("References", "In-Reply-To", "Message-ID"):
            found = re.search(r"<[^<>]+>", self.header(name) or "")
            if found:
                return found.group()
        return self.topic

    @cached_property
    def sent_at(self) -> datetime | None:
        """The Date header in UTC, where it can be read."""
        try:
            found = parsedate_to_datetime(self.header("Date") or "")
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            return None

    @cached_property
    def item_class(self) -> str:
        """What Exchange makes of an arriving message: invitations and reports are no plain messages."""
        if not _NO_PLAIN_MESSAGE.search(self.mime):
            return "IPM.Note"
        method = _CALENDAR_METHOD.search(self.mime)
        if method:
            kinds = {b"reply": "Resp.Pos", b"cancel": "Canceled"}
            return f"IPM.Schedule.Meeting.{kinds.get(method.group(1).lower(), 'Request')}"
        content_type = (self.header("Content-Type") or "").lower()
        if content_type.startswith("multipart/report"):
            return "REPORT.IPM.Note.NDR" if "delivery-status" in content_type else "REPORT.IPM.Note.IPNRN"
        return "IPM.Note"

    @cached_property
    def parsed(self) -> Message:
        """The whole message."""
        return message_from_bytes(self.mime)

    @cached_property
    def attachments(self) -> list[Message]:
        """Parts that a mail program would show as attachments."""
        return [
            part
            for part in self.parsed.walk()
            if not part.is_multipart() and (part.get_filename() or part.get_content_disposition() == "attachment")
        ]

    def body(self, kind: str) -> tuple[str, str]:
        """The kind of the body that there is ("HTML" or "Text") and its text. `kind` is what was asked for: "Best",
        "HTML" or "Text"."""
        texts: dict[str, str] = {}
        for part in self.parsed.walk():
            content_type = part.get_content_type()
            if content_type in ("text/plain", "text/html") and part not in self.attachments:
                texts.setdefault("HTML" if content_type == "text/html" else "Text", _text(part))
        preferred = ("Text", "HTML") if kind == "Text" else ("HTML", "Text")
        found = next((name for name in preferred if name in texts), "Text")
        return found, texts.get(found, "")


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    raw = content if isinstance(content, bytes) else b""
    try:
        return raw.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return raw.decode("latin-1")


def _unfolded(value: object) -> str:
    raw = re.sub(r"\r?\n([ \t])", r"\1", str(value)).encode("ascii", "surrogateescape")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _decoded(text: str) -> str:
    return _ENCODED_WORDS.sub(_words, text).strip()


def _words(found: re.Match[str]) -> str:
    try:
        parts = decode_header(found.group())
        return "".join(
            part if isinstance(part, str) else part.decode(charset or "latin-1", "replace") for part, charset in parts
        )
    except (ValueError, LookupError, UnicodeError):  # an encoded word that is none is shown as it stands
        return found.group()

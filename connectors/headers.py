"""The header section of a mail: every field in order, unfolded and decoded; addresses, dates and identifiers in it.

Lenient by intent: what RFC 5322 forbids and programs send anyway is read for what it means. No decoded value ever holds
a line break or another control character, so none can be smuggled into a header that is written from it.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz
from itertools import islice

from connectors.charsets import clean, decode
from connectors.message import Address

MAX_HEADER_BYTES = 256 * 1024
MAX_FIELDS = 1_000
MAX_VALUE = 64 * 1024
MAX_ADDRESSES = 500
MAX_IDS = 100
MAX_NAME = 1_000

_NAME = re.compile(rb"[!-9;-~]{1,200}[ \t]*\Z")  # RFC 5322 §2.2; white space before the colon is obsolete (§4.5)
_LOGICAL_LINE = re.compile(rb"\r?\n(?![ \t])")  # what a continuation line follows is no end (RFC 5322 §2.2.3)
_BODY_START = re.compile(rb"\r?\n\r?\n|\r\r")
_ENCODED = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?([^?]{0,8192})\?=")
_BETWEEN_ENCODED = re.compile(r"(\?=)[ \t\r\n]{1,32}(?==\?)")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_KNOWN = re.compile(
    rb"(?i)(?:from|to|subject|date|message-id|mime-version|content-type|received|return-path|cc|x-[a-z-]{1,40}):"
)


class Field:
    """One header field: `name` as written, `raw` the bytes of its body, `value` decoded."""

    __slots__ = ("_value", "name", "raw")

    def __init__(self, name: str, raw: bytes) -> None:
        """`raw` is the field's body, still folded."""
        self.name = name
        self.raw = raw
        self._value: str | None = None

    @property
    def value(self) -> str:
        """The body decoded: RFC 2047 words and stray 8-bit bytes as text, unfolded, white space collapsed."""
        if self._value is None:
            self._value = decode_value(self.raw)
        return self._value


def split(raw: bytes) -> tuple[list[Field], int, list[str]]:
    """The fields of the header section of `raw`, where the body begins (an offset), and what was broken.

    Lines that are no field (RFC 5322 §2.2) are passed over where known fields follow; otherwise they begin the body.
    """
    defects: list[str] = []
    end = _BODY_START.search(raw)
    stop, body = (end.start(), end.end()) if end is not None else (len(raw), len(raw))
    if stop > MAX_HEADER_BYTES:
        defects.append("header section cut off at 256 KiB")
        stop = MAX_HEADER_BYTES
    lines = _LOGICAL_LINE.split(raw[:stop])
    if defects and len(lines) > 1:
        lines.pop()  # the line that the cut went through
    fields: list[Field] = []
    last_known: int | None = None
    for index, line in enumerate(lines):
        name, colon, value = line.partition(b":")
        if colon and _NAME.match(name):
            if len(fields) >= MAX_FIELDS:
                defects.append("more than 1,000 header fields")
                break
            fields.append(Field(name.strip().decode("ascii"), value[:MAX_VALUE]))
            continue
        if not line.strip():
            continue
        last_known = _last_known(lines) if last_known is None else last_known
        if index > last_known:
            defects.append("body begins without a blank line")
            return fields, _offset(raw, index), defects
        if "a header line is no field" not in defects:
            defects.append("a header line is no field")
    return fields, body, defects


def _last_known(lines: list[bytes]) -> int:
    """The number of the last line that is certainly a field; -1 where there is none."""
    return next((index for index in range(len(lines) - 1, -1, -1) if _KNOWN.match(lines[index])), -1)


def _offset(raw: bytes, index: int) -> int:
    """Where logical line number `index` of `raw` begins."""
    position = 0
    for match, _ in zip(_LOGICAL_LINE.finditer(raw), range(index), strict=False):
        position = match.end()
    return position


def decode_value(raw: bytes) -> str:
    """A field body as text on one line."""
    # 8-bit bytes are allowed in UTF-8 (RFC 6532 §3.2) and found in everything else.
    return decode_words(raw.decode("ascii") if raw.isascii() else decode(raw, None)[0])


def decode_words(text: str) -> str:
    """`text` with RFC 2047 encoded words decoded, on one line: unfolded, white space collapsed to single spaces."""
    if "=?" in text:
        # §6.2: white space between two encoded words is not part of the text.
        text = _join_words(
            _BETWEEN_ENCODED.sub(r"\1", text) if "?= " in text or "?=\r" in text or "?=\n" in text else text
        )
    if not text.isascii():
        text = clean(text)
    text = " ".join(text.split())
    return text if text.isprintable() else _CONTROLS.sub("", text)


def _join_words(text: str) -> str:
    parts: list[str] = []
    pending = b""
    pending_charset = ""
    position = 0
    for word in _ENCODED.finditer(text):
        charset = word[1].partition("*")[0]  # RFC 2231 §5: a language may follow the charset
        content = _word_bytes(word[2], word[3])
        if pending and (word.start() != position or charset.lower() != pending_charset):
            parts.append(decode(pending, pending_charset)[0])
            pending = b""
        parts.append(text[position : word.start()])
        position = word.end()
        # Some programs split a character between two words, against §5; joining the bytes first mends that.
        pending, pending_charset = pending + content, charset.lower()
    if pending:
        parts.append(decode(pending, pending_charset)[0])
    parts.append(text[position:])
    return "".join(parts)


def _word_bytes(encoding: str, content: str) -> bytes:
    raw = content.encode("utf-8", "replace")
    if encoding in "bB":
        try:
            return base64.b64decode(raw + b"=" * (-len(raw) % 4))
        except (binascii.Error, ValueError):
            return raw
    return binascii.a2b_qp(raw, header=True)


_TOKEN = re.compile(
    r'"((?:[^"\\]|\\.){0,1000})"?|<([^<>]{0,1000})>?|\\[()]|\(|\)|[,;:]|[^\s"<>(),;:]{1,1000}|\s+|.', re.DOTALL
)
# Of several @ the last one counts, as everywhere: "principal@maple.example@evil.example" is nobody at the school.
_BARE = re.compile(r"[^\s<>@,;:\"()\[\]]{1,256}@[^\s<>@,;:\"()\[\]]{1,256}+(?!@)")
_QUOTED_PAIR = re.compile(r"\\(.)")
# What most address fields hold: one plain name and address.
_SIMPLE = re.compile(
    r"(?:([A-Za-z0-9 .'_-]{0,120}) ?<|\"([A-Za-z0-9 .,'()_-]{0,120})\" ?<)"
    r"([!#-'*+\-./0-9=?A-Z^-~]{1,128}@[\w.-]{1,128})>\Z"
)


def addresses(raw: bytes) -> tuple[Address, ...]:
    """The mailboxes of an address field (RFC 5322 §3.4), at most 500. Groups are flattened; what holds no @ is kept as
    a name with an empty address, so that a caller can see that somebody was meant."""
    text = " ".join((raw.decode("ascii") if raw.isascii() else decode(raw, None)[0]).split())
    simple = _SIMPLE.match(text)
    if simple is not None and "=?" not in text:
        return (Address(email=simple[3].lower(), name=(simple[1] or simple[2] or "").strip()),)
    return tuple(islice(_mailboxes(text), MAX_ADDRESSES))


def _mailboxes(text: str) -> Iterator[Address]:
    entry = _Entry()
    depth = 0
    for token in _TOKEN.finditer(text):
        piece = token[0]
        if piece in {"(", ")"}:
            depth = max(0, depth + (1 if piece == "(" else -1))
        elif depth:
            entry.comment.append(piece)
        elif piece in {",", ";"}:
            if (made := entry.mailbox()) is not None:
                yield made
            entry = _Entry()
        elif piece == ":" and entry.spec is None and "[mailto" not in entry.words:
            entry.words.clear()  # what came before was a group's name (§3.4)
        elif token[2] is not None:
            entry.spec = token[2]
        else:
            entry.words.append(piece if token[1] is None else _QUOTED_PAIR.sub(r"\1", token[1]))
    if (made := entry.mailbox()) is not None:
        yield made


@dataclass(slots=True)
class _Entry:
    """What has been read between two commas of an address list."""

    words: list[str] = field(default_factory=list)
    comment: list[str] = field(default_factory=list)
    spec: str | None = None

    def mailbox(self) -> Address | None:
        name, spec = decode_words("".join(self.words)[:MAX_NAME]), self.spec
        if spec is None:
            bare = _BARE.search(name)
            if bare is None:
                return Address(email="", name=name) if name else None
            spec = bare[0]
            name = f"{name[: bare.start()]} {name[bare.end() :]}".strip(" <>[]").removesuffix("[mailto:").strip()
        # The old way to give a name is a comment (RFC 5322 §A.5): "maria@family.example (Maria López)".
        name = name or decode_words("".join(self.comment)[:MAX_NAME])
        email = "".join(clean(_COMMENT.sub("", spec)).split()).lower()
        if email.startswith("@") and ":" in email:
            email = email.rpartition(":")[2]  # an obsolete route (§4.4): "<@a,@b:user@host>"
        email = email.removeprefix("mailto:").strip("'")
        return Address(email=email, name=name.strip(" '\"")) if email or name else None


_COMMENT = re.compile(r"\([^()]{0,200}\)")


def date(value: str) -> datetime | None:
    """The moment that a Date field names (RFC 5322 §3.3, with the obsolete zones of §4.3), in UTC; None where it
    cannot be read or is no year that mail has existed in."""
    try:
        parts = parsedate_tz(_COMMENT.sub(" ", value[:200]))
        if parts is None:
            return None
        offset = parts[9] or 0
        moment = datetime(*parts[:6], tzinfo=UTC) - timedelta(seconds=offset)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if 1971 <= moment.year <= 9000 else None


_ID = re.compile(r"<([^<>]{1,998})>")


def identifiers(value: str) -> tuple[str, ...]:
    """The message identifiers in a field (RFC 5322 §3.6.4) without brackets, each once. Of a longer list than a thread
    needs the first and the last 50 are kept: the thread's root and the latest parents."""
    found = [re.sub(r"\s+", "", match) for match in _ID.findall(value)]
    if not found:  # broken programs leave the brackets out
        words = value.split()
        found = [re.sub(r"[<>]", "", word).strip(",;") for word in words if "@" in word or len(words) == 1]
    unique = list(dict.fromkeys(identifier for identifier in found if identifier and len(identifier) <= 998))
    return tuple(unique if len(unique) <= MAX_IDS else unique[: MAX_IDS // 2] + unique[-MAX_IDS // 2 :])

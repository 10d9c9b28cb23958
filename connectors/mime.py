"""Raw mail to `Message`: structure by fast-mail-parser, headers and text by the modules beside this one.

Mail is hostile input. Whatever the bytes are, `parse_message` returns a message and says in `defects` what was broken;
every size, count and depth is bounded, and attachments are named and sized, never opened.
"""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import Message as StdlibMessage

from fast_mail_parser import DecodeError, MimeStructureError, ParseError, PyLazyMimePart, parse_email_tree

from connectors import headers as header_section
from connectors.charsets import clean, decode
from connectors.headers import Field
from connectors.hypertext import html_to_text
from connectors.message import Address, Attachment, Headers, Message
from connectors.quoting import newest_text

MAX_TEXT = 200_000
"""Characters of text that are kept of one message."""
MAX_PARTS = 2_000
"""Parts that are looked at; mail that people write has a dozen."""
MAX_ATTACHMENTS = 200
SEVERAL_AUTHORS = "several authors in From"
"""The defect of a message whose From names more than one address (RFC 5322 §3.6.2 allows it, hardly anybody means it)."""
MAX_PART_BYTES = 4 * 1024 * 1024
"""How much of one text part is decoded."""
MAX_FALLBACK_BYTES = 1024 * 1024
"""How much of a broken message the slower parser is given."""
_MAX_NESTING = 256

_PARAMETER = r"(?i);\s{0,20}%s\*?(?:0\*?)?\s{0,20}=\s{0,20}(?:\"([^\"\n]{0,200})\"|([^\s;\"]{1,200}))"
_CHARSET = re.compile(_PARAMETER % "charset")
_FORMAT = re.compile(_PARAMETER % "format")
_DELSP = re.compile(_PARAMETER % "delsp")
_METHOD = re.compile(_PARAMETER % "method")
_SMIME_TYPE = re.compile(_PARAMETER % "smime-type")
_META_CHARSET = re.compile(rb"(?i)<meta[^>]{0,200}charset\s{0,5}=\s{0,5}[\"']?([a-z0-9_.:-]{2,40})")
_MBOX_LINE = re.compile(rb">?From [^\n]{0,1000}\n")
_PGP_MESSAGE = re.compile(r"-----BEGIN PGP MESSAGE-----.{0,400000}?(?:-----END PGP MESSAGE-----|\Z)", re.DOTALL)
_PGP_SIGNED = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash: [^\n]{0,100}\n){0,3}\n?")
_PGP_SIGNATURE = re.compile(r"-----BEGIN PGP SIGNATURE-----.{0,20000}?(?:-----END PGP SIGNATURE-----|\Z)", re.DOTALL)
_POINTS_TO_HTML = re.compile(
    r"(?:view|read|see|display|open)\b[^\n]{0,80}\b(?:html|browser|online|rich text)|does not support html|"
    r"html[- ](?:capable|enabled|compatible|format|only|e-?mail)|not (?:able to )?(?:display|show)[^\n]{0,40}html|"
    r"requires html",
    re.IGNORECASE,
)

# Text that is no body: it describes something else, or stands for a file.
_DATA_TEXT = frozenset({"text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/csv", "text/rtf", "text/richtext",
                        "text/rfc822-headers", "text/xml", "text/x-amp-html", "text/javascript", "text/css", "text/x-moz-deleted",
                        "text/x-vcalendar", "text/x-python", "text/x-sh", "text/tab-separated-values"})  # fmt: skip
_SEALED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})


@dataclass(slots=True)
class _Part:
    """A node of the MIME tree, whichever parser it came from."""

    content_type: str
    content_type_field: str
    disposition: str
    filename: str
    size: int
    children: Sequence["_Part"]
    source: "PyLazyMimePart | StdlibMessage | bytes"


@dataclass(slots=True)
class _Reading:
    """What has been gathered from the parts so far."""

    texts: list[str] = field(default_factory=list)
    forwarded: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    parts: int = 0

    def defect(self, words: str) -> None:
        if words not in self.defects:
            self.defects.append(words)


def parse_message(
    raw: bytes,
    *,
    mailbox: str,
    id: str,
    received_at: datetime,
    size: int | None = None,  # noqa: A002
) -> Message:
    """The message in `raw` (RFC 5322, MIME as of RFC 2045–2049), never an exception.

    `mailbox` is the address of the mailbox it was read from, `id` the provider's identifier, `received_at` aware. `size`
    is the size of the whole message on the server in bytes where `raw` may be only its beginning; a larger `size` than
    `raw` sets `truncated`. Text is NFC with \\n line ends, at most 200,000 characters.
    """
    whole = len(raw) if size is None else size
    mail = _without_mbox_line(raw)
    fields, body_at, defects = header_section.split(mail)
    reading = _body(mail, fields, body_at, defects)
    text = _joined(reading)
    named = _Named(fields)
    authors = named.addresses("from")
    if len({author.email for author in authors if author.email}) > 1:
        reading.defect(SEVERAL_AUTHORS)
    return Message(
        mailbox=mailbox.lower(),
        id=id,
        received_at=received_at.astimezone(UTC),
        date=header_section.date(named.text("date")),
        headers=Headers(tuple((each.name, each.value) for each in fields)),
        message_id=next(iter(header_section.identifiers(named.text("message-id"))), None),
        in_reply_to=header_section.identifiers(named.text("in-reply-to")),
        references=header_section.identifiers(named.text("references")),
        subject=named.text("subject")[:2_000],
        sender=next((author for author in authors if author.email), next(iter(authors), None)),
        reply_to=named.addresses("reply-to"),
        to=named.addresses("to"),
        cc=named.addresses("cc"),
        text=text,
        newest=newest_text(text),
        attachments=tuple(reading.attachments),
        size=whole,
        truncated=whole > len(raw),
        defects=tuple(reading.defects),
    )


class _Named:
    """The fields of a header section by name."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._fields: dict[str, list[Field]] = {}
        for each in fields:
            self._fields.setdefault(each.name.lower(), []).append(each)

    def text(self, name: str) -> str:
        found = self._fields.get(name)
        return found[0].value if found else ""

    def addresses(self, name: str) -> tuple[Address, ...]:
        # A second field of the name is against RFC 5322 §3.6, but what it says was meant too.
        return tuple(
            address for each in self._fields.get(name, ())[:20] for address in header_section.addresses(each.raw)
        )


def _without_mbox_line(raw: bytes) -> bytes:
    """`raw` from its first header on: without a byte order mark, empty lines and an mbox "From " line before it."""
    start = 3 if raw.startswith(b"\xef\xbb\xbf") else 0
    while raw[start : start + 1] in {b"\r", b"\n"}:
        start += 1
    line = _MBOX_LINE.match(raw, start)
    if line is not None:
        start = line.end()
    return raw[start:] if start else raw


class _NoPartsError(Exception):
    """The fast parser found no parts in a multipart and keeps no bytes of it: the other parser shall read them."""


def _body(mail: bytes, fields: Sequence[Field], body_at: int, defects: list[str]) -> _Reading:
    if defects:
        # The header section was mended: the parsers shall see it as it is understood here.
        head = b"".join(each.name.encode() + b": " + b" ".join(each.raw.split()) + b"\r\n" for each in fields)
        mail, body_at = head + b"\r\n" + mail[body_at:], len(head) + 2
    reading = _Reading(defects=list(defects))
    try:
        _read(_from_lazy(parse_email_tree(mail, mode="lazy"), 0), reading, depth=0)
        return reading
    except MimeStructureError:
        # Nested deeper than any mail, or larger than any server takes: no work for the slower parser.
        reading = _Reading(defects=[*defects, "structure not readable: nested too deep"])
        _read(_as_plain_text(mail, body_at), reading, depth=0)
        return reading
    except DecodeError:
        reading = _Reading(defects=[*defects, "transfer encoding broken"])
    except (ParseError, _NoPartsError):
        reading = _Reading(defects=[*defects, "structure damaged"])
    try:
        _read(_from_stdlib(message_from_bytes(mail[:MAX_FALLBACK_BYTES], policy=policy.compat32), 0), reading, depth=0)
    except Exception:  # noqa: BLE001 - the promise of this module: hostile bytes raise nothing, whatever parser they break
        reading = _Reading(defects=[*defects, "structure not readable"])
        _read(_as_plain_text(mail, body_at), reading, depth=0)
    return reading


def _as_plain_text(mail: bytes, body_at: int) -> _Part:
    return _Part("text/plain", "", "", "", len(mail) - body_at, (), mail[body_at : body_at + MAX_PART_BYTES])


def _from_lazy(node: PyLazyMimePart, depth: int) -> _Part:
    declared = node.headers.get("Content-Type") or _ignoring_case(node.headers, "content-type")
    return _Part(
        content_type=node.content_type.strip().lower(),
        content_type_field=declared[0] if declared else "",
        disposition=(node.disposition or "").strip().lower(),
        filename=node.filename or "",
        size=node.encoded_size or 0,
        children=[_from_lazy(child, depth + 1) for child in node.children[:MAX_PARTS]] if depth < _MAX_NESTING else (),
        source=node,
    )


def _ignoring_case(fields: dict[str, list[str]], name: str) -> list[str] | None:
    return next((values for key, values in fields.items() if key.lower() == name), None)


def _from_stdlib(node: StdlibMessage, depth: int) -> _Part:
    payload = node.get_payload()
    nested = payload[:MAX_PARTS] if isinstance(payload, list) and depth < _MAX_NESTING else []
    return _Part(
        content_type=node.get_content_type(),
        content_type_field=str(node.get("Content-Type", "")),
        disposition=node.get_content_disposition() or "",
        filename=node.get_filename() or "",
        size=len(payload) if isinstance(payload, str) else 0,
        children=[_from_stdlib(child, depth + 1) for child in nested if isinstance(child, StdlibMessage)],
        source=node,
    )


def _read(part: _Part, reading: _Reading, depth: int) -> None:
    reading.parts += 1
    if reading.parts > MAX_PARTS:
        reading.defect("more than 2,000 parts")
        return
    kind = part.content_type
    if kind in _SEALED and "signed" not in _parameter(_SMIME_TYPE, part):
        reading.defect("encrypted (S/MIME)")
    if kind.startswith("message/") and kind not in {"message/rfc822", "message/global"}:
        _attach(part, reading)  # a report's machine part (RFC 3464, 8098, 5965) is for machines
    elif kind in {"message/rfc822", "message/global"}:
        _read_forwarded(part, reading, depth)
    elif part.children or kind.startswith("multipart/"):
        _read_multipart(part, reading, depth)
    elif _is_body(part):
        text = _text_of(part, reading)
        if text.strip():
            reading.texts.append(text)
    else:
        _attach(part, reading)


def _read_multipart(part: _Part, reading: _Reading, depth: int) -> None:
    kind = part.content_type
    if kind == "multipart/alternative":
        _read_alternative(part, reading, depth)
        return
    if kind == "multipart/encrypted":
        reading.defect("encrypted (PGP/MIME)")
    if not part.children:
        if not isinstance(part.source, StdlibMessage):
            raise _NoPartsError
        reading.defect("a multipart without parts")
        text = clean(str(part.source.get_payload())[:MAX_TEXT])
        if text.strip():
            reading.texts.append(text)
    report = kind == "multipart/report"
    for index, child in enumerate(part.children):
        if report and index and child.content_type.startswith(("message/", "text/rfc822-headers")):
            _attach(child, reading)  # the message that a report is about is not what the report says
        else:
            _read(child, reading, depth + 1)


def _read_alternative(part: _Part, reading: _Reading, depth: int) -> None:
    """RFC 2046 §5.1.4: the same thing several times over. Plain text is what the classifier wants; where it is empty
    or only says to look at the HTML, the richest readable version follows."""
    chosen: _Reading | None = None
    plain_first = sorted(part.children, key=lambda child: child.content_type != "text/plain")
    for child in plain_first:
        if chosen is not None:
            if child.content_type not in {"text/html", "text/plain"}:
                _collect_attachments(child, reading)
            continue
        trial = _Reading(parts=reading.parts)
        _read(child, trial, depth + 1)
        reading.parts = trial.parts
        for defect in trial.defects:
            reading.defect(defect)
        reading.attachments.extend(trial.attachments)
        said = "\n".join(trial.texts)
        readable = bool(said.strip() or trial.forwarded)
        hollow = child.content_type == "text/plain" and len(said) < 400 and _POINTS_TO_HTML.search(said) is not None
        if readable and not (hollow and len(part.children) > 1):
            chosen = trial
        elif readable and child is plain_first[-1]:
            chosen = trial
    if chosen is None and part.children:
        # Nothing better followed than the pointer to HTML.
        trial = _Reading(parts=reading.parts)
        _read(plain_first[0], trial, depth + 1)
        chosen = trial
    if chosen is not None:
        reading.texts.extend(chosen.texts)
        reading.forwarded.extend(chosen.forwarded)


def _collect_attachments(part: _Part, reading: _Reading) -> None:
    """Names the attachments under a version of the text that is not read itself."""
    waiting = [part]
    while waiting and reading.parts < MAX_PARTS:
        node = waiting.pop()
        reading.parts += 1
        waiting.extend(reversed(node.children))
        if not node.children and (
            node.content_type not in {"text/plain", "text/html"} or node.disposition == "attachment"
        ):
            _attach(node, reading)


def _read_forwarded(part: _Part, reading: _Reading, depth: int) -> None:
    """A message inside the message (RFC 2046 §5.2.1): kept apart, for it is history unless nothing else was said."""
    _attach(part, reading)
    if not part.children or depth >= 8:
        return
    inner = _Reading(parts=reading.parts)
    _read(part.children[0], inner, depth + 1)
    reading.parts = inner.parts
    for defect in inner.defects:
        reading.defect(defect)
    said = "\n\n".join(text for text in (*inner.texts, *inner.forwarded) if text.strip())
    if said.strip():
        head = _forward_head(part.children[0])
        reading.forwarded.append(f"---------- Forwarded message ----------\n{head}\n\n{said}")


def _forward_head(inner: _Part) -> str:
    lines = []
    for name in ("From", "Date", "Subject", "To"):
        value = ""
        if isinstance(inner.source, StdlibMessage):
            value = str(inner.source.get(name, ""))
        elif isinstance(inner.source, PyLazyMimePart):
            value = (_ignoring_case(inner.source.headers, name.lower()) or [""])[0]
        if value:
            lines.append(f"{name}: {header_section.decode_words(value)[:300]}")
    return "\n".join(lines)


def _is_body(part: _Part) -> bool:
    if part.disposition == "attachment" or part.content_type in _DATA_TEXT:
        return False
    if part.content_type.startswith("text/"):
        # An inline text with a file name is a file shown in place, except for what mail gateways call footers.
        return (
            not part.filename or part.content_type == "text/html" and part.disposition != "inline" or _is_footer(part)
        )
    return part.content_type in {"", "text"} or "/" not in part.content_type


def _is_footer(part: _Part) -> bool:
    return re.match(r"ATT\d{3,8}\.(?:txt|html?)\Z", part.filename, re.IGNORECASE) is not None


def _attach(part: _Part, reading: _Reading) -> None:
    if len(reading.attachments) >= MAX_ATTACHMENTS:
        reading.defect("more than 200 attachments")
        return
    kind = part.content_type[:120]
    if kind == "text/calendar" and (method := _parameter(_METHOD, part)):
        kind = f"{kind}; method={method.lower()}"
    name = header_section.decode_words(part.filename)[:255].replace("/", "_").replace("\\", "_")
    reading.attachments.append(Attachment(filename=name, content_type=kind, size=part.size))


def _parameter(pattern: re.Pattern[str], part: _Part) -> str:
    match = pattern.search(part.content_type_field[:4_000])
    return (match[1] or match[2] or "") if match is not None else ""


def _text_of(part: _Part, reading: _Reading) -> str:
    content = _content(part)[:MAX_PART_BYTES]
    label = _parameter(_CHARSET, part).rpartition("'")[2]  # RFC 2231 §4: charset'language'value
    is_html = part.content_type == "text/html"
    if is_html and not label and (meta := _META_CHARSET.search(content, 0, 4096)):
        label = meta[1].decode("ascii")
    text, overruled = decode(content, label or None)
    if overruled:
        reading.defect("charset label missing or wrong")
    if is_html or (content[:1] == b"<" and content[:20].lower().startswith((b"<html", b"<!doctype html"))):
        return clean(html_to_text(text))
    text = clean(text)
    if _parameter(_FORMAT, part).lower() == "flowed":
        text = _unflowed(text, delete_space=_parameter(_DELSP, part).lower() == "yes")
    return text


def _content(part: _Part) -> bytes:
    source = part.source
    if isinstance(source, bytes):
        return source
    if isinstance(source, StdlibMessage):
        payload = source.get_payload(decode=True)
        return payload if isinstance(payload, bytes) else b""
    content = source.content or b""
    encoding = (_ignoring_case(source.headers, "content-transfer-encoding") or [""])[0].strip().lower()
    if encoding in {"x-uuencode", "uuencode", "x-uue", "uue"}:
        return _uudecoded(content)
    return content


def _uudecoded(content: bytes) -> bytes:
    decoded = []
    for line in content.split(b"\n")[1:]:
        if line.strip() in {b"end", b"`", b""}:
            break
        try:
            decoded.append(binascii.a2b_uu(line))
        except binascii.Error:
            return content
    return b"".join(decoded)


def _unflowed(text: str, *, delete_space: bool) -> str:
    """RFC 3676 §4: lines that end in a space go on in the next; quote signs and space-stuffing are taken into account."""
    paragraphs: list[str] = []
    open_depth = -1
    for line in text.split("\n"):
        bare = line.lstrip(">")
        depth = len(line) - len(bare)
        if bare.startswith(" "):
            bare = bare[1:]
        flows = bare.endswith(" ") and bare != "-- "
        content = bare[:-1] if flows and delete_space else bare
        if depth == open_depth and bare != "-- ":
            paragraphs[-1] += content
        else:
            paragraphs.append(f"{'>' * depth} {content}" if depth else content)
        open_depth = depth if flows else -1
    return "\n".join(paragraphs)


def _joined(reading: _Reading) -> str:
    text = "\n\n".join(part.strip("\n") for part in (*reading.texts, *reading.forwarded) if part.strip())
    if "-----BEGIN PGP" in text:
        if "-----BEGIN PGP MESSAGE-----" in text:
            reading.defect("encrypted (PGP)")
            text = _PGP_MESSAGE.sub("", text)
        text = _PGP_SIGNATURE.sub("", _PGP_SIGNED.sub("", text))
    if len(text) > MAX_TEXT:
        reading.defect("text cut off at 200,000 characters")
        text = text[:MAX_TEXT]
    return text.strip()

"""From a MIME tree to what can be read in it, and to the list of what is attached."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from connectors.charsets import clean, decode
from connectors.headers import decode_words
from connectors.hypertext import html_to_text
from connectors.message import REACTION, Attachment
from connectors.mime_tree import Part

MAX_TEXT = 200_000
"""Characters of text that are kept of one message."""
MAX_PARTS = 2_000
"""Parts that are looked at; mail that people write has a dozen."""
MAX_ATTACHMENTS = 200
MAX_READ = 4 * 1024 * 1024
"""Bytes of text, transfer-decoded, that are read of all parts together: HTML is mostly style."""
_MAX_CHARACTERS = 1_000_000
_LONGEST_SIGNATURE = 20_000
_MAX_FORWARDS = 8

_META_CHARSET = re.compile(rb"(?i)<meta[^>]{0,200}charset\s{0,5}=\s{0,5}[\"']?([a-z0-9_.:-]{2,40})")
_PGP_SIGNED = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash: [^\n]{0,100}\n){0,3}\n?")
_POINTS_TO_HTML = re.compile(
    r"(?:view|read|see|display|open)\b[^\n]{0,80}\b(?:html|browser|online|rich text)|does not support html|"
    r"html[- ](?:capable|enabled|compatible|format|only|e-?mail)|requires html|"
    r"not (?:able to )?(?:display|show)[^\n]{0,40}html",
    re.IGNORECASE,
)
_GATEWAY_FOOTER = re.compile(r"ATT\d{3,8}\.(?:txt|html?)\Z", re.IGNORECASE)

# Text that is no body: it describes something else, or stands for a file.
_DATA_TEXT = frozenset(
    {
        *("text/calendar", "text/vcard", "text/x-vcard", "text/directory", "text/csv", "text/rtf", "text/xml"),
        *("text/rfc822-headers", "text/x-amp-html", "text/javascript", "text/css", "text/x-vcalendar"),
        *("text/tab-separated-values", "text/x-moz-deleted", REACTION),
    }
)
_SEALED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_WHOLE_MESSAGE = frozenset({"message/rfc822", "message/global"})


@dataclass(slots=True)
class Reading:
    """What has been read of a message so far: texts, texts of messages inside it, attachments, defects."""

    texts: list[str] = field(default_factory=list)
    forwarded: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    parts: int = 0
    read_bytes: int = 0

    def defect(self, words: str) -> None:
        """Notes what was broken, once."""
        if words and words not in self.defects:
            self.defects.append(words)

    def text(self) -> str:
        """Everything read, as one text of at most 200,000 characters, without the armour of PGP."""
        text = "\n\n".join(part.strip("\n") for part in (*self.texts, *self.forwarded) if part.strip())
        if "-----BEGIN PGP" in text:
            if "-----BEGIN PGP MESSAGE-----" in text:
                self.defect("encrypted (PGP)")
                text = _without_armour(text, "MESSAGE", len(text))
            text = _without_armour(_PGP_SIGNED.sub("", text), "SIGNATURE", _LONGEST_SIGNATURE)
        if len(text) > MAX_TEXT:
            self.defect("text cut off at 200,000 characters")
            text = text[:MAX_TEXT]
        return text.strip()

    def read(self, part: Part, depth: int = 0) -> None:
        """Reads `part` and what is below it. Raises `NotReadAtOnceError`."""
        self.parts += 1
        if self.parts > MAX_PARTS:
            self.defect("more than 2,000 parts")
            return
        kind = part.content_type
        if kind in _SEALED and "signed" not in part.parameter("smime-type"):
            self.defect("encrypted (S/MIME)")
        if kind in _WHOLE_MESSAGE:
            self._read_forwarded(part, depth)
        elif part.children and kind == "multipart/alternative":
            self._read_alternative(part, depth)
        elif part.children:
            self._read_multipart(part, depth)
        elif kind.startswith("multipart/"):
            self.defect("a multipart without parts")
            self._add(clean(decode(self._content(part), None)[0]))
        elif self._is_body(part):
            self._add(self._text_of(part))
        else:
            self._attach(part)

    def _add(self, text: str) -> None:
        if text.strip():
            self.texts.append(text)

    def _read_multipart(self, part: Part, depth: int) -> None:
        if part.content_type == "multipart/encrypted":
            self.defect("encrypted (PGP/MIME)")
        report = part.content_type == "multipart/report"
        for index, child in enumerate(part.children):
            if report and index and child.content_type.startswith(("message/", "text/rfc822-headers")):
                self._attach(child)  # the mail that a report is about is not what the report says
            else:
                self.read(child, depth + 1)

    def _read_alternative(self, part: Part, depth: int) -> None:
        """RFC 2046 §5.1.4: the same thing several times over. Plain text is what the classifier wants; where it is
        empty or only says to look at the HTML, the next readable version is taken."""
        plain_first = sorted(part.children, key=lambda child: child.content_type != "text/plain")
        spare: Reading | None = None
        for position, child in enumerate(plain_first):
            version = Reading(parts=self.parts, read_bytes=self.read_bytes)
            version.read(child, depth + 1)
            self._take_over(version)
            if not version.texts and not version.forwarded:
                continue
            if child.content_type == "text/plain" and len(plain_first) > 1 and _is_hollow(version.texts):
                spare = spare or version
                continue
            self._choose(version, plain_first[position + 1 :])
            return
        if spare is not None:
            self._choose(spare, ())

    def _choose(self, version: "Reading", others: Sequence[Part]) -> None:
        self.texts.extend(version.texts)
        self.forwarded.extend(version.forwarded)
        waiting = list(others)
        while waiting and self.parts < MAX_PARTS:
            # Attachments hang under the versions that are not read, too (Apple Mail's multipart/mixed beside the HTML).
            node = waiting.pop(0)
            self.parts += 1
            waiting[:0] = node.children
            body = node.content_type in {"text/plain", "text/html"} and node.disposition != "attachment"
            if not node.children and not body:
                self._attach(node)

    def _take_over(self, version: "Reading") -> None:
        self.parts, self.read_bytes = version.parts, version.read_bytes
        self.attachments.extend(version.attachments[: MAX_ATTACHMENTS - len(self.attachments)])
        for defect in version.defects:
            self.defect(defect)

    def _read_forwarded(self, part: Part, depth: int) -> None:
        """A message in the message (RFC 2046 §5.2.1): kept apart, for it is history unless nothing else was said."""
        self._attach(part)
        if part.children and depth >= _MAX_FORWARDS:
            self.defect("messages in messages in messages, the innermost not read")
            return
        if not part.children:
            return
        inner = Reading(parts=self.parts, read_bytes=self.read_bytes)
        inner.read(part.children[0], depth + 1)
        self.parts, self.read_bytes = inner.parts, inner.read_bytes
        for defect in inner.defects:
            self.defect(defect)
        said = "\n\n".join(text for text in (*inner.texts, *inner.forwarded) if text.strip())
        if said:
            self.forwarded.append(f"---------- Forwarded message ----------\n{_head(part.children[0])}\n\n{said}")

    def _is_body(self, part: Part) -> bool:
        kind = part.content_type
        if part.disposition == "attachment" or kind in _DATA_TEXT:
            return False
        if not kind.startswith("text/") and "/" in kind:
            return False
        # Inline text with a file name is a file shown in place, unless it is all there is or a gateway's footer.
        return not part.filename or not self.texts or _GATEWAY_FOOTER.match(part.filename) is not None

    def _attach(self, part: Part) -> None:
        if len(self.attachments) >= MAX_ATTACHMENTS:
            self.defect("more than 200 attachments")
            return
        kind = part.content_type[:120]
        if kind == "text/calendar" and (method := part.parameter("method")):
            kind = f"{kind}; method={method.lower()}"
        kind = decode_words(kind)
        name = decode_words(part.filename)[:255].replace("/", "_").replace("\\", "_")
        self.attachments.append(Attachment(filename=name, content_type=kind, size=part.size))

    def _content(self, part: Part) -> bytes:
        """The bytes of a leaf, as many of them as are still to be read of this message."""
        left = MAX_READ - self.read_bytes
        content = part.content() if left > 0 else b""
        if len(content) > left or left <= 0:
            self.defect("text cut off after 4 MiB")
        self.read_bytes += len(content)
        return content[: max(0, left)]

    def _text_of(self, part: Part) -> str:
        content = self._content(part)
        label = part.parameter("charset")
        is_html = part.content_type == "text/html"
        if is_html and not label and (meta := _META_CHARSET.search(content, 0, 4096)):
            label = meta[1].decode("ascii")
        text, overruled = decode(content, label or None)
        if overruled:
            self.defect("charset label missing or wrong")
        if is_html or content[:20].lstrip().lower().startswith((b"<html", b"<!doctype html")):
            return clean(html_to_text(text))
        if len(text) > _MAX_CHARACTERS:
            self.defect("text cut off at 200,000 characters")
        text = clean(text[:_MAX_CHARACTERS])
        if part.parameter("format").lower() == "flowed":
            return unflowed(text, delete_space=part.parameter("delsp").lower() == "yes")
        return text


def _without_armour(text: str, kind: str, longest: int) -> str:
    """`text` without blocks of PGP's armour (RFC 9580 §6.2) of up to `longest` characters; one whose end is missing
    goes on to the end of the text. In linear time, however many beginnings there are."""
    opening, closing = f"-----BEGIN PGP {kind}-----", f"-----END PGP {kind}-----"
    kept: list[str] = []
    position = searched = end = 0
    while (begin := text.find(opening, max(position, searched))) >= 0:
        if end <= begin:
            found = text.find(closing, begin)
            end = found + len(closing) if found >= 0 else len(text)
        searched = begin + len(opening)
        if end - begin <= longest + len(opening) + len(closing):
            kept.append(text[position:begin])
            position = end
    return "".join((*kept, text[position:]))


def _is_hollow(texts: Sequence[str]) -> bool:
    said = "\n".join(texts)
    return len(said) < 400 and _POINTS_TO_HTML.search(said) is not None


def _head(inner: Part) -> str:
    lines = (
        (name, decode_words(inner.header(name.lower())[:2_000])[:300]) for name in ("From", "Date", "Subject", "To")
    )
    return "\n".join(f"{name}: {value}" for name, value in lines if value)


def unflowed(text: str, *, delete_space: bool) -> str:
    """RFC 3676 §4: a line that ends in a space goes on in the next of the same quote depth; the space that protects a
    line's beginning is taken away. With `delete_space` (DelSp, §4.1) the space at the end goes too."""
    paragraphs: list[list[str]] = []
    open_depth = -1
    for line in text.split("\n"):
        unquoted = line.lstrip(">")
        depth = len(line) - len(unquoted)
        bare = unquoted.removeprefix(" ")
        flows = bare.endswith(" ") and bare != "-- "
        content = bare[:-1] if flows and delete_space else bare
        if depth == open_depth and bare != "-- ":
            paragraphs[-1].append(content)
        else:
            paragraphs.append([f"{'>' * depth} {content}" if depth else content])
        open_depth = depth if flows else -1
    return "\n".join(map("".join, paragraphs))

"""The MIME tree of a mail, by the fast parser or by the lenient one; failing both, one part of plain text."""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import Message as StdlibMessage

from fast_mail_parser import DecodeError, MimeStructureError, ParseError, PyLazyMimePart, parse_email_tree

MAX_PART_BYTES = 4 * 1024 * 1024
"""How much of one text part is decoded."""
MAX_FALLBACK_BYTES = 1024 * 1024
"""How much of a broken message the slower parser is given."""
_MAX_CHILDREN = 2_000
_MAX_NESTING = 100

_PARAMETER = r"(?i);\s{0,20}%s\*?(?:0\*?)?\s{0,20}=\s{0,20}(?:\"([^\"\n]{0,200})\"|([^\s;\"]{1,200}))"
_PARAMETERS = {name: re.compile(_PARAMETER % name) for name in ("charset", "format", "delsp", "method", "smime-type")}


class NotReadAtOnceError(Exception):
    """The fast parser cannot give what is in a part; `words` says why, for the defects."""

    def __init__(self, words: str) -> None:
        """`words` never hold text of the message."""
        super().__init__(words)
        self.words = words


class NestedTooDeepError(Exception):
    """Nested deeper than any mail, or larger than any server takes."""


@dataclass(slots=True)
class Part:
    """A node of the MIME tree, whichever parser it came from. Content type and disposition are in lower case, `size` is
    in bytes as transferred."""

    content_type: str
    content_type_field: str
    disposition: str
    filename: str
    size: int
    children: Sequence["Part"]
    _source: "PyLazyMimePart | StdlibMessage | bytes"

    def parameter(self, name: str) -> str:
        """A parameter of the content type (RFC 2045 §5.1), also in the extended form of RFC 2231 §4."""
        match = _PARAMETERS[name].search(self.content_type_field[:4_000])
        return (match[1] or match[2] or "").rpartition("'")[2] if match is not None else ""

    def header(self, name: str) -> str:
        """The first header field called `name`, empty where there is none."""
        if isinstance(self._source, PyLazyMimePart):
            return _first(self._source.headers, name)
        return str(self._source.get(name, "")) if isinstance(self._source, StdlibMessage) else ""

    def content(self) -> bytes:
        """The bytes of a leaf, transfer-decoded, at most 4 MiB. Raises `NotReadAtOnceError`."""
        return self._decoded()[:MAX_PART_BYTES]

    def _decoded(self) -> bytes:
        source = self._source
        if isinstance(source, bytes):
            return source
        if isinstance(source, StdlibMessage):
            payload = source.get_payload(decode=True)
            if isinstance(payload, bytes):
                return payload
            # A multipart whose boundary never comes is one string in the standard library's eyes.
            whole = source.get_payload()
            return whole.encode("utf-8", "replace") if isinstance(whole, str) else b""
        try:
            content = source.content
        except DecodeError as error:
            raise NotReadAtOnceError("transfer encoding broken") from error
        if content is None:
            raise NotReadAtOnceError("a multipart without parts")
        encoding = self.header("content-transfer-encoding").strip().lower()
        return _uudecoded(content) if encoding in {"x-uuencode", "uuencode", "x-uue", "uue"} else content


def fast_tree(mail: bytes) -> Part:
    """The tree of `mail` as fast-mail-parser sees it. Raises `NotReadAtOnceError`, `NestedTooDeepError`."""
    try:
        return _from_lazy(parse_email_tree(mail, mode="lazy"), 0)
    except MimeStructureError as error:
        raise NestedTooDeepError from error
    except ParseError as error:
        raise NotReadAtOnceError("structure damaged") from error


def lenient_tree(mail: bytes) -> Part:
    """The tree of the first megabyte of `mail` as the standard library sees it: it forgives more and takes longer.
    Raises `NestedTooDeepError`, and whatever hostile bytes make the standard library raise."""
    return _from_stdlib(message_from_bytes(mail[:MAX_FALLBACK_BYTES], policy=policy.compat32), 0)


def plain_tree(mail: bytes, body_at: int) -> Part:
    """The body of `mail`, which begins at the offset `body_at`, as one part of plain text."""
    text = mail[body_at : body_at + MAX_PART_BYTES]
    return Part("text/plain", "", "", "", len(mail) - body_at, (), text)


def _from_lazy(node: PyLazyMimePart, depth: int) -> Part:
    if depth > _MAX_NESTING:
        raise NestedTooDeepError
    return Part(
        content_type=node.content_type.strip().lower(),
        content_type_field=_first(node.headers, "content-type"),
        disposition=(node.disposition or "").strip().lower(),
        filename=node.filename or "",
        size=node.encoded_size or 0,
        children=[_from_lazy(child, depth + 1) for child in node.children[:_MAX_CHILDREN]],
        _source=node,
    )


def _from_stdlib(node: StdlibMessage, depth: int) -> Part:
    if depth > _MAX_NESTING:
        raise NestedTooDeepError
    payload = node.get_payload()
    below = payload[:_MAX_CHILDREN] if isinstance(payload, list) else []
    return Part(
        content_type=node.get_content_type(),
        content_type_field=str(node.get("Content-Type", "")),
        disposition=node.get_content_disposition() or "",
        filename=node.get_filename() or "",
        size=len(payload) if isinstance(payload, str) else 0,
        children=[_from_stdlib(child, depth + 1) for child in below if isinstance(child, StdlibMessage)],
        _source=node,
    )


def _first(fields: dict[str, list[str]], name: str) -> str:
    found = fields.get(name.title()) or next((each for key, each in fields.items() if key.lower() == name), None)
    return found[0] if found else ""


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

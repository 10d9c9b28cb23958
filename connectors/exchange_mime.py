"""Mail as bytes where Exchange cannot, or need not, make them: built from an item's properties.

Exchange keeps no MIME, it makes MIME from properties when asked. For some items it fails, and for large ones it would
send every attachment for the sake of the text.
"""

import hashlib
import re
from collections.abc import Callable
from email.utils import format_datetime
from itertools import islice

from connectors.exchange_items import T, headers_in, mailboxes_in, moment
from connectors.exchange_requests import Element

Resolve = Callable[[str], str]
"""From an address of Exchange's own kind (EX) to an SMTP address; empty where there is none."""
_HEAD = 256 * 1024
_MOST_ATTACHMENTS = 200
_FIELD = re.compile(rb"^([!-9;-~]{1,100})[ \t]*:", re.MULTILINE)
_NAME = re.compile(r"[!-9;-~]{1,100}\Z")
_STRUCTURE = ("content-", "mime-version", "bcc")
_BREAKS = re.compile(r"[\r\n]+")
_LINE = re.compile(r"\r\n|\r|\n")


def with_missing_headers(mime: bytes, element: Element) -> bytes:
    """`mime` with the fields in front that the message arrived with and that Exchange's conversion left out, as it does
    where a mail program has touched the message: a guard may look for any of them."""
    head = re.split(rb"\r?\n\r?\n", mime[:_HEAD], maxsplit=1)[0]
    present = {name.decode("ascii").lower() for name in _FIELD.findall(head)}
    if not present:
        return mime  # no mail: whatever stands in front would become its header section
    missing = [(name, value) for name, value in headers_in(element) if name.lower() not in present and _wanted(name)]
    return _fields(missing) + mime if missing else mime


def built(element: Element, resolve: Resolve) -> bytes:
    """A message of the item's headers, its text, and the names of what is attached."""
    arrived = [(name, value) for name, value in headers_in(element) if _wanted(name)]
    given = {name.lower() for name, _ in arrived}
    fields = arrived + [(name, value) for name, value in _properties(element, resolve) if name.lower() not in given]
    text = element.findtext(f"{T}Body") or ""
    attached = list(islice(element.iterfind(f"{T}Attachments/*"), _MOST_ATTACHMENTS))
    return _fields([*fields, ("MIME-Version", "1.0")]) + (_mixed(text, attached) if attached else _plain(text))


def _wanted(name: str) -> bool:
    return bool(_NAME.match(name)) and not name.lower().startswith(_STRUCTURE)


def _properties(element: Element, resolve: Resolve) -> list[tuple[str, str]]:
    sent = moment(element.findtext(f"{T}DateTimeSent") or element.findtext(f"{T}DateTimeReceived"))
    found = [
        ("From", _addresses(element, "From", resolve)),
        ("Sender", _addresses(element, "Sender", resolve)),
        ("Reply-To", _addresses(element, "ReplyTo", resolve)),
        ("To", _addresses(element, "ToRecipients", resolve)),
        ("Cc", _addresses(element, "CcRecipients", resolve)),
        ("Subject", element.findtext(f"{T}Subject") or ""),
        ("Date", format_datetime(sent)),
        ("Message-ID", element.findtext(f"{T}InternetMessageId") or ""),
        ("In-Reply-To", element.findtext(f"{T}InReplyTo") or ""),
        ("References", element.findtext(f"{T}References") or ""),
    ]
    return [(name, value) for name, value in found if value]


def _addresses(element: Element, field: str, resolve: Resolve) -> str:
    written = []
    for name, address, routing in mailboxes_in(element, field):
        smtp = address if routing == "SMTP" else resolve(address)
        quoted = '"' + re.sub(r'["\\]', r"\\\g<0>", name) + '"' if name else ""
        written.append(f"{quoted} <{smtp}>".strip() if "@" in smtp else quoted)
    return ", ".join(each for each in written if each)


def _fields(fields: list[tuple[str, str]]) -> bytes:
    # RFC 6532: what is no ASCII stands there in UTF-8.
    lines = (f"{name}: {' '.join(filter(None, map(str.strip, _BREAKS.split(value))))}\r\n" for name, value in fields)
    return "".join(lines).encode("utf-8", "replace")


def _plain(text: str) -> bytes:
    body = _LINE.sub("\r\n", text).encode("utf-8", "replace")
    return b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + body


def _mixed(text: str, attached: list[Element]) -> bytes:
    boundary = b"=_" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32].encode()
    parts = [_plain(text), *(_attachment(each) for each in attached)]
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n\r\n' + body + b"--" + boundary + b"--\r\n"


def _attachment(element: Element) -> bytes:
    kind = element.findtext(f"{T}ContentType") or ""
    name = re.sub(r'["\\]', "_", element.findtext(f"{T}Name") or "attachment")
    fields = [
        ("Content-Type", kind if re.fullmatch(r"[\w.+-]{1,80}/[\w.+-]{1,80}", kind) else "application/octet-stream"),
        ("Content-Disposition", f'attachment; filename="{name}"'),
    ]
    return _fields(fields) + b"\r\n"

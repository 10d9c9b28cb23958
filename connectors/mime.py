"""Raw mail to `Message`: structure by fast-mail-parser, headers and text by the modules beside this one.

Mail is hostile input. Whatever the bytes are, `parse_message` returns a message and says in `defects` what was broken;
every size, count and depth is bounded, and attachments are named and sized, never opened.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from connectors import headers as header_section
from connectors.headers import Field
from connectors.message import Address, Headers, Message
from connectors.mime_bounds import within_bounds
from connectors.mime_text import Reading
from connectors.mime_tree import NestedTooDeepError, NotReadAtOnceError, fast_tree, lenient_tree, plain_tree
from connectors.quoting import newest_text

__all__ = ["SEVERAL_AUTHORS", "newest_text", "parse_message"]

SEVERAL_AUTHORS = "several authors in From"
"""The defect of a message whose From names more than one address: RFC 5322 §3.6.2 allows it, hardly anybody does it."""
_MAX_SUBJECT = 2_000
_MAX_ADDRESS_FIELDS = 20
_NO_LINE = 2_000
"""Where no line has ended by then, lines end in another way (a bare CR, as on very old systems)."""
_MBOX_LINE = re.compile(rb">?From [^\n]{0,1000}\n")


def parse_message(
    raw: bytes,
    *,
    mailbox: str,
    id: str,  # noqa: A002 - the name that Message has for it
    received_at: datetime,
    size: int | None = None,
) -> Message:
    """The message in `raw` (RFC 5322, MIME as of RFC 2045–2049), never an exception.

    `mailbox` is the address of the mailbox it was read from, `id` the provider's identifier, `received_at` aware.
    `size` is the size of the whole message on the server in bytes, where `raw` may be its beginning: a larger one than
    `raw` sets `truncated`. Text is NFC with \\n line ends, at most 200,000 characters. Time is linear in `raw`.
    """
    whole = len(raw) if size is None else size
    mail = _from_first_header(raw)
    fields, body_at, defects = header_section.split(mail)
    reading = _read(mail, fields, body_at, defects)
    text = reading.text()
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
        subject=named.text("subject")[:_MAX_SUBJECT],
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
        bcc=named.addresses("bcc"),
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
        found = self._fields.get(name, ())[:_MAX_ADDRESS_FIELDS]
        return tuple(address for each in found for address in header_section.addresses(each.raw))


def _from_first_header(raw: bytes) -> bytes:
    """`raw` without what precedes its first field: a byte order mark, empty lines, an mbox "From " line (RFC 4155)."""
    if b"\n" not in raw[:_NO_LINE] and b"\r" in raw[:_NO_LINE]:
        raw = raw.replace(b"\r", b"\n")
    start = 3 if raw.startswith(b"\xef\xbb\xbf") else 0
    start = len(raw) - len(raw[start:].lstrip(b"\r\n"))
    line = _MBOX_LINE.match(raw, start)
    if line is not None:
        start = line.end()
    return raw[start:] if start else raw


def _read(mail: bytes, fields: Sequence[Field], body_at: int, defects: Sequence[str]) -> Reading:
    if defects:
        # The header section was mended: the parsers shall see it as it is understood here.
        head = b"".join(each.name.encode() + b": " + b" ".join(each.raw.split()) + b"\r\n" for each in fields)
        mail, body_at = head + b"\r\n" + mail[body_at:], len(head) + 2
    mail, beyond = within_bounds(mail)
    found = [*defects, *filter(None, [beyond])]
    for tree in (fast_tree, lenient_tree):
        reading = Reading(defects=list(found))
        try:
            reading.read(tree(mail))
        except NestedTooDeepError:
            break
        except NotReadAtOnceError as error:
            found.append(error.words)
        except Exception:  # noqa: BLE001 - this module's promise: hostile bytes raise nothing, whatever they break
            found.append("structure damaged")
        else:
            return reading
    reading = Reading(defects=[*found, "structure not readable"])
    reading.read(plain_tree(mail, body_at))
    return reading

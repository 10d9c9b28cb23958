"""A family's mail, attached as it came: not a byte of it may change on the way to the office."""

import re
from email.message import EmailMessage
from hashlib import sha256
from itertools import count

from autoresponder.outgoing import WIRE, as_bytes

_LINE_BYTES = 998  # RFC 5322 §2.1.1, RFC 5321 §4.5.3.1.6
_NAME = "original.eml"
_BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def with_original(mail: EmailMessage, raw: bytes, message_id: str, *, sealed: bool = False) -> bytes:
    """`mail` with `raw` attached, byte for byte; `message_id` is the mail's own.

    As message/rfc822, which may not be encoded (RFC 2046 §5.2.1), where SMTP can carry the bytes as they are; otherwise
    as the file itself in base64, which mail programs open by its name; so also where it is `sealed`, because what
    reads it dies of it, and no program is to do that unasked. A mail that is stored with nothing but LF (a Maildir) is
    put back into the canonical CRLF that it arrived with (RFC 2045 §2.10).
    """
    original = raw.replace(b"\n", b"\r\n") if b"\r" not in raw else raw
    encoding = None if sealed else _transfer_encoding(original)
    mail.make_mixed()
    if encoding is None:
        mail.add_attachment(raw, maintype="application", subtype="octet-stream", filename=_NAME)
        return as_bytes(mail)
    place = f"original of {sha256(message_id.encode()).hexdigest()}"
    part = EmailMessage(policy=WIRE)
    part["Content-Type"] = f'message/rfc822; name="{_NAME}"'
    part["Content-Disposition"] = f'attachment; filename="{_NAME}"'
    part["Content-Transfer-Encoding"] = encoding
    part.set_payload(place)
    mail.attach(part)
    mail["Content-Transfer-Encoding"] = encoding  # RFC 2045 §6.4: what holds an 8bit part is 8bit itself.
    mail.set_boundary(_boundary(message_id, original))
    # Put in after generating: every library re-writes a message that it is asked to attach.
    before, _, after = as_bytes(mail).partition(place.encode("ascii"))
    return before + original + after


def _transfer_encoding(raw: bytes) -> str | None:
    """7bit or 8bit (RFC 2045 §2.7, §2.8); None where `raw` is neither: a NUL, a bare CR or LF, a line too long."""
    if b"\0" in raw or _BARE_LINE_END.search(raw) or any(len(line) > _LINE_BYTES for line in raw.split(b"\r\n")):
        return None
    return "7bit" if raw.isascii() else "8bit"


def _boundary(message_id: str, original: bytes) -> str:
    """A boundary that no line of `original` holds (RFC 2046 §5.1.1), so that none can close the attachment early."""
    for attempt in count():
        boundary = f"=_alliance_{sha256(f'{attempt} {message_id}'.encode()).hexdigest()[:32]}"
        if boundary.encode("ascii") not in original:
            return boundary
    raise AssertionError("unreachable")

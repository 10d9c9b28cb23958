"""Messages as letters that the classifier reads: those of a mailbox, and what `alliance classify` is given."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from classifier.examples import Line, parse_line
from classifier.verdict import Letter
from connectors.message import Message
from connectors.mime import parse_message

_FIELD = re.compile(
    rb"(?i)(?:return-path|received|from|to|date|message-id|mime-version|delivered-to|content-type|reply-to):"
)
_SUBJECT = re.compile(r"(?i)\ufeff?subject:[ \t]*(.*)")


def letter_of(message: Message, zone: ZoneInfo) -> Letter:
    """The letter that a message of a mailbox is; `zone` is the school's. A reaction's subject is that of another
    message, which was judged when it came."""
    subject = "" if message.is_reaction else message.subject
    return Letter(subject, message.newest, message.received_at.astimezone(zone), only_newest=True)


def letter_from(source: bytes, received: datetime | None = None) -> Letter:
    """The letter in `source`; `received`, local time, wins over what the source says.

    A mail (two header fields at the top) is parsed as such and came when its Date field says, in this machine's time
    zone. A JSON object is read as a line of a corpus is. Of plain text a first line "Subject: …" is the subject.
    Raises `classifier.errors.ExamplesError` for a JSON object with a wrong key.
    """
    if source.lstrip().startswith(b"{"):
        letter = parse_line(source, "the JSON object", Line).letter
        return Letter(letter.subject, letter.body, received or letter.received)
    if _is_mail(source):
        message = parse_message(source, mailbox="", id="", received_at=datetime.now(UTC))
        came = message.date.astimezone() if message.date else None
        return Letter(message.subject, message.newest, received or came)
    text = source.decode("utf-8", "replace").replace("\r\n", "\n")
    first, _, rest = text.partition("\n")
    subject = _SUBJECT.fullmatch(first)
    return Letter(subject[1], rest, received) if subject else Letter("", text, received)


def _is_mail(source: bytes) -> bool:
    head = re.split(rb"\r?\n\r?\n", source, maxsplit=1)[0].splitlines()
    return sum(bool(_FIELD.match(line)) for line in head[:200]) >= 2

"""The messages that the contract is tested with."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from connectors.message import MARKER

FAMILY = "mia.okafor@family.example"
_START = datetime(2026, 9, 7, 8, 0, tzinfo=UTC)


def family_id(number: int) -> str:
    """The Message-ID of `family_mail(number)`."""
    return f"family-{number}@family.example"


def family_mail(number: int, to: str, *, subject: str | None = None, body: str = "Thank you!") -> bytes:
    """One of the messages that a family writes, told apart by `number`."""
    return _mail(
        {
            "From": f"Mia Okafor <{FAMILY}>",
            "To": to,
            "Subject": subject or f"Question {number}",
            "Message-ID": f"<{family_id(number)}>",
            "Date": format_datetime(_START + timedelta(minutes=number)),
        },
        f"Dear teacher, this is message {number}.\n{body}\n",
    )


def family_mails(numbers: Iterable[int], to: str, *, body: str) -> Iterator[bytes]:
    """`family_mail` for each of many numbers, all of one date: written once, and copied."""
    number = b"4242"
    written = family_mail(int(number), to, body=body)
    return (written.replace(number, str(each).encode()) for each in numbers)


def reply_id(number: int) -> str:
    """The Message-ID of `reply(number)`."""
    return f"reply-{number}@school.example"


def reply(number: int, sender: str, *, subject: str | None = None) -> bytes:
    """A message from the teacher's address to the family."""
    return _mail(
        {
            "From": sender,
            "To": FAMILY,
            "Subject": subject or f"Re: Question {number}",
            "Message-ID": f"<{reply_id(number)}>",
            "Date": format_datetime(_START),
        },
        f"Dear Mia, this answers message {number}.\n",
    )


def good_news_id(number: int) -> str:
    """The Message-ID of `good_news(number)`."""
    return f"alliance.draft.{number:032x}@school.example"


def good_news(number: int, sender: str) -> bytes:
    """A draft of a new mail to both of a child's guardians, for the teacher to finish."""
    return _mail(
        {
            "From": sender,
            "To": f"{FAMILY}, luis.okafor@family.example",
            "Subject": f"Algo bueno de la escuela: Leo {number}",
            "Message-ID": f"<{good_news_id(number)}>",
            "Date": format_datetime(_START),
            MARKER: "draft",
        },
        f"Dear Mia, this is what I saw: ⟨1 · Leo {number}: one thing that went well⟩\n",
    )


def answer(number: int, sender: str) -> bytes:
    """`reply(number)` as an answer to `family_mail(number)` (RFC 5322 §3.6.4)."""
    asked = f"<{family_id(number)}>"
    return _mail(
        {
            "From": sender,
            "To": FAMILY,
            "Subject": f"Re: Question {number}",
            "Message-ID": f"<{reply_id(number)}>",
            "In-Reply-To": asked,
            "References": asked,
            "Date": format_datetime(_START),
        },
        f"Dear Mia, this answers message {number}.\n",
    )


def draft_id(number: int, alternative: int) -> str:
    """Message-ID of one of the drafts that a teacher gets about message `number`."""
    return f"alliance.draft.{number}-{alternative}@maple.example"


def teachers_draft(number: int, sender: str, alternative: int = 1) -> bytes:
    """A draft of the teacher's own answer to message `number`, as the service leaves it to them: one of several alike,
    told apart by their Message-IDs and their words."""
    asked = f"<{family_id(number)}>"
    return _mail(
        {
            "From": sender,
            "To": FAMILY,
            "Subject": f"Re: Question {number}",
            "Message-ID": f"<{draft_id(number, alternative)}>",
            "In-Reply-To": asked,
            "References": asked,
            "Date": format_datetime(_START),
            MARKER: "draft",
        },
        f"Draft {alternative} about message {number}.\n",
    )


def raw_utf8_mail(number: int, to: str) -> bytes:
    """A message with undeclared UTF-8 in its header (RFC 6532), as careless programs send it."""
    lines = (
        f"From: Zoë Müller-Ünal <{FAMILY}>",
        f"To: {to}",
        "Subject: Größe שלום 🚌",
        f"Message-ID: <{family_id(number)}>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        "Grüße",
        "",
    )
    return "\r\n".join(lines).encode()


SUBJECTS: Mapping[str, str] = {
    "umlauts": "Größe der Füße: Straßenschuhe für Zoë Müller-Ünal",
    "right to left": "שאלה על הטיול מחר",
    "both directions": "Trip מחר at 9:00 و غداً?",
    "emoji": "🚌 Bus 12 👩‍👧 🇩🇪",
    "combining marks": "Cafe\u0301 Tie\u0302\u0301ng Vie\u0323\u0302t",
    "longer than a line": "Überraschung " * 20 + "Ende",
}
"""Subjects in the scripts that families write, and one that has to be folded."""


def raw_subject_mail(number: int, subject: str, sender: str, to: str, message_id: str) -> bytes:
    """A message whose subject is undeclared UTF-8 (RFC 6532)."""
    lines = (
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {subject}",
        f"Message-ID: <{message_id}>",
        f"Date: {format_datetime(_START + timedelta(minutes=number))}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        "Grüße",
        "",
    )
    return "\r\n".join(lines).encode()


NOT_MAIL: Mapping[str, bytes] = {
    "random bytes": bytes((i * 167 + i // 7) % 256 for i in range(4096)),
    "nothing": b"",
    "NUL bytes": b"From: a@family.example\r\nSubject: a\x00b\r\n\r\nc\x00d\r\n",
    "no headers": b"just a line\r\nand another one\r\n",
    "no body": b"Subject: only this\r\n",
    "a very long line": b"Subject: " + b"x" * 70_000 + b"\r\n\r\nend\r\n",
}
"""What arrives in mailboxes without being mail."""


def _mail(fields: Mapping[str, str], body: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    for name, value in fields.items():
        message[name] = value
    message.set_content(body)
    return message.as_bytes()

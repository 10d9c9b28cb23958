"""Names and subjects that would begin a header field of their own, in whatever this service writes because of them: it
has the very fields that it has for a harmless family's."""

import base64
import email
import email.policy
from datetime import UTC, datetime

import pytest

from autoresponder.note import Note, Paragraph, Section
from service.notices import mail_to_staff
from tests.service.maple import OFFICE, RIVERA, Maple

NOW = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
BCC = "Bcc: everybody@elsewhere.example"
BREAKS = ("\r\n", "\n", "\r", "\r\n\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0", "\r\n ", "\n\t")


def _word(text: str) -> str:
    return f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="


def _q(text: str) -> str:
    return "=?utf-8?q?" + "".join(f"={byte:02X}" for byte in text.encode()) + "?="


HOSTILE = {
    "a break in base64": _word("".join(f"Ana{each}{BCC}" for each in BREAKS)),
    "a break in quoted-printable": _q(f"Ana\r\n{BCC}\r\n\r\n<script>"),
    "words that make up one when put together": f"{_word('Ana' + chr(13))} {_word(chr(10) + BCC)}",
    "an encoded word within one": _word(_word(f"Ana\r\n{BCC}")),
    "an encoded address and a list": _word(f'Ana" <everybody@elsewhere.example>, "\r\n{BCC}'),
    "another charset": "=?utf-7?q?Ana+AA0ACg-Bcc:_everybody?= =?utf-16?b?" + base64.b64encode(
        f"Ana\r\n{BCC}".encode("utf-16")
    ).decode() + "?=",
}  # fmt: skip


def written_because_of(name: str) -> list[tuple[str, tuple[str, ...]]]:
    """A family of that name writes three mails with it in their subjects; two days go by. What was sent or put into
    Drafts: to whom, and the names of its fields."""
    maple = Maple(office={"minutes": 30})
    maple.round()
    for number, tag in enumerate(("urgent custody", "conflict grades", "routine homework")):
        raw = (
            f"From: {name} <ana{number}@family.example>\r\nTo: {RIVERA}\r\nSubject: {tag} {name}\r\n"
            f"Message-ID: <m{number}@family.example>\r\nReferences: <a@family.example> {name}\r\n"
            "Date: Tue, 03 Mar 2026 10:00:00 -0600\r\n\r\nThank you for your help.\r\n"
        )
        maple.system.deliver(raw.encode(), RIVERA)
    maple.rounds(6, minutes=40)
    maple.rounds(12, hours=8)
    mails = [
        email.message_from_bytes(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n", policy=email.policy.default)
        for raw in (*(raw for _, raw in maple.system.departed), *maple.drafts())
    ]
    assert all(BCC not in str(value).splitlines() for mail in mails for value in mail.values())
    return sorted((str(mail["To"]), tuple(mail.keys())) for mail in mails)


@pytest.fixture(scope="module")
def harmless() -> list[tuple[str, tuple[str, ...]]]:
    return written_because_of("Ana")


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_adds_no_field_to_a_mail_or_draft(name: str, harmless: list[tuple[str, tuple[str, ...]]]) -> None:
    told = {to for to, _ in harmless}
    assert {OFFICE, RIVERA} <= {to.rpartition("<")[2].strip("<>") for to in told}, "routes and reminders"
    assert len(harmless) >= 6

    def by_address(mails: list[tuple[str, tuple[str, ...]]]) -> list[tuple[str, tuple[str, ...]]]:
        return sorted((to.rpartition("<")[2].strip("<>"), fields) for to, fields in mails)

    assert by_address(written_because_of(HOSTILE[name])) == by_address(harmless)


@pytest.mark.parametrize("between", BREAKS)
def test_no_mail_of_the_services_own_to_the_staff_gets_a_field_more(between: str) -> None:
    def fields(title: str) -> list[tuple[str, str]]:
        note = Note(title, (Section("en", "ltr", (Paragraph(title),)),))
        mail = mail_to_staff(
            note, rfc_message_id="x@maple.example", sender=RIVERA, recipient="lee@maple.example", now=NOW
        )
        read = email.message_from_bytes(mail, policy=email.policy.default)
        return [(name, str(value)) for name, value in read.items() if name not in {"Subject", "Content-Type"}]

    assert fields(f"About Ana{between}{BCC}{between}X-Priority: 1") == fields("About Ana")

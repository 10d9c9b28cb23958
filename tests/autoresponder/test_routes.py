"""What the office gets."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from autoresponder.plan import RouteFacts
from autoresponder.routes import compose_route
from classifier.verdict import Reason, Verdict
from config.settings import Settings
from connectors.labels import Tag
from connectors.message import MARKER, Message
from connectors.mime import parse_message
from tests.autoresponder.sample import ORIGINAL, SETTINGS, TEACHER, TUESDAY_NOON, original, route_facts

SPANISH = SETTINGS.model_copy(update={"school": SETTINGS.school.model_copy(update={"languages": ("es", "en")})})
VERDICT = Verdict(
    urgent=0.97,
    conflict=0.1,
    tag=Tag.URGENT,
    unsure=False,
    language="en",
    reasons=(Reason("pickup changed today", "Her aunt Rosa will get her at two."),),
)


def route(
    raw: bytes | None = ORIGINAL,
    message: Message | None = None,
    facts: RouteFacts | None = None,
    *,
    students: tuple[str, ...] = ("Lucía Torres",),
    reply_sent: bool | None = None,
    verdict: Verdict | None = VERDICT,
    configured: Settings = SETTINGS,
) -> bytes:
    return compose_route(
        raw,
        message or (original(raw) if raw is not None else None),
        facts or route_facts(),
        verdict,
        students=students,
        mailbox=TEACHER,
        settings=configured,
        now=TUESDAY_NOON,
        reply_sent=reply_sent,
        sender="ana@family.example",
        message_id="on.record@maple.example",
    )


def read(raw: bytes) -> EmailMessage:
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def summary(raw: bytes) -> str:
    """The summary's plain text, its lines joined."""
    body = read(raw).get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())


def attached(raw: bytes) -> tuple[str, bytes]:
    """Kind and bytes of the last part, cut out of the mail as it lies there, by RFC 2046 §5.1.1 and nothing else."""
    boundary = str(read(raw).get_boundary()).encode()
    parts = raw.split(b"\r\n--" + boundary)
    assert len(parts) == 4, "before the first boundary, the summary, the original, after the last"
    assert parts[3].startswith(b"--")
    header, _, body = parts[2].partition(b"\r\n\r\n")
    kind = re.search(rb"Content-Type: ([\w/-]+)", header, re.IGNORECASE)
    assert kind is not None
    return kind[1].decode(), body


def test_the_office_reads_who_which_student_why_when_and_what_the_family_was_told() -> None:
    text = summary(route(reply_sent=True))
    for said in (
        "From: Ana Torres <ana@family.example>",
        "Student: Lucía Torres",
        "Written to: Ms. Rivera",
        "Received: Tuesday, March 3, 12:05 PM",
        "Why it was flagged: pickup changed today: “Her aunt Rosa will get her at two.”",
        "an automatic note, sent: that your office has the message",
        "attached as it came",
        "your answer goes to Ms. Rivera, not to the family",
    ):
        assert said in text


def test_summary_text_and_html_say_the_same() -> None:
    mail = read(route(students=("Lucía Torres", "Mateo Torres")))
    page, plain = mail.get_body(("html",)), mail.get_body(("plain",))
    assert page is not None
    assert plain is not None
    body = LexborHTMLParser(page.get_content()).body
    assert body is not None
    assert body.text().split() == [word for word in plain.get_content().split() if word != "-"]


def test_the_subject_names_people_and_none_of_the_familys_words() -> None:
    raw = ORIGINAL.replace(b"Field trip", b"she wants to hurt herself")
    assert read(route(raw))["Subject"] == "Urgent: a message from Ana Torres for Ms. Rivera"
    header = route(raw).partition(b"\r\n\r\n")[0]
    assert b"hurt" not in header
    assert b"pickup" not in header


def test_the_headers_are_those_of_a_pressing_automatic_mail_that_office_staff_answer_to_the_teacher() -> None:
    mail = read(route())
    assert mail["From"] == '"Ms. Rivera via Alliance Inbox" <rivera@maple.example>'
    assert mail["To"] == "office@maple.example"
    assert mail["Reply-To"] is None
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Importance"] == "high"
    assert mail["X-Priority"].startswith("1")
    assert mail["Message-ID"] == "<on.record@maple.example>"
    assert mail["Date"].datetime == TUESDAY_NOON
    assert mail[MARKER] == "route"
    assert mail.defects == []


def test_a_non_delivery_report_may_come_back_from_the_office() -> None:
    assert set(read(route())["X-Auto-Response-Suppress"].split(", ")) == {"RN", "NRN", "OOF", "AutoReply"}


@pytest.mark.parametrize(
    ("facts", "reply_sent", "said"),
    [
        (route_facts(), None, "an automatic note, about to be sent"),
        (route_facts(), True, "an automatic note, sent"),
        (route_facts(), False, "nothing yet; the automatic note to them could not be sent"),
        (route_facts(family_told=False), None, "nothing (this sender was answered yesterday)"),
    ],
)
def test_what_the_family_was_told_is_what_happened(facts: RouteFacts, reply_sent: bool | None, said: str) -> None:
    assert f"What the family was told: {said}" in summary(route(facts=facts, reply_sent=reply_sent))


def test_an_unverified_sender_is_a_warning_in_subject_and_summary_and_no_name_is_taken_for_granted() -> None:
    raw = route(facts=route_facts(unverified=True))
    assert read(raw)["Subject"] == "Urgent (sender not verified): a message for Ms. Rivera"
    text = summary(raw)
    assert text.index("Careful:") < text.index("From:")
    assert "Lucía Torres, if the sender is who they say" in text


def test_an_unsure_verdict_asks_the_office_to_check() -> None:
    assert "not certain that this message is urgent. Please check." in summary(route(facts=route_facts(unsure=True)))
    assert "not certain" not in summary(route())


def test_a_sender_who_is_not_on_the_roster_is_said_to_be_unknown() -> None:
    assert "Student: not known: this address is not on the roster" in summary(route(students=()))


def test_a_message_that_is_gone_still_reaches_the_office_as_a_note_with_its_sender() -> None:
    raw = route(None, verdict=None)
    text = summary(raw)
    assert "no longer in Ms. Rivera's mailbox" in text
    assert "From: ana@family.example" in text
    assert read(raw).get_content_type() == "multipart/alternative"


def test_an_original_that_cannot_be_attached_is_asked_for() -> None:
    raw = compose_route(
        None,
        original(),
        route_facts(),
        VERDICT,
        students=(),
        mailbox=TEACHER,
        settings=SETTINGS,
        now=TUESDAY_NOON,
    )
    assert "could not be attached" in summary(raw)
    assert read(raw)["Message-ID"].startswith("<alliance.route.")


def test_without_an_original_a_message_id_is_needed() -> None:
    with pytest.raises(ValueError, match="Message-ID"):
        compose_route(
            None, None, route_facts(), None, students=(), mailbox=TEACHER, settings=SETTINGS, now=TUESDAY_NOON
        )


def test_an_office_that_works_in_spanish_reads_spanish() -> None:
    raw = route(configured=SPANISH)
    assert read(raw)["Subject"] == "Urgente: un mensaje de Ana Torres para Ms. Rivera"
    assert "Recibido: martes 3 de marzo, 12:05 p. m." in summary(raw)


def test_a_senders_name_cannot_pose_as_another_address_or_hide_in_control_characters() -> None:
    raw = ORIGINAL.replace(b"Ana Torres", '"Principal <head@maple.example>\u202e"'.encode())
    text = summary(route(raw))
    assert "From: Principal head maple.example <ana@family.example>" in text
    assert "\u202e" not in text


BODIES = {
    "plain": ORIGINAL,
    "without a final line end": ORIGINAL.removesuffix(b"\r\n"),
    "without a body": ORIGINAL.partition(b"\r\n\r\n")[0],
    "8-bit": ORIGINAL + "¿Puede salir a la una? Mañana está bien. 日本語\r\n".encode(),
    "broken charset": ORIGINAL + bytes(range(0x80, 0x100)) + b"\r\n",
    "broken MIME": ORIGINAL.replace(b"Subject:", b'Content-Type: multipart/mixed; boundary="x\r\nSubject:')
    + b"--x\r\n",
    "an open multipart": ORIGINAL.replace(b"Subject:", b"Content-Type: multipart/mixed; boundary=x\r\nSubject:")
    + b"--x\r\nContent-Type: text/plain\r\n\r\nHi\r\n",
    "dots and From": ORIGINAL + b".\r\n..\r\nFrom here on\r\n",
    "blanks at line ends": ORIGINAL + b"Bye \t \r\n\r\n\r\n",
    "long but lawful lines": ORIGINAL + b"x" * 998 + b"\r\n",
}
STUBBORN = {
    "NUL": ORIGINAL + b"a\0b\r\n",
    "mixed line ends": ORIGINAL + b"a\nb\r\n",
    "bare CR": ORIGINAL + b"a\rb\r\n",
    "a line too long": ORIGINAL + b"x" * 999 + b"\r\n",
}


@pytest.mark.parametrize("name", BODIES)
def test_the_original_is_attached_byte_for_byte_as_a_message(name: str) -> None:
    raw = route(BODIES[name])
    assert attached(raw) == ("message/rfc822", BODIES[name])
    (part,) = read(raw).iter_attachments()
    assert part.get_filename() == "original.eml"
    assert part["Content-Transfer-Encoding"] == ("7bit" if BODIES[name].isascii() else "8bit")


def test_an_ordinary_original_comes_out_of_the_offices_parser_as_it_went_in() -> None:
    (part,) = read(route()).iter_attachments()
    inner = part.get_content()
    assert inner.as_bytes(policy=policy.SMTP) == ORIGINAL
    assert inner["Message-ID"] == "<one@family.example>"


@pytest.mark.parametrize("name", STUBBORN)
def test_an_original_that_smtp_cannot_carry_is_attached_byte_for_byte_as_a_file(name: str) -> None:
    (part,) = read(route(STUBBORN[name])).iter_attachments()
    assert part.get_content_type() == "application/octet-stream"
    assert part.get_filename() == "original.eml"
    assert part.get_content() == STUBBORN[name]


def test_an_original_stored_with_unix_line_ends_travels_with_those_of_mail() -> None:
    stored = ORIGINAL.replace(b"\r\n", b"\n")
    assert attached(route(stored)) == ("message/rfc822", ORIGINAL)


def test_an_original_that_quotes_the_boundary_cannot_end_its_own_part() -> None:
    first = str(read(route()).get_boundary()).encode()
    assert attached(route(ORIGINAL + b"--" + first + b"--\r\nMore\r\n"))[1].endswith(b"More\r\n")


def can_travel(raw: bytes) -> bool:
    """Whether SMTP could carry every byte: what RFC 5321 §2.3.8 and §4.5.3.1.6 say, written out."""
    lines_end_well = all((a == 13) == (b == 10) for a, b in pairwise(b"x" + raw + b"x"))
    return lines_end_well and 0 not in raw and all(len(line) <= 998 for line in raw.split(b"\r\n"))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"\r\n", b"\r", b"\n", b"\0", b"--", b"Subject: x", b"\xff", b"Content-Type: text/html", b" "])
        | st.binary(max_size=8),
        max_size=12,
    ).map(b"".join)
)
def test_whatever_the_original_is_the_office_gets_every_byte_of_it(garbage: bytes) -> None:
    message = parse_message(garbage, mailbox=TEACHER.address, id="7", received_at=TUESDAY_NOON, size=len(garbage))
    raw = route(garbage, message)
    assert read(raw)["To"] == "office@maple.example"
    kind, body = attached(raw)
    if kind == "message/rfc822":
        assert body in (garbage, garbage.replace(b"\n", b"\r\n"))
        assert can_travel(body)
    else:
        (part,) = read(raw).iter_attachments()
        assert part.get_content() == garbage
        assert not can_travel(garbage)
    assert can_travel(raw)

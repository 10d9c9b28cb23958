"""Whatever the bytes are: a message, never an exception, and everything in it bounded and clean."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.message import Message
from tests.mails.samples import names, parsed, raw

EVERY_MAIL = [*names("family"), *names("robot"), *names("broken")]
SAMPLES = [raw(name) for name in EVERY_MAIL]
READABLE = {
    "address_rubbish": "hello",
    "bare_cr": "Ana is sick.",
    "base64_rubbish": "Ana is sick",
    "boundary_never_comes": "Ana is sick today.",
    "charset_invented": "Ana está enferma",
    "charset_escape": "\\u0041na is sick é",
    "header_8bit": "hola",
    "header_junk_line": "Ana is sick",
    "html_unclosed": "Ana is sick",
    "message_in_message": "Ana is sick",
    "missing_boundary": "Ana is sick today.",
    "no_header": "Just a few words, no header at all.",
    "nul_bytes": "Ana is sick",
    "qp_rubbish": "Ana =ZZ is sick=3",
    "unclosed": "Ana is sick",
}


def assert_sound(message: Message) -> None:
    """What holds for every message, whatever it was read from."""
    shown = [message.subject, *(value for field in message.headers.fields() for value in field)]
    people = [*message.to, *message.cc, *message.reply_to, *filter(None, [message.sender])]
    shown += [part for person in people for part in (person.email, person.name)]
    shown += [part for each in message.attachments for part in (each.filename, each.content_type)]
    for value in shown:
        assert not any(character < " " or "\x7f" <= character <= "\x9f" for character in value), repr(value)
    assert all(person.email == person.email.lower() for person in people)
    assert len(message.text) <= 200_000
    assert len(message.attachments) <= 200
    assert "\0" not in message.text
    assert "\r" not in message.text
    assert bool(message.text.strip()) == bool(message.newest.strip())
    message.text.encode("utf-8")
    assert all(identifier and not set(identifier) & set("<> \r\n") for identifier in message.references)


@pytest.mark.parametrize("name", READABLE)
def test_broken_mail_is_read_for_what_it_says(name: str) -> None:
    message = parsed(f"broken/{name}.eml")
    assert message.newest == READABLE[name]


@pytest.mark.parametrize("name", EVERY_MAIL)
def test_every_mail_at_hand_is_sound(name: str) -> None:
    assert_sound(parsed(name))


def test_a_header_cannot_smuggle_another_one_in() -> None:
    message = parsed("broken/header_injection.eml")
    assert message.sender is not None
    assert message.sender.name == "x Bcc: victim@other.example"
    assert message.subject == "one twothree"
    assert "bcc" not in message.headers


def test_a_content_type_holds_no_control_character() -> None:
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    assert_sound(parsed(head + b"--b\r\nContent-Type: image/\x00png\x07; name=a\r\n\r\nx\r\n--b--\r\n"))


@given(st.binary(max_size=600))
@settings(max_examples=150)
def test_any_bytes_are_a_message(mail: bytes) -> None:
    assert_sound(parsed(mail))


@given(st.sampled_from(SAMPLES), st.data())
@settings(max_examples=150)
def test_mail_cut_off_anywhere_is_a_message(mail: bytes, data: st.DataObject) -> None:
    end = data.draw(st.integers(0, len(mail)))
    message = parsed(mail[:end], size=len(mail))
    assert message.truncated == (end < len(mail))
    assert_sound(message)


@given(st.sampled_from(SAMPLES), st.data())
@settings(max_examples=200)
def test_mail_damaged_anywhere_is_a_message(mail: bytes, data: st.DataObject) -> None:
    damaged = bytearray(mail)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(damaged)))
        cut = data.draw(st.integers(0, 40))
        damaged[at : at + cut] = data.draw(st.binary(max_size=12) | st.sampled_from(
            [b"\r\n\r\n", b"=?utf-8?q?", b"\0", b"--", b"Content-Type: multipart/mixed\r\n", b'"', b"<", b"\xff\xfe"]
        ))  # fmt: skip
    assert_sound(parsed(bytes(damaged)))


WORDS = st.sampled_from(
    [
        *("=?utf-8?b?w7E=?=", "=?gb2312?B?xOM=?=", "=?x?q?a?=", "=?utf-8?q?=?=", "=?utf-8?q?a", "?=", "ñ", "a b"),
        *("<x@y.example>", '"', " ", "\t", ",", ":", ";", "(", ")", "\\", "\x85", "\u2028", "\x1b$B"),
    ]
)


@given(st.lists(WORDS, max_size=25).map("".join), st.sampled_from(["From", "To", "Subject", "References", "Date"]))
@settings(max_examples=150)
def test_any_header_value_is_read_on_one_line(value: str, name: str) -> None:
    assert_sound(parsed(f"{name}: {value}\r\nFrom: x@family.example\r\n\r\nhi".encode()))


LARGE = {
    "a thousand multiparts in each other": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(1_000)
    ),
    "a hundred thousand parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000,
    "a header without end": b"X: " + b"a" * 3_000_000,
    "a million fields": b"X: a\r\n" * 1_000_000,
    "a field folded for ever": b"Subject: a\r\n" + b" x\r\n" * 500_000,
    "encoded words without end": b"Subject: " + b"=?utf-8?q?a" * 100_000 + b"\r\n\r\nhi",
    "a hundred thousand recipients": b"To: " + b"a@b.example, " * 100_000 + b"\r\n\r\nhi",
    "a thousand attachments": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--b\r\nContent-Type: image/png; name=a.png\r\n\r\nx\r\n" * 1_000,
    "a text of ten million characters": b"Subject: s\r\n\r\n" + b"word " * 2_000_000,
    "lines that are no fields before one that is": b"x\n" * 120_000 + b"From: a@family.example\n\nhi",
    "nothing but line ends": b"\n" * 5_000_000,
    "base64 that will not end": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QQ==" * 500_000,
}


CUT = LARGE.keys() - {"nothing but line ends"}
"""Where something is left out, `defects` says so."""


@pytest.mark.parametrize("name", LARGE)
def test_size_depth_and_number_are_bounded(name: str) -> None:
    message = parsed(LARGE[name])
    assert bool(message.defects) == (name in CUT), message.defects
    assert_sound(message)
    assert len(message.headers.fields()) <= 1_000
    assert len(message.to) <= 500


def test_a_header_that_is_cut_off_does_not_spill_into_the_text() -> None:
    message = parsed(LARGE["a hundred thousand recipients"])
    assert message.text == "hi"
    assert len(message.to) == 500
    fields = b"".join(b"X-Field-%d: %s\r\n" % (number, b"word " * 60) for number in range(990))
    assert parsed(b"From: a@family.example\r\n" + fields + b"\r\nhi").text == "hi"

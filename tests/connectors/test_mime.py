"""What is read from a mail: its text, the newest part of it, who wrote to whom and when."""

from datetime import UTC, datetime

import pytest

from connectors.message import Address, Attachment
from tests.mails.samples import parsed

NEWEST = {
    "gmail_reply": "Yes, she may go. Does she need a packed lunch?",
    "outlook_html_only": "Thursday at four suits both of us.",
    "outlook_plain_es": "El jueves a las cuatro está bien.",
    "iphone_urgent": "Ana's inhaler is on my kitchen table and she has PE at ten. Can the nurse call me please",
    "inline_answers": "No, her uncle collects her this week.\n\nNever! She is allergic, it is in her file.\n\n"
    "Yes, both of us.",
    "forward_without_words": "I am taking Ana at noon today and she is not coming back to you.",
    "arabic_1256": "السلام عليكم أستاذة، سلمى مريضة اليوم ولن تأتي إلى المدرسة.",
    "chinese_gb_unlabelled": "老师您好，请问今天的数学作业是哪几页？孩子忘了带书回家。谢谢！",
    "russian_koi8": "Здравствуйте! Завтра Дима придёт к десяти, утром у нас врач.",
    "vietnamese_flowed": "Kính gửi cô, chiều nay ông ngoại sẽ đón cháu Minh lúc ba giờ thay cho tôi, "
    "xin cô cho cháu về với ông.",
    "small_business": "We will bring four dozen cookies on Saturday.\n\nMaria",
}
HEAD = b"From: a@family.example\r\nTo: rivera@maple.example\r\nSubject: s\r\n"


@pytest.mark.parametrize("name", NEWEST)
def test_the_newest_text_is_what_the_family_wrote_this_time(name: str) -> None:
    assert parsed(f"family/{name}.eml").newest == NEWEST[name]


def test_the_history_stays_in_the_text() -> None:
    assert "the bus leaves at nine" in parsed("family/gmail_reply.eml").text


def test_headers_are_read_for_what_they_mean() -> None:
    message = parsed("family/gmail_reply.eml")
    assert message.sender == Address("maria.lopez@family.example", "Maria Lopez")
    assert message.to == (Address("rivera@maple.example", "Rivera, Ms."),)
    assert message.subject == "Re: Field trip on Friday"
    assert message.message_id == "a1b2@mail.family.example"
    assert message.in_reply_to == message.references == ("trip.7@maple.example",)
    assert message.date == datetime(2026, 3, 10, 13, 12, 30, tzinfo=UTC)
    assert message.received_at.tzinfo is UTC
    assert not message.defects


def test_names_and_subjects_are_decoded_in_any_charset() -> None:
    message = parsed("family/arabic_1256.eml")
    assert message.sender == Address("salma@family.example", "أم سلمى")
    assert message.subject == "غياب سلمى"
    assert parsed("family/russian_koi8.eml").subject == "Завтра"


@pytest.mark.parametrize("charset", ["utf-8", "windows-1252"])
def test_headers_that_break_the_rules_with_8_bit_letters_are_read(charset: str) -> None:
    message = parsed("From: José Núñez <jose@family.example>\r\nSubject: Mañana\r\n\r\nhola".encode(charset))
    assert message.sender == Address("jose@family.example", "José Núñez")
    assert message.subject == "Mañana"


def test_every_header_field_is_there_in_order() -> None:
    raw = b"X-A: 1\r\nReceived: one\r\nX-B: 2\r\nReceived: two\r\n three\r\n" + HEAD + b"\r\nhello\r\n"
    headers = parsed(raw).headers
    assert [name for name, _ in headers.fields()] == ["X-A", "Received", "X-B", "Received", "From", "To", "Subject"]
    assert headers.all("received") == ("one", "two three")


def test_attachments_are_named_and_sized_and_never_text() -> None:
    message = parsed("family/photo_attached.eml")
    assert message.newest == "The signed form is attached."
    assert message.attachments == (Attachment("autorización.jpg", "image/jpeg", 36),)


def test_a_file_name_holds_no_path() -> None:
    raw = HEAD + (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n"
        b'Content-Type: text/plain; name="..\\\\x"\r\n'
        b'Content-Disposition: attachment; filename="../../etc/passwd"\r\n\r\nroot\r\n--b--\r\n'
    )
    (attachment,) = parsed(raw).attachments
    assert not set(attachment.filename) & set("/\\")


def test_an_invitation_is_an_attachment_with_its_method() -> None:
    message = parsed("robot/invitation.eml")
    assert [each.content_type for each in message.attachments] == ["text/calendar; method=request"]
    assert "BEGIN:VCALENDAR" not in message.text


def test_the_mail_that_a_bounce_returns_is_not_its_text() -> None:
    message = parsed("robot/bounce_report.eml")
    assert "could not deliver" in message.newest
    assert "Dear families" not in message.text
    assert "message/delivery-status" in [each.content_type for each in message.attachments]


@pytest.mark.parametrize("name", ["encrypted_smime", "encrypted_pgp"])
def test_encrypted_mail_says_so_and_has_no_text(name: str) -> None:
    message = parsed(f"robot/{name}.eml")
    assert message.text == ""
    assert any(defect.startswith("encrypted") for defect in message.defects)


def test_a_signed_mail_is_read_without_its_armour() -> None:
    body = (
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nAna is sick.\n-----BEGIN PGP SIGNATURE-----\n\nabc\n"
        b"-----END PGP SIGNATURE-----\n"
    )
    assert parsed(HEAD + b"\r\n" + body).newest == "Ana is sick."


ALTERNATIVE = HEAD + b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
HTML_PART = b"--b\r\nContent-Type: text/html\r\n\r\n<p>Ana is sick</p>\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        (b"Ana is ill", "Ana is ill"),
        (b"  \r\n", "Ana is sick"),
        (b"Please view this e-mail in an HTML capable program.", "Ana is sick"),
        (b"Your mail program does not support HTML messages", "Ana is sick"),
    ],
)
def test_plain_text_is_preferred_unless_it_says_nothing(plain: bytes, text: str) -> None:
    assert parsed(ALTERNATIVE + b"--b\r\nContent-Type: text/plain\r\n\r\n" + plain + b"\r\n" + HTML_PART).newest == text


def test_a_pointer_to_html_is_kept_where_no_html_follows() -> None:
    raw = ALTERNATIVE + b"--b\r\nContent-Type: text/plain\r\n\r\nView this in a browser\r\n--b\r\n\r\n\r\n--b--\r\n"
    assert parsed(raw).newest == "View this in a browser"


def test_attachments_under_a_version_that_is_not_read_are_named() -> None:
    raw = ALTERNATIVE + (
        b"--b\r\nContent-Type: text/plain\r\n\r\nAna is ill\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
        b"--c\r\nContent-Type: text/html\r\n\r\n<p>Ana</p>\r\n"
        b"--c\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nx\r\n--c--\r\n--b--\r\n"
    )
    message = parsed(raw)
    assert message.newest == "Ana is ill"
    assert [each.filename for each in message.attachments] == ["a.pdf"]


def test_several_texts_are_joined_and_a_shown_file_is_not_one() -> None:
    raw = HEAD + (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n"
        b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nsecond\r\n"
        b"--b\r\nContent-Type: text/plain; name=notes.txt\r\nContent-Disposition: inline\r\n\r\nthird\r\n--b--\r\n"
    )
    message = parsed(raw)
    assert message.text == "first\n\nsecond"
    assert [each.filename for each in message.attachments] == ["", "notes.txt"]


def test_a_message_in_the_message_is_history_unless_nothing_else_is_said() -> None:
    inner = b"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: x@family.example\r\n\r\nThe inner words\r\n--b--\r\n"
    mixed = HEAD + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    assert parsed(mixed + inner).newest == "The inner words"
    own = b"--b\r\n\r\nThis came last night and I want to talk to you about it today.\r\n"
    with_words = parsed(mixed + own + inner)
    assert with_words.newest == "This came last night and I want to talk to you about it today."
    assert "The inner words" in with_words.text


def test_flowed_text_is_put_together_again() -> None:
    flowed = HEAD + b"Content-Type: text/plain; format=flowed\r\n\r\n"
    said = b"One sentence \r\nin two lines.\r\n From here\r\n-- \r\nAna\r\n"
    assert parsed(flowed + said).text == "One sentence in two lines.\nFrom here\n-- \nAna"
    del_sp = HEAD + b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\n\xe4\xbb\x8a \r\n\xe5\xa4\xa9\r\n"
    assert parsed(del_sp).text == "今天"


def test_a_uuencoded_body_is_read() -> None:
    body = b"Content-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 note\r\n,06YA(&ES('-I8VLN\r\n`\r\nend\r\n"
    assert parsed(HEAD + body).text == "Ana is sick."


def test_a_mail_of_which_the_beginning_was_read_says_so() -> None:
    message = parsed(HEAD + b"\r\nAna is si", size=9_000)
    assert message.truncated
    assert message.size == 9_000
    assert not parsed(HEAD + b"\r\nAna is sick\r\n").truncated


def test_a_character_cut_in_half_by_truncation_is_no_defect() -> None:
    raw = (
        HEAD
        + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + "niña".encode()[:-2]
    )
    assert parsed(raw).text == "ni"
    assert not parsed(raw).defects


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("Tue, 10 Mar 2026 08:12:30 -0500", datetime(2026, 3, 10, 13, 12, 30, tzinfo=UTC)),
        ("10 Mar 26 08:12 EST", datetime(2026, 3, 10, 13, 12, tzinfo=UTC)),
        ("Tue, 10 Mar 2026 08:12:30 -0000 (a comment (nested))", datetime(2026, 3, 10, 8, 12, 30, tzinfo=UTC)),
        ("Tue Mar 10 08:12:30 2026", datetime(2026, 3, 10, 8, 12, 30, tzinfo=UTC)),
        ("Yesterday", None),
        ("Tue, 99 Mar 2026 08:12:30 +9999", None),
        ("Fri, 31 Dec 9999 23:59:59 -1400", None),
        ("", None),
    ],
)
def test_dates_are_read_in_the_forms_in_use(written: str, moment: datetime | None) -> None:
    assert parsed(HEAD + f"Date: {written}\r\n\r\nhi".encode()).date == moment


def test_a_long_list_of_references_keeps_its_ends() -> None:
    ids = " ".join(f"<{number}@maple.example>" for number in range(300))
    references = parsed(HEAD + f"References: {ids}\r\n\r\nhi".encode()).references
    assert len(references) == 100
    assert references[0] == "0@maple.example"
    assert references[-1] == "299@maple.example"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('"Lopez, Maria" <Maria@Family.EXAMPLE>', [("maria@family.example", "Lopez, Maria")]),
        ("maria@family.example (Maria Lopez)", [("maria@family.example", "Maria Lopez")]),
        ("Parents: a@family.example, B <b@family.example>;, c@x.example", [
            ("a@family.example", ""), ("b@family.example", "B"), ("c@x.example", "")]),
        ("=?utf-8?q?L=C3=B3pez=2C_Ana?= <a@family.example>", [("a@family.example", "López, Ana")]),
        ("=?utf-8?b?PGV2aWxAeC5leGFtcGxlPg==?= <a@family.example>", [("a@family.example", "<evil@x.example>")]),
        ("<@relay.example,@b.example:a@family.example>", [("a@family.example", "")]),
        ("Maria [mailto:a@family.example]", [("a@family.example", "Maria")]),
        ('"Maria" a@family.example>', [("a@family.example", "Maria")]),
        ("undisclosed-recipients:;", []),
        ("Maria", [("", "Maria")]),
        ("", []),
    ],
)  # fmt: skip
def test_addresses_are_read_in_the_forms_in_use(field: str, expected: list[tuple[str, str]]) -> None:
    message = parsed(f"From: x@y.example\r\nCc: {field}\r\n\r\nhi".encode())
    assert [(address.email, address.name) for address in message.cc] == expected


def test_several_authors_are_a_defect() -> None:
    assert "several authors in From" in parsed("robot/two_authors.eml").defects
    assert not parsed(b"From: =?utf-8?q?Foo=2C_Bar?= <a@family.example>\r\n\r\nhi").defects

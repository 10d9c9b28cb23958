"""Text under labels that are right, wrong, unknown or missing."""

import pytest

from connectors.charsets import clean, codec_name, decode
from tests.mails.samples import letters

# Charset, language of the corpus it is tried on.
UNLABELLED = [("gb18030", "zh"), ("big5hkscs", "zh"), ("cp949", "ko"), ("iso2022_kr", "ko"), ("koi8-r", "ru"),
              ("cp1251", "ru"), ("iso8859-5", "ru"), ("cp1256", "ar"), ("cp1252", "es"), ("cp1252", "pt"),
              ("cp1252", "ht"), ("utf-8", "vi"), ("utf-8", "tl")]  # fmt: skip


@pytest.mark.parametrize(("charset", "language"), UNLABELLED)
def test_text_without_a_label_is_read_in_the_charset_it_was_written_in(charset: str, language: str) -> None:
    read = wrong = 0
    for _, spoken, _, body in letters():
        if spoken == language:
            raw = body.encode(charset, "ignore")
            read += 1
            wrong += decode(raw, None)[0] != raw.decode(charset)
    assert wrong <= read * 0.02, f"{wrong} of {read} misread"


@pytest.mark.parametrize(
    ("raw", "label", "text"),
    [
        ("ñandú".encode(), "iso-8859-1", "ñandú"),
        ("ñandú".encode("latin-1"), "utf-8", "ñandú"),
        ("ñandú".encode("latin-1"), "us-ascii", "ñandú"),
        (b"\x93quoted\x94", "iso-8859-1", "“quoted”"),
        ("老師".encode("gb18030"), "gb2312", "老師"),
        ("안녕".encode("cp949"), "ks_c_5601-1987", "안녕"),
        ("안녕".encode("iso2022_kr"), "us-ascii", "안녕"),
        (b"Fr+APY-sche", "utf-7", "Frösche"),
        (b"~{<:Ky2;~}", "hz-gb-2312", b"~{<:Ky2;~}".decode("hz")),
        ("שלום".encode("iso8859-8"), "iso-8859-8-i", "שלום"),
        (b"plain", "x-nobody-knows", "plain"),
        (b"plain", None, "plain"),
        (b"", "utf-8", ""),
        ("á".encode() * 30 + b"\xff", "utf-8", "á" * 30 + "\ufffd"),
    ],
)
def test_labels_mean_what_programs_mean_by_them(raw: bytes, label: str | None, text: str) -> None:
    assert decode(raw, label)[0] == text


@pytest.mark.parametrize(
    "label", ["unicode_escape", "raw_unicode_escape", "idna", "punycode", "base64", "rot13", "zlib"]
)
def test_what_python_calls_a_codec_and_mail_does_not_is_no_charset(label: str) -> None:
    assert codec_name(label) is None


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("Ana\0 is\x07 sick", "Ana is sick"),
        ("n\u0303", "ñ"),
        ("pre\u200bhead\ufeffer \u00ad", "preheader "),
        ("\u200c \u200c \u200cHello", "  Hello"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("\u202bعربي\u202c", "\u202bعربي\u202c"),
        ("lone \ud83d half", "lone  half"),
        ("a\u00a0b\u3000c", "a b c"),
    ],
)
def test_control_and_invisible_characters_go_and_scripts_stay_whole(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned

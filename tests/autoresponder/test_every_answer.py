"""All answers in all languages, as families' mail programs get them."""

import base64
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import groupby

import pytest
from babel import Locale
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from selectolax.lexbor import LexborHTMLParser

from autoresponder.gallery import KINDS
from autoresponder.wording import FAMILIES, LANGUAGES, sentences_in, wording
from connectors.labels import Tag
from connectors.smtp import SmtpSender
from tests.autoresponder.every_answer import PHONE, Answer, every_answer
from tests.servers import dkim, gmime, smtp_sink
from tests.servers.postal_mime import read_all

FROM_THE_RIGHT = {"ar"}
HAITIAN_DAYS = ("lendi", "madi", "mèkredi", "jedi", "vandredi", "samdi", "dimanch")
HAITIAN_MONTHS = (
    "janvye", "fevriye", "mas", "avril", "me", "jen", "jiyè", "out", "septanm", "oktòb", "novanm", "desanm",
)  # fmt: skip
"""CLDR has none: its days and months of Haitian Creole are French."""
ENGLISH_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ISOLATES, END = "\u2066\u2067\u2068", "\u2069"


def parsed(raw: bytes) -> EmailMessage:
    """As the strictest reader of the standard library has it, which raises for every defect."""
    mail = message_from_bytes(raw, _class=EmailMessage, policy=policy.strict + policy.SMTP)
    assert isinstance(mail, EmailMessage)
    return mail


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def flat(text: str) -> str:
    return " ".join(re.sub(f"[{ISOLATES}{END}]", "", text).split())


@dataclass(frozen=True, slots=True)
class Got:
    """One answer as it arrives."""

    answer: Answer
    raw: bytes
    mail: EmailMessage
    text: str
    html: str


@pytest.fixture(scope="module")
def mails() -> list[Got]:
    """All answers."""
    got = []
    for answer in every_answer():
        raw = answer.raw()
        mail = parsed(raw)
        got.append(Got(answer, raw, mail, part(mail, "plain"), part(mail, "html")))
    return got


def test_they_are_all_there() -> None:
    answers = every_answer()
    assert len({answer.name for answer in answers}) == len(answers) >= 500
    said = {answer.section() for answer in answers}
    assert len(said) > 300
    closed = {(a.tag, a.crisis, a.facts.same_day_closed, a.office_has_it) for a in answers}
    assert len(closed) == 12
    kinds = {(kind.tag, bool(kind.more.get("crisis")), kind.closed, kind.office_has_it) for kind in KINDS.values()}
    assert kinds <= closed


def test_no_placeholder_is_left_open_and_no_sentence_is_left_in_english(mails: list[Got]) -> None:
    english = {each for each in sentences_in(FAMILIES) if len(each) > 12 and "{" not in each}
    for got in mails:
        answer = got.answer
        for text in (got.text, got.html.partition("<body")[2]):
            assert not re.search(r"[{}\x00\ufffd]|%\(|\bNone\b", text), answer.name
        if answer.language != "en":
            section = flat(answer.section())
            allowed = flat(wording("en").gettext("(This note is also in English, below.)"))
            assert [each for each in english if each in section and each != allowed] == [], answer.name


def day_words(language: str, day: date) -> tuple[set[str], set[str]]:
    """What CLDR calls a day of the week and a month, in every form that a sentence may want."""
    if language == "ht":
        return {HAITIAN_DAYS[day.weekday()]}, {HAITIAN_MONTHS[day.month - 1]}
    locale = Locale.parse(language, sep="-")
    forms = ("format", "stand-alone")
    months = {locale.months[form]["wide"][day.month] for form in forms}
    if locale.language == "zh":
        months = {
            locale.months[form]["abbreviated"][day.month] for form in forms
        }  # Figures: 三月 belongs to a calendar.
    return {locale.days[form]["wide"][day.weekday()] for form in forms}, months


def days_said(answer: Answer) -> Iterator[date]:
    """Every day that the note must name."""
    facts, zone = answer.facts, answer.settings.school.zone
    if answer.tag is not Tag.URGENT:
        yield facts.reply_by.astimezone(zone).date()
        yield from filter(None, (facts.closed_from, facts.closed_until))
    if facts.same_day_closed and facts.office_opens_at:
        yield facts.office_opens_at.astimezone(zone).date()
    if answer.tag is Tag.CONFLICT:
        yield from (span.begins.astimezone(zone).date() for span in facts.call_windows)
    if answer.tag is Tag.ROUTINE:
        assert len(facts.short_calls.spans) == 2
        yield from (span.begins.astimezone(zone).date() for span in facts.short_calls.spans)


def test_each_day_is_said_in_the_languages_own_words() -> None:
    counted = 0
    for answer in every_answer():
        text = flat(answer.section())
        for day in days_said(answer):
            weekdays, months = day_words(answer.language, day)
            number = rf"(?<!\d){day.day}(?!\d)"
            near = [
                text[max(0, found.start() - 24) : found.end() + 24]
                for each in weekdays
                for found in re.finditer(re.escape(each), text)
            ]
            assert any(re.search(number, around) and any(month in around for month in months) for around in near), (
                f"{answer.name}: {day} is none of {near}"
            )
            counted += 1
        if answer.language != "en":
            assert not [each for each in ENGLISH_DAYS if each in text], answer.name
    assert counted > 400


def half_of_the_day(language: str, half: str) -> set[str]:
    """What CLDR calls the hours before (`am`) or after noon (`pm`)."""
    periods = Locale.parse(language, sep="-").day_periods
    every = (widths[half] for form in periods.values() for widths in form.values() if half in widths)
    return {" ".join(each.split()) for each in every}


def test_each_time_of_day_is_said_as_the_language_says_it() -> None:
    twelve_hours = set()
    for answer in every_answer():
        if answer.tag is Tag.URGENT:
            continue
        text = flat(answer.section())  # The office's hours stand in each of these: 7:30 to 16:00.
        for half, on_twelve, on_twenty_four in (("am", "7:30", "0?7:30"), ("pm", "4:00", "16:00")):
            words = "|".join(map(re.escape, half_of_the_day(answer.language, half)))
            by_half = re.search(rf"({words}) ?{on_twelve}(?!\d)|(?<!\d){on_twelve} ?({words})", text)
            assert by_half or re.search(rf"(?<!\d){on_twenty_four}(?!\d)", text), f"{answer.name}: {half}"
            if by_half:
                twelve_hours.add(answer.language)
    assert twelve_hours == {"en", "es", "zh-Hans", "zh-Hant", "ar", "ht", "ko", "tl"}


def isolated(text: str) -> Iterator[str]:
    """Each line must close what it opens: a mail program shows, and a reader quotes, line by line."""
    for line in text.splitlines():
        depth = 0
        for character in line:
            depth += (character in ISOLATES) - (character == END)
            if depth < 0:
                break
        if depth:
            yield line


def begins_from_the_right(line: str) -> bool:
    """By the first letter with a direction outside of isolates (UAX #9, P2)."""
    depth = 0
    for character in line:
        depth += (character in ISOLATES) - (character == END)
        kind = unicodedata.bidirectional(character)
        if depth == 0 and kind in {"L", "R", "AL"}:
            return kind != "L"
    return False


def test_each_part_runs_in_its_own_direction_and_numbers_and_names_stay_whole(
    mails: list[Got],
) -> None:
    for got in mails:
        answer, page = got.answer, LexborHTMLParser(got.html)
        second = answer.settings.school.languages[0]
        directions = {each: "rtl" if each in FROM_THE_RIGHT else "ltr" for each in (answer.language, second)}
        root = page.css_first("html")
        assert root is not None
        assert (root.attributes["lang"], root.attributes["dir"]) == (answer.language, directions[answer.language])
        assert {d.attributes["lang"]: d.attributes["dir"] for d in page.css("div[lang]")} == directions, answer.name
        assert all(link.attributes["dir"] == "ltr" for link in page.css("a[href^='tel:']"))
        assert len(page.css("a[href='tel:6085550142']")) >= 2, answer.name
        text = answer.section()
        assert list(isolated(text)) == [], answer.name
        assert PHONE in text, f"{answer.name}: the number is broken over two lines"
        if answer.language in FROM_THE_RIGHT:
            assert f"\u2066{PHONE}\u2069" in text
            signature = {answer.settings.mailboxes[0].teacher, answer.settings.school.name}
            pointer = "(This note is also in English, below.)"
            paragraphs = [each for each in text.split("\n\n") if each.strip() and pointer not in each]
            for paragraph in paragraphs:
                lines = [line for line in paragraph.splitlines() if line not in signature]
                latin_names = [line for line in lines if line.startswith("\u2066")]
                assert all(begins_from_the_right(line) for line in lines[:1] if line not in latin_names), paragraph
        else:
            assert not set(text) & set(ISOLATES + END), answer.name


def test_text_and_html_say_the_same_and_every_part_names_its_language(mails: list[Got]) -> None:
    for got in mails:
        answer, mail, page = got.answer, got.mail, LexborHTMLParser(got.html)
        assert page.body is not None
        for line_break in page.css("br"):
            line_break.replace_with(" ")
        text = re.sub(r"[*\s]+", " ", flat(got.text)).strip()
        assert re.sub(r"\s+", " ", page.body.text()).strip() == text, answer.name
        assert mail["Content-Language"] == f"{answer.language}, {answer.settings.school.languages[0]}"
        assert len(page.css("[role=main]")) == 1
        assert page.css("title")[0].text() == "Maple Street School"
        assert not page.css("img, link, script, [onclick], [src], table"), "nothing is loaded, nothing runs"


def test_every_answer_says_that_it_is_automatic_to_people_and_to_machines(mails: list[Got]) -> None:
    for got in mails:
        answer, mail = got.answer, got.mail
        assert mail["Auto-Submitted"] == "auto-replied", answer.name
        assert mail["X-Auto-Response-Suppress"] == "All"
        assert mail["In-Reply-To"] == "<one@family.example>"
        assert "automatic" in got.text or "automática" in got.text


def test_every_line_is_short_ascii_and_survives_servers_that_strip_blanks(mails: list[Got]) -> None:
    for got in mails:
        answer, raw = got.answer, got.raw
        assert raw.isascii(), answer.name
        lines = raw.split(b"\r\n")
        assert max(map(len, lines)) <= 78, answer.name  # RFC 5322 §2.1.1; 998 is the limit
        assert not any(b"\n" in line or b"\r" in line for line in lines)
        assert not any(line.endswith((b" ", b"\t")) for line in lines), answer.name
        assert not any(line.startswith(b"From ") or line == b"." for line in lines)


def test_a_strict_reader_of_the_standard_library_opens_all_of_them(mails: list[Got]) -> None:
    for got in mails:
        answer, mail = got.answer, got.mail
        for each in mail.walk():
            assert each.defects == [], answer.name
            assert [d for value in each.values() for d in getattr(value, "defects", ())] == [], answer.name
        assert [each.get_content_type() for each in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
        assert mail["From"].addresses[0].display_name == "Ms. Rivera"
        assert mail["Date"].datetime == answer.facts.received_at


def test_gmime_opens_all_of_them_without_a_warning(mails: list[Got]) -> None:
    for got in mails:
        opened = gmime.opened(got.raw)
        assert opened.warnings == (), got.answer.name
        assert opened.subject == "Re: Field trip"
        assert opened.sender.replace('"', "") == "Ms. Rivera <rivera@maple.example>"
        assert [(each.kind, each.text.replace("\r\n", "\n")) for each in opened.parts] == [
            ("text/plain", got.text),
            ("text/html", got.html),
        ], got.answer.name


def test_gmime_does_complain_of_a_mail_that_is_broken() -> None:
    raw = every_answer()[0].raw()
    assert gmime.opened(raw.replace(b"Subject:", b"Subject: a\r\nSubject:")).warnings
    assert gmime.opened(raw[: len(raw) // 2]).warnings
    assert gmime.opened(raw.replace(b"Re: Field trip", b"Re: Excursi\xf3n")).warnings


def test_postal_mime_reads_the_same_in_all_of_them(mails: list[Got]) -> None:
    for got, read in zip(mails, read_all([got.raw for got in mails]), strict=True):
        assert (read.subject, read.sender, read.name) == ("Re: Field trip", "rivera@maple.example", "Ms. Rivera")
        assert read.text.replace("\r\n", "\n").strip() == got.text.strip(), got.answer.name
        assert read.html.replace("\r\n", "\n").strip() == got.html.strip(), got.answer.name
        assert read.attachments == 0
        assert ("auto-submitted", "auto-replied") in read.headers


SELECTOR, DOMAIN = "school", "maple.example"


class Signed:
    """The school's mail server: signs what the service hands in, and knows the key that stands in the DNS."""

    def __init__(self, key: rsa.RSAPrivateKey, signer: dkim.Dkim) -> None:
        self._signer = signer
        self._pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def sign(self, raw: bytes) -> bytes:
        """The mail with its signature."""
        return self._signer.signature(raw, self._pem) + raw

    def verifies(self, raw: bytes) -> bool:
        """Whether the signature holds."""
        return self._signer.verifies(raw, self._record)


@pytest.fixture(scope="module")
def school() -> Iterator[Signed]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with dkim.running(SELECTOR, DOMAIN) as signer:
        yield Signed(key, signer)


@pytest.mark.parametrize("eight_bit", [True, False], ids=["8BITMIME", "7 bits only"])
def test_a_dkim_signature_holds_over_every_answer_through_two_servers(
    mails: list[Got], school: Signed, eight_bit: bool
) -> None:
    # One of each language and kind: what the moments change is which sentences stand in it, not how they are written.
    chosen = [next(of) for _, of in groupby(sorted(mails, key=_kind), key=_kind)]
    assert len(chosen) >= len(LANGUAGES) * 10
    with smtp_sink.running(eight_bit=eight_bit) as provider:
        familys = SmtpSender(provider.settings(), "rivera@maple.example", "rivera", None)
        with smtp_sink.running(then=lambda mail: familys.send(school.sign(mail.content))) as submission:
            sender = SmtpSender(submission.settings(), "rivera@maple.example", "rivera", None)
            for got in chosen:
                sender.send(got.raw)
        arrived = provider.wait_for(len(chosen))
    assert len(arrived) == len(chosen)
    for sent, came in zip(chosen, arrived, strict=True):
        assert came.content.endswith(sent.raw.rstrip(b"\r\n") + b"\r\n"), sent.answer.name
        assert school.verifies(came.content), sent.answer.name
    assert not school.verifies(arrived[0].content.replace(b"Field", b"field"))
    assert not school.verifies(arrived[0].content.replace(b"quoted-printable", b"8bit"))


def _kind(got: Got) -> str:
    answer = got.answer
    return f"{answer.language} {answer.tag} {answer.crisis} {answer.office_has_it} {answer.facts.same_day_closed}"

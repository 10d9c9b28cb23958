"""What a family gets."""

import re
import string
from datetime import date, time
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import product
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.pofile import read_po
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from autoresponder.gallery import KINDS, as_page, facts_of
from autoresponder.outgoing import as_bytes, one_line, usable_address
from autoresponder.plan import Missing, ReplyFacts
from autoresponder.replies import LANGUAGES, compose_reply
from autoresponder.wording import (
    CONVERSATION,
    FAMILIES,
    LOCALE_FOLDER,
    OFFICE,
    STAFF_LANGUAGES,
    catalogue_path,
    script_of,
    wording,
    written_languages,
)
from config.settings import Crisis, CrisisLine, Settings
from connectors.labels import Tag
from connectors.message import CRISIS, MARKER, NOTE, Address, Headers, Message
from connectors.mime import parse_message
from tests.autoresponder.sample import IN_THE_US, ORIGINAL, SETTINGS, TEACHER, TUESDAY_NOON, original, reply_facts

APPROVED = Path(__file__).parents[2] / "docs" / "answers"
EVERY_NOTE = list(product(KINDS, LANGUAGES))


def note(kind: str, *languages: str) -> EmailMessage:
    school = IN_THE_US.school.model_copy(update={"languages": languages[-1:]})
    configured = IN_THE_US.model_copy(update={"school": school})
    facts = facts_of(KINDS[kind], languages, configured)
    return reply(facts=facts, office_has_it=KINDS[kind].office_has_it, configured=configured)


def wire(
    message: Message,
    facts: ReplyFacts | None = None,
    *,
    office_has_it: bool = False,
    configured: Settings = SETTINGS,
) -> bytes:
    """The reply as it goes to a server."""
    mail = compose_reply(
        message,
        facts or reply_facts(),
        mailbox=configured.mailboxes[0],
        settings=configured,
        office_has_it=office_has_it,
        now=TUESDAY_NOON,
    )
    return as_bytes(mail)


def reply(
    message: Message | None = None,
    facts: ReplyFacts | None = None,
    *,
    office_has_it: bool = False,
    configured: Settings = SETTINGS,
) -> EmailMessage:
    """The reply as whoever receives it parses it."""
    raw = wire(message or original(), facts, office_has_it=office_has_it, configured=configured)
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def hypertext(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    assert body is not None
    return str(body.get_content())


def defects(mail: EmailMessage) -> list[object]:
    """Everything that the standard library finds wrong in a mail, in all its parts and fields."""
    found: list[object] = []
    for part in mail.walk():
        found += part.defects
        for value in part.values():
            found += getattr(value, "defects", ())
    return found


def words(text: str) -> list[str]:
    return re.sub(r"[*\s]+", " ", re.sub("[\u2066\u2069]", "", text)).split()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_note_reads_as_it_was_approved(language: str) -> None:
    """How to approve a change of wording: docs/howto/wording.md."""
    assert as_page(language, IN_THE_US) == (APPROVED / f"{language}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("case", "language"), EVERY_NOTE)
def test_every_note_is_whole_and_says_the_same_in_text_and_html(case: str, language: str) -> None:
    mail = note(case, language, "en")
    tag = KINDS[case].tag
    text, page = plain(mail), LexborHTMLParser(hypertext(mail))
    assert defects(mail) == []
    assert not set("{}%\x00") & set(text)
    assert page.body is not None
    for line_break in page.css("br"):
        line_break.replace_with(" ")
    assert words(page.body.text()) == words(text)
    assert max(map(len, text.splitlines())) <= 78
    assert "(608) 555-0142" in text
    assert page.css_first("a[href='tel:6085550142']") is not None
    assert {node.attributes["lang"] for node in page.css("div[lang]")} == {language, "en"}
    assert {node.attributes["lang"]: node.attributes["dir"] for node in page.css("div[lang]")} == {
        written: "rtl" if written == "ar" else "ltr" for written in (language, "en")
    }
    assert ("24–48" in text) == (tag is Tag.ROUTINE)
    assert mail["Content-Language"] == ("en" if language == "en" else f"{language}, en")
    assert mail["Auto-Submitted"] == "auto-replied"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_note_in_a_crisis_names_who_helps_at_any_hour_and_nothing_that_can_wait(language: str) -> None:
    for case in KINDS:
        text = plain(note(case, language))
        if case.startswith("crisis"):
            assert all(number in text for number in ("911", "988", "1-800-422-4453", "(608) 555-0142"))
            assert "24" not in text.replace("422", "")
        else:
            assert "988" not in text


def test_while_the_office_is_closed_a_crisis_note_begins_with_who_is_there() -> None:
    closed, opened = plain(note("crisis, office closed", "en")), plain(note("crisis", "en"))
    assert closed.index("911") < closed.index("988") < closed.index("(608)")
    assert opened.index("(608)") < opened.index("911")


def test_a_school_names_its_own_numbers_and_an_unknown_country_gets_none() -> None:
    facts = reply_facts(Tag.URGENT).model_copy(update={"crisis": True})
    own = Crisis(emergency="113", lines=(CrisisLine(name="Mental Helse", phone="116 123"),))
    told = plain(reply(facts=facts, configured=SETTINGS.model_copy(update={"crisis": own})))
    assert "113" in told
    assert "Mental Helse: 116 123" in told
    nowhere = plain(reply(facts=facts))
    assert "your local emergency number" in " ".join(nowhere.split())
    assert "any hour" not in nowhere


def test_only_what_is_missing_is_asked_for() -> None:
    def asked(*missing: Missing) -> str:
        facts = reply_facts().model_copy(update={"missing": missing})
        return " ".join(plain(reply(facts=facts)).split())

    assert "please reply with your student's name, the class period and your question" in asked(*Missing)
    assert "please reply with the class period and your question" in asked(Missing.PERIOD, Missing.QUESTION)
    assert "please reply with your question, unless" in asked(Missing.QUESTION)
    assert "please reply" not in asked()


@pytest.mark.parametrize("tag", Tag)
def test_a_note_in_two_languages_gives_the_familys_first_and_says_where_the_other_is(tag: Tag) -> None:
    text = plain(reply(facts=reply_facts(tag, "es", "en")))
    assert text.index("also in English, below") < text.index("Hola:") < text.index("Hello,")


def test_the_norm_is_said_as_a_day_in_the_languages_own_words() -> None:
    assert "answer by Thursday, March 5, within" in " ".join(plain(reply()).split())
    assert "a más tardar el jueves 5 de marzo, en" in " ".join(
        plain(reply(facts=reply_facts(Tag.ROUTINE, "es"))).split()
    )


def test_an_urgent_note_never_mentions_the_ordinary_norm_and_always_says_what_to_do_in_danger() -> None:
    for language, closed, has_it in product(LANGUAGES, (False, True), (False, True)):
        text = plain(reply(facts=reply_facts(Tag.URGENT, language, closed=closed), office_has_it=has_it))
        assert "24–48" not in text
        assert wording(language).day(date(2026, 3, 5)) not in " ".join(text.split())
        emergency = wording(language).gettext(
            "If someone is in danger right now, please call your local emergency number."
        )
        assert "".join(emergency.split()) in "".join(text.split())


def test_an_urgent_note_says_that_the_office_has_the_message_only_when_it_has() -> None:
    assert "it was passed" in plain(reply(facts=reply_facts(Tag.URGENT), office_has_it=True))
    told_to_call = plain(reply(facts=reply_facts(Tag.URGENT), office_has_it=False))
    assert "passed" not in told_to_call
    assert "call the front office now" in told_to_call


def test_a_note_that_leaves_after_the_office_has_opened_does_not_say_that_it_is_closed() -> None:
    facts = reply_facts(Tag.URGENT, closed=True).model_copy(update={"office_opens_at": TUESDAY_NOON})
    assert "closed" not in plain(reply(facts=facts, office_has_it=True))


def test_a_closed_office_without_a_next_opening_still_makes_a_whole_sentence() -> None:
    facts = reply_facts(Tag.URGENT, closed=True).model_copy(update={"office_opens_at": None})
    assert "The office is closed right now. A person" in " ".join(plain(reply(facts=facts, office_has_it=True)).split())


def test_names_that_look_like_markup_are_shown_and_not_obeyed() -> None:
    teacher = TEACHER.model_copy(update={"teacher": "<b>Ms.</b> R & Sons {day}"})
    mail = reply(configured=SETTINGS.model_copy(update={"mailboxes": (teacher,)}))
    assert "&lt;b&gt;Ms.&lt;/b&gt; R &amp; Sons {day}<br>Maple" in hypertext(mail)
    assert "<b>Ms.</b> R & Sons {day}\nMaple" in plain(mail)


def test_a_norm_of_one_number_is_said_as_one() -> None:
    configured = SETTINGS.model_copy(update={"norm": SETTINGS.norm.model_copy(update={"reply_within_hours": (24, 24)})})
    assert "within 24 school" in " ".join(plain(reply(configured=configured)).split())


def test_the_headers_are_those_of_an_automatic_answer() -> None:
    mail = reply()
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["From"] == '"Ms. Rivera" <rivera@maple.example>'
    assert mail["To"] == "ana@family.example"
    assert mail["Subject"] == "Re: Field trip"
    assert mail["In-Reply-To"] == "<one@family.example>"
    assert mail["References"] == "<one@family.example>"
    assert mail["Date"].datetime == TUESDAY_NOON
    assert mail[MARKER] == "reply"
    assert mail["Precedence"] is None
    assert mail["Reply-To"] is None


def test_the_message_id_on_record_is_the_one_that_is_sent() -> None:
    mail = compose_reply(
        original(),
        reply_facts(),
        mailbox=TEACHER,
        settings=SETTINGS,
        office_has_it=False,
        now=TUESDAY_NOON,
        message_id="on.record@maple.example",
    )
    assert mail["Message-ID"] == "<on.record@maple.example>"


def test_a_reply_goes_to_the_sender_and_not_where_reply_to_points() -> None:
    redirected = ORIGINAL.replace(b"Subject:", b"Reply-To: all-families@lists.example\r\nSubject:")
    assert reply(original(redirected))["To"] == "ana@family.example"


def test_the_wire_form_is_ascii_with_short_lines_that_no_server_has_to_rewrite() -> None:
    subject = "Excursión de mañana a las 8 — ¿qué llevamos?".encode() * 3
    raw = wire(original(ORIGINAL.replace(b"Field trip", subject)), reply_facts(Tag.ROUTINE, "es", "en", closed=True))
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n") if b"<" not in line) <= 78
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert not re.search(rb"^From ", raw, re.MULTILINE)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Field trip", "Re: Field trip"),
        ("RE: re: Re[2]: Field trip", "Re: Field trip"),
        ("AW: Field trip", "Re: Field trip"),
        ("Fwd: Field trip", "Re: Fwd: Field trip"),
        ("Return: of the book", "Re: Return: of the book"),
        ("", "Re: your message"),
        ("Re:", "Re: your message"),
    ],
)
def test_the_subject_keeps_one_re_and_its_words(subject: str, expected: str) -> None:
    assert reply(original(ORIGINAL.replace(b"Field trip", subject.encode())))["Subject"] == expected


def test_a_subject_of_ten_thousand_characters_is_cut_short() -> None:
    subject = reply(original(ORIGINAL.replace(b"Field trip", b"please " * 1500)))["Subject"]
    assert subject.startswith("Re: please please")
    assert len(subject) <= 164
    assert subject.endswith("…")


def test_a_long_thread_keeps_its_first_and_latest_references() -> None:
    thread = b" ".join(b"<%d@family.example>" % n for n in range(500))
    raw = ORIGINAL.replace(b"Message-ID:", b"References: " + thread + b"\r\nMessage-ID:")
    references = reply(original(raw))["References"].split()
    assert references[0] == "<0@family.example>"
    assert references[-1] == "<one@family.example>"
    assert len(references) <= 21


def test_an_answer_in_a_thread_without_references_takes_up_its_one_in_reply_to() -> None:
    raw = ORIGINAL.replace(b"Message-ID:", b"In-Reply-To: <zero@maple.example>\r\nMessage-ID:")
    assert reply(original(raw))["References"].split() == ["<zero@maple.example>", "<one@family.example>"]


def test_long_identifiers_are_not_encoded_since_a_thread_hangs_on_them() -> None:
    long = "x" * 200 + "@family.example"
    raw = wire(original(ORIGINAL.replace(b"one@family.example", long.encode())))
    assert f"In-Reply-To: <{long}>\r\n".encode() in raw


def test_an_original_without_message_id_is_answered_without_in_reply_to() -> None:
    mail = reply(original(ORIGINAL.replace(b"Message-ID: <one@family.example>\r\n", b"")))
    assert mail["In-Reply-To"] is None
    assert mail["References"] is None
    assert mail["Message-ID"]


@pytest.mark.parametrize(
    "teacher", ["Señora Ñandú-Peña, Ph.D. de la Fuente y Arregui, Inc.", "a,b " * 40, 'J. "Jo" Ruiz, M.Ed.', "李老师"]
)
def test_a_teachers_name_stays_a_name_whatever_is_in_it(teacher: str) -> None:
    configured = SETTINGS.model_copy(update={"mailboxes": (TEACHER.model_copy(update={"teacher": teacher}),)})
    senders = reply(configured=configured)["From"].addresses
    assert [sender.addr_spec for sender in senders] == ["rivera@maple.example"]
    # Compared without blanks: Python 3.11's parser puts one between two encoded words of a name (RFC 2047 §6.2).
    assert senders[0].display_name.replace(" ", "") == one_line(teacher, 120).replace(" ", "")


def test_nobody_is_answered_at_an_address_that_mail_cannot_be_sent_to() -> None:
    with pytest.raises(ValueError, match="address"):
        reply(original(ORIGINAL.replace(b"ana@family.example", b"<>")))


@pytest.mark.parametrize(
    ("address", "usable"),
    [
        ("Ana+school@Family.example", "ana+school@family.example"),
        ("ana@schüle.example", "ana@xn--schle-mva.example"),
        ("añá@family.example", None),
        ('"a b"@family.example', None),
        ("ana@family.example\r\nBcc: x@y.example", None),
        ("ana@", None),
        ("ana", None),
        ("a" * 65 + "@family.example", None),
        ("ana@" + "d." * 130 + "example", None),
    ],
)
def test_only_plain_addresses_are_written_to(address: str, usable: str | None) -> None:
    assert usable_address(address) == usable


anything = st.text(max_size=60) | st.sampled_from(
    ["a\r\nBcc: evil@x.example", "=?utf-8?q?x=0D=0ABcc:_e@x?=", "\udc80\u202e", "a,b;<c>", "x" * 3000, '"', "a\x00b"]
)


@pytest.mark.parametrize("tag", Tag)
def test_an_answer_says_which_note_it_is(tag: Tag) -> None:
    facts = reply_facts(tag)
    assert reply(facts=facts)[NOTE] == tag.value
    assert reply(facts=facts.model_copy(update={"crisis": True}))[NOTE] == CRISIS


@settings(max_examples=120, deadline=None)
@given(subject=anything, name=anything, message_id=anything, references=st.lists(anything, max_size=4))
def test_no_words_of_the_original_can_break_or_add_a_header(
    subject: str, name: str, message_id: str, references: list[str]
) -> None:
    message = Message(
        mailbox=TEACHER.address,
        id="7",
        received_at=TUESDAY_NOON,
        date=None,
        headers=Headers((("Subject", subject),)),
        message_id=message_id or None,
        in_reply_to=(),
        references=tuple(references),
        subject=subject,
        sender=Address("ana@family.example", name),
        reply_to=(),
        to=(),
        cc=(),
        text="",
        newest="",
    )
    mail, lines = reply(message), wire(message).split(b"\r\n")
    assert set(mail.keys()) - {"In-Reply-To", "References"} == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", MARKER, NOTE,
        "Content-Language", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert mail["To"] == "ana@family.example"
    assert len(mail["Subject"]) <= 164
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert mail.defects == []
    usable = [c for c in message_id if "!" <= c <= "~" and c not in "<>"]
    if 0 < len(usable) <= 900:
        assert f"In-Reply-To: <{''.join(usable)}>".encode() in lines


@settings(max_examples=60, deadline=None)
@given(raw=st.binary(max_size=400))
def test_garbage_from_the_wire_is_answered_whole_or_not_at_all(raw: bytes) -> None:
    message = parse_message(
        b"From: ana@family.example\r\n" + raw, mailbox=TEACHER.address, id="7", received_at=TUESDAY_NOON, size=len(raw)
    )
    if message.sender is not None and usable_address(message.sender.email):
        assert reply(message).defects == []


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_one_line_is_one_bounded_encodable_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.encode("utf-8").decode("utf-8").splitlines() in ([], [line])


@pytest.mark.parametrize(
    ("wanted", "written"),
    [
        (("es", "en"), ("es", "en")),
        (("es-MX", None, "es"), ("es",)),
        (("de", "en"), ("en",)),
        (("zh", "zh-TW", "fil", "pt_BR"), ("zh-Hans", "zh-Hant", "tl", "pt")),
        (("und",), ("en",)),
        ((), ("en",)),
    ],
)
def test_a_language_that_nobody_translated_falls_back_to_one_that_somebody_did(
    wanted: tuple[str | None, ...], written: tuple[str, ...]
) -> None:
    assert written_languages(wanted) == written


IN_CATALOGUE = {
    OFFICE: {
        *("routes.py", "refusals.py", "tells.py", "case_notes.py", "alerts.py"),
        *("digest.py", "digest_contacts.py", "digest_glow.py"),
    },
    CONVERSATION: {"conversation.py", "glow.py", "grow.py"},
}


def sentences(catalogue: str) -> set[str]:
    """The sentences that stand in the code: what a catalogue of its own translates, and the rest, for families. Words
    of days, times and lists are in both others; a conversation looks up in the families' what its own lacks."""
    found = extract_from_dir(LOCALE_FOLDER.parent, [("**.py", "python")], keywords={"_": None, "gettext": None})
    every = [(Path(file).name, message if isinstance(message, str) else message[0]) for file, _, message, _, _ in found]
    own = {message for file, message in every if file in IN_CATALOGUE.get(catalogue, set())}
    shared = {message for file, message in every if file == "wording.py"}
    others = set().union(*IN_CATALOGUE.values())
    families = {message for file, message in every if file not in others}
    return {OFFICE: own | shared, CONVERSATION: own - families, FAMILIES: families}[catalogue]


def of_the_pages() -> set[str]:
    """The sentences of the staff's web pages, in code and templates, of the scorecard, and of notices."""
    methods = [("**.py", "python"), ("**.j2", "jinja2.ext:babel_extract")]
    root = LOCALE_FOLDER.parents[1]
    found = [
        each
        for folder in (root / "service" / "web", root / "scorecard")
        for each in extract_from_dir(folder, methods, keywords={"_": None, "gettext": None})
    ]
    pages = {message if isinstance(message, str) else message[0] for _, _, message, _, _ in found}
    notices = [
        str(message)
        for file in ("notices.py", "stopping.py")
        for _, message, _, _ in extract_from_file("python", root / "service" / file, keywords={"_": None})
    ]
    return pages | set(notices)


def placeholders(sentence: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


@pytest.mark.parametrize(
    ("language", "catalogue"),
    [
        (language, catalogue)
        for catalogue, languages in ((FAMILIES, LANGUAGES), (CONVERSATION, LANGUAGES), (OFFICE, STAFF_LANGUAGES))
        for language in languages
        if language != "en"
    ],
)
def test_a_catalogue_translates_every_sentence_of_the_code_and_no_other(language: str, catalogue: str) -> None:
    with catalogue_path(language, catalogue).open("rb") as lines:
        read = read_po(lines, locale=language.replace("-", "_"), abort_invalid=True)
    translations = {message.id: message for message in read if message.id}
    assert set(translations) == sentences(catalogue) | (of_the_pages() if catalogue == OFFICE else set())
    assert not read.obsolete
    for sentence, translation in translations.items():
        assert not translation.fuzzy, sentence
        assert translation.string, sentence
        assert placeholders(str(translation.string)) == placeholders(str(sentence)), sentence


def test_every_language_has_its_folder() -> None:
    folders = {folder.name.replace("_", "-") for folder in LOCALE_FOLDER.iterdir() if folder.is_dir()}
    assert folders == set(LANGUAGES) - {"en"}
    assert all(wording(language).gettext("Hello,") for language in LANGUAGES)


@pytest.mark.parametrize(
    ("language", "thursday", "half_past_three"),
    [
        ("en", "Thursday, March 5", "3:30\xa0PM"),
        ("es", "jueves 5 de marzo", "3:30\xa0p.\xa0m."),
        ("zh-Hans", "3月5日星期四", "下午 3:30"),
        ("zh-Hant", "3月5日星期四", "下午 3:30"),
        ("vi", "Thứ Năm, ngày 5 tháng 3", "15:30"),
        ("ar", "الخميس 5 مارس", "3:30 م"),
        ("pt", "quinta-feira, 5 de março", "15:30"),
        ("ht", "jedi 5 mas", "3:30 PM"),
        ("ru", "четверг, 5 марта", "15:30"),
        ("ko", "3월 5일 목요일", "오후 3:30"),
        ("tl", "Huwebes, Marso 5", "3:30 PM"),
        ("fr", "jeudi 5 mars", "15:30"),
    ],
)
def test_days_and_times_are_in_the_languages_own_words(language: str, thursday: str, half_past_three: str) -> None:
    words_of = wording(language)
    assert words_of.day(date(2026, 3, 5)) == thursday
    assert " ".join(words_of.clock(time(15, 30)).split()) == " ".join(half_past_three.split())


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("老师您好，请问明天的作业是什么？", "zh-Hans"),
        ("老師您好，請問明天的作業是什麼？", "zh-Hant"),
        ("你好", "zh-Hans"),
        ("", "zh-Hans"),
    ],
)
def test_chinese_is_answered_in_the_script_that_it_was_written_in(text: str, script: str) -> None:
    assert script_of(text) == script


def test_numbers_keep_their_order_where_letters_run_from_the_right() -> None:
    mail = note("crisis", "ar")
    assert "\u2066(608) 555-0142\u2069" in plain(mail)
    assert "Suicide & Crisis Lifeline\u2069: " in plain(mail)
    assert 'dir="ltr" style="white-space:nowrap">(608) 555-0142</a>' in hypertext(mail)
    assert "<bdi>988 Suicide &amp; Crisis Lifeline</bdi>" in hypertext(mail)
    assert "\u2066" not in plain(note("crisis", "en"))


def test_a_number_within_a_longer_one_is_no_link_of_its_own() -> None:
    office = SETTINGS.office.model_copy(update={"phone": "1-800-911-0988"})
    page = LexborHTMLParser(
        hypertext(reply(facts=reply_facts(), configured=IN_THE_US.model_copy(update={"office": office})))
    )
    assert [link.attributes["href"] for link in page.css("a")] == ["tel:18009110988"]

"""What a teacher finds in Drafts for a hard conversation."""

import re
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from autoresponder.conversation import MATTERS, WAYS, Matter, matter_of
from autoresponder.draft_gallery import as_page
from autoresponder.grow import (
    ALTERNATIVES,
    DraftFacts,
    Known,
    compose_draft,
    draft_facts,
    draft_message_id,
    draft_note,
)
from autoresponder.identifiers import is_own_message_id
from autoresponder.note import Paragraph
from autoresponder.outgoing import as_bytes
from autoresponder.plan import Span
from autoresponder.wording import CONVERSATION, LANGUAGES, wording
from classifier.verdict import Reason, Verdict
from config.calendar import SchoolCalendar
from config.settings import CallWindow, MailboxSettings, Settings
from connectors.labels import Tag
from connectors.message import MARKER
from tests.autoresponder.sample import IN_THE_US, ORIGINAL, SETTINGS, TEACHER, TUESDAY_NOON, ZONE, original
from tests.autoresponder.test_replies import defects, hypertext, plain, words

APPROVED = Path(__file__).parents[2] / "docs" / "drafts"
FRIDAY = date(2026, 3, 6)
BRACKET = re.compile(r"\[(\d+)\u00a0·[^\[\]]*\]")
CALENDAR = SchoolCalendar.of(SETTINGS.school, SETTINGS.office)
CALL = Span(begins=datetime(2026, 3, 4, 15, 0, tzinfo=ZONE), ends=datetime(2026, 3, 4, 15, 20, tzinfo=ZONE))


def facts(topic: str = "grades", *languages: str, **more: object) -> DraftFacts:
    return DraftFacts(topic=topic, languages=languages or ("en",), follow_up=FRIDAY).model_copy(update=more)


def everything_known(topic: str, *languages: str) -> DraftFacts:
    return facts(
        topic,
        *languages,
        students=("Leo", "Mia"),
        call_windows=(CALL,),
        last_positive_contact=date(2026, 2, 20),
        earlier_case=date(2026, 1, 12),
    )


def wire(given: DraftFacts, *, alternative: int = 1, raw: bytes = ORIGINAL, configured: Settings = SETTINGS) -> bytes:
    """The draft as it goes to a server."""
    mail = compose_draft(
        original(raw),
        given,
        mailbox=configured.mailboxes[0],
        settings=configured,
        now=TUESDAY_NOON,
        alternative=alternative,
    )
    return as_bytes(mail)


def draft(given: DraftFacts, *, alternative: int = 1, raw: bytes = ORIGINAL) -> EmailMessage:
    """The draft as a mail program reads it."""
    parsed = message_from_bytes(wire(given, alternative=alternative, raw=raw), policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def parts(mail: EmailMessage) -> list[str]:
    """What the draft says, language by language, each on one line."""
    return [" ".join(each.split(" ")).replace("\n", " ") for each in plain(mail).split("* * * * * * * * * * * *")]


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_draft_reads_as_it_was_approved(language: str) -> None:
    """How to approve a change of wording: docs/howto/wording.md."""
    assert as_page(language, IN_THE_US) == (APPROVED / f"{language}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("alternative", "language"), list(product(range(1, ALTERNATIVES + 1), LANGUAGES)))
def test_every_draft_is_whole_and_says_the_same_in_text_and_html_and_in_both_languages(
    alternative: int, language: str
) -> None:
    for topic in MATTERS:
        mail = draft(everything_known(topic, "en", language), alternative=alternative)
        text, page = plain(mail), LexborHTMLParser(hypertext(mail))
        assert defects(mail) == []
        assert not set("{}%\x00") & set(text)
        assert page.body is not None
        for line_break in page.css("br"):
            line_break.replace_with(" ")
        assert words(page.body.text()) == words(text)
        assert {node.attributes["lang"]: node.attributes["dir"] for node in page.css("div[lang]")} == {
            written: "rtl" if written == "ar" else "ltr" for written in (language, "en")
        }
        assert mail["Content-Language"] == ("en" if language == "en" else f"en, {language}")
        said = parts(mail)
        assert len(said) == (1 if language == "en" else 2)
        for part, written in zip(said, ("en", language), strict=False):
            steps = 7 if WAYS[alternative - 1].calls else 6
            assert [int(number) for number in BRACKET.findall(part)] == list(range(1, steps + 1))
            assert part.count("[") == part.count("]") == steps + 1
            for day in (FRIDAY, date(2026, 2, 20), date(2026, 1, 12)):
                assert squeezed(wording(written).day(day)) in squeezed(part)
            assert part.count("Leo") == part.count("Mia") == 1
            assert (squeezed(wording(written).clock(CALL.begins)) in squeezed(part)) == WAYS[alternative - 1].calls


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_of_a_draft_is_in_its_language(language: str) -> None:
    """Letter by letter from the catalogue, and no other sentence beside it."""
    _ = wording(language, CONVERSATION).gettext
    for topic, (index, way) in product(MATTERS, enumerate(WAYS)):
        matter, part = MATTERS[topic], parts(draft(facts(topic, language), alternative=index + 1))[0]
        expected = [way.opening, way.glow_prompt, way.ask, matter.opening, matter.grow, matter.plan]
        expected += [] if way.question is None else [matter.asks[way.question]]
        for sentence in expected:
            assert squeezed(_(sentence)) in squeezed(part), sentence
        if language != "en":
            assert not [sentence for sentence in expected if squeezed(sentence) in squeezed(part)]


def test_the_steps_come_in_their_order() -> None:
    said = parts(draft(facts()))[0]
    steps = [re.split("·|:", found[0])[1].strip() for found in BRACKET.finditer(said)]
    assert steps == ["Glow", "Grow", "Ask", "Plan", "Follow-up"]


def test_times_for_a_call_stand_in_a_bracket_since_they_may_have_passed_when_the_teacher_sends() -> None:
    in_utc = Span(begins=CALL.begins.astimezone(UTC), ends=CALL.ends.astimezone(UTC))
    said = " ".join(plain(draft(facts(call_windows=(in_utc,)), alternative=2)).split())
    assert "I can call you [4 · Call: on Wednesday, March 4 from 3:00 PM to 3:20 PM]." in said
    assert "[5 · Plan:" in said


def test_lines_are_short_enough_to_be_quoted() -> None:
    for topic, language, alternative in product(MATTERS, LANGUAGES, range(1, ALTERNATIVES + 1)):
        text = plain(draft(everything_known(topic, "en", language), alternative=alternative))
        longest = max(map(len, text.splitlines()))
        assert longest <= 78, (topic, language, alternative)


def test_a_line_above_all_says_that_the_draft_is_unfinished_in_the_teachers_language() -> None:
    assert plain(draft(facts("grades", "es", "ar"))).startswith("[Borrador sin terminar, 1 de 3.")
    assert "[Sigue lo mismo en el idioma de la familia." in parts(draft(facts("grades", "es", "ar")))[1]


def test_the_family_is_told_in_its_own_language_where_to_find_it() -> None:
    assert "(Este aviso também está em português, abaixo.)" in parts(draft(facts("grades", "en", "pt")))[0]
    assert "also in English" not in plain(draft(facts()))


def test_a_draft_goes_into_the_thread_and_says_nothing_of_being_automatic() -> None:
    raw = ORIGINAL.replace(b"Message-ID:", b"References: <zero@maple.example>\r\nMessage-ID:")
    mail = draft(facts(), raw=raw)
    assert mail["From"] == '"Ms. Rivera" <rivera@maple.example>'
    assert mail["To"] == "ana@family.example"
    assert mail["Subject"] == "Re: Field trip"
    assert mail["In-Reply-To"] == "<one@family.example>"
    assert mail["References"].split() == ["<zero@maple.example>", "<one@family.example>"]
    assert mail["Date"].datetime == TUESDAY_NOON
    assert mail[MARKER] == "draft"
    assert mail["Auto-Submitted"] is None
    assert mail["X-Auto-Response-Suppress"] is None


def test_each_alternative_has_a_message_id_of_its_own_for_ever() -> None:
    first, second = (draft_message_id(original(), TEACHER, number) for number in (1, 2))
    assert first != second
    assert first == draft_message_id(original(), TEACHER, 1)
    assert first.startswith("alliance.draft.")
    assert not is_own_message_id(first)
    assert draft(facts(), alternative=2)["Message-ID"] == f"<{second}>"


def test_the_message_id_on_record_is_the_one_that_is_written() -> None:
    mail = compose_draft(
        original(), facts(), mailbox=TEACHER, settings=SETTINGS, now=TUESDAY_NOON, message_id="on.record@maple.example"
    )
    assert mail["Message-ID"] == "<on.record@maple.example>"


def test_the_wire_form_is_ascii_with_short_lines_that_no_server_has_to_rewrite() -> None:
    for language, alternative in product(LANGUAGES, range(1, ALTERNATIVES + 1)):
        raw = wire(everything_known("bullying", "es", language), alternative=alternative)
        assert raw.isascii()
        assert max(len(line) for line in raw.split(b"\r\n") if b"<" not in line) <= 78
        assert b"\n" not in raw.replace(b"\r\n", b"")
        assert not re.search(rb"^From ", raw, re.MULTILINE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_our_own_reader_of_mail_finds_nothing_broken_in_a_draft(language: str) -> None:
    for alternative in range(1, ALTERNATIVES + 1):
        raw = wire(everything_known("health", "en", language), alternative=alternative)
        read = original(raw)
        assert read.defects == ()
        assert read.message_id == draft_message_id(original(), TEACHER, alternative)
        assert wording(language).day(FRIDAY) in " ".join(read.text.split()).replace("\u00a0", " ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_as_many_paragraphs_with_as_many_sentences_in_brackets(language: str) -> None:
    for topic, alternative in product(MATTERS, range(1, ALTERNATIVES + 1)):
        note = draft_note(
            everything_known(topic, "fr", language), mailbox=TEACHER, settings=SETTINGS, alternative=alternative
        )
        shapes = [
            [BRACKET.findall(block.text) for block in section.blocks if isinstance(block, Paragraph)]
            for section in note.sections
        ]
        # Above the first part stand the line on the draft and, where there is another, where that is; one above it.
        told = [shape[2 - index :] if language != "fr" else shape[1:] for index, shape in enumerate(shapes)]
        assert told[0] == told[-1]
        assert len(told[0]) == (10 if WAYS[alternative - 1].calls else 9)


def test_nothing_that_the_family_wrote_comes_back_but_the_subject() -> None:
    insults = b"You are a zebra-faced liar and I will see you in court."
    mail = draft(facts(), raw=ORIGINAL.replace(b"When does the bus leave?", insults))
    for word in ("zebra", "liar", "court", "Torres"):
        assert word not in plain(mail) + hypertext(mail)


def test_a_prompt_addresses_nobody_so_that_a_family_that_reads_it_is_not_meant() -> None:
    prompts = [sentence for matter in MATTERS.values() for sentence in (matter.grow, matter.plan)]
    for prompt in prompts + [way.glow_prompt for way in WAYS]:
        assert not re.search(r"\b(I|me|my|you|your|we|our|they|their)\b", prompt), prompt
    for topic, number in product(MATTERS, range(1, ALTERNATIVES + 1)):
        for bracket in re.finditer(r"\[[^\]]*\]", parts(draft(everything_known(topic), alternative=number))[0]):
            assert not re.search(r"\b(I|me|my|you|your|we|our|they|their)\b", bracket[0]), bracket[0]


def test_no_draft_defends_blames_promises_or_admits() -> None:
    never = (
        r"\b(but|however|unfortunately|actually|policy|rules? say|must|fault|mistake|sorry|apologi[sz]e|promise|"
        r"guarantee|will (?:make|change|ensure|see to)|never|always|calm down|overreact\w*|understandable)\b"
    )
    for topic, number in product(MATTERS, range(1, ALTERNATIVES + 1)):
        said = re.sub(r"\[[^\]]*\]", "", parts(draft(facts(topic), alternative=number))[0])
        assert not re.search(never, said, re.IGNORECASE), (topic, number)


def test_every_alternative_asks_for_the_familys_view_and_names_the_day() -> None:
    for topic, number in product(MATTERS, range(1, ALTERNATIVES + 1)):
        said = parts(draft(facts(topic), alternative=number))[0]
        assert "?" in re.sub(r"\[[^\]]*\]", "", said), (topic, number)
        assert "Friday, March 6" in said


def test_alternatives_and_topics_differ() -> None:
    told = {
        (topic, number): plain(draft(facts(topic), alternative=number)) for topic in MATTERS for number in (1, 2, 3)
    }
    distinct: list[Matter] = []
    for matter in MATTERS.values():
        distinct += [] if matter in distinct else [matter]
    assert len(set(told.values())) == len(distinct) * ALTERNATIVES
    assert len(distinct) == 14


def test_a_topic_without_words_of_its_own_gets_those_that_fit_all() -> None:
    assert matter_of("thanks") is matter_of("other")
    assert plain(draft(facts("deadline"))) == plain(draft(facts("other")))


@pytest.mark.parametrize("alternative", [0, -1, ALTERNATIVES + 1])
def test_an_alternative_that_there_is_not_is_refused(alternative: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 3"):
        draft(facts(), alternative=alternative)


def test_nobody_is_written_to_at_an_address_that_mail_cannot_be_sent_to() -> None:
    with pytest.raises(ValueError, match="address"):
        draft(facts(), raw=ORIGINAL.replace(b"ana@family.example", b"<>"))


def test_an_unknown_child_a_quiet_record_and_a_teacher_without_call_times_still_make_a_whole_draft() -> None:
    for number in range(1, ALTERNATIVES + 1):
        said = parts(draft(facts(), alternative=number))[0]
        assert "Glow:" in said
        assert "before, on" not in said
        assert "good news" not in said
    assert "reply with a phone number and a time that suits you" in parts(draft(facts(), alternative=2))[0]


def test_a_name_keeps_its_direction_among_letters_that_run_from_the_right() -> None:
    mail = draft(everything_known("grades", "en", "ar"))
    assert "\u2068Leo\u2069" in parts(mail)[1]
    assert "\u2068" not in parts(mail)[0]


def verdict(language: str = "en", topic: str = "grades") -> Verdict:
    reason = Reason("disputes a grade", "This is a joke.")
    return Verdict(0.1, 0.9, Tag.CONFLICT, unsure=False, language=language, topic=topic, reasons=(reason,))


def decided(
    given: Verdict, *, mailbox: MailboxSettings = TEACHER, configured: Settings = SETTINGS, **more: object
) -> DraftFacts:
    now = TUESDAY_NOON.astimezone(UTC)
    return draft_facts(
        original(),
        given,
        mailbox=mailbox,
        settings=configured,
        calendar=CALENDAR,
        now=now,
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("language", ["es", "zh", "zh-TW", "vi", "ar", "pt", "ht", "ru", "ko", "tl", "fr"])
def test_good_news_and_thanks_are_told_apart_in_every_language(language: str) -> None:
    neither, thanked, good = (
        draft_note(facts("grades", language, **known), mailbox=TEACHER, settings=SETTINGS).sections[0].blocks
        for known in (
            {},
            {"last_positive_contact": date(2026, 2, 20)},
            {"last_positive_contact": date(2026, 2, 20), "was_good_news": True},
        )
    )
    differing = [place for place, block in enumerate(good) if block != thanked[place]]
    assert differing == [place for place, block in enumerate(good) if block != neither[place]]
    assert len(differing) == 1
    assert "good news" not in str(good[differing[0]]), "it is not translated"


def test_a_draft_names_the_day_of_the_last_good_news() -> None:
    known = Known(last_positive_contact=date(2026, 2, 20), was_good_news=True)
    given = decided(verdict(), known=known)
    assert given.was_good_news
    said = str(draft_note(given, mailbox=TEACHER, settings=SETTINGS))
    assert "(good news went to the family on Friday, February 20)" in said
    assert "gave thanks" not in said


def test_the_facts_come_from_the_verdict_the_calendar_and_the_record() -> None:
    windows = (CallWindow(day="wed", opens=CALL.begins.time(), closes=CALL.ends.time()),)
    known = Known(
        last_positive_contact=date(2026, 2, 20),
        earlier_cases=(date(2026, 1, 12), date(2025, 10, 1), TUESDAY_NOON.date()),
    )
    mailbox = TEACHER.model_copy(update={"call_windows": windows})
    assert decided(verdict(), mailbox=mailbox, students=("Leo",), known=known) == DraftFacts(
        topic="grades",
        languages=("en",),
        students=("Leo",),
        follow_up=FRIDAY,
        call_windows=(CALL, Span(begins=CALL.begins + timedelta(days=7), ends=CALL.ends + timedelta(days=7))),
        last_positive_contact=date(2026, 2, 20),
        earlier_case=date(2026, 1, 12),
    )


def test_the_day_is_counted_in_the_schools_time_and_not_in_utc() -> None:
    late_on_tuesday = datetime(2026, 3, 3, 23, 30, tzinfo=ZONE).astimezone(UTC)
    given = draft_facts(
        original(), verdict(), mailbox=TEACHER, settings=SETTINGS, calendar=CALENDAR, now=late_on_tuesday
    )
    assert given.follow_up == FRIDAY


@pytest.mark.parametrize(
    ("written", "home", "languages"),
    [
        ("es", None, ("en", "es")),
        ("en", None, ("en",)),
        ("en", "ar", ("en",)),
        ("und", "ar", ("en", "ar")),
        ("de", None, ("en",)),
        ("zh", None, ("en", "zh-Hans")),
    ],
)
def test_the_schools_language_comes_first_since_the_teacher_finishes_it(
    written: str, home: str | None, languages: tuple[str, ...]
) -> None:
    assert decided(verdict(written), home_language=home).languages == languages


def test_a_family_whose_language_nobody_wrote_gets_all_of_the_schools() -> None:
    school = SETTINGS.school.model_copy(update={"languages": ("es", "en")})
    assert decided(verdict("de"), configured=SETTINGS.model_copy(update={"school": school})).languages == ("es", "en")


anything = st.text(max_size=60) | st.sampled_from(
    ["a\r\nBcc: evil@x.example", "{day}", "<b>Leo</b>", "\udc80\u202e", "x" * 3000, "]", "\u2069\u2069", "a\x00b", ""]
)


@settings(max_examples=80, deadline=None)
@given(names=st.lists(anything, max_size=3), topic=anything, language=st.sampled_from(LANGUAGES) | anything)
def test_no_name_on_the_roster_breaks_a_draft(names: list[str], topic: str, language: str) -> None:
    mail = draft(facts(topic, "en", language, students=tuple(names)))
    assert defects(mail) == []
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert set(mail.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", MARKER, "Content-Language",
        "MIME-Version", "Content-Type",
    }  # fmt: skip
    page = LexborHTMLParser(hypertext(mail))
    assert page.body is not None
    for line_break in page.css("br"):
        line_break.replace_with(" ")
    assert words(page.body.text()) == words(plain(mail))


def test_a_note_can_be_read_without_a_message() -> None:
    note = draft_note(facts(), mailbox=TEACHER, settings=SETTINGS, alternative=3)
    assert [section.language for section in note.sections] == ["en"]
    assert note.title == "Maple Street School"

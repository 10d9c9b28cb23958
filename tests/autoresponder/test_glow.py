"""The draft of good news: kind, short, in the home's language, with what only the teacher can say left open."""

import re
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from autoresponder.draft_gallery import good_news
from autoresponder.glow import GlowFacts, compose_glow, glow_message_id, glow_note, is_unfilled
from autoresponder.identifiers import is_own_message_id
from autoresponder.outgoing import as_bytes
from autoresponder.plan import ShortCalls, Span
from autoresponder.wording import CONVERSATION, LANGUAGES, wording
from connectors.message import MARKER
from tests.autoresponder.sample import SETTINGS, TEACHER, TUESDAY_NOON, ZONE
from tests.autoresponder.test_replies import defects, hypertext, plain, words

CALLS = ShortCalls(
    spans=tuple(
        Span(begins=datetime(2026, 3, day, 15, 40, tzinfo=ZONE), ends=datetime(2026, 3, day, 16, 0, tzinfo=ZONE))
        for day in (3, 17)
    )
)
BLANK = re.compile(r"⟨(\d)\u00a0·[^⟨⟩]*⟩")
PARENTS = ("ana@family.example", "bo@family.example")


def facts(*languages: str, **more: object) -> GlowFacts:
    known = GlowFacts(students=("Leo", "Mia"), languages=languages or ("en",), short_calls=CALLS)
    return known.model_copy(update=more)


def draft(given: GlowFacts | None = None, recipients: tuple[str, ...] = PARENTS) -> EmailMessage:
    return compose_glow(
        given or facts(),
        recipients,
        mailbox=TEACHER,
        settings=SETTINGS,
        now=TUESDAY_NOON,
        message_id=glow_message_id("f1", "t1", TEACHER.address),
    )


def parts(mail: EmailMessage) -> list[str]:
    return [" ".join(each.split("\n")) for each in plain(mail).split("* * * * * * * * * * * *")]


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_whole_in_every_language_and_says_the_same_in_text_and_html(language: str) -> None:
    mail = draft(facts("en", language))
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
    said = parts(mail)
    assert len(said) == (1 if language == "en" else 2)
    for part, written in zip(said, ("en", language), strict=False):
        assert BLANK.findall(part) == ["1", "2"]
        assert part.count("Leo") == part.count("Mia") == 1
        for span in CALLS.spans:
            assert squeezed(wording(written).day(span.begins.date())) in squeezed(part)
        assert SETTINGS.office.phone in part


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_no_sentence_of_the_familys_part_is_left_in_english(language: str) -> None:
    part = squeezed(parts(draft(facts("en", language)))[1].partition("]")[2])
    for sentence in wording_of(language):
        assert squeezed(sentence) not in part
    assert "Something good" not in str(draft(facts("en", language))["Subject"])


def wording_of(language: str) -> list[str]:
    """The English of the sentences that the language says otherwise."""
    english = [
        "Nothing is wrong. I am writing because I have something good to tell you.",
        "one thing that went well this week",
        "If one of these times suits you, a thumbs-up in reply is enough.",
        "We both want school to go well for your child.",
    ]
    return [each for each in english if wording(language, CONVERSATION).gettext(each) != each]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated(language: str) -> None:
    assert len(wording_of(language)) == (0 if language == "en" else 4)


def test_it_is_a_new_mail_to_the_guardians_and_says_nothing_of_being_automatic() -> None:
    mail = draft(facts("en", "es"))
    assert " ".join(str(mail["To"]).split()) == "ana@family.example, bo@family.example"
    assert mail["From"] == '"Ms. Rivera" <rivera@maple.example>'
    assert mail["Subject"] == "Algo bueno de la escuela: Leo y Mia"
    assert mail[MARKER] == "draft"
    for field in ("In-Reply-To", "References", "Auto-Submitted", "Precedence", "X-Auto-Response-Suppress"):
        assert mail[field] is None


def test_it_praises_nobody_and_leaves_what_was_seen_open() -> None:
    (said,) = parts(draft(facts("en")))
    without_blanks = BLANK.sub("", said)
    for praise in ("great", "wonderful", "proud of your", "excellent", "pleasure", "a joy", "smart", "talented"):
        assert praise not in without_blanks.lower()
    assert "This is what I saw, and would like you to know: ⟨1" in said


def test_without_times_for_calls_it_offers_none() -> None:
    (said,) = parts(draft(facts("en", short_calls=ShortCalls())))
    assert BLANK.findall(said) == ["1"]
    assert "call" not in said


def test_the_message_id_is_one_for_a_family_and_term_and_counts_as_the_teachers_own() -> None:
    ids = {
        glow_message_id(family, term, box)
        for family in ("f1", "f2")
        for term in ("t1", "t2")
        for box in ("rivera@maple.example", "okafor@maple.example")
    }
    assert len(ids) == 8
    assert glow_message_id("f1", "t1", "rivera@maple.example") == glow_message_id("f1", "t1", "rivera@maple.example")
    assert not any(map(is_own_message_id, ids))


@pytest.mark.parametrize("recipients", [(), ("not an address",), ("ana@family.example", "a b@family.example")])
def test_nobody_is_written_to_at_an_address_that_mail_cannot_be_sent_to(recipients: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"address|somebody"):
        draft(recipients=recipients)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_blank_that_was_forgotten_is_seen_and_one_that_was_filled_in_is_not(language: str) -> None:
    text = plain(draft(facts("en", language)))
    assert is_unfilled(text)
    assert not is_unfilled(BLANK.sub("She helped a new classmate find her way.", text))
    assert not is_unfilled("We write ⟨x, y⟩ or ⟨1, 2⟩ for the inner product, and see [1].")


@given(names=st.lists(st.text(max_size=80), min_size=1, max_size=3), language=st.sampled_from(LANGUAGES))
def test_no_name_on_the_roster_breaks_a_draft(names: list[str], language: str) -> None:
    raw = as_bytes(draft(facts("en", language, students=tuple(names))))
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) < 998
    assert raw.split(b"\r\n\r\n")[0].count(b"\r\nSubject:") == 1


def test_the_gallery_shows_it_in_one_language() -> None:
    note = good_news("es", SETTINGS)
    assert [section.language for section in note.sections] == ["es"]
    assert "Leo" in note.title


def test_times_are_said_by_the_schools_clock() -> None:
    first = CALLS.spans[0]
    spans = (Span(begins=first.begins.astimezone(UTC), ends=first.ends.astimezone(UTC)),)
    text = glow_note(facts("en", short_calls=ShortCalls(spans=spans)), mailbox=TEACHER, settings=SETTINGS).text()
    assert "3:40\u00a0PM" in " ".join(text.split("\n"))

"""What a teacher's line in answer to the morning mail says: only what is sure, and nothing that is guessed."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresponder import contact_phrases as say
from autoresponder.contact_lines import ContactLine, UnclearLine, UndoLine, lines_of
from autoresponder.contacts import ContactKind, ContactTone

WEDNESDAY = date(2026, 3, 4)
CALL, TEXT, NOTE, MEETING = ContactKind
GOOD, NEUTRAL, CONCERN = ContactTone


def told(line: str) -> ContactLine:
    """The contact that a single line tells of."""
    (found,) = lines_of(line, WEDNESDAY)
    assert isinstance(found, ContactLine), found
    return found


def is_unclear(text: str) -> bool:
    found = lines_of(text, WEDNESDAY)
    return bool(found) and all(isinstance(each, UnclearLine) for each in found)


@pytest.mark.parametrize(
    ("line", "kind", "tone", "reached", "name"),
    [
        ("called the family of Ana Lopez, good news", CALL, GOOD, True, "ana lopez"),
        ("Called the family of Ana Lopez - good news!", CALL, GOOD, True, "ana lopez"),
        ("I called Ana Lopez's mother.", CALL, NEUTRAL, True, "ana lopez"),
        ("I've called Ana\u2019s mom with good news", CALL, GOOD, True, "ana"),
        ("phoned Mrs. Lopez; a concern", CALL, CONCERN, True, "lopez"),
        ("spoke with the Diaz family", CALL, NEUTRAL, True, "diaz"),
        ("left a message for the Diaz family", CALL, NEUTRAL, False, "diaz"),
        ("tried to call the Diaz family", CALL, NEUTRAL, False, "diaz"),
        ("couldn't reach Bo's father", CALL, NEUTRAL, False, "bo"),
        ("called the Diaz family, no answer", CALL, NEUTRAL, False, "diaz"),
        ("called the Diaz family and left a voicemail", CALL, NEUTRAL, False, "diaz"),
        ("left a message for the Diaz family, they called back", CALL, NEUTRAL, True, "diaz"),
        ("met with Bo's mother", MEETING, NEUTRAL, True, "bo"),
        ("had a conference with the parents of Bo Brandt, positive", MEETING, GOOD, True, "bo brandt"),
        ("texted Bo's dad about a concern", TEXT, CONCERN, False, "bo"),
        ("sent a note home to Bo's family: praise", NOTE, GOOD, False, "bo"),
        ("Llam\u00e9 a la familia de Ana L\u00f3pez, buenas noticias", CALL, GOOD, True, "ana lopez"),
        ("dej\u00e9 un mensaje para la familia D\u00edaz", CALL, NEUTRAL, False, "diaz"),
        ("Habl\u00e9 con la mam\u00e1 de Bo, una preocupaci\u00f3n", CALL, CONCERN, True, "bo"),
        ("Llam\u00e9 a la se\u00f1ora L\u00f3pez, no contest\u00f3", CALL, NEUTRAL, False, "lopez"),
        ("Me reun\u00ed con los padres de Bo", MEETING, NEUTRAL, True, "bo"),
        ("J'ai appel\u00e9 la famille de Bo, bonne nouvelle", CALL, GOOD, True, "bo"),
        ("Liguei para a fam\u00edlia de Bo, boas not\u00edcias", CALL, GOOD, True, "bo"),
        ("* called the family of Bo, not good news", CALL, CONCERN, True, "bo"),
        ("2. reached Bo's mother by phone", CALL, NEUTRAL, True, "bo"),
    ],
)
def test_a_line_says_how_what_about_and_whether_they_were_reached(
    line: str, kind: ContactKind, tone: ContactTone, reached: bool, name: str
) -> None:
    found = told(line)
    assert (found.kind, found.tone, found.reached, found.on) == (kind, tone, reached, WEDNESDAY)
    assert " ".join(found.name.words) == name


@pytest.mark.parametrize(
    ("line", "back"),
    [
        ("called Bo's mother today", 0),
        ("called Bo's mother this morning, good news", 0),
        ("called Bo's mother yesterday", 1),
        ("Yesterday I called Bo's mother", 1),
        ("ayer llam\u00e9 a la mam\u00e1 de Bo", 1),
        ("called Bo's mother on Monday", 2),
        ("called Bo's mother on Wednesday", 0),
        ("called Bo's mother last Thursday", 6),
        ("llam\u00e9 a la mam\u00e1 de Bo el lunes", 2),
        ("called Bo's mother on 2026-02-27, good news", 5),
    ],
)
def test_a_line_may_name_its_day(line: str, back: int) -> None:
    found = told(line)
    assert found.on == WEDNESDAY - timedelta(days=back)
    assert found.name.words == ("bo",)


@pytest.mark.parametrize(
    "line",
    [
        "called Bo's mother?",
        "\u00bfllam\u00e9 a la mam\u00e1 de Bo?",
        "called the Diaz family, but they never pick up",
        "called the Diaz family, she hung up without a word",
        "called the Diaz family, good news and a concern",
        "called the Diaz family on 2026-13-40",
        "called the Diaz family on 2027-01-01",
        "called",
        "called, good news",
        "met with",
        "llam\u00e9 a la familia D\u00edaz, nadie sabe",
    ],
)
def test_what_nobody_can_be_sure_of_is_unclear(line: str) -> None:
    assert is_unclear(line)


@pytest.mark.parametrize(
    "line",
    [
        "call the Diaz family",
        "will call the Diaz family tomorrow",
        "need to call Bo's mother",
        "> called the family of Ana Lopez, good news",
        "\u201ccalled the family of Ana Lopez, good news\u201d",
        "Bo called me a name",
        "did not call Bo's mother",
        "never called Bo's mother",
    ],
)
def test_a_plan_a_quotation_and_what_did_not_happen_are_no_contact(line: str) -> None:
    assert not [each for each in lines_of(line, WEDNESDAY) if isinstance(each, ContactLine)]
    assert lines_of(f"Thanks!\n{line}", WEDNESDAY) == ()


def test_several_lines_are_told_apart_and_keep_their_numbers() -> None:
    found = lines_of("Good morning,\n\ncalled Bo's mother, good news\nundo 3\nmet with Ana's father?\n", WEDNESDAY)
    assert [(type(each), each.number) for each in found] == [(ContactLine, 2), (UndoLine, 3), (UnclearLine, 4)]


def test_what_goes_on_in_the_next_line_belongs_to_it() -> None:
    assert not told("called Bo's mother\nno answer").reached
    assert told("called the family of Bo Brandt, who was in such a hurry,\ngood news").tone is GOOD
    long = "called the family of Bo Brandt about the reading group on the second floor"
    assert is_unclear(f"{long}\nbut nobody was there")


def test_two_calls_below_each_other_are_two() -> None:
    found = lines_of("called Bo's mother,\ncalled Ana's father", WEDNESDAY)
    assert [each.number for each in found] == [1, 2]


def test_further_names_are_kept_apart() -> None:
    found = told("called Ana Lopez and Bo Brandt, good news")
    assert (found.name.words, [each.words for each in found.perhaps]) == (("ana", "lopez"), [("bo", "brandt")])
    assert found.tone is GOOD


@pytest.mark.parametrize(
    ("line", "which"),
    [
        ("undo", ()),
        ("Undo!", ()),
        ("undo 2", (2,)),
        ("undo 2, 3", (2, 3)),
        ("take that back", ()),
        ("deshacer 1", (1,)),
        ("Anular", ()),
    ],
)
def test_undo_may_name_numbers(line: str, which: tuple[int, ...]) -> None:
    assert lines_of(line, WEDNESDAY) == (UndoLine(1, which),)


@pytest.mark.parametrize("line", ["undo the seating plan", "undoing 2", "please do not undo"])
def test_what_only_begins_like_undo_takes_nothing_back(line: str) -> None:
    assert not [each for each in lines_of(line, WEDNESDAY) if isinstance(each, UndoLine)]


@pytest.mark.parametrize("text", ["", "  \n \n", "Thanks!", "Thank you", "Gracias", "Ok."])
def test_thanks_say_nothing(text: str) -> None:
    assert lines_of(text, WEDNESDAY) == ()


def test_what_is_no_such_line_at_all_is_said_to_be_unclear_once() -> None:
    assert lines_of("Please send the report.\nIt is late.", WEDNESDAY) == (UnclearLine(1),)


def test_every_phrase_is_written_as_lines_are_folded() -> None:
    for phrase in (*say.OPENINGS, *say.TONES, *say.UNREACHED, *say.REACHED, *say.UNDO, *say.KIN, *say.TITLES):
        assert phrase == phrase.casefold().strip()
        assert phrase.isascii()
        assert all(each.isalnum() for each in phrase.split()), phrase


def test_no_phrase_means_two_things() -> None:
    assert not say.UNREACHED & say.REACHED
    assert not (say.UNREACHED | say.REACHED) & set(say.TONES)


@pytest.mark.parametrize("opening", sorted(say.OPENINGS))
def test_every_opening_opens_a_line(opening: str) -> None:
    found = told(f"{opening} Bo's mother")
    assert (found.kind, found.reached) == (say.OPENINGS[opening].kind, say.OPENINGS[opening].reached)
    assert found.name.words == ("bo",)


@given(st.text(max_size=300))
def test_any_text_is_read_and_no_line_lies_ahead(text: str) -> None:
    for each in lines_of(text, WEDNESDAY):
        assert each.number >= 1
        assert not isinstance(each, ContactLine) or each.on <= WEDNESDAY


@given(st.sampled_from(sorted(say.OPENINGS)), st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
def test_whatever_follows_an_opening_is_a_contact_or_unclear(opening: str, rest: str) -> None:
    for each in lines_of(f"{opening} {rest}", WEDNESDAY):
        assert isinstance(each, ContactLine | UnclearLine)

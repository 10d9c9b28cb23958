"""What a reply of the office says, and what becomes of an item then."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresponder.items import UNFINISHED, ItemState, Refusal, Topical, Word, is_same_matter, outcome, understood
from connectors.labels import Tag

LEE, KIM = "lee@maple.example", "kim@maple.example"


@pytest.mark.parametrize(
    ("first_line", "word"),
    [
        ("Taken", Word.TAKEN),
        ("TAKEN!!", Word.TAKEN),
        ("taken, thanks", Word.TAKEN),
        ("I’ll take it", Word.TAKEN),
        ("Ok, taken.", Word.TAKEN),
        ("“Taken”", Word.TAKEN),
        ("Me encargo", Word.TAKEN),
        ("Lo tengo. Gracias", Word.TAKEN),
        ("Done. I called the mother", Word.DONE),
        ("Hecho, gracias", Word.DONE),
        ("¡Listo!", Word.DONE),
        ("Not urgent - just a question", Word.NOT_URGENT),
        ("It's not urgent", Word.NOT_URGENT),
        ("No es urgente", Word.NOT_URGENT),
        ("Back to the teacher, please", Word.RETURNED),
        ("Para la maestra", Word.RETURNED),
    ],
)
def test_one_word_in_the_first_line_is_understood_in_both_languages(first_line: str, word: Word) -> None:
    assert understood(f"\n\n  {first_line}\n\nSam Lee\nFront office") is word


@pytest.mark.parametrize(
    "first_line",
    [
        "",
        "Done?",
        "¿Hecho?",
        "Not done",
        "Not taken",
        "Taken to hospital",
        "Nobody has taken it",
        "Thanks!",
        "Ok",
        "yes",
    ],
)
def test_what_is_not_certain_is_not_understood(first_line: str) -> None:
    assert understood(f"{first_line}\nDone") is (Word.DONE if not first_line else None)


@given(st.text(max_size=300))
def test_any_text_at_all_can_be_read(text: str) -> None:
    understood(text)


def test_who_takes_first_has_it_and_the_other_is_told() -> None:
    assert outcome(ItemState.OPEN, None, Word.TAKEN, LEE).state is ItemState.CLAIMED
    assert outcome(ItemState.CLAIMED, LEE, Word.TAKEN, KIM).refusal is Refusal.TAKEN
    assert outcome(ItemState.DONE, LEE, Word.TAKEN, KIM).refusal is Refusal.CLOSED
    assert outcome(ItemState.CLAIMED, LEE, Word.TAKEN, LEE) == outcome(ItemState.DONE, LEE, Word.DONE, KIM)


@given(st.sampled_from(ItemState), st.sampled_from(Word), st.sampled_from((None, LEE, KIM)))
def test_nothing_that_is_said_opens_an_item_again_unseen(state: ItemState, word: Word, holder: str | None) -> None:
    said = outcome(state, holder, word, LEE)
    assert said.state is not ItemState.OPEN
    assert said.state is None or said.refusal is None
    if state in UNFINISHED and said.state in UNFINISHED:
        assert word is Word.TAKEN


def test_urgent_mail_never_joins_what_is_not_urgent() -> None:
    routine = Topical("attendance", "office", Tag.ROUTINE, frozenset({"thread"}))
    assert not is_same_matter(topic="attendance", desk="office", thread="thread", tag=Tag.URGENT, item=routine)
    assert is_same_matter(topic="attendance", desk="office", thread="other", tag=Tag.ROUTINE, item=routine)


def test_a_thread_that_turns_to_another_desks_topic_is_another_matter() -> None:
    pickup = Topical("pickup_transport", "office", Tag.URGENT, frozenset({"thread"}))
    assert not is_same_matter(topic="safety", desk="counselor", thread="thread", tag=Tag.URGENT, item=pickup)
    assert is_same_matter(topic="deadline", desk="office", thread="thread", tag=Tag.URGENT, item=pickup)
    assert not is_same_matter(topic="deadline", desk="office", thread="another", tag=Tag.URGENT, item=pickup)

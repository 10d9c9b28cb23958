import gc
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier import Bearings, Classifier
from classifier.decision import SUPPORTED, Thresholds
from classifier.lean_spacy import spacy
from classifier.phrase_book import Kind, book, phrases
from classifier.raising import raised
from classifier.safety_net import MATCHERS_KEPT, Alarm, SafetyNet
from classifier.verdict import Letter, Reason, Verdict
from classifier.words import split, tidy
from connectors.labels import Tag

NET = SafetyNet()
STRONG = (
    "wants to die",
    "wanted to die",
    "wants to kill himself",
    "is cutting herself",
    "brought a gun",
    "had a knife in his backpack",
)
DENIALS = (
    "He never said he",
    "She did not say that he",
    "There is no talk of anyone who",
    "Nobody said he",
    "It's not that he",
)


def alarms(text: str, language: str = "en") -> list[Alarm]:
    text = tidy(text)
    return list(NET.alarms(text, split(text), language))


def examples(table: str) -> list[tuple[str, str, str]]:
    found = []
    for language in SUPPORTED:
        source = book(language)
        assert source is not None
        for group, sentences in getattr(source, table).items():
            found += [(language, str(group), sentence) for sentence in sentences]
    return found


@pytest.mark.parametrize(("language", "kind", "sentence"), examples("found"))
def test_every_example_of_a_file_is_found_as_its_kind(language: str, kind: str, sentence: str) -> None:
    assert Kind(kind) in [alarm.kind for alarm in alarms(sentence, language)]


@pytest.mark.parametrize(("language", "why", "sentence"), examples("passed"))
def test_every_innocent_example_of_a_file_passes(language: str, why: str, sentence: str) -> None:
    assert alarms(sentence, language) == [], why


@pytest.mark.parametrize("language", SUPPORTED)
def test_every_kind_of_danger_has_phrases_and_examples_in_every_language(language: str) -> None:
    source = book(language)
    assert source is not None
    assert set(source.alarms) == set(source.found) == set(Kind)


@given(st.sampled_from(STRONG), st.sampled_from(DENIALS))
def test_a_denied_danger_raises_none(danger: str, denial: str) -> None:
    assert alarms(f"He {danger}.")
    assert alarms(f"{denial} {danger}.") == []


@given(st.sampled_from(STRONG), st.sampled_from(("", "Hello!", "Thanks for the photos.\n")), st.booleans())
def test_capitals_and_neighbours_change_nothing(danger: str, before: str, loud: bool) -> None:
    text = f"{before} My son {danger}"
    assert alarms(text.upper() if loud else text)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.sampled_from((*SUPPORTED, "und", "fr")))
def test_whatever_a_text_holds_it_is_read(text: str, language: str) -> None:
    for alarm in alarms(text, language):
        assert alarm.sentence in tidy(text)


@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.sampled_from(list(Tag)),
    st.booleans(),
    st.sampled_from(["other", "grades", "custody"]),
    st.sampled_from(list(Kind)),
)
def test_it_raises_and_never_lowers(
    urgent: float, conflict: float, tag: Tag, unsure: bool, topic: str, kind: Kind
) -> None:
    thresholds = Thresholds(urgent=0.4, conflict=0.5)
    before = Verdict(urgent, conflict, tag, unsure, "en", topic, (Reason("x", "y"),))
    after = raised(before, Alarm(kind, "He has a gun."), thresholds)
    assert after.tag is Tag.URGENT
    assert after.urgent >= max(urgent, thresholds.urgent)
    assert after.conflict == conflict
    assert after.unsure or (tag is Tag.URGENT and not unsure)
    assert (after.topic == "custody") == (topic == "custody")
    assert after.reasons[0].sentence == "He has a gun."
    assert after.reasons[1:] == before.reasons


def test_the_shipped_classifier_holds_on_to_a_phrase_whatever_the_model_says(classifier: Classifier) -> None:
    cheerful = "Thank you so much for the lovely concert and the cookies, what is the homework for Friday? " * 12
    text = f"{cheerful}\nHe says he doesn't want to live anymore.\n{cheerful}"
    spanish = classifier.at(Bearings(staff="es"))
    for reader, cue in ((classifier, "words of self-harm"), (spanish, "palabras de autolesión")):
        (verdict,) = reader.read([Letter("photos", text)])
        assert verdict.tag is Tag.URGENT
        assert verdict.urgent >= classifier.thresholds.urgent
        assert cue in verdict.reasons[0].cue
        assert verdict.reasons[0].sentence == "He says he doesn't want to live anymore."


def test_quoted_history_raises_no_alarm(classifier: Classifier) -> None:
    own = "What is the homework for the weekend?"
    quoted = "> He told me he wants to die and he has a gun."
    (verdict,) = classifier.read(
        [Letter("", f"{own}\n\nOn Mon, Feb 9, 2026 at 3:12 PM Ana <a@b.example> wrote:\n{quoted}")]
    )
    assert "safety net" not in verdict.reasons[0].cue


def test_a_few_words_in_no_language_to_be_told_are_read_as_english_and_spanish() -> None:
    for text in ("has a gun", "trae una pistola"):
        assert [alarm.kind for alarm in alarms(text, "und")] == [Kind.WEAPON]


def test_of_an_endless_sentence_the_part_around_the_phrase_is_shown() -> None:
    words = ["and then we went on"] * 60
    words.insert(random.Random(3).randrange(30, 50), "he said he wants to die")
    (alarm, *_) = alarms(" ".join(words))
    assert "wants to die" in alarm.sentence
    assert len(alarm.sentence) <= 300


def test_a_net_that_has_met_every_phrase_of_a_language_keeps_few_matchers() -> None:
    """Months of mail meet one phrase after another."""
    source, net = book("en"), SafetyNet()
    assert source is not None
    said = [
        " ".join(min(token.words) for token in phrase)
        for notations in source.alarms.values()
        for phrase in phrases(notations, "en", source.words)
        if all(token.words for token in phrase)
    ]
    assert len(said) > 4 * MATCHERS_KEPT
    assert net.first_alarm(said[0], split(said[0]), "en") is not None
    before = matchers()
    for text in said[:: len(said) // (2 * MATCHERS_KEPT)]:
        list(net.alarms(text, split(text), "en"))
    assert matchers() - before < MATCHERS_KEPT + 10
    assert net.first_alarm(said[0], split(said[0]), "en") is not None, "one that was let go is made anew"


def matchers() -> int:
    gc.collect()
    return sum(isinstance(each, spacy.matcher.Matcher) for each in gc.get_objects())

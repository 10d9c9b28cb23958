import pytest

from classifier.decision import Question
from classifier.encoder import TOPICS
from classifier.evidence import Evidence
from classifier.mentions import named
from classifier.reasons import STAFF_LANGUAGES, reason, topic_of
from classifier.words import folded, lowered, split
from connectors.labels import Tag
from tests.classifier.local_time import local

THURSDAY = local(2026, 2, 12, 9)


def cue(text: str, *, tag: Tag = Tag.URGENT, due: int = 0, staff: str = "en", language: str = "en") -> str:
    lower = lowered(text)
    times = named(folded(split(text), lower), lower, THURSDAY.date())
    begin = text.rindex(". ") + 2 if ". " in text else 0
    evidence = Evidence(Question.URGENT, text[begin:], begin, len(text))
    return reason(
        tag,
        "pickup_transport",
        language,
        evidence,
        days=times.mentions,
        clocks=times.clocks,
        received=THURSDAY,
        due=due,
        staff=staff,
    ).cue


def test_an_urgent_reason_names_the_matter_the_day_and_the_hour() -> None:
    assert cue("Her aunt picks her up at 1:30 today.") == "needs somebody today: pickup or transport, today 13:30"


def test_the_day_may_stand_in_another_sentence_than_the_one_that_decides() -> None:
    assert cue("It is about today. Her aunt picks her up.").endswith("pickup or transport, today")


def test_a_day_that_does_not_count_is_not_named() -> None:
    assert cue("Her aunt picks her up on Friday.").endswith("pickup or transport")
    assert cue("Her aunt picks her up on Friday.", due=1).endswith("pickup or transport, tomorrow")


def test_over_a_weekend_the_day_is_named_by_its_name() -> None:
    assert cue("Her aunt picks her up on Monday.", due=4).endswith(", Monday")


def test_a_conflict_names_its_matter_and_no_day() -> None:
    assert cue("You were unfair today.", tag=Tag.CONFLICT) == "dispute or complaint: pickup or transport"


@pytest.mark.parametrize("staff", STAFF_LANGUAGES)
@pytest.mark.parametrize("tag", list(Tag))
def test_every_staff_language_has_words_for_everything(staff: str, tag: Tag) -> None:
    assert cue("today at 9:05", tag=tag, staff=staff)
    for topic in TOPICS:
        assert reason(tag, topic, "fr", Evidence(Question.URGENT, "x", 0, 1), staff=staff).cue


def test_staff_read_their_own_language_and_english_where_there_is_none() -> None:
    assert cue("at 1:30 today", staff="es") == "necesita a alguien hoy: recogida o transporte, hoy 13:30"
    assert cue("at 1:30 today", staff="fi") == cue("at 1:30 today")


def test_a_language_that_was_not_learned_is_said() -> None:
    assert cue("at 1:30 today", language="fr").endswith("in a language that the model has not learned (fr)")


def test_without_words_there_is_no_sentence_to_show() -> None:
    assert reason(Tag.ROUTINE, "other", "und", Evidence(Question.URGENT, "", 0, 0)).cue == "no words to judge by"


def test_the_topic_is_the_one_with_the_highest_score() -> None:
    assert topic_of([0.0] * 6 + [2.0] + [1.0] * (len(TOPICS) - 7)) == "deadline"

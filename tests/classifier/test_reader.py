from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from classifier import Bearings, Classifier, load
from classifier.errors import ModelError
from classifier.examples import Example
from classifier.times import USUAL
from classifier.verdict import Letter, Verdict
from config.settings import Classification
from connectors.labels import Label, Tag
from tests.classifier.local_time import local

texts = st.text(max_size=300) | st.text(alphabet=st.characters(codec=None), max_size=60)
letters = st.builds(
    Letter, texts, texts, st.none() | st.datetimes(min_value=local(2000, 1, 3), max_value=local(2090, 1, 1))
)


def one(classifier: Classifier, body: str, *, subject: str = "", received: datetime | None = None) -> Verdict:
    return next(classifier.read([Letter(subject, body, received)]))


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(letters, max_size=5))
def test_whatever_a_letter_holds_it_gets_one_sound_verdict(classifier: Classifier, given_letters: list[Letter]) -> None:
    verdicts = list(classifier.read(given_letters, batch_size=2))
    assert len(verdicts) == len(given_letters)
    for verdict in verdicts:
        assert 0 <= verdict.urgent <= 1
        assert 0 <= verdict.conflict <= 1
        assert verdict.reasons[0].cue
        assert Label(verdict.tag) in verdict.labels or verdict.labels == {Label.CHECK}


@pytest.mark.parametrize("body", ["", " \n ", "😀😀😀", "1234 !!! ...", "\x00\x01", "\ud800"])
def test_without_words_a_person_is_asked_to_look(classifier: Classifier, body: str) -> None:
    verdict = one(classifier, body)
    assert verdict.unsure
    assert verdict.language == "und"
    assert verdict.reasons[0].cue == "no words to judge by"


@pytest.mark.parametrize(
    ("language", "body"),
    [
        ("fr", "Bonjour madame, mon fils est malade et ne viendra pas à l'école. Merci de me donner les devoirs."),
        ("pl", "Dzień dobry, syn jest chory i nie przyjdzie do szkoły. Proszę o zadania domowe na ten tydzień."),
        ("uk", "Дуже дякую, син захворів і сьогодні не прийде до школи, надішліть, будь ласка, домашнє завдання."),
        ("ja", "お世話になっております。明日は熱があるため学校を休ませていただきます。よろしくお願いいたします。"),
    ],
)
def test_a_language_it_has_not_learned_is_named_and_never_sure(
    classifier: Classifier, language: str, body: str
) -> None:
    verdict = one(classifier, body)
    assert verdict.language == language
    assert verdict.unsure
    assert Label.CHECK in verdict.labels
    assert Label.ROUTINE not in verdict.labels
    assert f"not learned ({language})" in verdict.reasons[0].cue


def test_of_a_giant_message_beginning_and_end_are_read(classifier: Classifier) -> None:
    chatter = "Thank you for the lovely newsletter and the photos. " * 4000
    assert one(classifier, chatter).tag is Tag.ROUTINE
    threat = "He has a gun and he is driving to the school right now, please lock the doors and call the police."
    assert one(classifier, f"{chatter}\n{threat}").urgent > one(classifier, chatter).urgent
    assert one(classifier, f"{threat}\n{chatter}").urgent > one(classifier, chatter).urgent


def test_quoted_history_does_not_leak_into_the_verdict(classifier: Classifier) -> None:
    own = "What is the homework for the weekend?"
    quoted = "> My son is not home and does not answer his phone, please call me right now!"
    history = f"{own}\n\nOn Mon, Feb 9, 2026 at 3:12 PM Ana Ruiz <ana@family.example> wrote:\n{quoted}"
    assert one(classifier, history) == one(classifier, own)


def test_the_same_sentence_grows_urgent_as_its_day_comes_near(classifier: Classifier) -> None:
    body = "Please let Maya out at 1 pm on Thursday, her aunt will pick her up at the front office."
    monday, thursday = local(2026, 2, 9, 9, 10), local(2026, 2, 12, 9, 10)
    assert one(classifier, body, received=thursday).urgent > one(classifier, body, received=monday).urgent + 0.1


def test_reasons_name_the_matter_the_day_and_the_sentence(classifier: Classifier) -> None:
    body = "We loved the concert. He left his inhaler at home today and is wheezing on the bus! See you Friday."
    verdict = one(classifier, body, received=local(2026, 2, 10, 8, 20))
    assert verdict.tag is Tag.URGENT
    assert verdict.topic == "health"
    reason = verdict.reasons[-1]
    assert reason.sentence == "He left his inhaler at home today and is wheezing on the bus!"
    assert reason.cue == "needs somebody today: health or medicine, today"


def test_without_an_explanation_the_verdict_is_the_same_but_for_its_reasons(
    classifier: Classifier, corpus: Sequence[Example]
) -> None:
    letters = [example.letter for example in corpus[::400]]
    for with_reasons, without in zip(classifier.read(letters), classifier.read(letters, explain=False), strict=True):
        assert replace(with_reasons, reasons=()) == without


def test_a_school_may_set_its_own_thresholds(classifier: Classifier) -> None:
    body = "Could you please keep an eye on her at recess? She seems a little sad."
    careful = classifier.at(Bearings(sureness=Classification(urgent_from=0.0001)))
    calm = classifier.at(Bearings(sureness=Classification(urgent_from=0.9999, doubt=0)))
    assert one(careful, body).tag is Tag.URGENT
    assert one(calm, body).tag is not Tag.URGENT
    assert not one(calm, body).unsure
    assert one(careful, body).urgent == one(calm, body).urgent


def test_the_schools_calendar_decides_what_is_near(classifier: Classifier) -> None:
    body = "Please let Maya out at 1 pm on Tuesday, her aunt will pick her up at the front office."
    friday = local(2026, 2, 13, 18)
    holiday = classifier.at(Bearings(replace(USUAL, breaks=((date(2026, 2, 16), date(2026, 2, 16)),))))
    assert one(holiday, body, received=friday).urgent > one(classifier, body, received=friday).urgent + 0.1


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_neighbours_and_batch_size_change_no_verdict(
    classifier: Classifier, corpus: Sequence[Example], batch_size: int
) -> None:
    some = [example.letter for example in corpus[::70]]
    whole = list(classifier.read(some))
    for verdict, other in zip(whole, classifier.read(some, batch_size=batch_size), strict=True):
        assert (verdict.tag, verdict.unsure, verdict.language) == (other.tag, other.unsure, other.language)
        assert verdict.urgent == pytest.approx(other.urgent, abs=1e-9)
        assert verdict.reasons == other.reasons


def test_threads_may_share_it(classifier: Classifier, corpus: Sequence[Example]) -> None:
    parts = [[example.letter for example in corpus[start:400:4]] for start in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda part: list(classifier.read(part, batch_size=16)), parts))
    assert together == [list(classifier.read(part, batch_size=16)) for part in parts]


def test_letters_are_read_as_they_come(classifier: Classifier) -> None:
    def endless() -> Iterator[Letter]:
        while True:
            yield Letter("", "thank you")

    verdicts = classifier.read(endless(), batch_size=3)
    assert [next(verdicts).language for _ in range(7)] == ["en"] * 7


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no model; `alliance train --out"):
        load(tmp_path)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.cfg").write_text('[nlp]\nlang = "xx"\npipeline = []\n')
    (tmp_path / "meta.json").write_text('{"lang": "xx", "name": "x", "version": "1"}')
    with pytest.raises(ModelError, match="does not load"):
        load(tmp_path)

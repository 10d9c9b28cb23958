"""The encoder works out a letter's answer once, however often it is asked within a while, and remembers no words."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from classifier import encoder as encoder_module
from classifier.encoder import Encoder
from classifier.good_news_training import shipped_encoder
from classifier.rendering import Rendered


class Counting:
    """A session that counts what it is asked."""

    def __init__(self, session: Any) -> None:
        self.runs = 0
        self._session = session

    def run(self, names: None, inputs: Mapping[str, Any]) -> Any:
        self.runs += 1
        return self._session.run(names, inputs)


@pytest.fixture
def encoder() -> Encoder:
    found = Encoder(shipped_encoder().folder)
    found._session = Counting(found._session)
    return found


def letter(*sentences: str) -> Rendered:
    return Rendered("received on a tuesday", sentences, tuple((0, len(each)) for each in sentences))


def test_a_letter_is_worked_out_once_and_answered_alike(encoder: Encoder) -> None:
    letters = [letter("Please call me.", "He is ill."), letter("Thank you."), letter("Please call me.", "He is ill.")]
    first, _, again = encoder.answers(letters[:1]) + encoder.answers(letters[1:])
    fresh = Encoder(encoder.folder).answers(letters[:1])[0]
    for answer in (again, fresh):
        assert np.array_equal(first.odds, answer.odds)
        assert np.array_equal(first.topics, answer.topics)
        assert np.array_equal(first.weight, answer.weight)
    assert encoder._session.runs == 2


@pytest.mark.parametrize(
    "other", [letter("Please call me. He is ill."), letter("He is ill.", "Please call me."), letter("Please call me.")]
)
def test_letters_that_are_not_the_same_get_answers_of_their_own(encoder: Encoder, other: Rendered) -> None:
    first, second = encoder.answers([letter("Please call me.", "He is ill.")]) + encoder.answers([other])
    assert encoder._session.runs == 2
    assert second.weight.shape[1] == len(other.sentences)
    assert first.weight.shape[1] == 2


def test_only_the_latest_are_remembered(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "_REMEMBERED", 2)
    one, two, three = letter("One."), letter("Two."), letter("Three.")
    for each in (one, two, one, three, one, two):  # one is asked for again and again; two makes room for three
        encoder.answers([each])
    assert encoder._session.runs == 4
    assert len(encoder._answers) == 2
    assert all(isinstance(key, bytes) and len(key) == 16 for key in encoder._answers)

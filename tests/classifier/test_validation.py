"""Messages by other hands: nobody learns from them, and what the shipped model does with them does not get worse."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from classifier import Classifier
from classifier.evaluation import evaluate
from classifier.examples import CORPUS, Example, read_examples
from connectors.labels import Tag

VALIDATION = CORPUS.parent / "validation"


@pytest.fixture(scope="module")
def validation() -> Sequence[Example]:
    return list(read_examples(VALIDATION))


def test_no_message_of_the_validation_set_is_in_the_corpus(
    validation: Sequence[Example], corpus: Sequence[Example]
) -> None:
    def told(example: Example) -> str:
        return " ".join(f"{example.subject} {example.body}".lower().split())

    learned = {told(example) for example in corpus}
    assert {example.id for example in validation if told(example) in learned} == set()
    assert {example.id for example in validation} & {example.id for example in corpus} == set()


def test_every_message_of_the_validation_set_was_labelled_twice(validation: Sequence[Example]) -> None:
    second = Path(VALIDATION / "second" / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(second) == len(validation) == 1216


def test_messages_by_other_hands_are_judged_no_worse_than_the_model_card_says(
    classifier: Classifier, validation: Sequence[Example]
) -> None:
    figures = evaluate(classifier, validation)
    assert figures.macro_f1 >= 0.85
    assert figures.tags[Tag.URGENT].recall >= 0.9

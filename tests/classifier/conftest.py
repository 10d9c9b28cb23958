from collections.abc import Sequence

import pytest

from classifier import Classifier, load
from classifier.examples import CORPUS, Example, read_examples


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return load()


@pytest.fixture(scope="session")
def corpus() -> Sequence[Example]:
    return list(read_examples(CORPUS))

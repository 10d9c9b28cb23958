from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.ngrams import BUCKETS, CHARACTERS, WORDS, Grams, grams
from classifier.words import lowered, split, tidy

texts = st.lists(st.text(alphabet="ab c\n今é.9", max_size=25).map(lambda text: lowered(tidy(text))), max_size=5)
_BY_CHANCE = 2


def of(batch: list[str]) -> Grams:
    read = [split(text) for text in batch]
    return grams(batch, [words.words for words in read], [words.spaces for words in read])


def spelled(text: str) -> list[tuple[str, ...]]:
    """The n-grams of one text, slowly and as text: (kind, characters) and (kind, words)."""
    flat = text.replace("\n", " ").replace("9", "0") + " "
    words = [word.replace("9", "0") for word in split(text).words if word != "\n"]
    found: list[tuple[str, ...]] = []
    for n in CHARACTERS:
        found += [("c", flat[place : place + n]) for place in range(len(flat) - n + 1)]
    for n in WORDS:
        found += [("w", *words[place : place + n]) for place in range(len(words) - n + 1)]
    return found


@settings(max_examples=150, deadline=None)
@given(texts)
def test_the_same_ngrams_share_a_column_and_others_hardly_ever_do(batch: list[str]) -> None:
    found = of(batch)
    for number, text in enumerate(batch):
        columns = found.column[found.text == number].tolist()
        slow = spelled(text)
        assert len(columns) == len(slow)
        # Columns are hashes: of some dozens of n-grams two now and then fall into one of the 262,144.
        by_chance = len(set(slow)) - len(set(columns))
        assert 0 <= by_chance <= _BY_CHANCE
        if not by_chance:
            assert sorted(Counter(columns).values()) == sorted(Counter(slow).values())
        assert sum(column >= BUCKETS for column in columns) == sum(gram[0] == "w" for gram in slow)


@settings(max_examples=100, deadline=None)
@given(texts)
def test_a_text_has_the_same_columns_alone_as_among_others(batch: list[str]) -> None:
    found = of(batch)
    for number, text in enumerate(batch):
        assert sorted(found.column[found.text == number]) == sorted(of([text]).column)


@settings(max_examples=100, deadline=None)
@given(texts)
def test_every_place_lies_within_its_text(batch: list[str]) -> None:
    found = of(batch)
    assert np.all(found.starts[found.text] <= found.place)
    assert np.all(found.place < found.starts[found.text + 1])


def test_columns_are_the_same_on_every_machine() -> None:
    assert of(["hi 今"]).column.tolist() == [
        217539,
        254640,
        35243,
        201462,
        118110,
        135794,
        223429,
        4695,
        230765,
        262622,
        438290,
        369677,
    ]

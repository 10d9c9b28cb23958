import random
import re

from classifier.examples import Example
from classifier.twins import SIMILAR, find_twins


def runs(text: str) -> set[str]:
    plain = " ".join(re.findall(r"\w+", text.casefold()))
    return {plain[place : place + 6] for place in range(max(1, len(plain) - 5))}


def test_it_finds_the_twins_that_comparing_each_with_each_would_find(corpus: list[Example]) -> None:
    letters = [example for example in corpus if example.lang == "en" and example.pair]
    texts = [f"{example.subject}\n{example.body}" for example in letters[:300]]
    random.Random(5).shuffle(texts)
    all_runs = [runs(text) for text in texts]
    wanted = {
        (first, second)
        for second in range(len(texts))
        for first in range(second)
        if len(all_runs[first] & all_runs[second]) >= SIMILAR * len(all_runs[first] | all_runs[second])
    }
    assert len(wanted) > 50
    assert {(twins.first, twins.second) for twins in find_twins(texts)} == wanted


def test_texts_without_a_word_are_compared_by_their_signs() -> None:
    assert [(twins.first, twins.second, twins.similarity) for twins in find_twins(["👍", "👎", "👍 "])] == [(0, 2, 1)]


def test_no_text_has_no_twin() -> None:
    assert list(find_twins([])) == list(find_twins(["alone"])) == []

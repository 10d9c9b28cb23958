"""Where in a text the answer to a question comes from: the weightiest sentence, and the words in it that weigh most."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from classifier.decision import Question
from classifier.features import Floats, Reading

LONGEST_SENTENCE = 300
"""Characters that are shown of a sentence without an end."""
_SENTENCE = re.compile(r"[^.!?。！？؟…\n]+[.!?。！？؟…]*[\"'”’»)\]]*")
_PHRASE_WORDS = 4
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sentence that spoke loudest for a yes to `question`, and the phrase in it; both empty in an empty text.
    `cues` are the cues of time that the text gave."""

    question: Question
    phrase: str
    sentence: str
    cues: tuple[str, ...]


def find_evidence(question: Question, text: str, reading: Reading, weight: Floats) -> Evidence:
    """Reads the evidence off `weight`, which says for every place in `text` what the n-grams that begin there add."""
    sums = np.append(0.0, np.cumsum(weight))
    spans = [match.span() for match in _SENTENCE.finditer(text) if _LETTER.search(match[0])]
    if not spans:
        return Evidence(question, "", text[:LONGEST_SENTENCE].strip(), reading.cues)
    begin, end = max(spans, key=lambda span: float(sums[span[1]] - sums[span[0]]))
    first, last = _phrase(reading, sums, begin, end)
    if end - begin > LONGEST_SENTENCE:
        begin = max(begin, min(first - LONGEST_SENTENCE // 3, end - LONGEST_SENTENCE))
        end = max(last, begin + LONGEST_SENTENCE)
    return Evidence(question, text[first:last], text[begin:end].strip(), reading.cues)


def _phrase(reading: Reading, sums: Floats, begin: int, end: int) -> tuple[int, int]:
    """The span of the weightiest word of a sentence with its neighbours, as far as they weigh in the same direction."""
    spans = [span for span in _word_spans(reading) if begin <= span[0] < end and _LETTER.search(reading.lower, *span)]
    if not spans:
        return begin, begin
    weights = [float(sums[last] - sums[first]) for first, last in spans]
    low = high = max(range(len(spans)), key=weights.__getitem__)
    while high - low + 1 < _PHRASE_WORDS:
        before = weights[low - 1] if low else 0.0
        after = weights[high + 1] if high + 1 < len(spans) else 0.0
        if max(before, after) <= 0:
            break
        low, high = (low - 1, high) if before >= after else (low, high + 1)
    return spans[low][0], spans[high][1]


def _word_spans(reading: Reading) -> Sequence[tuple[int, int]]:
    spans, place = [], 0
    for word, space in zip(*reading.words, strict=True):
        spans.append((place, place + len(word)))
        place += len(word) + space
    return spans

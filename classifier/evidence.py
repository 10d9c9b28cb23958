"""Where in a letter the answer to a question comes from: the sentence that the encoder looked at most for it."""

from dataclasses import dataclass

from classifier.decision import Question
from classifier.encoder import Singles
from classifier.rendering import Rendered

LONGEST_SENTENCE = 300
"""Characters that are shown of a sentence without an end."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sentence that decided on `question`, at `begin` to `end` (characters) of the text that was read; empty, at 0,
    where the text has no words."""

    question: Question
    sentence: str
    begin: int
    end: int


def find_evidence(question: Question, text: str, letter: Rendered, weight: Singles) -> Evidence:
    """Reads the evidence off the attention that each question gave to each sentence, (questions, sentences)."""
    row = weight[list(Question).index(question)]
    worded = [index for index, (begin, end) in enumerate(letter.spans) if any(map(str.isalpha, text[begin:end]))]
    if not worded:
        return Evidence(question, "", 0, 0)
    begin, end = letter.spans[max(worded, key=row.__getitem__)]
    return Evidence(question, text[begin : min(end, begin + LONGEST_SENTENCE)].strip(), begin, end)

"""The spaCy component that answers the two questions, and the tokenizer before it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from classifier.decision import Question, Thresholds, question_behind
from classifier.evidence import find_evidence
from classifier.features import (
    COLUMNS,
    CUE_COLUMN,
    Floats,
    Rows,
    Singles,
    blocks,
    grams_of,
    read_text,
    rows_of,
)
from classifier.lean_spacy import spacy
from classifier.ngrams import Grams
from classifier.regression import probability, scores
from classifier.words import split

Doc, LOWER = spacy.tokens.Doc, spacy.attrs.LOWER

FACTORY = "alliance_questions"
TOKENIZER = "alliance.words.v1"
RECEIVED = "received"
"""Key of `doc.user_data` under which the received time goes in."""
TEXT = "text"
"""Key of `doc.user_data` under which the tokenizer leaves the text: `doc.text` puts it together anew at every call."""
WORDS = "words"
"""Key of `doc.user_data` under which the tokenizer leaves the words: a `Doc` is slow to give them back."""
EVIDENCE = "evidence"
"""Key of `doc.user_data` under which the `Evidence` comes out."""
UNEXPLAINED = "unexplained"
"""Key of `doc.user_data` that, set to True, spares the search for evidence."""

_WEIGHTS, _RARITY, _ANSWERS = "weights.npy", "rarity.npy", "answers.json"


class Answers(BaseModel):
    """What turns a question's score into a probability and a tag: one number per question, in `Question`'s order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bias: tuple[float, float]
    slope: tuple[float, float]
    offset: tuple[float, float]
    thresholds: Thresholds


class Questions:
    """Sets `doc.cats` to the two probabilities, and `doc.user_data[EVIDENCE]`. Reads `doc.user_data[RECEIVED]`.

    A linear model over hashed n-grams. Its numbers are kept in half precision on disk.
    """

    def __init__(self) -> None:
        """An untrained component; `from_disk` or `learned` fill it."""
        self.weights: Singles = np.zeros((len(Question), COLUMNS), dtype=np.float32)
        self.rarity: Singles = np.zeros(CUE_COLUMN, dtype=np.float32)
        self.answers = Answers(
            bias=(0, 0), slope=(1, 1), offset=(0, 0), thresholds=Thresholds(urgent=0.5, conflict=0.5)
        )

    def learned(self, weights: Floats, rarity: Singles, answers: Answers) -> None:
        """Takes over what training found, rounded as it will be on disk."""
        self.weights = weights.astype(np.float16).astype(np.float32)
        self.rarity = rarity.astype(np.float16).astype(np.float32)
        self.answers = answers

    def __call__(self, doc: Any) -> Any:
        """Answers for one document."""
        self._answer([doc])
        return doc

    def pipe(self, stream: Iterable[Any], *, batch_size: int = 256) -> Iterator[Any]:
        """Answers for a stream of documents, `batch_size` at a time."""
        documents = iter(stream)
        while batch := list(islice(documents, batch_size)):
            self._answer(batch)
            yield from batch

    def _answer(self, documents: Sequence[Any]) -> None:
        texts = [doc.user_data[TEXT] for doc in documents]
        readings = [
            read_text(doc.user_data[TEXT], doc.user_data.get(RECEIVED), doc.user_data[WORDS]) for doc in documents
        ]
        found = grams_of(readings)
        rows = rows_of(readings, found, self.rarity)
        urgent, conflict = (self._probabilities(rows, index).tolist() for index in range(len(Question)))
        for index, doc in enumerate(documents):
            doc.cats = {Question.URGENT.value: urgent[index], Question.CONFLICT.value: conflict[index]}
        if all(doc.user_data.get(UNEXPLAINED, False) for doc in documents):
            return
        asked = [question_behind(*both, self.answers.thresholds) for both in zip(urgent, conflict, strict=True)]
        weight = self._weight_by_place(found, rows, asked)
        for index, (doc, reading) in enumerate(zip(documents, readings, strict=True)):
            begin = found.starts[index]
            here = weight[begin : begin + len(reading.lower)]
            doc.user_data[EVIDENCE] = find_evidence(asked[index], texts[index], reading, here)

    def _probabilities(self, rows: Rows, index: int) -> Floats:
        score = scores(rows, self.weights[index], self.answers.bias[index])
        return probability(self.answers.slope[index] * score + self.answers.offset[index])

    def _weight_by_place(self, found: Grams, rows: Rows, asked: Sequence[Question]) -> Floats:
        """What the n-grams that begin at each place add to the score of the question that is asked of their text."""
        question = np.array([list(Question).index(each) for each in asked], dtype=np.int64)[found.text]
        share = self.rarity[found.column] / rows.length[blocks(found.text, found.column)]
        value = self.weights[question, found.column] * share
        return np.bincount(found.place, weights=value, minlength=int(found.starts[-1])).astype(np.float64)

    def to_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> None:  # noqa: ARG002 - spaCy gives it
        """Writes the model into the folder `path`. The same model gives the same bytes."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / _WEIGHTS, self.weights.astype("<f2"))
        np.save(folder / _RARITY, self.rarity.astype("<f2"))
        (folder / _ANSWERS).write_text(f"{self.answers.model_dump_json(indent=2)}\n", encoding="utf-8")

    def from_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> "Questions":  # noqa: ARG002 - as above
        """Reads the model from the folder `path`. Raises OSError or ValueError where it is not one."""
        folder = Path(path)
        weights, rarity = np.load(folder / _WEIGHTS), np.load(folder / _RARITY)
        if weights.shape != self.weights.shape or rarity.shape != self.rarity.shape:
            raise ValueError(f"{folder}: the model was trained with other features; train it again (alliance train)")
        self.weights, self.rarity = weights.astype(np.float32), rarity.astype(np.float32)
        self.answers = Answers.model_validate_json((folder / _ANSWERS).read_bytes())
        return self


def blank() -> Any:
    """A new spaCy pipeline with an untrained component."""
    nlp = spacy.blank("xx", config={"nlp": {"tokenizer": {"@tokenizers": TOKENIZER}}})
    nlp.add_pipe(FACTORY)
    return nlp


def _make_questions(nlp: Any, name: str) -> Questions:  # noqa: ARG001 - spaCy gives factories both
    return Questions()


class _Tokenizer(spacy.util.DummyTokenizer):  # type: ignore[misc] # spaCy has no types here
    """Text to a spaCy `Doc` by `classifier.words.split`; nothing to be saved."""

    def __init__(self, vocab: Any) -> None:
        self.vocab = vocab
        # What spaCy works out about every new word (its shape, whether it is like a URL …) is half the time of a
        # tokenizer whose words are forgotten after each batch. Here only the lower case is ever asked for.
        vocab.lex_attr_getters = {LOWER: str.lower}

    def __call__(self, text: str) -> Any:
        words = split(text)
        return Doc(self.vocab, words=words.words, spaces=words.spaces, user_data={TEXT: text, WORDS: words})


def _make_tokenizer() -> Callable[[Any], _Tokenizer]:
    return lambda nlp: _Tokenizer(nlp.vocab)


spacy.Language.factory(FACTORY, func=_make_questions)
spacy.registry.tokenizers(TOKENIZER, func=_make_tokenizer)

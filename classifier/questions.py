"""The spaCy component that answers the two questions, and the tokenizer before it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from classifier.blend import Blend, plain
from classifier.decision import UNDETERMINED, Question, Thresholds, question_behind
from classifier.encoder import MODEL, VOCABULARY, Answer, Encoder
from classifier.evidence import find_evidence
from classifier.features import COLUMNS, CUE_COLUMN, Reading, read_text
from classifier.lean_spacy import spacy
from classifier.linear import Linear
from classifier.rendering import Rendered, render
from classifier.times import USUAL
from classifier.words import split

Doc, LOWER = spacy.tokens.Doc, spacy.attrs.LOWER

FACTORY = "alliance_questions"
TOKENIZER = "alliance.words.v1"
RECEIVED = "received"
"""Key of `doc.user_data` under which the received time goes in."""
LANGUAGE = "language"
"""Key of `doc.user_data` under which the language goes in."""
CALENDAR = "calendar"
"""Key of `doc.user_data` under which the school's calendar goes in."""
TEXT = "text"
"""Key of `doc.user_data` under which the tokenizer leaves the text: `doc.text` puts it together anew at every call."""
WORDS = "words"
"""Key of `doc.user_data` under which the tokenizer leaves the words: a `Doc` is slow to give them back."""
READING = "reading"
"""Key of `doc.user_data` under which the `Reading` comes out."""
TOPIC_SCORES = "topics"
"""Key of `doc.user_data` under which a score for each topic comes out."""
EVIDENCE = "evidence"
"""Key of `doc.user_data` under which the `Evidence` comes out."""

_ANSWERS = "answers.json"


class Answers(BaseModel):
    """What turns the scores of the two halves into probabilities and a tag."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    blend: Blend
    thresholds: Thresholds


class Questions:
    """Sets `doc.cats` to the two probabilities, and `doc.user_data[TOPIC_SCORES]` and `[EVIDENCE]`. Reads
    `doc.user_data[RECEIVED]`, `[LANGUAGE]` and `[CALENDAR]`.

    Two models that err in different places: n-grams, and an encoder that reads whole sentences.
    """

    def __init__(self) -> None:
        """An untrained component; `from_disk` or `learned` fill it."""
        self.linear = Linear(
            np.zeros((len(Question), COLUMNS)), np.zeros(len(Question)), np.zeros(CUE_COLUMN, np.float32)
        )
        self.encoder: Encoder | None = None
        self.answers = Answers(blend=plain(), thresholds=Thresholds(urgent=0.5, conflict=0.5))

    def learned(self, linear: Linear, encoder: Encoder, answers: Answers) -> None:
        """Takes over what training found."""
        self.linear, self.encoder, self.answers = linear, encoder, answers

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
        given = [doc.user_data for doc in documents]
        texts = [each[TEXT] for each in given]
        calendars = [each.get(CALENDAR, USUAL) for each in given]
        languages = [each.get(LANGUAGE, UNDETERMINED) for each in given]
        times = [each.get(RECEIVED) for each in given]
        readings = [
            read_text(text, received, each[WORDS], calendar)
            for text, received, each, calendar in zip(texts, times, given, calendars, strict=True)
        ]
        rendered = [render(reading, language) for reading, language in zip(readings, languages, strict=True)]
        urgent, conflict, answers = self._probabilities(readings, rendered, languages)
        for index, doc in enumerate(documents):
            doc.cats = {Question.URGENT.value: urgent[index], Question.CONFLICT.value: conflict[index]}
            asked = question_behind(urgent[index], conflict[index], self.answers.thresholds)
            doc.user_data[READING] = readings[index]
            doc.user_data[TOPIC_SCORES] = answers[index].topics
            doc.user_data[EVIDENCE] = find_evidence(asked, texts[index], rendered[index], answers[index].weight)

    def _probabilities(
        self, readings: list[Reading], rendered: list[Rendered], languages: list[str]
    ) -> tuple[list[float], list[float], list[Answer]]:
        if self.encoder is None:
            raise ValueError("the model has not been trained")
        answers = self.encoder.answers(rendered)
        scores = self.linear.scores(readings)
        encoded = np.array([answer.odds for answer in answers], dtype=np.float64).T
        urgent, conflict = (
            self.answers.blend.probabilities(question, scores[index], encoded[index], languages).tolist()
            for index, question in enumerate(Question)
        )
        return urgent, conflict, answers

    def to_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> None:  # noqa: ARG002 - spaCy gives it
        """Writes the model into the folder `path`. The same model gives the same bytes."""
        if self.encoder is None:
            raise ValueError("the model has not been trained")
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        self.linear.save(folder)
        for name in (MODEL, VOCABULARY):
            copyfile(self.encoder.folder / name, folder / name)
        (folder / _ANSWERS).write_text(f"{self.answers.model_dump_json(indent=2)}\n", encoding="utf-8")

    def from_disk(self, path: str | Path, *, exclude: Sequence[str] = ()) -> "Questions":  # noqa: ARG002 - as above
        """Reads the model from the folder `path`. Raises OSError or ValueError where it is not one."""
        folder = Path(path)
        self.learned(
            Linear.open(folder), Encoder(folder), Answers.model_validate_json((folder / _ANSWERS).read_bytes())
        )
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

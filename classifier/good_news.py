"""Whether a teacher's own mail to a family is good news: a warm hello, praise, thanks, good news of the child.

Three things are added up: n-grams of the newest text; the same of its word-by-word English gloss, so that what English
mails teach helps the languages that few mails were written in; and what the classifier's encoder says of it (is it a
conflict, and of what topic). Nothing depends on the day. What it is not sure of is not positive: a complaint that
counts as good news is the bad mistake (classifier/goodnews/README.md).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from classifier.encoder import MODEL, Encoder
from classifier.errors import ModelError
from classifier.features import COLUMNS, CUE_COLUMN, Floats, Rows, Singles, grams_of, read_text, rows_of
from classifier.gloss import lexicon
from classifier.language import Languages
from classifier.opening import SHIPPED as CLASSIFIER
from classifier.questions import FACTORY
from classifier.reader import Classifier
from classifier.regression import probability
from classifier.rendering import render
from classifier.text import text_of
from classifier.verdict import Letter, Opinion
from classifier.words import tidy

FOLDER = Path(__file__).parent / "goodnews"
SHIPPED = FOLDER / "model"
"""The model that comes with the package."""
ENCODED = 0.1
"""What one standard deviation of an answer of the encoder's weighs beside the n-grams' unit length."""
_COLUMNS, _NUMBERS, _FACTS = "columns.npy", "numbers.npy", "facts.json"
_OF_ANOTHER = re.compile(r"(?i)\s*(?:re|fwd?|rv|aw|sv|tr|enc|res|ответ|回复|转发|答复)\s*[:：]")
_WORD = re.compile(r"\w")


class Facts(BaseModel):
    """What a model is, beside the weights of its n-grams."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    encoder: str
    """SHA-256 of the encoder that it was learned beside."""
    rare: float
    """How rare an n-gram is that the model does not know."""
    bias: float
    middle: tuple[float, ...]
    """Of each answer of the encoder, the mean among the mails that were learned from,"""
    spread: tuple[float, ...]
    """the standard deviation,"""
    encoded: tuple[float, ...]
    """and its weight."""
    slope: float
    offset: float
    """What makes a score a probability."""
    threshold: float
    """The probability from which on a mail counts as good news."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The model's numbers: by n-gram column its weight and how rare it is, and the facts."""

    grams: Singles
    rarity: Singles
    facts: Facts

    @classmethod
    def open(cls, folder: Path) -> "Weights":
        """Reads them from `folder`. Raises `ModelError`."""
        try:
            facts = Facts.model_validate_json((folder / _FACTS).read_bytes())
            columns, numbers = np.load(folder / _COLUMNS), np.load(folder / _NUMBERS).astype(np.float32)
            grams, rarity = np.zeros(COLUMNS, np.float32), np.full(CUE_COLUMN, facts.rare, np.float32)
            grams[columns], rarity[columns] = numbers
        except (OSError, ValueError, IndexError, ValidationError) as error:
            raise ModelError(f"{folder}: the model does not load ({error}); install the package again") from error
        return cls(grams, rarity, facts)

    def save(self, folder: Path) -> None:
        """Writes them into `folder`. The same model gives the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        columns = np.flatnonzero(self.rarity < self.facts.rare).astype("<i4")
        np.save(folder / _COLUMNS, columns)
        np.save(folder / _NUMBERS, np.stack([self.grams[columns], self.rarity[columns]]).astype("<f2"))
        (folder / _FACTS).write_text(f"{self.facts.model_dump_json(indent=2)}\n", encoding="utf-8")

    def scores(self, rows: Rows, encoded: Floats) -> Floats:
        """Log odds before calibration."""
        value = rows.value * self.grams[rows.column]
        facts = self.facts
        away = (encoded - np.array(facts.middle)) / np.array(facts.spread) * ENCODED
        of_encoder: Floats = np.sum(away * np.array(facts.encoded), axis=1)
        of_grams: Floats = np.bincount(rows.row, weights=value, minlength=rows.count).astype(np.float64)
        return of_grams + of_encoder + facts.bias

    def probabilities(self, scores: Floats) -> Floats:
        """The probabilities that belong to scores."""
        return probability(self.facts.slope * scores + self.facts.offset)


class GoodNews:
    """Judges mails with the shipped model. Safe to share between threads. Opens what it needs at its first use."""

    def __init__(self, encoder: Callable[[], Encoder], languages: Callable[[], Languages] = Languages) -> None:
        """`encoder` and `languages` are opened when the first mail is judged."""
        self._open_encoder, self._open_languages = encoder, languages

    @classmethod
    def beside(cls, classifier: Classifier) -> "GoodNews":
        """With the encoder and the languages that `classifier` has open, where it is the encoder that was learned
        beside; otherwise with the shipped one."""

        def encoder() -> Encoder:
            of_classifier = classifier.encoder
            same = of_classifier is not None and digest_of_encoder(of_classifier) == shipped_facts().encoder
            return of_classifier if same and of_classifier is not None else shipped_encoder()

        return cls(encoder, lambda: classifier.languages)

    def read(self, letter: Letter) -> Opinion | None:
        """What the model says of a mail; None where it has no words."""
        text = text_to_judge(letter)
        if not _WORD.search(text):
            return None
        weights = self._weights
        rows = rows_to_judge([text], [self._languages.of(text)], weights.rarity)
        said = encoded(self._encoder, [text], [self._languages.of(text)])
        score = float(weights.probabilities(weights.scores(rows, said))[0])
        return Opinion(score=score, positive=score >= weights.facts.threshold, model=weights.facts.version)

    @cached_property
    def _weights(self) -> Weights:
        return Weights.open(SHIPPED)

    @cached_property
    def _encoder(self) -> Encoder:
        return self._open_encoder()

    @cached_property
    def _languages(self) -> Languages:
        return self._open_languages()


def text_to_judge(letter: Letter) -> str:
    """The newest text, with the subject where that is the mail's own: of an answer, or of something passed on, it is
    another mail's."""
    own = "" if _OF_ANOTHER.match(letter.subject) else letter.subject
    return text_of(replace(letter, subject=own, received=None))


def rows_to_judge(texts: Sequence[str], languages: Sequence[str], rarity: Singles) -> Rows:
    """The n-grams of each text and of its gloss."""
    readings = [replace(read_text(text, None), cues=()) for text in map(_with_gloss, texts, languages)]
    return rows_of(readings, grams_of(readings), rarity)


def encoded(encoder: Encoder, texts: Sequence[str], languages: Sequence[str]) -> Floats:
    """What the encoder says of each text: the questions, then the topics; (texts, answers)."""
    rendered = [render(read_text(text, None), language) for text, language in zip(texts, languages, strict=True)]
    return np.array([np.concatenate([each.odds, each.topics]) for each in encoder.answers(rendered)], dtype=np.float64)


def shipped_encoder() -> Encoder:
    """The encoder of the shipped classifier. Raises `ModelError`."""
    return Encoder(CLASSIFIER / FACTORY)


def shipped_facts() -> Facts:
    """The facts of the shipped model. Raises `ModelError`."""
    return Weights.open(SHIPPED).facts


def digest_of_encoder(encoder: Encoder) -> str:
    """SHA-256 of an encoder, hexadecimal. Raises OSError."""
    return sha256((encoder.folder / MODEL).read_bytes()).hexdigest()


def _with_gloss(text: str, language: str) -> str:
    words = lexicon(language)
    return tidy(f"{text}\n{words.gloss(text)}") if words else text

"""Rebuilds the model from the corpus: the same examples, encoder and seed give the same files, byte for byte.

Weights are learned from the learning part of the corpus. How the two halves of the model are added up, the calibration
and the thresholds come from its calibration part, which neither half saw. Nothing is taken from what is held back.
"""

import shutil
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from classifier import blend, questions, regression
from classifier.decision import Question, Thresholds
from classifier.digest import digest_of
from classifier.encoder import Encoder
from classifier.errors import ModelError
from classifier.examples import Example, Part
from classifier.features import COLUMNS, Floats, Reading, grams_of, joined, rarity, read_text, rows_of
from classifier.lessons import WEIGHT, Lessons, rows_of_lessons
from classifier.linear import Linear
from classifier.questions import Answers
from classifier.rendering import render
from classifier.text import text_of
from connectors.labels import Tag

NAME, VERSION = "alliance", "2.0.0"
STRENGTH = 20.0
"""C of the regression; 5, 10 and 40 were no better on the folds."""
FEWEST = 10
"""Examples of each tag without which nothing is learned."""
URGENT_RECALL = 0.95
"""The recall of urgent, on the calibration part, that its threshold is set for: a false alarm costs the office a
minute."""

Progress = Callable[[str], None]


def _silent(step: str) -> None:
    del step


def train(
    examples: Sequence[Example], encoder: Encoder, *, lessons: Lessons | None = None, progress: Progress = _silent
) -> Any:
    """A spaCy pipeline trained on those of `examples` that are not held back. `encoder` has learned from the learning
    part of the same corpus, or of none of `examples`. `lessons` teach the quick half beside the corpus.

    Raises ValueError where a tag has too few examples to learn it.
    """
    learning = [example for example in examples if example.part is Part.LEARNING]
    calibration = [example for example in examples if example.part is Part.CALIBRATION]
    _enough(learning, "to learn")
    _enough(calibration, "to calibrate")
    progress(f"n-grams: {len(learning)} messages")
    linear = learn_linear(learning, lessons=lessons)
    progress(f"calibration: {len(calibration)} messages")
    nlp = questions.blank()
    nlp.get_pipe(questions.FACTORY).learned(
        linear, encoder, calibrated(*scores_of(linear, encoder, calibration), calibration)
    )
    description = _description(learning) + (f" And from {len(lessons.letters)} corrections." if lessons else "")
    nlp.meta.update(name=NAME, version=VERSION, description=description, license="Apache-2.0")
    return nlp


def _enough(examples: Sequence[Example], purpose: str) -> None:
    counts = {tag: sum(example.label is tag for example in examples) for tag in Tag}
    if few := [tag for tag, count in counts.items() if count < FEWEST]:
        raise ValueError(f"at least {FEWEST} examples of each tag are needed {purpose}; too few are {', '.join(few)}")


def learn_linear(examples: Sequence[Example], weights: Floats | None = None, lessons: Lessons | None = None) -> Linear:
    """The quick half, learned from `examples` and `lessons`; `weights` says how much each example counts, 1 where left
    out. How rare an n-gram is, the examples alone say."""
    readings = [reading_of(example) for example in examples]
    idf = rarity(readings).astype(np.float16).astype(np.float32)
    rows = rows_of(readings, grams_of(readings), idf)
    labels = np.array([example.label.value for example in examples])
    if lessons is not None and lessons.letters:
        rows = joined(rows, rows_of_lessons(lessons, rows, idf))
        labels = np.append(labels, [lesson.label.value for lesson in lessons.letters])
        own = np.ones(len(examples)) if weights is None else weights
        weights = np.append(own, np.full(len(lessons.letters), WEIGHT))
    found = []
    for question in Question:
        # The label is the one tag that wins: whether an urgent message is a conflict too is not known, so not learned.
        asked = np.flatnonzero((labels != Tag.URGENT.value) | (question is Question.URGENT))
        answers = (labels == question.value).astype(np.float64)
        found.append(regression.fit(rows, answers, asked, COLUMNS, STRENGTH, weights))
    return Linear(np.stack([each for each, _ in found]), np.array([bias for _, bias in found]), idf)


def reading_of(example: Example) -> Reading:
    """An example as both halves read it."""
    return read_text(text_of(example.letter), example.received)


def scores_of(linear: Linear, encoder: Encoder, examples: Sequence[Example]) -> tuple[Floats, Floats]:
    """What the two halves say of `examples`: log odds before calibration, (questions, examples) each."""
    readings = [reading_of(example) for example in examples]
    rendered = [render(reading, example.lang) for reading, example in zip(readings, examples, strict=True)]
    encoded = np.array([answer.odds for answer in encoder.answers(rendered)], dtype=np.float64)
    return linear.scores(readings), encoded.T


def save(nlp: Any, folder: Path) -> None:
    """Writes the pipeline into `folder`, with the digest of its numbers. An older model there is replaced; a folder
    with anything else in it raises `ModelError`."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "config.cfg").is_file():
        raise ModelError(f"{folder} is neither empty nor a model; name another folder")
    with TemporaryDirectory(dir=folder.absolute().parent, prefix=f".{folder.name}-") as beside:
        fresh = Path(beside) / folder.name
        nlp.meta["digest"] = "unsaved"
        nlp.to_disk(fresh, exclude=["vocab"])
        nlp.meta["digest"] = digest_of(fresh / questions.FACTORY)
        nlp.to_disk(fresh, exclude=["vocab"])
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)


def calibrated(quick: Floats, slow: Floats, calibration: Sequence[Example]) -> Answers:
    """The blend and the thresholds that fit what the two halves said of `calibration` (`scores_of`)."""
    labels = np.array([example.label.value for example in calibration])
    urgent = labels == Tag.URGENT.value
    languages = [example.lang for example in calibration]
    conflict = np.where(urgent, np.nan, labels == Tag.CONFLICT.value)
    fitted = blend.fit(
        {
            Question.URGENT: (quick[0], slow[0], urgent.astype(np.float64)),
            Question.CONFLICT: (quick[1], slow[1], conflict),
        },
        languages,
    )
    sure = [
        fitted.probabilities(question, quick[index], slow[index], languages) for index, question in enumerate(Question)
    ]
    # The two of a pair are written to lie on either side of the border: to catch each of them would cost a false alarm
    # in every other mail. So thresholds are set for messages as they come, without a twin.
    alone = np.array([example.pair is None for example in calibration])
    chosen = alone if urgent[alone].sum() >= FEWEST else np.ones_like(alone)
    return Answers(blend=fitted, thresholds=choose_thresholds(sure[0][chosen], sure[1][chosen], labels[chosen]))


def choose_thresholds(urgent: Floats, conflict: Floats, labels: Any) -> Thresholds:
    """For urgent the highest that keeps `URGENT_RECALL`; then for conflict the one with the best f1 of the rest."""
    first = float(np.quantile(urgent[labels == Tag.URGENT.value], 1 - URGENT_RECALL, method="lower"))
    rest = urgent < first
    is_conflict, is_routine = labels == Tag.CONFLICT.value, labels == Tag.ROUTINE.value

    def worth(threshold: float) -> float:
        yes = rest & (conflict >= threshold)
        return _f1(yes, is_conflict) + _f1(rest & ~yes, is_routine)

    second = max((round(step / 100, 2) for step in range(20, 81)), key=worth)
    return Thresholds(urgent=round(first - 5e-4, 3), conflict=second)


def _f1(given: Any, wanted: Any) -> float:
    return float(2 * (given & wanted).sum() / max(1, given.sum() + wanted.sum()))


def _description(learning: Sequence[Example]) -> str:
    digest = sha256("\n".join(example.model_dump_json() for example in learning).encode()).hexdigest()[:12]
    return f"Urgent? Conflict? Learned from {len(learning)} messages (sha256 {digest})."

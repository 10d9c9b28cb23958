"""Rebuilds the model from the corpus: the same examples and seed give the same files, byte for byte.

Nothing is learned from the validation split. Calibration and thresholds come from scores that models trained on four
fifths of the rest gave the remaining fifth, so the figures on the validation split are of messages never looked at.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from classifier import questions, regression
from classifier.decision import Question, Thresholds
from classifier.errors import ModelError
from classifier.examples import Example, share
from classifier.features import COLUMNS, Floats, Rows, grams_of, rarity, read_text, rows_of
from classifier.ngrams import Integers
from classifier.questions import Answers
from classifier.text import text_of
from connectors.labels import Tag

NAME, VERSION = "ngrams", "1.0.0"
STRENGTH = 20.0
"""C of the regression; 5, 10 and 40 were no better on the folds."""
FOLDS = 5
URGENT_RECALL = 0.9
"""The recall of urgent, on the folds, that its threshold is set for: a false alarm costs the office a minute."""

Progress = Callable[[str], None]


def _silent(step: str) -> None:
    del step


@dataclass(frozen=True, slots=True)
class _Learned:
    weights: Floats
    bias: float


def train(examples: Sequence[Example], *, seed: int = 0, progress: Progress = _silent) -> Any:
    """A spaCy pipeline trained on those of `examples` that are not held back. `seed` deals them into folds.

    Raises ValueError where a tag has too few examples to learn it.
    """
    learning = [example for example in examples if not example.held_back]
    counts = {tag: sum(example.label is tag for example in learning) for tag in Tag}
    if few := [tag for tag, count in counts.items() if count < 2 * FOLDS]:
        raise ValueError(f"at least {2 * FOLDS} examples of each tag are needed to learn; too few are {', '.join(few)}")
    progress(f"reading {len(learning)} messages ({', '.join(f'{n} {tag}' for tag, n in counts.items())})")
    readings = [read_text(text_of(example.letter), example.received) for example in learning]
    idf = rarity(readings).astype(np.float16).astype(np.float32)
    rows = rows_of(readings, grams_of(readings), idf)
    labels = np.array([example.label.value for example in learning])
    folds = np.array([int(FOLDS * share(example.pair or example.id, f"fold{seed}:")) for example in learning])

    score = np.zeros((len(Question), len(learning)))
    for fold in range(FOLDS):
        progress(f"cross-validation: part {fold + 1} of {FOLDS}")
        outside, inside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        for index, question in enumerate(Question):
            learned = _learn(question, rows, labels, outside)
            score[index, inside] = regression.scores(rows, learned.weights, learned.bias)[inside]
    progress("the model itself")
    final = [_learn(question, rows, labels, np.arange(len(learning))) for question in Question]
    nlp = questions.blank()
    weights = np.stack([learned.weights for learned in final])
    biases = (final[0].bias, final[1].bias)
    nlp.get_pipe(questions.FACTORY).learned(weights, idf, _answers(score, labels, biases))
    nlp.meta.update(name=NAME, version=VERSION, description=_description(learning, seed), license="Apache-2.0")
    return nlp


def save(nlp: Any, folder: Path) -> None:
    """Writes the pipeline into `folder`, with the digest of its numbers. An older model there is replaced; a folder
    with anything else in it raises `ModelError`."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "config.cfg").is_file():
        raise ModelError(f"{folder} is neither empty nor a model; name another folder")
    with TemporaryDirectory(dir=folder.absolute().parent, prefix=f".{folder.name}-") as beside:
        fresh = Path(beside) / folder.name
        nlp.meta["digest"] = "unsaved"
        nlp.to_disk(fresh, exclude=["vocab"])
        digest = sha256()
        for file in sorted((fresh / questions.FACTORY).iterdir()):
            digest.update(file.read_bytes())
        nlp.meta["digest"] = digest.hexdigest()[:12]
        nlp.to_disk(fresh, exclude=["vocab"])
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)


def _learn(question: Question, rows: Rows, labels: Any, chosen: Integers) -> _Learned:
    # The label is the one tag that wins: whether an urgent message is a conflict too is not known, so not learned.
    asked = chosen if question is Question.URGENT else chosen[labels[chosen] != Tag.URGENT.value]
    answers = (labels == question.value).astype(np.float64)
    return _Learned(*regression.fit(rows, answers, asked, COLUMNS, STRENGTH))


def _answers(score: Floats, labels: Any, biases: tuple[float, float]) -> Answers:
    urgent, known = labels == Tag.URGENT.value, labels != Tag.URGENT.value
    first = regression.platt(score[0], urgent.astype(np.float64))
    second = regression.platt(score[1, known], (labels[known] == Tag.CONFLICT.value).astype(np.float64))
    sure = [regression.probability(a * line + b) for (a, b), line in zip((first, second), score, strict=True)]
    return Answers(
        bias=biases,
        slope=(first[0], second[0]),
        offset=(first[1], second[1]),
        thresholds=_thresholds(sure[0], sure[1], labels),
    )


def _thresholds(urgent: Floats, conflict: Floats, labels: Any) -> Thresholds:
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


def _description(learning: Sequence[Example], seed: int) -> str:
    digest = sha256("\n".join(example.model_dump_json() for example in learning).encode()).hexdigest()[:12]
    return f"Urgent? Conflict? Learned from {len(learning)} messages (sha256 {digest}), seed {seed}."

"""Rebuilds the model that tells good news, and prints how good it is.

    python -m classifier.good_news_training          the figures of the shipped model, on mails not learned from
    python -m classifier.good_news_training learn    the model anew: the same mails and encoder, the same bytes

Weights are learned from all of `goodnews/learning`. The calibration and the threshold come from scores that each mail
got from a model which had not seen it, nor its likes in the other languages (ten folds); nothing is taken from
`goodnews/validation`.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from classifier import regression
from classifier.encoder import Encoder
from classifier.errors import ExamplesError
from classifier.examples import Line, parse_line
from classifier.features import COLUMNS, CUE_COLUMN, Floats, Rows
from classifier.good_news import (
    ENCODED,
    FOLDER,
    SHIPPED,
    Facts,
    Weights,
    digest_of_encoder,
    encoded,
    rows_to_judge,
    shipped_encoder,
    text_to_judge,
)
from classifier.ngrams import Integers

Truths = npt.NDArray[np.bool_]

NAME, VERSION = "good-news", "1.0.0"
STRENGTH = 20.0
"""C of the regression; 100 was no better on the folds."""
PRECISION = 0.98
"""What share of the mails called good news is to be so, among those learned from and seen by none of the folds' models:
in a mailbox, where most mails are about forms and times, the share is higher still."""
_FOLDS = 10
_IN_SEVERAL = 2
"""An n-gram counts that stands in so many mails."""


class Kind(StrEnum):
    """What a mail is, for the balance of the set; only `good` is learned."""

    INTRODUCTION = "introduction"
    PRAISE = "praise"
    NEWS = "news"
    THANKS = "thanks"
    LOGISTICS = "logistics"
    ANSWER = "answer"
    PROBLEM = "problem"
    MIXED = "mixed"
    SARCASTIC = "sarcastic"
    FORWARDED = "forwarded"


class TeachersMail(Line):
    """A mail that a teacher might write to a family, and whether it is good news."""

    good: bool
    kind: Kind

    @property
    def text(self) -> str:
        """What the model reads of it."""
        return text_to_judge(self.letter)

    @property
    def fold(self) -> int:
        """Mails of the same number stand in the same fold: in the thinner languages they tell the same."""
        return int(sha256(self.id.rpartition("-")[2].encode()).hexdigest(), 16) % _FOLDS


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many."""

    part: int
    whole: int

    def __str__(self) -> str:
        return f"{self.part} of {self.whole}" if self.whole else "none"


@dataclass(frozen=True, slots=True)
class GoodNewsFigures:
    """How the model's word and the label agree."""

    n: int
    precision: Share
    """Of the mails called good news, those that are."""
    recall: Share
    """Of the mails that are good news, those called so."""
    complaints: Share
    """Of the mails that tell of a problem, also beside something good, those called good news."""


def mails(folder: Path) -> list[TeachersMail]:
    """The mails of every file in `folder`, by name. Raises `ExamplesError`."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise ExamplesError(f"{folder}: holds no .jsonl file")
    return [
        parse_line(line, f"{file}:{number}", TeachersMail)
        for file in files
        for number, line in enumerate(file.read_bytes().splitlines(), start=1)
        if line.strip()
    ]


def learn(learning: Sequence[TeachersMail], encoder: Encoder) -> Weights:
    """A model that learned from `learning`."""
    texts, languages = [each.text for each in learning], [each.lang for each in learning]
    plain = rows_to_judge(texts, languages, np.ones(CUE_COLUMN, np.float32))
    seen = np.bincount(plain.column, minlength=CUE_COLUMN)[:CUE_COLUMN]
    # An n-gram that stands in one mail alone is as rare as one that stands in none, and neither has a weight.
    often = np.where(seen >= _IN_SEVERAL, seen, 1)
    rarity = (np.log((1 + len(learning)) / (1 + often)) + 1).astype(np.float16).astype(np.float32)
    rare = float(rarity.max())
    rows = _known(rows_to_judge(texts, languages, rarity), seen >= _IN_SEVERAL)
    said = encoded(encoder, texts, languages)
    middle, spread = said.mean(axis=0), said.std(axis=0)
    rows = _beside(rows, (said - middle) / spread * ENCODED)
    good = np.array([each.good for each in learning], dtype=np.float64)
    width = COLUMNS + said.shape[1]
    unseen = np.zeros(len(learning))
    folds = np.array([each.fold for each in learning])
    for fold in range(_FOLDS):
        weights, bias = regression.fit(rows, good, np.flatnonzero(folds != fold), width, STRENGTH)
        scores = regression.scores(rows, weights, bias)
        unseen[folds == fold] = scores[folds == fold]
    slope, offset = regression.platt(unseen, good)
    weights, bias = regression.fit(rows, good, np.arange(len(learning)), width, STRENGTH)
    facts = Facts(
        version=f"{NAME}-{VERSION}+{_digest(learning)}",
        encoder=digest_of_encoder(encoder),
        rare=rare,
        bias=round(bias, 6),
        middle=_rounded(middle),
        spread=_rounded(spread),
        encoded=_rounded(weights[COLUMNS:]),
        slope=round(slope, 6),
        offset=round(offset, 6),
        threshold=threshold(regression.probability(slope * unseen + offset), good > 0),
    )
    return Weights(weights[:COLUMNS].astype(np.float32), rarity, facts)


def threshold(probabilities: Floats, good: Truths) -> float:
    """The lowest probability at and above which `PRECISION` holds. Raises ValueError where it holds nowhere."""
    order = np.argsort(-probabilities, kind="stable")
    right = np.cumsum(good[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(right >= PRECISION)
    if not len(enough):
        raise ValueError(f"of the mails that look most like good news fewer than {PRECISION:.0%} are")
    return math.floor(float(probabilities[order][enough[-1]]) * 10_000) / 10_000


def figures(model: Weights, encoder: Encoder, asked: Sequence[TeachersMail]) -> dict[str, GoodNewsFigures]:
    """The figures on `asked`: of all under "all", then by language."""
    texts, languages = [each.text for each in asked], [each.lang for each in asked]
    scores = model.scores(rows_to_judge(texts, languages, model.rarity), encoded(encoder, texts, languages))
    called = model.probabilities(scores) >= model.facts.threshold
    judged = list(zip(asked, called.tolist(), strict=True))
    by_language = {code: [each for each in judged if each[0].lang == code] for code in sorted(set(languages))}
    return {"all": _figures(judged)} | {code: _figures(found) for code, found in by_language.items()}


def main(words: Sequence[str]) -> None:
    """The command. `words` are what stands behind its name."""
    encoder = shipped_encoder()
    if list(words) == ["learn"]:
        learn(mails(FOLDER / "learning"), encoder).save(SHIPPED)
    elif words:
        raise SystemExit(__doc__)
    found = figures(Weights.open(SHIPPED), encoder, mails(FOLDER / "validation"))
    print("language  mails  precision   recall      complaints called good news")
    for name, each in found.items():
        print(f"{name:8} {each.n:6}  {each.precision!s:10}  {each.recall!s:10}  {each.complaints}")


def _figures(judged: Sequence[tuple[TeachersMail, bool]]) -> GoodNewsFigures:
    def share(within: Iterable[tuple[TeachersMail, bool]], so: "bool | None" = None) -> Share:
        found = list(within)
        return Share(sum(called if so is None else mail.good for mail, called in found), len(found))

    return GoodNewsFigures(
        n=len(judged),
        precision=share((each for each in judged if each[1]), so=True),
        recall=share(each for each in judged if each[0].good),
        complaints=share(each for each in judged if each[0].kind in (Kind.PROBLEM, Kind.MIXED, Kind.SARCASTIC)),
    )


def _known(rows: Rows, known: Truths) -> Rows:
    stays = known[rows.column]
    return Rows(rows.count, rows.row[stays], rows.column[stays], rows.value[stays], rows.length)


def _beside(rows: Rows, answers: Floats) -> Rows:
    """The rows with further columns behind them."""
    count, width = answers.shape
    row: Integers = np.repeat(np.arange(count, dtype=np.int64), width)
    column: Integers = np.tile(np.arange(COLUMNS, COLUMNS + width, dtype=np.int64), count)
    return Rows(
        rows.count,
        np.concatenate([rows.row, row]),
        np.concatenate([rows.column, column]),
        np.concatenate([rows.value, answers.ravel()]),
        rows.length,
    )


def _rounded(numbers: Floats) -> tuple[float, ...]:
    return tuple(round(float(each), 6) for each in numbers)


def _digest(learning: Sequence[TeachersMail]) -> str:
    return sha256("\n".join(each.model_dump_json() for each in learning).encode()).hexdigest()[:12]


if __name__ == "__main__":
    main(sys.argv[1:])

"""How the two halves of the model, n-grams and encoder, are added up to one calibrated probability."""

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict

from classifier.decision import Question
from classifier.features import Floats
from classifier.regression import minimum, probability

OTHER = "other"
"""Stands for the languages that have too few messages to be calibrated alone."""
_FEWEST = 60
"""Messages of one language below which it is calibrated with the others."""
_HOLD = 1.0
"""How strongly a language's slope and offset are held to those of all."""


class Weights(BaseModel):
    """log odds = linear * n-grams + encoder * encoder + offset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    linear: float
    encoder: float
    offset: float


class Blend(BaseModel):
    """The weights of each question, by language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    languages: dict[str, dict[Question, Weights]]

    def probabilities(self, question: Question, linear: Floats, encoder: Floats, languages: list[str]) -> Floats:
        """The probability that the answer is yes, text by text. `linear` and `encoder` are uncalibrated log odds."""
        chosen = [self.languages.get(code, self.languages[OTHER])[question] for code in languages]
        first, second, offset = (
            np.array([getattr(weights, name) for weights in chosen]) for name in ("linear", "encoder", "offset")
        )
        return probability(first * linear + second * encoder + offset)


def plain() -> Blend:
    """Both halves count the same; for a model that nothing has calibrated yet."""
    half = Weights(linear=0.5, encoder=0.5, offset=0.0)
    return Blend(languages={OTHER: dict.fromkeys(Question, half)})


def fit(scores: Mapping[Question, tuple[Floats, Floats, Floats]], languages: list[str]) -> Blend:
    """The blend that makes the labels likeliest. `scores` holds, for each question, what the n-grams and the encoder
    said of messages that neither learned from, and the answer (1.0 yes, 0.0 no, NaN not known)."""
    codes = np.array(languages)
    big = sorted(code for code in set(languages) if languages.count(code) >= _FEWEST)
    groups = {code: codes == code for code in big} | {OTHER: ~np.isin(codes, big)}
    found: dict[str, dict[Question, Weights]] = {name: {} for name in groups}
    for question, (linear, encoder, answer) in scores.items():
        known = ~np.isnan(answer)
        columns = np.stack([linear, encoder, np.ones_like(linear)])
        everywhere = _logistic(columns[:, known], answer[known], np.array([0.5, 0.5, 0.0]), 0.01)
        for name, inside in groups.items():
            here = known & inside
            own = _logistic(columns[:, here], answer[here], everywhere, _HOLD) if here.any() else everywhere
            first, second, offset = (round(float(value), 4) for value in own)
            found[name][question] = Weights(linear=first, encoder=second, offset=offset)
    return Blend(languages=found)


def _logistic(columns: Floats, answer: Floats, prior: Floats, hold: float) -> Floats:
    """Logistic regression with its weights held to `prior`."""

    def loss(point: Floats) -> tuple[float, Floats]:
        line = point @ columns
        away = point - prior
        gradient = columns @ (probability(line) - answer) + hold * away
        return float((np.logaddexp(0, line) - answer * line).sum() + hold * (away @ away) / 2), gradient

    return minimum(loss, prior.copy(), 1e-8)

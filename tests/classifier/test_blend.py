import numpy as np
import pytest

from classifier.blend import OTHER, fit, plain
from classifier.decision import Question

DICE = np.random.default_rng(5)


def said(count: int, *, slope: float = 1.0, offset: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Log odds that are off by `slope` and `offset`, and answers drawn with the true probability."""
    true = DICE.normal(0, 2, count)
    return (true - offset) / slope, (DICE.random(count) < 1 / (1 + np.exp(-true))).astype(float)


def test_scores_that_are_too_sure_become_probabilities_that_hold() -> None:
    score, answer = said(4000, slope=0.25, offset=1.0)
    blend = fit(dict.fromkeys(Question, (score, score, answer)), ["en"] * 4000)
    sure = blend.probabilities(Question.URGENT, score, score, ["en"] * 4000)
    for low in (0.1, 0.3, 0.5, 0.7, 0.9):
        inside = abs(sure - low) < 0.1
        assert answer[inside].mean() == pytest.approx(sure[inside].mean(), abs=0.05)


def test_the_half_that_knows_nothing_gets_no_weight() -> None:
    score, answer = said(3000)
    noise = DICE.normal(0, 2, 3000)
    weights = fit({Question.URGENT: (noise, score, answer)}, ["en"] * 3000).languages["en"][Question.URGENT]
    assert abs(weights.linear) < 0.1
    assert weights.encoder == pytest.approx(1, abs=0.15)


def test_a_language_with_enough_messages_is_calibrated_by_itself_and_others_together() -> None:
    english, wrong = said(1000), said(1000, offset=2.0)
    score, answer = (np.concatenate(both) for both in zip(english, wrong, strict=True))
    languages = ["en"] * 1000 + ["es"] * 980 + ["ht"] * 20
    blend = fit({Question.URGENT: (score, score, answer)}, languages)
    assert set(blend.languages) == {"en", "es", OTHER}
    assert blend.languages["es"][Question.URGENT].offset > blend.languages["en"][Question.URGENT].offset + 1


def test_answers_that_are_not_known_teach_nothing() -> None:
    score, answer = said(500)
    hidden = np.where(DICE.random(500) < 0.3, np.nan, answer)
    known = ~np.isnan(hidden)
    some = fit({Question.CONFLICT: (score, score, hidden)}, ["en"] * 500)
    rest = fit({Question.CONFLICT: (score[known], score[known], answer[known])}, ["en"] * int(known.sum()))
    assert some.languages["en"] == rest.languages["en"]


def test_an_unfitted_blend_takes_the_mean() -> None:
    assert plain().probabilities(Question.URGENT, np.array([1.0]), np.array([-1.0]), ["en"]) == pytest.approx([0.5])

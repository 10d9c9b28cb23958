import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.features import BLOCKS, Floats, Rows
from classifier.regression import fit, platt, probability, scores


def rows(matrix: Floats) -> Rows:
    row, column = np.nonzero(matrix)
    return Rows(len(matrix), row, column, matrix[row, column], np.ones(len(matrix) * BLOCKS))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.1, 30))
def test_no_step_from_the_weights_it_finds_makes_the_loss_smaller(seed: int, strength: float) -> None:
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(30, 6)) * (random.random((30, 6)) < 0.6)
    answers = (random.random(30) < 0.4).astype(float)
    answers[:2] = 0, 1
    weights, bias = fit(rows(matrix), answers, np.arange(30), 6, strength)

    def loss(weights: Floats, bias: float) -> float:
        margin = (2 * answers - 1) * (matrix @ weights + bias)
        return float(np.log1p(np.exp(-margin)).sum() + weights @ weights / (2 * strength))

    least = loss(weights, bias)
    for column in range(6):
        for step in (-0.1, 0.1):
            assert loss(weights + step * np.eye(6)[column], bias) >= least - 1e-3
    assert min(loss(weights, bias - 0.1), loss(weights, bias + 0.1)) >= least - 1e-3


def test_rows_that_are_not_chosen_teach_nothing() -> None:
    matrix = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
    answers = np.array([1.0, 0, 1, 0])
    weights, bias = fit(rows(matrix), answers, np.array([0, 1]), 3, 10.0)
    assert weights[2] == 0
    found = scores(rows(matrix), weights, bias)
    assert found == pytest.approx(matrix @ weights + bias)
    assert found[0] > 0 > found[1]


def test_calibrated_scores_are_right_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    truth = random.random(20_000)
    answers = (random.random(20_000) < truth).astype(float)
    boastful = 3 * np.log(truth / (1 - truth)) - 1
    slope, offset = platt(boastful, answers)
    found = probability(slope * boastful + offset)
    for low in np.arange(0, 1, 0.2):
        inside = (found >= low) & (found < low + 0.2)
        assert answers[inside].mean() == pytest.approx(found[inside].mean(), abs=0.03)

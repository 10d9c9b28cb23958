"""The quick half of the model: for each question a linear model over hashed n-grams and the cues of time."""

from pathlib import Path

import numpy as np

from classifier.decision import Question
from classifier.features import COLUMNS, CUE_COLUMN, Floats, Reading, Rows, Singles, grams_of, rows_of
from classifier.regression import scores

_WEIGHTS, _RARITY = "weights.npy", "rarity.npy"


class Linear:
    """Weights by question and column, and how rare each n-gram is. Kept in half precision on disk."""

    def __init__(self, weights: Floats | Singles, bias: Floats | Singles, rarity: Singles) -> None:
        """`weights` is (questions, columns), `bias` (questions), `rarity` (n-gram columns). They are rounded as they
        will be on disk."""
        self.weights: Singles = np.asarray(weights).astype(np.float16).astype(np.float32)
        self.bias: Singles = np.asarray(bias).astype(np.float32)
        self.rarity: Singles = rarity.astype(np.float16).astype(np.float32)

    def rows(self, readings: list[Reading]) -> Rows:
        """The rows of numbers that the model sees."""
        return rows_of(readings, grams_of(readings), self.rarity)

    def scores(self, readings: list[Reading]) -> Floats:
        """Log odds before calibration, (questions, texts)."""
        rows = self.rows(readings)
        return np.stack([scores(rows, self.weights[index], self.bias[index]) for index in range(len(Question))])

    def save(self, folder: Path) -> None:
        """Writes it into `folder`. The same model gives the same bytes."""
        np.save(folder / _WEIGHTS, np.column_stack([self.weights, self.bias]).astype("<f2"))
        np.save(folder / _RARITY, self.rarity.astype("<f2"))

    @classmethod
    def open(cls, folder: Path) -> "Linear":
        """Reads it from `folder`. Raises OSError or ValueError where it is not one."""
        weights, rarity = np.load(folder / _WEIGHTS), np.load(folder / _RARITY)
        if weights.shape != (len(Question), COLUMNS + 1) or rarity.shape != (CUE_COLUMN,):
            raise ValueError(f"{folder}: the model was trained with other features; train it again (alliance train)")
        return cls(weights[:, :-1], weights[:, -1], rarity)

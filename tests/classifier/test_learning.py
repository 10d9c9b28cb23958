"""How well scores rank, which is what shows that labels taught the wrong thing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.learning import area_under_curve

_SCORED = st.lists(st.tuples(st.integers(-5, 5), st.booleans()), max_size=30)


@given(_SCORED)
def test_the_area_is_the_share_of_pairs_in_the_right_order(scored: list[tuple[int, bool]]) -> None:
    yes, no = ([score for score, answer in scored if answer is wanted] for wanted in (True, False))
    right = sum(one > other for one in yes for other in no)
    expected = right / (len(yes) * len(no)) if yes and no else 1.0
    scores = np.array([score for score, _ in scored], dtype=np.float64)
    assert area_under_curve(scores, np.array([answer for _, answer in scored], dtype=bool)) == pytest.approx(expected)

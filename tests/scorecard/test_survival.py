"""Kaplan and Meier's median, against examples that textbooks compute by hand."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorecard.survival import Lasted, censored_median

# Freireich and others, 1963: weeks in remission; a plus for those who were still in it.
TREATED = "6 6 6 6+ 7 9+ 10 10+ 11+ 13 16 17+ 19+ 20+ 22 23 25+ 32+ 32+ 34+ 35+"
PLACEBO = "1 1 2 2 3 4 4 5 5 8 8 8 8 11 11 12 12 15 17 22 23"


def of(written: str) -> Counter[Lasted]:
    return Counter(Lasted(int(each.rstrip("+")), over=not each.endswith("+")) for each in written.split())


@pytest.mark.parametrize(
    ("written", "median"),
    [
        (TREATED, 23),
        (PLACEBO, 8),
        ("0 2 7 4+ 9+", 7),  # the example of docs/scorecard.md
        ("", None),
        ("5", 5),
        ("5+", None),
        ("1 2", 1),
        ("1 2 3", 2),
        ("1 2+ 3+", None),
        ("0 0 0", 0),
        ("3 3+", 3),  # of one day, what is over ended first
        ("2+ 3", 3),
    ],
)
def test_known_examples_come_out_as_by_hand(written: str, median: int | None) -> None:
    assert censored_median(of(written)) == median


@given(st.lists(st.integers(0, 30), min_size=1))
def test_without_open_ones_it_is_the_first_day_by_which_half_are_over(days: list[int]) -> None:
    median = censored_median(Counter(Lasted(each, over=True) for each in days))
    assert median == next(
        day for day in sorted(days) if Fraction(sum(each <= day for each in days), len(days)) * 2 >= 1
    )


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans())), st.integers(0, 30))
def test_one_that_goes_on_never_makes_it_shorter(observed: list[tuple[int, bool]], days: int) -> None:
    known = Counter(Lasted(*each) for each in observed)
    before, after = censored_median(known), censored_median(known + Counter([Lasted(40, over=False)]))
    assert after is None or (before is not None and after >= before)

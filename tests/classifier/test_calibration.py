import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.calibration import expected_error, reliability

answered = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1)


def test_probabilities_that_hold_have_no_error() -> None:
    bins = reliability([0.25] * 4 + [0.75] * 4, [True, False, False, False, True, True, True, False])
    assert [(one.n, one.probability, one.share) for one in bins] == [(4, 0.25, 0.25), (4, 0.75, 0.75)]
    assert expected_error(bins) == 0


def test_the_error_weighs_each_bin_by_its_messages() -> None:
    bins = reliability([0.95, 0.95, 0.95, 0.05], [False, False, False, False])
    assert expected_error(bins) == pytest.approx((3 * 0.95 + 0.05) / 4)


def test_certainty_belongs_to_the_last_bin() -> None:
    assert reliability([1.0, 0.9], [True, True])[0].n == 2


def test_nothing_asked_is_no_error_of_nought() -> None:
    assert expected_error(reliability([], [])) is None


@given(answered)
def test_every_message_is_in_one_bin_and_its_mean_lies_within_it(rows: list[tuple[float, bool]]) -> None:
    bins = reliability([probability for probability, _ in rows], [answer for _, answer in rows])
    assert sum(one.n for one in bins) == len(rows)
    means = [one.probability for one in bins]
    assert means == sorted(means)
    for one in bins:
        assert any(place / 10 - 1e-9 <= one.probability <= (place + 1) / 10 + 1e-9 for place in range(10))
    error = expected_error(bins)
    assert error is not None
    assert 0 <= error <= 1

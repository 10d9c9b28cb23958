import random

import pytest

from classifier.intervals import bootstrap
from connectors.labels import Tag

U, C, R = Tag.URGENT, Tag.CONFLICT, Tag.ROUTINE


def test_verdicts_that_are_all_right_leave_no_doubt() -> None:
    found = bootstrap([(U, U), (C, C), (R, R)] * 20, [None] * 60)
    assert found.macro_f1 == found.urgent_recall == found.urgent_precision == (1, 1)


def test_the_interval_of_a_share_is_the_one_of_the_binomial() -> None:
    judged = [(U, U)] * 80 + [(U, R)] * 20
    found = bootstrap(judged, [None] * 100)
    margin = 1.96 * (0.8 * 0.2 / 100) ** 0.5
    assert found.urgent_recall == pytest.approx((0.8 - margin, 0.8 + margin), abs=0.015)
    assert found.urgent_precision == (1, 1)


def test_the_same_messages_give_the_same_interval() -> None:
    dice = random.Random(3)
    judged = [(dice.choice([U, C, R]), dice.choice([U, C, R])) for _ in range(50)]
    assert bootstrap(judged, [None] * 50) == bootstrap(judged, [None] * 50)


def test_a_pair_is_drawn_as_a_whole() -> None:
    # One of each pair is right, one wrong: drawn together, exactly half of every draw is right.
    pairs = bootstrap([(U, U), (U, R)] * 30, [f"p{number // 2}" for number in range(60)])
    alone = bootstrap([(U, U), (U, R)] * 30, [None] * 60)
    assert pairs.urgent_recall == (0.5, 0.5)
    assert alone.urgent_recall is not None
    assert alone.urgent_recall == pytest.approx((0.38, 0.62), abs=0.03)


def test_pairs_and_single_messages_stand_side_by_side() -> None:
    found = bootstrap([(U, U), (U, U), (R, R), (C, C)], ["p", "p", None, None])
    assert found.macro_f1 == (1, 1)


def test_without_an_urgent_message_its_figures_are_not_guessed() -> None:
    found = bootstrap([(R, R), (C, R)], [None, None])
    assert found.urgent_recall is None
    assert found.urgent_precision is None

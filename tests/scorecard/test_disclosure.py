"""Shown groups tell of a withheld one where they add up to it, exactly or nearly; and not where they lie across it."""

from collections import Counter

from scorecard.disclosure import Leak, leaks
from scorecard.report import Group
from store.scorecard_tables import Grouping

SIX, A, B, EVERYBODY = (
    Group(Grouping.GRADE, "/06"),
    Group(Grouping.TEAM, "6a"),
    Group(Grouping.TEAM, "6b"),
    Group(Grouping.ALL, ""),
)


def told(hidden: set[Group], small: set[Group], *kinds: tuple[int, set[Group]], threshold: int = 10) -> list[Leak]:
    patterns = Counter({frozenset(groups | {EVERYBODY}): number for number, groups in kinds})
    shown = {group for pattern in patterns for group in pattern} - hidden
    return list(leaks(frozenset(shown), frozenset(hidden), frozenset(small), patterns, threshold))


def test_a_grade_less_one_team_tells_of_the_other() -> None:
    (leak, *_rest) = told({A}, {A}, (8, {SIX, A}), (20, {SIX, B}), (30, set()))
    assert (leak.group, set(leak.told_by)) == (A, {SIX, B})


def test_a_family_in_both_makes_it_inexact_and_no_secret() -> None:
    kinds = ((7, {SIX, A}), (1, {SIX, A, B}), (20, {SIX, B}), (30, set[Group]()))
    assert A in {leak.group for leak in told({A}, {A}, *kinds)}


def test_of_a_withheld_group_that_is_not_small_only_what_is_exact_counts() -> None:
    kinds = ((11, {SIX, A}), (1, {SIX, A, B}), (20, {SIX, B}), (30, set[Group]()))
    assert A not in {leak.group for leak in told({A}, set(), *kinds)}


def test_a_few_out_of_every_class_are_not_told_of() -> None:
    assert not told({A}, {A}, (4, {SIX, A}), (20, {SIX}), (4, {B, A}), (20, {B}), threshold=1)


def test_what_a_grade_leaves_of_two_small_teams_is_told_together() -> None:
    c = Group(Grouping.TEAM, "6c")
    found = told({A, c}, {A, c}, (4, {SIX, A}), (4, {SIX, c}), (20, {SIX, B}), (30, set()))
    assert [leak.group for leak in found] == [None]

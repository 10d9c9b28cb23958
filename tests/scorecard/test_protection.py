"""Small groups are withheld, and nobody computes them from what is shown: neither along the tree of groups, nor across
their overlaps, nor by knowing that numbers are not negative."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorecard.protection import EVERYBODY, withheld
from scorecard.report import Group
from store.scorecard_tables import Grouping

THRESHOLD = 10


def school(key: str) -> Group:
    return Group(Grouping.SCHOOL, key, within=(Grouping.ALL, ""))


def grade(key: str) -> Group:
    name = key.partition("/")[0]
    return Group(Grouping.GRADE, key, within=(Grouping.SCHOOL, name) if name else (Grouping.ALL, ""))


def team(key: str) -> Group:
    return Group(Grouping.TEAM, key, within=(Grouping.ALL, ""))


def teacher(key: str, of: str = "") -> Group:
    return Group(Grouping.TEACHER, key, within=(Grouping.TEAM, of) if of else (Grouping.ALL, ""))


Families = Sequence[frozenset[Group]]


def families(*kinds: tuple[int, Iterable[Group]]) -> Families:
    """So many families in these groups, and among everybody."""
    return [frozenset({EVERYBODY, *groups}) for number, groups in kinds for _each in range(number)]


def sizes_of(families: Families, threshold_groups: Iterable[Group] = ()) -> Mapping[Group, int]:
    return Counter(group for each in families for group in each) | Counter(dict.fromkeys(threshold_groups, 0))


def hide(given: Families, threshold: int = THRESHOLD) -> frozenset[Group]:
    return withheld(sizes_of(given), threshold, given)


class TestAlongTheTree:
    def test_groups_that_are_all_big_are_all_shown(self) -> None:
        five, six = grade("maple/05"), grade("maple/06")
        assert not hide(families((10, [school("maple"), five]), (10, [school("maple"), six])))

    def test_of_a_whole_and_its_parts_one_small_part_takes_another_with_it(self) -> None:
        parts = [grade(f"/{number:02}") for number in range(4)]
        hidden = hide(families(*((9 if number == 2 else 20, [part]) for number, part in enumerate(parts))))
        assert hidden == {parts[2], parts[0]}

    def test_small_parts_that_are_small_together_take_a_bigger_one_with_them(self) -> None:
        parts = [grade(f"/{number:02}") for number in range(4)]
        hidden = hide(families(*((size, [part]) for size, part in zip((20, 4, 5, 20), parts, strict=True))))
        assert hidden == set(parts[:3])

    def test_small_parts_that_have_the_threshold_together_need_no_other(self) -> None:
        parts = [grade(f"/{number:02}") for number in range(4)]
        hidden = hide(families(*((size, [part]) for size, part in zip((20, 5, 5, 20), parts, strict=True))))
        assert hidden == {parts[1], parts[2]}

    def test_what_is_within_a_withheld_group_is_withheld(self) -> None:
        # The school of nine takes the first of the others with it, whose grades would add up to it.
        given = families((9, [school("a")]), (20, [school("b"), grade("b/05")]), (20, [school("b"), grade("b/06")]))
        assert hide([*given, *families((30, [school("c"), grade("c/05")]))]) == {
            school("a"), school("b"), grade("b/05"), grade("b/06")
        }  # fmt: skip

    def test_a_school_of_nine_families_shows_nothing(self) -> None:
        given = families((9, [team("Comets"), teacher("r", "Comets")]))
        assert hide(given) == {EVERYBODY, team("Comets"), teacher("r", "Comets")}

    def test_which_part_goes_with_a_small_one_does_not_depend_on_sizes(self) -> None:
        parts = [grade(f"/{number:02}") for number in range(4)]
        chosen = {
            hide(families(*((size, [part]) for size, part in zip(sizes, parts, strict=True))))
            for sizes in ((30, 11, 12, 9), (11, 30, 12, 9), (12, 11, 30, 8))
        }
        assert chosen == {frozenset({parts[0], parts[3]})}

    def test_a_teacher_without_a_team_stands_beside_the_teams(self) -> None:
        # The mail of everybody less that of the teams would be the nurse's.
        comets, nurse = team("Comets"), teacher("nurse")
        assert hide(families((30, [comets]), (4, [nurse]))) == {comets, nurse}

    def test_where_nobody_says_who_is_where_the_tree_alone_decides(self) -> None:
        parts = [grade(f"/{number:02}") for number in range(4)]
        sizes = {EVERYBODY: 60, **dict(zip(parts, (20, 4, 5, 31), strict=True))}
        assert withheld(sizes, THRESHOLD) == set(parts[:3])

    def test_one_of_no_units_hides_nobody(self) -> None:
        parts = [grade(f"/{number:02}") for number in range(3)]
        given = families((20, [parts[1]]), (4, [parts[2]]))
        hidden = withheld(sizes_of(given) | {parts[0]: 0}, THRESHOLD, given, empty_is_small=False)
        assert hidden == {parts[1], parts[2]}


class TestAcrossOverlaps:
    def test_a_grade_less_one_team_is_not_the_other_team(self) -> None:
        # By key alone the fifth grade's team would go with 6a, and grade 6 less 6b would be 6a.
        five, six, by_five, a, b = grade("/05"), grade("/06"), team("5"), team("6a"), team("6b")
        hidden = hide(families((30, [five, by_five]), (8, [six, a]), (20, [six, b])))
        assert {a, b} <= hidden
        assert not {five, six} & hidden

    def test_a_team_of_two_grades_less_one_is_not_the_other(self) -> None:
        three, four, five, comets = grade("/03"), grade("/04"), grade("/05"), team("Comets")
        hidden = hide(families((30, [three]), (20, [four, comets]), (8, [five, comets])))
        assert five in hidden
        assert not determined(hidden, families((30, [three]), (20, [four, comets]), (8, [five, comets])))

    def test_a_family_in_two_grades_makes_the_sum_no_secret(self) -> None:
        # Everybody less the other grades is off by the one family that is in two of them.
        parts = [grade(f"/{number:02}") for number in range(3)]
        hidden = hide(families((20, [parts[0]]), (20, [parts[1]]), (7, [parts[2]]), (1, [parts[1], parts[2]])))
        assert len(hidden) == 2

    def test_a_team_that_nearly_is_what_is_left_of_a_grade_is_protected_as_though_it_were(self) -> None:
        five, six, by_five, a, b = grade("/05"), grade("/06"), team("5"), team("6a"), team("6b")
        hidden = hide(families((30, [five, by_five]), (7, [six, a]), (1, [six, a, b]), (20, [six, b])))
        assert {a, b} <= hidden

    def test_two_small_teams_of_a_grade_are_not_told_together(self) -> None:
        five, six, by_five = grade("/05"), grade("/06"), team("5")
        a, b, c = team("6a"), team("6b"), team("6c")
        hidden = hide(families((30, [five, by_five]), (4, [six, a]), (4, [six, b]), (20, [six, c])))
        assert {a, b, c} <= hidden

    def test_a_teacher_who_has_a_few_of_everybodys_families_hides_nobody_else(self) -> None:
        classes = [teacher(f"t{number}", "Comets") for number in range(4)]
        special = teacher("special", "Comets")
        kinds = [(15, [grade(f"/{n}"), team("Comets"), each]) for n, each in enumerate(classes)]
        mixed = [(2, [grade(f"/{n}"), team("Comets"), each, special]) for n, each in enumerate(classes)]
        assert hide(families(*kinds, *mixed)) == {special}


def determined(hidden: frozenset[Group], given: Families) -> set[Group]:
    """The withheld groups that exact elimination finds to be a combination of the shown ones: an attacker who knows
    which families are where, and reads every shown number."""
    groups = sorted({group for each in given for group in each})
    kinds = sorted(set(given), key=sorted)
    basis: list[tuple[int, list[Fraction]]] = []

    def reduced(column: list[Fraction]) -> list[Fraction]:
        for pivot, row in basis:
            if column[pivot]:
                factor = column[pivot]
                column = [a - factor * b for a, b in zip(column, row, strict=True)]
        return column

    for group in groups:
        if group not in hidden:
            column = reduced([Fraction(group in kind) for kind in kinds])
            pivot = next((place for place, value in enumerate(column) if value), None)
            if pivot is not None:
                basis.append((pivot, [value / column[pivot] for value in column]))
    return {group for group in hidden if group in groups and not any(reduced([Fraction(group in k) for k in kinds]))}


@st.composite
def schools(draw: st.DrawFn) -> Families:
    """A school or two with grades, teams that cut across them, teachers in teams and without, and siblings."""
    names = draw(st.sampled_from([("",), ("a", "b")]))
    teams = [team(f"team {number}") for number in range(draw(st.integers(1, 3)))]
    teachers = [
        teacher(f"{number}", draw(st.sampled_from([*(each.key for each in teams), *(each.key for each in teams), ""])))
        for number in range(draw(st.integers(1, 6)))
    ]
    kinds: list[tuple[int, list[Group]]] = []
    for _each in range(draw(st.integers(1, 9))):
        name = draw(st.sampled_from(names))
        grades = [grade(f"{name}/{draw(st.integers(1, 4)):02}") for _sibling in range(draw(st.sampled_from([1, 1, 2])))]
        with_ = draw(st.sets(st.sampled_from(teachers), max_size=3))
        of_teams = [Group(*each.within) for each in with_ if each.within and each.within[0] is Grouping.TEAM]
        of_school = [school(name)] if name else []
        kinds.append((draw(st.integers(1, 25)), [*grades, *of_school, *with_, *map(_team, of_teams)]))
    return families(*kinds)


def _team(group: Group) -> Group:
    return team(group.key)


def is_divided(given: Families, parts: Sequence[Group]) -> bool:
    """Whether the parts make up their whole, no family being in two of them or in none."""
    whole = Group(*(parts[0].within or (Grouping.ALL, "")))
    return all(len(each & set(parts)) == 1 for each in given if whole in each)


class TestAnAttackerFails:
    @given(schools())
    @settings(max_examples=200, deadline=None)
    def test_no_withheld_group_is_a_combination_of_shown_ones(self, given: Families) -> None:
        hidden = hide(given)
        told = determined(hidden, given)
        # What everybody is told of is nobody's secret: a group that is everybody, or all but none.
        everybody = {group for group in told if sizes_of(given)[group] == len(given)}
        assert told <= everybody

    @given(schools())
    @settings(max_examples=80, deadline=None)
    def test_small_groups_are_withheld_and_so_is_what_lies_within_withheld_ones(self, given: Families) -> None:
        hidden = hide(given)
        for group, size in sizes_of(given).items():
            assert group in hidden or size >= THRESHOLD
            assert group in hidden or group.within is None or Group(*group.within) not in hidden

    @given(schools())
    @settings(max_examples=80, deadline=None)
    def test_parts_that_are_withheld_are_several_and_not_few_together(self, given: Families) -> None:
        hidden, sizes = hide(given), sizes_of(given)
        parts: dict[object, list[Group]] = defaultdict(list)
        for group in sizes:
            parts[group.within, group.grouping in {Grouping.TEAM, Grouping.TEACHER}].append(group)
        for siblings in parts.values():
            gone = [each for each in siblings if each in hidden]
            if gone and len(gone) < len(siblings) and is_divided(given, siblings):
                assert len(gone) > 1
                assert sum(sizes[each] for each in gone) >= THRESHOLD

    @given(schools())
    @settings(max_examples=50, deadline=None)
    def test_where_all_groups_are_big_nothing_is_withheld(self, given: Families) -> None:
        assert not hide(given, min(sizes_of(given).values()))

    @given(schools())
    @settings(max_examples=50, deadline=None)
    def test_what_is_withheld_does_not_depend_on_the_order_of_families(self, given: Families) -> None:
        assert hide(given) == hide(list(reversed(given)))


@pytest.mark.parametrize("threshold", [5, 10, 20])
def test_the_schools_own_threshold_holds(threshold: int) -> None:
    parts = [grade(f"/{number:02}") for number in range(3)]
    hidden = hide(families((threshold, [parts[0]]), (threshold, [parts[1]]), (threshold - 1, [parts[2]])), threshold)
    assert hidden == {parts[0], parts[2]}

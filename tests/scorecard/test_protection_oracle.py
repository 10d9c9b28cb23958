"""What is withheld is what the slow and obvious method withholds, to the last group: on random districts, with groups
that are withheld for other reasons, and where empty groups are small and where they are not."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from scorecard import protection
from scorecard.protection import EVERYBODY
from scorecard.report import Group
from store.scorecard_tables import Grouping
from tests.scorecard import protection_oracle
from tests.scorecard.test_protection import families, grade, school, teacher, team

Units = Sequence[frozenset[Group]]


@st.composite
def districts(draw: st.DrawFn) -> tuple[Units, list[Group]]:
    """A few schools with grades, teams that may reach over schools, and teachers; siblings at two of them, and units
    that have no school at all. With groups of which there are no units."""
    schools = draw(st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=4, unique=True))
    teams = [f"team {number}" for number in range(draw(st.integers(1, 5)))]
    teachers = [teacher(f"t{n}", draw(st.sampled_from([*teams, *teams, ""]))) for n in range(draw(st.integers(1, 9)))]
    kinds: list[tuple[int, list[Group]]] = []
    for _kind in range(draw(st.integers(1, 14))):
        groups: list[Group] = []
        for name in draw(st.sampled_from([schools[:1], schools[-1:], schools[1:3] or schools[:1]])):
            groups += [school(name)] if name else []
            groups += [
                grade(f"{name}/{draw(st.integers(1, 5)):02}") for _each in range(draw(st.sampled_from([0, 1, 2])))
            ]
        for each in draw(st.sets(st.sampled_from(teachers), max_size=4)):
            groups += [each, *([team(each.within[1])] if each.within and each.within[0] is Grouping.TEAM else [])]
        kinds.append((draw(st.integers(1, 25)), groups))
    units = families(*kinds)
    known = sorted({EVERYBODY, *teachers, *map(team, teams), *(group for unit in units for group in unit)})
    return units, known


@given(districts(), st.data())
@settings(max_examples=400, deadline=None)
def test_each_decision_is_that_of_the_obvious_method(district: tuple[Units, list[Group]], data: st.DataObject) -> None:
    units, known = district
    numbers = Counter(group for unit in units for group in unit)
    sizes = {group: numbers[group] for group in known}
    # A whole that other groups stand for may have fewer, as with students whose time is not over.
    for group in data.draw(st.sets(st.sampled_from(known), max_size=3)):
        sizes[group] = data.draw(st.integers(0, sizes[group]))
    already = frozenset(data.draw(st.sets(st.sampled_from(known), max_size=3)))
    harmless = frozenset(data.draw(st.sets(st.sampled_from(sorted(already)), max_size=3))) if already else already
    asked = {"already": already, "harmless": harmless, "empty_is_small": data.draw(st.booleans())}
    threshold = data.draw(st.integers(1, 20))
    members = [unit & set(known) for unit in units]
    fast = protection.withheld(sizes, threshold, members, **asked)  # type: ignore[arg-type]
    assert fast == protection_oracle.withheld(sizes, threshold, members, **asked)  # type: ignore[arg-type]

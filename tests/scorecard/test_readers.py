"""No teacher's figures are for another, neither shown nor left over when what somebody sees is taken away."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from scorecard.readers import Colleague, Reader, visible_to
from scorecard.report import Group
from store.scorecard_tables import Grouping

THRESHOLD = 10
EVERYBODY = Group(Grouping.ALL, "")


def colleagues(*teams: tuple[str, Sequence[int]], schools: Sequence[str] = ()) -> list[Colleague]:
    """Teachers of so many families, by team."""
    flat = [(team, families) for team, sizes in teams for families in sizes]
    return [
        Colleague(f"t{place}", team, frozenset({schools[place]} if schools else ()), families)
        for place, (team, families) in enumerate(flat)
    ]


def groups_of(teachers: Sequence[Colleague]) -> list[Group]:
    teams = sorted({each.team for each in teachers} - {""})
    schools = sorted({school for each in teachers for school in each.schools})
    return [
        EVERYBODY,
        *(Group(Grouping.SCHOOL, each) for each in schools),
        Group(Grouping.GRADE, "/05"),
        *(Group(Grouping.TEAM, each) for each in teams),
        *(Group(Grouping.TEACHER, each.mailbox) for each in teachers),
    ]


def seen(reader: Reader, teachers: Sequence[Colleague]) -> set[str]:
    found = visible_to(groups_of(teachers), reader, teachers, THRESHOLD)
    return {each.key or "everybody" for each in found}


class TestWhatSomebodySees:
    def test_a_teacher_sees_everybody_their_team_and_themselves(self) -> None:
        teachers = colleagues(("Comets", (20, 20, 20)), ("Foxes", (20, 20)))
        assert seen(Reader("t0"), teachers) == {"everybody", "Comets", "t0"}

    def test_their_own_school_and_no_other(self) -> None:
        teachers = colleagues(("", (20,) * 6), schools="aaabbb")
        assert seen(Reader("t0"), teachers) == {"everybody", "a", "t0"}

    def test_of_a_team_of_two_neither_sees_the_team(self) -> None:
        teachers = colleagues(("Comets", (20, 20)), ("Foxes", (20, 20)))
        assert seen(Reader("t0"), teachers) == {"everybody", "t0"}

    def test_where_one_colleague_is_outside_the_team_the_team_is_not_shown(self) -> None:
        # Everybody less the team would be the one outside.
        teachers = colleagues(("Comets", (20, 20, 20)), ("", (20,)))
        assert seen(Reader("t0"), teachers) == {"everybody", "t0"}

    def test_of_a_school_of_two_teachers_each_sees_themselves(self) -> None:
        assert seen(Reader("t0"), colleagues(("", (20, 20)))) == {"t0"}

    def test_colleagues_of_few_families_together_are_not_left_over(self) -> None:
        teachers = colleagues(("Comets", (20, 4, 5)), ("Foxes", (20, 20)))
        assert seen(Reader("t0"), teachers) == {"everybody", "t0"}

    def test_a_leader_of_teams_sees_their_teachers(self) -> None:
        teachers = colleagues(("Comets", (20, 20)), ("Foxes", (20, 20)))
        assert seen(Reader(leads=frozenset({"Foxes"})), teachers) == {"everybody", "Foxes", "t2", "t3"}

    def test_a_leader_of_all_but_one_teacher_does_not_see_everybody(self) -> None:
        teachers = colleagues(("Comets", (20, 20)), ("Foxes", (20,)))
        assert seen(Reader(leads=frozenset({"Comets"})), teachers) == {"Comets", "t0", "t1"}

    def test_a_leader_of_everybody_sees_every_group(self) -> None:
        teachers = colleagues(("Comets", (20, 20)), ("Foxes", (20,)))
        assert len(visible_to(groups_of(teachers), Reader(leads=frozenset()), teachers, THRESHOLD)) == 7

    def test_whoever_has_no_figures_and_leads_nobody_sees_everybody_only(self) -> None:
        assert seen(Reader(), colleagues(("Comets", (20, 20)))) == {"everybody"}


@given(
    st.lists(st.tuples(st.sampled_from(["", "A", "B", "C"]), st.integers(0, 25)), min_size=1, max_size=7),
    st.integers(0, 6),
    st.sets(st.sampled_from(["A", "B", "C"])),
)
@settings(max_examples=300, deadline=None)
def test_what_is_left_over_is_never_one_colleagues_nor_of_few_families(
    given_: list[tuple[str, int]], me: int, leads: set[str]
) -> None:
    teachers = [Colleague(f"t{place}", team, frozenset(), size) for place, (team, size) in enumerate(given_)]
    reader = Reader(f"t{me}" if me < len(teachers) else None, frozenset(leads) or None)
    shown = visible_to(groups_of(teachers), reader, teachers, THRESHOLD)
    known = {each.key for each in shown if each.grouping is Grouping.TEACHER}
    teams = {each.key for each in shown if each.grouping is Grouping.TEAM}
    remainders = [{each for each in teachers if each.team == team and each.mailbox not in known} for team in teams]
    if EVERYBODY in shown:
        outside = {each for each in teachers if each.mailbox not in known}
        for chosen in range(2 ** len(remainders)):
            without = set().union(*(part for place, part in enumerate(remainders) if chosen >> place & 1))
            remainders.append(outside - without) if without <= outside else None
    for left in remainders:
        assert len(left) != 1
        families = sum(each.families for each in left)
        assert not families or families >= THRESHOLD
    assert all(each == reader.mailbox or _team(each, teachers) in leads for each in known)


def _team(mailbox: str, teachers: Sequence[Colleague]) -> str:
    return next(each.team for each in teachers if each.mailbox == mailbox)

"""Whatever is shown, the same is withheld: pages, mails, lists and events put together tell of no group that any of
them keeps to itself."""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from scorecard.events import FamilyEvent, events_behind
from scorecard.judging import Judge, record
from scorecard.places import GroupKey
from scorecard.protection import EVERYBODY as WHOLE_SCHOOL
from scorecard.readers import LEADER
from scorecard.reading import OVERVIEW, WHOLE, Scope, first_look
from scorecard.report import Group, GroupFigures, Indicator
from store.scorecard_tables import Withholding
from tests.scorecard.figures_of_maple import CHEN, DIAZ, FALL, NOW, OKAFOR, RIVERA, TEAMS, Figures, grade, school, with_
from tests.scorecard.spare import empty_database
from tests.scorecard.test_protection import determined

Kinds = Sequence[tuple[int, tuple[GroupKey, ...]]]


@st.composite
def districts(draw: st.DrawFn) -> Kinds:
    """Families of two schools, so many of each kind: their grades, and the teachers whom they have."""
    found = []
    for _kind in range(draw(st.integers(2, 9))):
        name = draw(st.sampled_from(["a", "b"]))
        grades = draw(st.sets(st.sampled_from(["03", "04", "05"]), min_size=1, max_size=2))
        teachers = draw(st.sets(st.sampled_from([RIVERA, OKAFOR, CHEN, DIAZ]), max_size=2))
        groups = {school(name), *(grade(each, name) for each in grades)}
        groups |= {group for each in teachers for group in with_(each)}
        found.append((draw(st.integers(1, 25)), tuple(sorted(groups))))
    return found


@pytest.fixture
def figures() -> Iterator[Figures]:
    with empty_database() as database:
        yield Figures(database)


def displays(figures: Figures) -> Iterator[tuple[GroupFigures, ...]]:
    """Everything that somebody who leads everybody can have shown."""
    shown = figures.report().groups
    scopes = [WHOLE, OVERVIEW, first_look(figures.settings), Scope(school="a"), Scope(school="b"), Scope(school="")]
    scopes += [Scope(team=each) for each in (*set(TEAMS.values()), "")]
    scopes += [Scope(group=(each.group.grouping, each.group.key)) for each in shown]
    for scope in scopes:
        yield figures.report(scope=scope).groups


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(districts(), st.data())
def test_no_two_displays_together_tell_of_a_withheld_group(kinds: Kinds, data: st.DataObject) -> None:
    with empty_database() as database:
        figures = Figures(database)
        families = []
        for number, groups in kinds:
            introduced = data.draw(st.integers(0, number))
            figures.families(number, *groups, introduced=introduced, written=number, answered=introduced)
            families += [frozenset({WHOLE_SCHOOL, *(Group(*group) for group in groups)})] * number
        seen: dict[Group, set[tuple[bool, bool, frozenset[Indicator]]]] = {}
        for display in displays(figures):
            for each in display:
                seen.setdefault(each.group, set()).add((each.withheld, each.counts_withheld, each.hidden))
        assert all(len(said) == 1 for said in seen.values()), "what one withholds another does not"
        hidden = frozenset(group for group, said in seen.items() if any(withheld for withheld, *_ in said))
        whole = {group for group in hidden if sum(group in each for each in families) == len(families)}
        assert determined(hidden, families) <= whole
        assert_lists_name_nobody_withheld(figures, hidden)


def test_the_team_of_a_school_that_goes_with_a_small_one_does_not_tell_of_the_small_one() -> None:
    # Everybody's less the Comets' would be the one family of the small school.
    with empty_database() as database:
        figures = Figures(database)
        figures.families(1, school("a"), grade("03", "a"))
        figures.families(10, school("b"), grade("03", "b"), *with_(RIVERA))
        assert [each.group.key for each in figures.report().groups if not each.withheld] == [""]


def assert_lists_name_nobody_withheld(figures: Figures, hidden: frozenset[Group]) -> None:
    """A list that names families names none of a withheld group."""
    named: dict[Group, set[str]] = {}
    groups = figures.report().groups
    with figures.database.read() as connection:
        for each in groups:
            behind = events_behind(
                connection, figures.settings, figures.calendar, NOW, LEADER,
                (each.group.grouping, each.group.key), Indicator.FIRST_CONTACT,
            )  # fmt: skip
            assert (behind is None) == (each.group in hidden)
            if behind is not None and behind.named:
                named[each.group] = {event.family for event in behind.events if isinstance(event, FamilyEvent)}
        of_hidden = {
            family
            for group in hidden
            for family, groups in figures.standing(connection)
            if (group.grouping, group.key) in groups
        }
    assert all(theirs.isdisjoint(of_hidden) for theirs in named.values())


class TestOnRecord:
    def put_on_record(self, figures: Figures) -> None:
        with figures.database.write() as connection:
            record(connection, [Judge(connection, 10).decision(FALL.id, TEAMS)])

    def withheld(self, figures: Figures) -> set[str]:
        return {each.group.key for each in figures.report().groups if each.withheld}

    def test_what_is_on_record_is_gone_by_while_it_rests_on_the_figures(self, figures: Figures) -> None:
        figures.families(20, grade("04"), *with_(RIVERA))
        figures.families(20, grade("05"), *with_(CHEN))
        self.put_on_record(figures)
        with figures.database.write() as connection:
            text = '{"groups":[["grade","/05"]],"counts":[],"resolution":[],"recovery":[]}'
            connection.execute(update(Withholding).values(withheld=text))
        assert self.withheld(figures) == {"/05"}

    def test_once_it_has_changed_who_belongs_where_it_is_decided_anew(self, figures: Figures) -> None:
        figures.families(20, grade("04"), *with_(RIVERA))
        self.put_on_record(figures)
        # The numbers of a group come onto the page in the transaction that also says so.
        figures.families(5, grade("05"), *with_(CHEN))
        with figures.database.read() as connection:
            assert Judge(connection, 10).undecided({FALL.id: TEAMS}) == [FALL.id]
        assert "/05" in self.withheld(figures)

    def test_it_does_not_hold_for_another_threshold_or_other_teams(self, figures: Figures) -> None:
        figures.families(20, grade("04"), *with_(RIVERA))
        self.put_on_record(figures)
        with figures.database.read() as connection:
            assert Judge(connection, 10).undecided({FALL.id: TEAMS}) == []
            assert Judge(connection, 25).undecided({FALL.id: TEAMS}) == [FALL.id]
            assert Judge(connection, 10).undecided({FALL.id: TEAMS | {DIAZ: "Comets"}}) == [FALL.id]

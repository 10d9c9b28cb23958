"""What a report says of standings on record: figures, weeks, the term before; and what it keeps to itself."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date

import pytest
from sqlalchemy import event, insert

from scorecard.protection import FEWEST_CASES
from scorecard.readers import LEADER, Reader, reader_of
from scorecard.reading import OVERVIEW, WHOLE, Scope, read_report
from scorecard.report import GroupFigures, Indicator, Resolution, Share
from store.scorecard_tables import Grouping, ScorecardState, Told
from tests.scorecard.figures_of_maple import (
    CHEN,
    DIAZ,
    FALL,
    NOW,
    OKAFOR,
    RIVERA,
    SPRING,
    Figures,
    grade,
    school,
    settings_of,
    with_,
)
from tests.scorecard.spare import empty_database

WEEK = date(2026, 9, 7)


@pytest.fixture
def figures() -> Iterator[Figures]:
    with empty_database() as database:
        yield Figures(database)


def of(figures: Figures, grouping: Grouping, key: str = "", **how: object) -> GroupFigures:
    found = figures.report(**how).of(grouping, key)  # type: ignore[arg-type]
    assert found is not None
    return found


class TestFigures:
    def test_shares_are_of_the_families_on_record(self, figures: Figures) -> None:
        figures.families(20, grade("05"), introduced=15, written=12, answered=6)
        figures.families(10, grade("04"), introduced=1, written=10, answered=10)
        whole = of(figures, Grouping.ALL)
        assert (whole.families, whole.first_contact, whole.two_way) == (30, Share(16, 30), Share(16, 22))
        assert of(figures, Grouping.GRADE, "/05").first_contact == Share(15, 20)

    def test_a_first_contact_after_week_four_does_not_count(self, figures: Figures) -> None:
        figures.families(12, introduced=5, day=FALL.fourth_week_ends)
        figures.families(12, introduced=5, day=date(2026, 9, 28))
        assert of(figures, Grouping.ALL).first_contact == Share(5, 24)

    def test_weeks_are_cumulative_and_end_with_the_figure(self, figures: Figures) -> None:
        figures.families(20, introduced=4, day=date(2026, 9, 2))
        figures.families(20, introduced=8, written=8, answered=8, day=date(2026, 9, 16))
        whole = of(figures, Grouping.ALL)
        assert [week.first_contact.met for week in whole.weeks[:4]] == [4, 4, 12, 12]
        assert [week.monday for week in whole.weeks][:2] == [date(2026, 8, 31), WEEK]
        assert len(whole.weeks) == 11  # the week of today, November 9, has begun
        assert (whole.weeks[-1].first_contact, whole.weeks[-1].two_way) == (whole.first_contact, whole.two_way)

    def test_what_happened_in_a_week_without_school_stands_with_the_week_before(self, figures: Figures) -> None:
        figures.families(20, written=3, day=date(2026, 11, 3))
        holiday = {"first": "2026-11-02", "last": "2026-11-06"}
        closed = figures.settings.school.model_copy(update={"holidays": ()})
        settings = figures.settings.model_copy(
            update={"school": type(closed).model_validate(closed.model_dump() | {"holidays": [holiday]})}
        )
        figures.settings = settings
        weeks = {week.monday: week.two_way.of for week in of(figures, Grouping.ALL).weeks}
        assert date(2026, 11, 2) not in weeks
        assert (weeks[date(2026, 10, 19)], weeks[date(2026, 10, 26)]) == (0, 3)

    def test_the_term_before_stands_beside_it(self, figures: Figures) -> None:
        figures.families(20, grade("05"), introduced=15)
        figures.families(20, grade("05"), introduced=5, term=SPRING)
        report = figures.report()
        assert (report.term, report.before) == (FALL, SPRING)
        known = report.before_of(report.groups[0].group)
        assert known is not None
        assert known.first_contact == Share(5, 20)

    def test_a_term_can_be_asked_for_by_its_identifier(self, figures: Figures) -> None:
        figures.families(20, introduced=5, term=SPRING)
        report = figures.report(term=SPRING.id)
        assert (report.term, report.before, report.groups[0].first_contact) == (SPRING, None, Share(5, 20))

    def test_there_is_none_of_a_term_that_there_is_not_or_before_figures_were_made(self, figures: Figures) -> None:
        with figures.database.write() as connection:
            one = (connection, figures.settings, figures.calendar, NOW, LEADER)
            assert read_report(*one, term="settings:Winter") is None
            connection.execute(ScorecardState.__table__.delete())  # type: ignore[attr-defined]
            assert read_report(*one) is None

    def test_conflicts_and_incidents_are_those_on_record(self, figures: Figures) -> None:
        figures.families(20)
        figures.case(date(2026, 9, 1), date(2026, 9, 1))
        figures.case(date(2026, 9, 1), date(2026, 9, 4))
        figures.case(date(2026, 11, 6), None)
        for number in range(12):
            figures.incident(f"s{number}", date(2026, 9, 1), date(2026, 9, 10 if number < 9 else 20))
        figures.incident("young", date(2026, 11, 1), None)
        whole = of(figures, Grouping.ALL)
        assert whole.resolution == Resolution(2, 1, mean=1.5, median=1.5, censored_median=3.0)
        assert whole.recovery == Share(9, 12, pending=1)

    def test_own_counts_are_for_everybody_teams_and_teachers(self, figures: Figures) -> None:
        figures.families(20, *with_(RIVERA), grade("05"))
        figures.families(20, *with_(OKAFOR), grade("05"))
        figures.mail(RIVERA, WEEK, urgent=2, norm_kept=3)
        figures.mail(OKAFOR, date(2026, 9, 14), urgent=1)
        whole = of(figures, Grouping.ALL)
        assert (whole.counts.urgent, whole.counts.norm_kept) == (3, 3)
        assert {monday: counts.urgent for monday, counts in whole.by_week.items()} == {WEEK: 2, date(2026, 9, 14): 1}
        assert of(figures, Grouping.TEAM, "Comets").counts.urgent == 3
        assert of(figures, Grouping.TEACHER, RIVERA).counts.urgent == 2
        assert not of(figures, Grouping.GRADE, "/05").by_week

    def test_without_a_roster_the_own_counts_are_shown(self, figures: Figures) -> None:
        figures.mail(RIVERA, WEEK, urgent=2)
        whole = of(figures, Grouping.ALL)
        assert (whole.families, whole.withheld, whole.counts.urgent) == (0, False, 2)
        assert of(figures, Grouping.TEACHER, RIVERA).counts.urgent == 2


class TestNames:
    def test_groups_are_called_what_people_call_them(self, figures: Figures) -> None:
        figures.school("a", "Maple Street School")
        for name in ("KG", "05", "10", "Ungraded"):
            figures.families(12, school("a"), grade(name, "a"), *with_(RIVERA))
        titles = [each.group.title for each in figures.report().groups]
        assert titles == [
            "Maple Street School",
            "Maple Street School",
            *("Kindergarten", "Grade 5", "Grade 10", "Grade Ungraded"),
            "Comets",
            "Ms. Rivera",
        ]

    def test_of_several_schools_grades_name_theirs(self, figures: Figures) -> None:
        for key, name in (("a", "North"), ("b", "South")):
            figures.school(key, name)
            figures.families(12, school(key), grade("05", key))
        assert of(figures, Grouping.GRADE, "b/05").group.title == "Grade 5, South"
        assert of(figures, Grouping.GRADE, "b/05").group.within == school("b")


class TestWithheld:
    def test_a_small_grade_and_another_show_nothing(self, figures: Figures) -> None:
        for name, number in (("03", 20), ("04", 9), ("05", 20)):
            figures.families(number, grade(name), introduced=3, written=3, answered=2)
        report = figures.report()
        hidden = [each for each in report.groups if each.withheld]
        assert {each.group.key for each in hidden} == {"/03", "/04"}
        for each in hidden:
            assert each == GroupFigures(each.group, withheld=True, counts_withheld=True, hidden=frozenset(Indicator))
        assert of(figures, Grouping.GRADE, "/05").first_contact == Share(3, 20)

    def test_the_term_before_is_decided_by_itself(self, figures: Figures) -> None:
        # Shown beside this term or on its own page, a term withholds the same.
        for name, now, then in (("03", 20, 20), ("04", 20, 9), ("05", 20, 20)):
            figures.families(now, grade(name))
            figures.families(then, grade(name), term=SPRING)
        report, alone = figures.report(), figures.report(term=SPRING.id)
        assert not any(each.withheld for each in report.groups)
        assert {each.group.key for each in report.groups_before if each.withheld} == {"/03", "/04"}
        assert {each.group: each.withheld for each in report.groups_before} == {
            each.group: each.withheld for each in alone.groups
        }

    def test_two_conflicts_are_too_few_and_three_are_not(self, figures: Figures) -> None:
        figures.families(20, grade("04"))
        figures.families(20, grade("05"))
        for number in range(FEWEST_CASES):
            figures.case(date(2026, 9, 1 + number), date(2026, 9, 4), grade("05"))
        assert of(figures, Grouping.GRADE, "/05").resolution.resolved == FEWEST_CASES
        figures.case(date(2026, 9, 1), None, grade("04"))
        hidden = {each.group.key for each in figures.report().groups if Indicator.RESOLUTION in each.hidden}
        assert hidden == {"/04", "/05"}
        assert of(figures, Grouping.GRADE, "/05").resolution == Resolution(0, 0)
        assert of(figures, Grouping.ALL).resolution.open == 1

    def test_recovery_is_withheld_below_the_threshold_of_students(self, figures: Figures) -> None:
        figures.families(20, grade("04"))
        figures.families(20, grade("05"))
        for number in range(9):
            figures.incident(f"s{number}", date(2026, 9, 1), None, grade("05"))
        figures.incident("t", date(2026, 9, 1), None, grade("04"))
        assert of(figures, Grouping.ALL).recovery.of == 10
        for name in ("/04", "/05"):
            assert of(figures, Grouping.GRADE, name).recovery == Share(0, 0)
            assert of(figures, Grouping.GRADE, name).hidden == {Indicator.RECOVERY}

    def test_a_few_pending_students_are_withheld_with_the_rest(self, figures: Figures) -> None:
        figures.families(20)
        for number in range(12):
            figures.incident(f"s{number}", date(2026, 9 if number < 9 else 11, 2), None)
        assert of(figures, Grouping.ALL).recovery == Share(0, 0)

    def test_own_counts_of_one_teacher_are_not_what_the_team_leaves(self, figures: Figures) -> None:
        # By families the small class lies across the others; its mail does not.
        for mailbox in (RIVERA, OKAFOR):
            figures.families(20, *with_(mailbox))
            figures.families(4, *with_(mailbox), (Grouping.TEACHER, DIAZ), (Grouping.TEAM, "Foxes"))
        figures.families(20, *with_(CHEN))
        for mailbox in (RIVERA, OKAFOR, CHEN, DIAZ):
            figures.mail(mailbox, WEEK, urgent=5)
        report = figures.report()
        diaz, chen = report.of(Grouping.TEACHER, DIAZ), report.of(Grouping.TEACHER, CHEN)
        assert diaz is not None
        assert chen is not None
        assert diaz.withheld
        assert chen.counts_withheld or chen.withheld
        assert chen.counts.urgent == 0

    def test_where_all_mail_is_a_withheld_teachers_everybodys_counts_are_too(self, figures: Figures) -> None:
        figures.families(30)
        figures.families(6, *with_(RIVERA))
        figures.mail(RIVERA, WEEK, urgent=5)
        whole = of(figures, Grouping.ALL)
        assert (whole.withheld, whole.counts_withheld, whole.counts.urgent, dict(whole.by_week)) == (False, True, 0, {})

    def test_a_school_of_nine_families_shows_nothing_at_all(self, figures: Figures) -> None:
        figures.families(9, *with_(RIVERA), introduced=9)
        figures.mail(RIVERA, WEEK, urgent=5)
        assert all(each.withheld for each in figures.report().groups)


class TestRestated:
    def tell(
        self, figures: Figures, value: float, monday: date = WEEK, key: tuple[Grouping, str] = (Grouping.ALL, "")
    ) -> None:
        told = {"term": FALL.id, "grouping": key[0], "key": key[1], "monday": monday, "measure": "first_contact"}
        with figures.database.write() as connection:
            connection.execute(insert(Told).values(**told, value=value, told_at=NOW))

    def test_a_figure_that_late_data_changed_is_said_with_both(self, figures: Figures) -> None:
        figures.families(20, introduced=10)
        self.tell(figures, 0.4)
        (said,) = figures.report().restated
        assert (said.indicator, said.monday, said.told, said.now) == (Indicator.FIRST_CONTACT, WEEK, 0.4, 0.5)

    def test_one_that_stands_is_not(self, figures: Figures) -> None:
        figures.families(20, introduced=10)
        self.tell(figures, 0.5)
        assert not figures.report().restated

    def test_it_is_compared_with_its_own_week(self, figures: Figures) -> None:
        figures.families(20, introduced=10, day=date(2026, 9, 15))
        self.tell(figures, 0.0)
        assert not figures.report().restated

    def test_of_a_withheld_group_nothing_is_said(self, figures: Figures) -> None:
        figures.families(20)
        figures.families(5, grade("05"), introduced=5)
        self.tell(figures, 0.4, key=grade("05"))
        assert not figures.report().restated


class TestScopes:
    @pytest.fixture
    def district(self, figures: Figures) -> Figures:
        sizes = {"a": (20, 9, 25), "b": (30, 30, 30), "c": (12, 11, 40)}
        for key, numbers in sizes.items():
            figures.school(key, f"School {key}")
            for name, number in zip(("03", "04", "05"), numbers, strict=True):
                teacher = RIVERA if key == "a" else CHEN
                figures.families(number, school(key), grade(name, key), *with_(teacher), introduced=number // 3)
        figures.families(4, school("a"), grade("03", "a"), *with_(OKAFOR))
        figures.families(15, school("b"), grade("03", "b"), *with_(DIAZ))
        return figures

    @pytest.mark.parametrize("scope", [OVERVIEW, Scope(school="a"), Scope(school="b"), Scope(team="Comets")])
    def test_what_two_scopes_both_show_is_the_same(self, district: Figures, scope: Scope) -> None:
        whole = {each.group: each for each in district.report().groups}
        part = {each.group: each for each in district.report(scope=scope).groups}
        assert part.keys() <= whole.keys()
        assert all(whole[group] == each for group, each in part.items())

    def test_a_district_is_asked_for_its_schools_only(self, district: Figures) -> None:
        groupings = {each.group.grouping for each in district.report(scope=OVERVIEW).groups}
        assert groupings == {Grouping.ALL, Grouping.SCHOOL}

    def test_of_one_school_the_overview_has_grades_and_teams(self, figures: Figures) -> None:
        figures.families(20, grade("05"), *with_(RIVERA))
        groupings = {each.group.grouping for each in figures.report(scope=OVERVIEW).groups}
        assert groupings == {Grouping.ALL, Grouping.GRADE, Grouping.TEAM}

    def test_a_schools_scope_has_its_grades_and_teams(self, district: Figures) -> None:
        keys = {each.group.key for each in district.report(scope=Scope(school="a")).groups}
        assert keys == {"", "a", "b", "c", "a/03", "a/04", "a/05", "Comets"}

    def test_a_teams_scope_has_its_teachers(self, district: Figures) -> None:
        keys = {each.group.key for each in district.report(scope=Scope(team="Comets")).groups}
        assert keys == {"", "a", "b", "c", "Comets", RIVERA, OKAFOR}

    def test_the_number_of_queries_does_not_grow_with_the_groups(self, figures: Figures) -> None:
        def queries() -> int:
            counted: list[str] = []

            def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
                counted.append(statement)

            event.listen(figures.database.engine, "before_cursor_execute", count)
            figures.report(scope=WHOLE)
            event.remove(figures.database.engine, "before_cursor_execute", count)
            return len(counted)

        figures.families(20, school("a"), grade("01", "a"), *with_(RIVERA))
        figures.families(5, school("a"), grade("02", "a"))
        few = queries()
        for number in range(40):
            figures.families(4 if number % 3 else 20, school("a"), grade(f"x{number}", "a"), *with_(CHEN))
        assert queries() == few


class TestReaders:
    @pytest.fixture
    def maple(self, figures: Figures) -> Figures:
        for mailbox in (RIVERA, OKAFOR, CHEN, DIAZ):
            figures.families(20, grade("05"), *with_(mailbox), introduced=10)
            figures.mail(mailbox, WEEK, urgent=3)
        return figures

    def test_a_leader_sees_every_group(self, maple: Figures) -> None:
        assert len(maple.report().groups) == 1 + 1 + 2 + 4

    def test_a_teacher_of_a_team_of_two_sees_themselves_and_no_team_that_gives_the_other_away(
        self, maple: Figures
    ) -> None:
        keys = [(each.group.grouping, each.group.key) for each in maple.report(Reader(RIVERA)).groups]
        assert keys == [(Grouping.ALL, ""), (Grouping.TEACHER, RIVERA)]

    def test_a_teacher_sees_their_own_few_families(self, figures: Figures) -> None:
        figures.families(20, *with_(OKAFOR))
        figures.families(4, *with_(RIVERA), introduced=3)
        figures.families(20, *with_(CHEN))
        own = of(figures, Grouping.TEACHER, RIVERA, reader=Reader(RIVERA))
        assert (own.withheld, own.first_contact) == (False, Share(3, 4))
        assert of(figures, Grouping.TEACHER, RIVERA).withheld

    def test_a_leader_of_a_team_sees_its_teachers_and_no_others(self, maple: Figures) -> None:
        keys = {each.group.key for each in maple.report(Reader(leads=frozenset({"Comets"}))).groups}
        assert keys == {"", "Comets", RIVERA, OKAFOR}

    def test_whoever_leads_and_teaches_nothing_sees_everybody(self, maple: Figures) -> None:
        assert [each.group.key for each in maple.report(Reader()).groups] == [""]

    def test_the_settings_say_who_leads_whom(self) -> None:
        settings = settings_of()
        staff = [
            {"address": "head@maple.example", "name": "Head", "role": "leader"},
            {"address": "coach@maple.example", "name": "Coach", "role": "leader", "leads": ["Comets"]},
            {"address": "it@maple.example", "name": "Kim", "role": "administrator"},
        ]
        settings = type(settings).model_validate(settings.model_dump(exclude={"scorecard"}) | {"staff": staff})
        assert reader_of(settings, "Head@maple.example") == LEADER
        assert reader_of(settings, "coach@maple.example") == Reader(None, frozenset({"Comets"}))
        assert reader_of(settings, RIVERA) == Reader(RIVERA)
        assert reader_of(settings, "it@maple.example") == Reader()


def test_nothing_that_is_withheld_stands_anywhere_in_the_report(figures: Figures) -> None:
    # Numbers that occur nowhere else: 7 families, 6 introduced, 5 written to, 4 two-way.
    figures.families(100, grade("03"), introduced=50, written=50, answered=20)
    figures.families(100, grade("04"), introduced=50, written=50, answered=20)
    figures.families(7, grade("05"), introduced=6, written=5, answered=4)
    for each in figures.report().groups:
        if each.group.key == "/05":
            numbers = [value for value in _leaves(asdict(each)) if isinstance(value, int | float) and value]
            assert numbers == [True, True]  # withheld, and its counts


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, list | tuple | frozenset):
        for each in value:
            yield from _leaves(each)
    else:
        yield value

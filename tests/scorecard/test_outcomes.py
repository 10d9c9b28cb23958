"""Time to resolution and recovery, case by case."""

from collections import Counter
from dataclasses import asdict, replace
from datetime import date, timedelta

import pytest

from config import SchoolCalendar
from config.settings import Holiday, School
from scorecard.outcomes import (
    CountedAs,
    IncidentDays,
    judged_incidents,
    recovered_by,
    resolution,
    students_counted,
)
from scorecard.packing import packed_groups
from scorecard.places import EVERYBODY
from scorecard.report import Resolution, Share
from store.scorecard_tables import IncidentStanding, Measure

DAY = date(2026, 10, 1)  # a Thursday
CALENDAR = SchoolCalendar.of(
    School(name="Maple", timezone="America/Chicago", holidays=(Holiday(first=date(2026, 10, 12)),))
)


def day(number: int) -> date:
    return DAY + timedelta(days=number)


def incident(on: int, student: str = "s1", *, back: int | None = None, again: int | None = None) -> IncidentDays:
    return IncidentDays(
        on, student, day(on), None if back is None else day(back), None if again is None else day(again)
    )


def judged(each: IncidentDays, today: date) -> IncidentDays:
    return replace(each, recovered=recovered_by(each.on_day, each.baseline_day, each.again_on, today))


def recovery(incidents: list[IncidentDays], today: date) -> Share:
    """Everybody's share, from what each student counts as."""
    counts: Counter[Measure] = Counter()
    for student in {each.student for each in incidents}:
        rows = [
            IncidentStanding(**asdict(judged(each, today)), term="t", groups=packed_groups([EVERYBODY]))
            for each in incidents
            if each.student == student
        ]
        counts.update(students_counted(rows)[EVERYBODY])
    return Share(counts[Measure.RECOVERED], counts[Measure.JUDGED], counts[Measure.PENDING])


def resolved(agreed: list[tuple[date, date]], open_: list[date], today: date) -> Resolution:
    return resolution(
        Counter(CALENDAR.school_days_between(*each) for each in agreed),
        Counter(open_),
        lambda opened: CALENDAR.school_days_between(opened, today),
    )


class TestResolution:
    @pytest.mark.parametrize(
        ("opened", "agreed", "days"),
        [
            (date(2026, 10, 1), date(2026, 10, 1), 0),
            (date(2026, 10, 2), date(2026, 10, 5), 1),  # a weekend lies between
            (date(2026, 10, 9), date(2026, 10, 13), 1),  # and a holiday
            (date(2026, 10, 3), date(2026, 10, 4), 0),  # Saturday to Sunday
            (date(2026, 10, 30), date(2026, 11, 2), 1),  # clocks go back on November 1
        ],
    )
    def test_school_days_are_counted_after_the_first(self, opened: date, agreed: date, days: int) -> None:
        found = resolved([(opened, agreed)], [], date(2026, 12, 1))
        assert found == Resolution(1, 0, days, days, days)

    def test_open_ones_count_as_lasting_until_today(self) -> None:
        today = date(2026, 10, 9)
        agreed = [(today, today), (DAY, date(2026, 10, 5)), (DAY, date(2026, 10, 8))]
        assert resolved(agreed, [DAY, DAY], today) == Resolution(3, 2, pytest.approx(7 / 3), 2, 5)

    def test_of_none_there_is_no_time(self) -> None:
        assert resolved([], [], DAY) == Resolution(0, 0)
        assert resolved([], [DAY], day(5)) == Resolution(0, 1)


class TestRecovery:
    def test_back_within_fourteen_days_is_recovered_and_later_is_not(self) -> None:
        assert recovery([incident(0, back=14)], day(15)) == Share(1, 1)
        assert recovery([incident(0, back=15)], day(20)) == Share(0, 1)

    def test_without_a_noted_day_no_further_incident_within_fourteen_days_is_recovered(self) -> None:
        assert recovery([incident(0)], day(15)) == Share(1, 1)
        assert recovery([incident(0, again=15)], day(20)) == Share(1, 1)
        assert recovery([incident(0, again=14)], day(20)) == Share(0, 1)

    def test_a_noted_day_holds_whatever_came_after(self) -> None:
        assert recovery([incident(0, back=3, again=10), incident(10)], day(20)) == Share(1, 1)

    @pytest.mark.parametrize(("today", "share"), [(14, Share(0, 0, 1)), (15, Share(1, 1))])
    def test_fourteen_days_are_over_on_the_fifteenth(self, today: int, share: Share) -> None:
        assert recovery([incident(0)], day(today)) == share

    def test_the_latest_whose_days_are_over_counts(self) -> None:
        # The example of docs/scorecard.md.
        both = [incident(0, again=8), incident(8)]
        assert recovery(both, day(19)) == Share(0, 1)
        assert recovery(both, day(23)) == Share(1, 1)

    def test_of_two_on_one_day_both_have_to_be(self) -> None:
        same = [incident(0, back=2), IncidentDays(99, "s1", day(0), day(20))]
        assert recovery(same, day(30)) == Share(0, 1)

    def test_students_count_once_each(self) -> None:
        several = [incident(0, "s1"), incident(20, "s1"), incident(0, "s2", again=5), incident(5, "s2", back=30)]
        assert recovery([*several, incident(40, "s3")], day(45)) == Share(1, 2, pending=1)

    def test_each_incident_says_what_it_counted_as(self) -> None:
        incidents = [judged(each, day(45)) for each in (incident(0), incident(20), incident(40))]
        said = [counted for _, counted in judged_incidents(incidents)]
        assert said == [CountedAs.EARLIER, CountedAs.RECOVERED, CountedAs.PENDING]

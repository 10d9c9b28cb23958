"""A group's figures of one term from its tallies, cases and incidents. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date

from config import SchoolCalendar
from scorecard.outcomes import CaseDays, IncidentDays, recovery, resolution
from scorecard.report import Counts, Group, GroupFigures, SchoolTerm, Share, Standing
from scorecard.terms import school_weeks
from store.scorecard_tables import OF_MAILBOXES, Measure


@dataclass(frozen=True, slots=True)
class Counted:
    """So many of something in a week."""

    monday: date
    measure: Measure
    n: int


@dataclass(frozen=True, slots=True)
class Weeks:
    """The school weeks of a term that have begun."""

    mondays: Sequence[date]

    @classmethod
    def of(cls, term: SchoolTerm, today: date, calendar: SchoolCalendar) -> "Weeks":
        """Up to the week of `today`, or to the term's last."""
        return cls(school_weeks(term.first, min(today, term.last), calendar))

    def standings(self, tallied: Sequence[Counted]) -> Iterator[Standing]:
        """The shares of families as they stood before the next school week began."""
        sums: dict[Measure, int] = defaultdict(int)
        waiting = sorted(tallied, key=lambda each: each.monday, reverse=True)
        for monday, following in zip(self.mondays, [*self.mondays[1:], date.max], strict=True):
            while waiting and waiting[-1].monday < following:
                sums[waiting[-1].measure] += waiting.pop().n
            yield Standing(monday, _first_contact(sums), _two_way(sums))


def figures(
    group: Group,
    tallied: Sequence[Counted],
    cases: Iterable[CaseDays],
    incidents: Iterable[IncidentDays],
    weeks: Weeks,
    today: date,
    calendar: SchoolCalendar,
) -> GroupFigures:
    """All figures of one group; nothing is withheld yet."""
    sums: dict[Measure, int] = defaultdict(int)
    by_week: dict[date, dict[Measure, int]] = defaultdict(lambda: defaultdict(int))
    for each in tallied:
        sums[each.measure] += each.n
        if each.measure in OF_MAILBOXES:
            by_week[each.monday][each.measure] += each.n
    return GroupFigures(
        group,
        families=sums[Measure.ENROLLED],
        first_contact=_first_contact(sums),
        two_way=_two_way(sums),
        resolution=resolution(cases, today, calendar),
        recovery=recovery(incidents, today),
        counts=_counts(sums),
        weeks=tuple(weeks.standings(tallied)),
        by_week={monday: _counts(numbers) for monday, numbers in sorted(by_week.items()) if any(numbers.values())},
    )


def _first_contact(sums: Mapping[Measure, int]) -> Share:
    return Share(sums.get(Measure.POSITIVE, 0), sums.get(Measure.ENROLLED, 0))


def _two_way(sums: Mapping[Measure, int]) -> Share:
    return Share(sums.get(Measure.TWO_WAY, 0), sums.get(Measure.WRITTEN, 0))


def _counts(sums: Mapping[Measure, int]) -> Counts:
    return Counts(**{each.name: sums.get(Measure(each.name), 0) for each in fields(Counts)})

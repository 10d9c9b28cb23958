"""A group's figures of one term from its numbers. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property

from config import SchoolCalendar
from scorecard.outcomes import resolution
from scorecard.report import Counts, Group, GroupFigures, SchoolTerm, Share, Standing
from scorecard.tally_rows import GroupNumbers
from scorecard.terms import school_weeks
from store.scorecard_tables import OF_FAMILIES, OF_MAILBOXES, Measure

_COUNTS = tuple((each.name, Measure(each.name)) for each in fields(Counts))


@dataclass(frozen=True)
class Weeks:
    """The school weeks of a term that have begun, and how long ago its days are."""

    mondays: Sequence[date]
    today: date
    calendar: SchoolCalendar

    @classmethod
    def of(cls, term: SchoolTerm, today: date, calendar: SchoolCalendar) -> "Weeks":
        """Up to the week of `today`, or to the term's last."""
        return cls(school_weeks(term.first, min(today, term.last), calendar), today, calendar)

    def standings(self, numbers: GroupNumbers) -> Iterator[Standing]:
        """The shares of families as they stood before the next school week began."""
        sums: dict[Measure, int] = defaultdict(int)
        waiting = sorted(
            ((by, measure, n) for measure in OF_FAMILIES for by, n in numbers.get(measure, {}).items()), reverse=True
        )
        for monday, following in zip(self.mondays, [*self._following, "~"], strict=True):
            while waiting and waiting[-1][0] < following:
                _by, measure, n = waiting.pop()
                sums[measure] += n
            yield Standing(monday, _first_contact(sums), _two_way(sums))

    def lasting(self, day: date) -> int:
        """How many school days ago a day is."""
        if day not in self._lasting:
            self._lasting[day] = self.calendar.school_days_between(day, self.today)
        return self._lasting[day]

    @cached_property
    def _following(self) -> Sequence[str]:
        return [monday.isoformat() for monday in self.mondays[1:]]

    @cached_property
    def _lasting(self) -> dict[date, int]:
        return {}


def figures(group: Group, numbers: GroupNumbers, weeks: Weeks) -> GroupFigures:
    """All figures of one group; nothing is withheld yet."""
    sums = {measure: sum(each.values()) for measure, each in numbers.items()}
    by_week: dict[str, dict[Measure, int]] = defaultdict(dict)
    for measure in OF_MAILBOXES:
        for by, n in numbers.get(measure, {}).items():
            by_week[by][measure] = n
    resolved = {int(days): n for days, n in numbers.get(Measure.RESOLVED, {}).items()}
    open_ = {date.fromisoformat(day): n for day, n in numbers.get(Measure.OPEN, {}).items()}
    return GroupFigures(
        group,
        families=sums.get(Measure.ENROLLED, 0),
        first_contact=_first_contact(sums),
        two_way=_two_way(sums),
        resolution=resolution(resolved, open_, weeks.lasting),
        recovery=Share(sums.get(Measure.RECOVERED, 0), sums.get(Measure.JUDGED, 0), sums.get(Measure.PENDING, 0)),
        counts=_counts(sums),
        weeks=tuple(weeks.standings(numbers)),
        by_week={date.fromisoformat(by): _counts(counted) for by, counted in sorted(by_week.items())},
    )


def _first_contact(sums: Mapping[Measure, int]) -> Share:
    return Share(sums.get(Measure.POSITIVE, 0), sums.get(Measure.ENROLLED, 0))


def _two_way(sums: Mapping[Measure, int]) -> Share:
    return Share(sums.get(Measure.TWO_WAY, 0), sums.get(Measure.WRITTEN, 0))


def _counts(sums: Mapping[Measure, int]) -> Counts:
    return Counts(**{name: sums.get(measure, 0) for name, measure in _COUNTS})

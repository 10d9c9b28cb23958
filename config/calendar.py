"""The school's calendar: which days have school, and when the school and its office are open."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from config.settings import WEEKDAYS, Office, School
from config.wallclock import instant

LONGEST_BREAK_DAYS = 400
"""How far a next school day is looked for."""

Stretch = tuple[date, date]
"""First and last day without school."""


class NoSchoolDay(Exception):
    """The calendar has no school day for more than a year: something in it is wrong."""

    def __init__(self, after: date) -> None:
        """`after` is the day from which one was looked for."""
        super().__init__(
            f"the calendar has no school day in the {LONGEST_BREAK_DAYS} days after {after}; "
            "check school.days, school.holidays and school.holidays_ics"
        )


@dataclass(frozen=True, slots=True)
class SchoolCalendar:
    """Answers what day and hour it is for the school. Days are local dates; instants go in aware, in any zone, and come
    out aware in the school's zone. Where clocks are changed the rules of `config.wallclock` hold."""

    zone: ZoneInfo
    weekdays: frozenset[int]
    """Weekdays with school, Monday is 0."""
    opens: time
    closes: time
    office_opens: time
    office_closes: time
    breaks: tuple[Stretch, ...] = ()
    """Stretches without school, in order, not touching."""
    warnings: tuple[str, ...] = ()
    """What an administrator should know about the holiday file, in whole sentences."""

    @classmethod
    def of(cls, school: School, office: Office | None = None) -> "SchoolCalendar":
        """The calendar of a school. Reads `holidays_ics` where there is one; raises `ConfigError` where that file is
        unreadable. Without an office, the office keeps the school's hours."""
        stretches = [(holiday.first, holiday.last or holiday.first) for holiday in school.holidays]
        warnings: tuple[str, ...] = ()
        if school.holidays_ics is not None:
            from config.ics import read_holidays  # noqa: PLC0415  (a fifth of a second, for those who have such a file)

            file = read_holidays(school.holidays_ics)
            stretches += file.stretches
            warnings = file.warnings
        return cls(
            zone=school.zone,
            weekdays=frozenset(WEEKDAYS.index(day) for day in school.days),
            opens=school.opens,
            closes=school.closes,
            office_opens=(office and office.opens) or school.opens,
            office_closes=(office and office.closes) or school.closes,
            breaks=_merged(stretches),
            warnings=warnings,
        )

    def without(self, stretches: Iterable[Stretch]) -> "SchoolCalendar":
        """This calendar, as if there were no school on these days either: somebody's own, who is away then."""
        return replace(self, breaks=_merged([*self.breaks, *stretches]))

    def is_school_day(self, day: date) -> bool:
        """Whether there is school on `day`."""
        if day.weekday() not in self.weekdays:
            return False
        before = bisect_right(self.breaks, (day, date.max)) - 1
        return before < 0 or self.breaks[before][1] < day

    def next_school_day(self, day: date) -> date:
        """The first school day after `day`. Raises `NoSchoolDay`."""
        for ahead in range(1, min(LONGEST_BREAK_DAYS, (date.max - day).days) + 1):
            if self.is_school_day(later := day + timedelta(days=ahead)):
                return later
        raise NoSchoolDay(day)

    def add_school_days(self, day: date, count: int) -> date:
        """The `count`-th school day after `day`; for 0, `day` itself or the next school day. Raises `NoSchoolDay`, and
        ValueError for a negative count."""
        if count < 0:
            raise ValueError(f"school days are counted forward only, not {count}")
        if count == 0:
            return day if self.is_school_day(day) else self.next_school_day(day)
        for _ in range(count):
            day = self.next_school_day(day)
        return day

    def school_days_between(self, start: date, end: date) -> int:
        """How many school days come after `start`, up to and including `end`; 0 where `end` is not later."""
        return sum(self.is_school_day(start + timedelta(days=ahead)) for ahead in range(1, (end - start).days + 1))

    def break_between(self, start: date, end: date) -> Stretch | None:
        """The first holidays with a day after `start` and up to `end`; None where there are none. Free weekdays are no
        holidays, though holidays may hold some."""
        return next((stretch for stretch in self.breaks if start < stretch[1] and stretch[0] <= end), None)

    def opens_at(self, day: date) -> datetime:
        """When the school opens on `day`, whether or not there is school."""
        return instant(datetime.combine(day, self.opens), self.zone)

    def closes_at(self, day: date) -> datetime:
        """When the school closes on `day`, whether or not there is school."""
        return instant(datetime.combine(day, self.closes), self.zone)

    def is_open(self, at: datetime) -> bool:
        """Whether school is in session: from the opening up to, not including, the closing of a school day."""
        return self._is_between(at, self.opens, self.closes)

    def next_opening(self, at: datetime) -> datetime:
        """The first opening of the school at or after `at`. Raises `NoSchoolDay`."""
        return self._next(at, self.opens)

    def office_is_open(self, at: datetime) -> bool:
        """Whether the office answers its phone: on school days, from its opening up to, not including, its closing."""
        return self._is_between(at, self.office_opens, self.office_closes)

    def office_opens_at(self, at: datetime) -> datetime:
        """The first opening of the office at or after `at`. Raises `NoSchoolDay`."""
        return self._next(at, self.office_opens)

    def _is_between(self, at: datetime, opens: time, closes: time) -> bool:
        day = at.astimezone(self.zone).date()
        if not self.is_school_day(day):
            return False
        # Python compares two times of one zone by their digits; as instants only across zones (PEP 495).
        moment = at.timestamp()
        start, end = (instant(datetime.combine(day, of_day), self.zone).timestamp() for of_day in (opens, closes))
        return start <= moment < end

    def _next(self, at: datetime, opens: time) -> datetime:
        day = at.astimezone(self.zone).date()
        if self.is_school_day(day):
            opening = instant(datetime.combine(day, opens), self.zone)
            if opening.timestamp() >= at.timestamp():
                return opening
        return instant(datetime.combine(self.next_school_day(day), opens), self.zone)


def _merged(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    merged: list[Stretch] = []
    for first, last in sorted(stretches):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return tuple(merged)

"""Time to resolution and behavior recovery, from the cases and incidents that count for a group. Pure.

docs/scorecard.md says in plain words what is computed here.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from statistics import fmean, median

from config import SchoolCalendar
from scorecard.report import Resolution, Share
from scorecard.survival import Lasted, censored_median

RECOVERY_DAYS = timedelta(days=14)
"""Within so many days of an incident a student is to be back to baseline."""


@dataclass(frozen=True, slots=True)
class CaseDays:
    """A conflict case: when it opened, and when a plan was agreed."""

    case_id: int
    opened_on: date
    agreed_on: date | None = None

    def lasted(self, today: date, calendar: SchoolCalendar) -> Lasted:
        """In school days; an open one until today."""
        return Lasted(
            calendar.school_days_between(self.opened_on, self.agreed_on or today), over=self.agreed_on is not None
        )


@dataclass(frozen=True, slots=True)
class IncidentDays:
    """An incident of a student's."""

    incident_id: int
    student: str
    on_day: date
    baseline_day: date | None = None
    again_on: date | None = None
    """The student's next later day with an incident."""

    def is_over(self, today: date) -> bool:
        """Whether its fourteen days are."""
        return today > self.on_day + RECOVERY_DAYS

    @property
    def recovered(self) -> bool:
        """Back to baseline within fourteen days; where nobody noted when, without another incident in them."""
        if self.baseline_day is not None:
            return self.baseline_day <= self.on_day + RECOVERY_DAYS
        return self.again_on is None or self.again_on > self.on_day + RECOVERY_DAYS


class Counted(StrEnum):
    """What an incident counted as."""

    RECOVERED = "recovered"
    NOT_RECOVERED = "not recovered"
    PENDING = "pending"
    """Its fourteen days are not over."""
    EARLIER = "earlier"
    """The student's latest whose fourteen days are over is what counts."""


def resolution(cases: Iterable[CaseDays], today: date, calendar: SchoolCalendar) -> Resolution:
    """How long these took; the open ones are censored today."""
    lasted = [case.lasted(today, calendar) for case in cases]
    over = [each.days for each in lasted if each.over]
    return Resolution(
        resolved=len(over),
        open=len(lasted) - len(over),
        mean=fmean(over) if over else None,
        median=float(median(over)) if over else None,
        censored_median=None if (days := censored_median(lasted)) is None else float(days),
    )


def recovery(incidents: Iterable[IncidentDays], today: date) -> Share:
    """Of the students with an incident whose fourteen days are over, those who were back to baseline within fourteen
    days of their latest such; pending are those who have only younger ones."""
    judged = dict(judged_incidents(incidents, today))
    by_student: Mapping[str, set[Counted]] = defaultdict(set)
    for incident, counted in judged.items():
        by_student[incident.student].add(counted)
    ripe = [each for each in by_student.values() if each != {Counted.PENDING}]
    # Two on one day: both have to be over and done.
    met = sum(Counted.NOT_RECOVERED not in each for each in ripe)
    return Share(met, len(ripe), pending=len(by_student) - len(ripe))


def judged_incidents(incidents: Iterable[IncidentDays], today: date) -> Iterator[tuple[IncidentDays, Counted]]:
    """Each incident with what it counts as."""
    by_student: dict[str, list[IncidentDays]] = defaultdict(list)
    for incident in incidents:
        by_student[incident.student].append(incident)
    for student in sorted(by_student):
        latest = max((each.on_day for each in by_student[student] if each.is_over(today)), default=None)
        for incident in sorted(by_student[student], key=lambda each: (each.on_day, each.incident_id)):
            if not incident.is_over(today):
                yield incident, Counted.PENDING
            elif incident.on_day != latest:
                yield incident, Counted.EARLIER
            else:
                yield incident, Counted.RECOVERED if incident.recovered else Counted.NOT_RECOVERED

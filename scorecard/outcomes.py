"""Time to resolution and behavior recovery, from the cases and incidents that count for a group. Pure.

docs/scorecard.md says in plain words what is computed here.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from statistics import fmean, median
from typing import Protocol

from scorecard.packing import groups_in
from scorecard.places import GroupKey
from scorecard.report import Resolution
from scorecard.survival import Lasted, censored_median
from store.scorecard_tables import Measure

RECOVERY_DAYS = timedelta(days=14)
"""Within so many days of an incident a student is to be back to baseline."""


@dataclass(frozen=True, slots=True)
class CaseDays:
    """A conflict case: when it opened, and when a plan was agreed."""

    case_id: int
    opened_on: date
    agreed_on: date | None = None
    school_days: int | None = None
    """From the one to the other; None for an open one."""


class IncidentRow(Protocol):
    """An incident in a term, as it is kept (`store.scorecard_tables.IncidentStanding`)."""

    @property
    def on_day(self) -> date:
        """Its day."""

    @property
    def recovered(self) -> bool | None:
        """Whether the student was back to baseline in time; None while the time runs."""

    @property
    def groups(self) -> str:
        """The groups that it counts for."""


@dataclass(frozen=True, slots=True)
class IncidentDays:
    """An incident of a student's."""

    incident_id: int
    student: str
    on_day: date
    baseline_day: date | None = None
    again_on: date | None = None
    """The student's next later day with an incident."""
    recovered: bool | None = None
    """Whether the student was back to baseline in time; None while the time runs."""


class CountedAs(StrEnum):
    """What an incident counted as."""

    RECOVERED = "recovered"
    NOT_RECOVERED = "not recovered"
    PENDING = "pending"
    """Its fourteen days are not over."""
    EARLIER = "earlier"
    """The student's latest whose fourteen days are over is what counts."""


def resolution(resolved: Mapping[int, int], open_: Mapping[date, int], lasting: Callable[[date], int]) -> Resolution:
    """How long cases took: so many each number of school days; and how long those take that are open, so many since
    each day. `lasting` says how many school days ago that is; they are censored today."""
    over = sorted(days for days, n in resolved.items() for _each in range(n))
    lasted = Counter({Lasted(days, over=True): n for days, n in resolved.items()})
    for opened_on, n in open_.items():
        lasted[Lasted(lasting(opened_on), over=False)] += n
    return Resolution(
        resolved=len(over),
        open=sum(open_.values()),
        mean=fmean(over) if over else None,
        median=float(median(over)) if over else None,
        censored_median=None if (days := censored_median(lasted)) is None else float(days),
    )


def students_counted(incidents: Iterable[IncidentRow]) -> dict[GroupKey, list[Measure]]:
    """What one student counts as in each group, with all of their incidents in a term."""
    by_group: dict[GroupKey, list[tuple[date, bool]]] = {}
    for each in incidents:
        for group in groups_in(each.groups):
            over = by_group.setdefault(group, [])
            if each.recovered is not None:
                over.append((each.on_day, each.recovered))
    found: dict[GroupKey, list[Measure]] = {}
    for group, over in by_group.items():
        latest = max(over, default=None)
        if latest is None:
            found[group] = [Measure.PENDING]
        else:
            # Two on one day: both have to be over and done.
            met = all(recovered for on_day, recovered in over if on_day == latest[0])
            found[group] = [Measure.JUDGED, *([Measure.RECOVERED] if met else [])]
    return found


def recovered_by(on_day: date, baseline_day: date | None, again_on: date | None, today: date) -> bool | None:
    """Whether a student was back to baseline within fourteen days of an incident: on the day that the list gives, or,
    where nobody noted one, without another incident in them. None while they are not over."""
    if today <= on_day + RECOVERY_DAYS:
        return None
    if baseline_day is not None:
        return baseline_day <= on_day + RECOVERY_DAYS
    return again_on is None or again_on > on_day + RECOVERY_DAYS


def judged_incidents(incidents: Iterable[IncidentDays]) -> Iterator[tuple[IncidentDays, CountedAs]]:
    """Each incident with what it counts as."""
    by_student: dict[str, list[IncidentDays]] = defaultdict(list)
    for incident in incidents:
        by_student[incident.student].append(incident)
    for student in sorted(by_student):
        latest = max((each.on_day for each in by_student[student] if each.recovered is not None), default=None)
        for incident in sorted(by_student[student], key=lambda each: (each.on_day, each.incident_id)):
            if incident.recovered is None:
                yield incident, CountedAs.PENDING
            elif incident.on_day != latest:
                yield incident, CountedAs.EARLIER
            else:
                yield incident, CountedAs.RECOVERED if incident.recovered else CountedAs.NOT_RECOVERED

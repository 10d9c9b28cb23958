"""The events behind a figure: identifiers and days, no text. A figure can be computed again from what stands here.

A list is a figure of many families, so it keeps to the same rules: there is none of a group that is withheld, or that
is not the reader's to see. And where a group holds families of a withheld one, its list names none: with identifiers,
what the lists of other groups do not hold would be the withheld group's.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeVar

from sqlalchemy import Connection, select
from sqlmodel import col

from config import SchoolCalendar
from config.settings import Settings
from scorecard.guarding import Kept
from scorecard.happenings import happened
from scorecard.outcomes import CaseDays, judged_incidents
from scorecard.packing import named_in, standings_in
from scorecard.places import GroupKey, Places
from scorecard.readers import Reader
from scorecard.reading import Scope, open_term
from scorecard.report import Group, GroupFigures, Indicator, SchoolTerm
from scorecard.roster_slice import read_mailboxes, read_places, students_of_families
from scorecard.standings import Happened
from scorecard.tally_rows import cases_in, incidents_in
from scorecard.term_figures import Term
from scorecard.terms import contact_day
from store.scorecard_tables import FamilyStanding, Grouping


@dataclass(frozen=True, slots=True)
class FamilyEvent:
    """How a family counted. Records are "message" or "contact" and a number; empty where the list names none."""

    family: str
    """A random identifier."""
    counted: str
    positive: date | None = None
    positive_record: str = ""
    written: date | None = None
    written_record: str = ""
    answered: date | None = None
    answered_record: str = ""


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """How a conflict counted."""

    case: str
    """Its number."""
    counted: str
    opened: date
    agreed: date | None
    school_days: int
    """Until a plan was agreed, or until now."""


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """How an incident counted."""

    student: str
    """As the school's lists identify them."""
    incident: str
    """Its number."""
    counted: str
    day: date
    baseline: date | None
    again: date | None
    """The student's next later day with an incident."""


Event = FamilyEvent | CaseEvent | IncidentEvent
_E = TypeVar("_E", FamilyEvent, CaseEvent)


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind a figure."""

    term: SchoolTerm
    figures: GroupFigures
    """Of the group."""
    indicator: Indicator
    named: bool
    """Whether families, students, cases and records are named."""
    total: int
    """How many events there are, shown here or not."""
    events: Sequence[Event]


def events_behind(
    connection: Connection,
    settings: Settings,
    calendar: SchoolCalendar,
    now: datetime,
    reader: Reader,
    group: GroupKey,
    indicator: Indicator,
    *,
    term: str | None = None,
    first: int = 0,
    most: int | None = None,
) -> Behind | None:
    """The events behind a group's figure in a term, `most` of them from the `first` on. None where the figure is not
    shown to this reader: nobody learns whether it is withheld, not theirs, or not there."""
    opened = open_term(connection, settings, calendar, now, reader, term=term, scope=Scope(group=group))
    if opened is None:
        return None
    this = opened.terms[opened.this.id]
    figures = next(
        (each for each in opened.figures(opened.this) if (each.group.grouping, each.group.key) == group), None
    )
    if figures is None or figures.withheld or indicator in figures.hidden:
        return None
    listing = _Listing(connection, settings, this, figures.group, _hidden(opened.kept(opened.this), indicator))
    named, events = listing.of(indicator)
    page = events[first : None if most is None else first + most]
    shown = listing.recorded(page) if named else page
    return Behind(this.term, figures, indicator, named, len(events), shown)


def _hidden(kept: Kept, indicator: Indicator) -> frozenset[Group]:
    return kept.groups | kept.indicators.get(indicator, frozenset())


@dataclass(frozen=True, slots=True)
class _Listing:
    connection: Connection
    settings: Settings
    term: Term
    group: Group
    hidden: frozenset[Group]

    @property
    def _key(self) -> GroupKey:
        return self.group.grouping, self.group.key

    def of(self, indicator: Indicator) -> tuple[bool, Sequence[Event]]:
        """Whether they are named, and all events, without records."""
        match indicator:
            case Indicator.RESOLUTION:
                return self.cases()
            case Indicator.RECOVERY:
                return self.incidents()
            case _:
                return self.families(indicator)

    def families(self, indicator: Indicator) -> tuple[bool, list[FamilyEvent]]:
        of, hidden = FamilyStanding, self._hidden_keys()
        query = select(col(of.family), col(of.standings)).where(
            col(of.term) == self.term.term.id, col(of.standings).contains(named_in(self._key), autoescape=True)
        )
        events: list[FamilyEvent] = []
        named = True
        for family, text in self.connection.execute(query):
            standings = standings_in(text)
            stands = standings.get(self._key)
            if stands is None:
                continue
            if indicator is Indicator.FIRST_CONTACT and stands.enrolled:
                counted = _introduced(stands.positive_on, contact_day(self.term.term))
                events.append(FamilyEvent(family, counted, positive=stands.positive_on))
            elif indicator is Indicator.TWO_WAY and stands.written_on is not None:
                counted = "two-way" if stands.answered_on is not None else "one-way"
                events.append(FamilyEvent(family, counted, written=stands.written_on, answered=stands.answered_on))
            else:
                continue
            named = named and hidden.isdisjoint(standings)
        if not named:
            return False, _numbered(events, lambda each, name: replace(each, family=name))
        return True, sorted(events, key=lambda each: each.family)

    def cases(self) -> tuple[bool, list[CaseEvent]]:
        rows = list(cases_in(self.connection, self.term.term.id, self._key))
        events = [self._case(case) for case, _groups in rows]
        hidden = self._hidden_keys()
        if not all(hidden.isdisjoint(groups) for _case, groups in rows):
            return False, _numbered(events, lambda each, name: replace(each, case=name))
        return True, sorted(events, key=lambda each: int(each.case))

    def _case(self, case: CaseDays) -> CaseEvent:
        days = self.term.weeks.lasting(case.opened_on) if case.school_days is None else case.school_days
        counted = "open" if case.agreed_on is None else "resolved"
        return CaseEvent(str(case.case_id), counted, case.opened_on, case.agreed_on, days)

    def incidents(self) -> tuple[bool, list[IncidentEvent]]:
        rows = list(incidents_in(self.connection, self.term.term.id))
        mine = [incident for incident, groups in rows if self._key in groups]
        events = [
            IncidentEvent(
                each.student,
                str(each.incident_id),
                str(counted),
                each.on_day,
                each.baseline_day,
                each.again_on,
            )
            for each, counted in judged_incidents(mine)
        ]
        hidden = self._hidden_keys()
        others = {incident.student for incident, groups in rows if not hidden.isdisjoint(groups)}
        if others.isdisjoint(each.student for each in events):
            return True, events
        names: dict[str, str] = {}
        for event in sorted(events, key=lambda each: (each.day, each.counted)):
            names.setdefault(event.student, f"{len(names) + 1}")
        bare = [replace(each, student=names[each.student], incident="") for each in events]
        return False, sorted(bare, key=lambda each: (int(each.student), each.day))

    def recorded(self, events: Sequence[Event]) -> Sequence[Event]:
        """The same, for families with where each day's event stands on record."""
        families = [each.family for each in events if isinstance(each, FamilyEvent)]
        if not families:
            return events
        term, today = self.term.term, self.term.today
        mailboxes = read_mailboxes(self.connection, self.settings)
        students = students_of_families(self.connection, families)
        places = read_places(self.connection, students, mailboxes)
        zone = self.term.calendar.zone
        by_student = happened(self.connection, students, places, (term.first, term.last), mailboxes.names, zone)
        by_family: dict[str, list[Happened]] = defaultdict(list)
        for student in sorted(students):
            family = places.family_in(student, term, today)
            by_family[family or ""] += [each for each in by_student.get(student, ()) if self._concerns(each, places)]
        return [_with_records(each, by_family[each.family]) for each in events if isinstance(each, FamilyEvent)]

    def _concerns(self, event: Happened, places: Places) -> bool:
        """Whether an event counts for the group: a teacher's and a team's are their own."""
        match self.group.grouping:
            case Grouping.TEACHER:
                return event.mailbox == self.group.key
            case Grouping.TEAM:
                return places.team(event.mailbox, event.day) == self.group.key
            case _:
                return True

    def _hidden_keys(self) -> set[GroupKey]:
        return {(group.grouping, group.key) for group in self.hidden}


def _introduced(positive_on: date | None, last: date) -> str:
    if positive_on is None:
        return "not yet"
    return "introduced" if positive_on <= last else "later"


def _numbered(events: Iterable[_E], named: Callable[[_E, str], _E]) -> list[_E]:
    """Without names, in an order that tells none: by what they count as, and when."""
    bare = sorted((named(each, "") for each in events), key=repr)
    return [named(each, str(number)) for number, each in enumerate(bare, start=1)]


def _with_records(event: FamilyEvent, events: Sequence[Happened]) -> FamilyEvent:
    def first(day: date | None, counts: Callable[[Happened], bool]) -> str:
        mine = (each for each in events if counts(each) and day is not None and each.day <= day)
        found = min(mine, key=lambda each: (each.day, each.record), default=None)
        return found.record if found is not None else ""

    return replace(
        event,
        positive_record=first(event.positive, lambda each: each.positive),
        written_record=first(event.written, lambda each: each.to_family and each.day == event.written),
        answered_record=first(event.answered, lambda each: each.from_family),
    )

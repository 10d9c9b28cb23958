"""Keeps the figures right while records are erased: those of terms that are over stay as they were counted, with nobody
behind them; those of a term that runs are counted without.

All of it happens in the transaction that erases, over a version of the figures that nobody else steps on meanwhile
(decision 12), so that a kill leaves either everything or nothing done.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlmodel import SQLModel, col

from autoresponder.cases import CaseState
from config import SchoolCalendar
from config.settings import Settings
from scorecard.carried import carry
from scorecard.computing import Computing
from scorecard.mailbox_weeks import CountedWeek, WeekKey
from scorecard.report import SchoolTerm
from scorecard.roster_slice import read_mailboxes
from scorecard.terms import terms_of
from scorecard.work import Resolver, Work
from scorecard.writing import write
from store.case_tables import ConflictCase
from store.chunks import chunks
from store.contact_tables import Incident
from store.scorecard_tables import CaseStanding, FamilyStanding, IncidentStanding, MarkKind, ScorecardState


@dataclass(frozen=True, slots=True)
class Leaving:
    """What is about to be erased."""

    messages: frozenset[int] = frozenset()
    items: frozenset[int] = frozenset()
    cases: frozenset[int] = frozenset()
    families: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()
    students: frozenset[str] = frozenset()
    incidents: frozenset[int] = frozenset()


@dataclass(slots=True)
class ErasedFigures:
    """Create it before anything is erased, in the erasing transaction; then `erasing`, erase, and `settle`."""

    connection: Connection
    settings: Settings
    calendar: SchoolCalendar
    now: datetime
    terms: list[SchoolTerm] = field(init=False)
    _computing: Computing | None = field(init=False, default=None)
    """What counts; None where nothing is erased that figures rest on."""
    _work: Work = field(init=False, default_factory=Work)
    _before: Mapping[WeekKey, CountedWeek] = field(init=False, default_factory=dict)
    _kept: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """From here on nobody else brings the figures up to date until the transaction ends."""
        state = update(ScorecardState).values(version=col(ScorecardState.version) + 1)
        self._kept = self.connection.execute(state).rowcount > 0
        self.terms = terms_of(self.connection, self.settings, self.calendar, self._today)

    def erasing(self, leaving: Leaving) -> None:
        """Looks at what these records count for, while they are still there."""
        if not self._kept:
            return
        marks = [(MarkKind.MESSAGE, str(each)) for each in sorted(leaving.messages)]
        marks += [(MarkKind.ITEM, str(each)) for each in sorted(leaving.items)]
        marks += [(MarkKind.ADDRESS, each) for each in sorted(leaving.addresses)]
        marks += [(MarkKind.STUDENT, each) for each in sorted(leaving.students)]
        work = Resolver(self.connection, self.calendar.zone, self.terms).resolve(marks)
        running = {term.id for term in self.terms} - self._over()
        for term in running:  # others whom it concerns: a family that one of the students once was of, with others
            work.in_terms[term] |= work.families
        for term in work.in_terms.keys() - running:
            work.in_terms[term].clear()
        work.cases |= leaving.cases
        work.families = set(leaving.families)
        work.incidents |= leaving.students
        self._work = work
        mailboxes = read_mailboxes(self.connection, self.settings)
        self._computing = Computing(
            self.connection, self.settings, self.calendar, self.terms, self._today, self.now, mailboxes
        )
        self._before = self._computing.counting().count(work.weeks)
        for table, column, values in _standings(leaving):
            for some in chunks(sorted(values)):
                gone = delete(table).where(col(column).in_(some))
                self.connection.execute(gone.where(col(table.term).not_in(sorted(running))))  # type: ignore[attr-defined]
        for table, values, how in (
            (Incident, leaving.incidents, {"withdrawn_at": self.now}),
            (ConflictCase, leaving.cases, {"state": CaseState.NO_CONFLICT}),
        ):
            for some in chunks(sorted(values)):  # so that they count nowhere while the rest is worked out
                self.connection.execute(update(table).where(col(table.id).in_(some)).values(**how))

    def settle(self) -> None:
        """Brings the figures up to date with what is left. Only then may cases and incidents go."""
        if self._computing is None:
            return
        after, over = self._computing.counting().count(self._work.weeks), self._over()
        more: dict[WeekKey, Counter[Any]] = {}
        for week, counted in self._before.items():
            lost = Counter(counted.numbers)
            lost.subtract(after[week].numbers if week in after else Counter())
            carried = Counter({key: n for key, n in lost.items() if n and key[0] in over})
            if carried:
                more[week] = carried
        carry(self.connection, more)
        write(self.connection, self._computing.differences(self._work))

    def _over(self) -> frozenset[str]:
        """Identifiers of terms of which the figures are closed."""
        return frozenset(term.id for term in self.terms if term.last < self._today)

    @property
    def _today(self) -> date:
        return self.now.astimezone(self.calendar.zone).date()


def families_standing(connection: Connection, families: Collection[str]) -> int:
    """How many standings of these families there are."""
    of = FamilyStanding
    return len(connection.execute(select(col(of.term)).where(col(of.family).in_(sorted(families)))).all())


def _standings(leaving: Leaving) -> tuple[tuple[type[SQLModel], Any, Collection[Any]], ...]:
    return (
        (FamilyStanding, FamilyStanding.family, leaving.families),
        (CaseStanding, CaseStanding.case_id, leaving.cases),
        (IncidentStanding, IncidentStanding.student, leaving.students),
        (IncidentStanding, IncidentStanding.incident_id, leaving.incidents),
    )

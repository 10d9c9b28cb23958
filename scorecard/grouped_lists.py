"""Which conflict cases and which incidents count for which groups and terms."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from sqlalchemy import Connection, select
from sqlmodel import col

from autoresponder.cases import CaseState
from autoresponder.family import person
from config import SchoolCalendar
from scorecard.outcomes import recovered_by
from scorecard.packing import packed_groups
from scorecard.places import EVERYBODY, GroupKey, Places
from scorecard.report import SchoolTerm
from scorecard.roster_slice import Mailboxes, Query, read_places, rows_in, students_of_addresses
from scorecard.terms import containing
from store.case_tables import CaseMail, ConflictCase
from store.contact_tables import Incident
from store.scorecard_tables import CaseStanding, Grouping, IncidentStanding
from store.tables import MessageRecord


@dataclass(frozen=True, slots=True)
class Lists:
    """Reads them. `today` is the school's day."""

    connection: Connection
    terms: Sequence[SchoolTerm]
    mailboxes: Mailboxes
    calendar: SchoolCalendar
    today: date

    def cases(self, numbers: Collection[int]) -> Iterator[CaseStanding]:
        """Those of these cases that are conflicts."""
        of = ConflictCase
        query: Query = select(
            col(of.id), col(of.mailbox), col(of.opened_at), col(of.agreed_at)
        ).where(col(of.state) != CaseState.NO_CONFLICT)  # fmt: skip
        rows = list(rows_in(self.connection, query, of.id, numbers))
        if not rows:
            return
        writers = self._writers({row.id for row in rows})
        addresses = {address for each in writers.values() for address in each}
        students = students_of_addresses(self.connection, addresses)
        places = read_places(self.connection, students, self.mailboxes)
        for row in rows:
            opened_on = row.opened_at.astimezone(self.calendar.zone).date()
            agreed_on = None if row.agreed_at is None else row.agreed_at.astimezone(self.calendar.zone).date()
            groups = _groups_of_case(row.mailbox, opened_on, writers.get(row.id, ()), places)
            for term in containing(self.terms, opened_on):
                yield CaseStanding(
                    case_id=row.id,
                    term=term.id,
                    opened_on=opened_on,
                    agreed_on=agreed_on,
                    school_days=None if agreed_on is None else self.calendar.school_days_between(opened_on, agreed_on),
                    groups=packed_groups(groups),
                )

    def incidents(self, students: Collection[str]) -> Iterator[IncidentStanding]:
        """The incidents of these students."""
        of = Incident
        query: Query = select(
            col(of.id), col(of.student), col(of.on_day), col(of.baseline_day)
        ).where(col(of.withdrawn_at).is_(None))  # fmt: skip
        rows = list(rows_in(self.connection, query, of.student, students))
        if not rows:
            return
        again = _next_days((row.student, row.on_day) for row in rows)
        places = read_places(self.connection, {row.student for row in rows}, self.mailboxes)
        for row in rows:
            groups = places.groups([row.student], row.on_day) | {EVERYBODY}
            again_on = again.get((row.student, row.on_day))
            for term in containing(self.terms, row.on_day):
                yield IncidentStanding(
                    incident_id=row.id,
                    term=term.id,
                    student=row.student,
                    on_day=row.on_day,
                    baseline_day=row.baseline_day,
                    again_on=again_on,
                    recovered=recovered_by(row.on_day, row.baseline_day, again_on, self.today),
                    groups=packed_groups(groups),
                )

    def _writers(self, numbers: Collection[int]) -> dict[int, set[str]]:
        """The addresses that the messages of each case were written from."""
        query: Query = select(col(CaseMail.case_id), col(MessageRecord.sender)).join(
            MessageRecord, col(MessageRecord.id) == col(CaseMail.message_id)
        )
        found: dict[int, set[str]] = defaultdict(set)
        for row in rows_in(self.connection, query, CaseMail.case_id, numbers):
            if row.sender:
                found[row.case_id].add(person(row.sender))
        return found


def _groups_of_case(mailbox: str, day: date, writers: Iterable[str], places: Places) -> set[GroupKey]:
    """Everybody, the teacher and their team; school and grade of the writers' children in the teacher's classes, or,
    where none is in one, of all their children."""
    groups: set[GroupKey] = {EVERYBODY, (Grouping.TEACHER, mailbox)}
    team = places.team(mailbox, day)
    if team:
        groups.add((Grouping.TEAM, team))
    children = {student for address in writers for student in places.students_of(address, day)}
    taught = {student for student in children if mailbox in places.teachers(student, day)}
    for student in taught or children:
        if places.is_enrolled(student, day):
            groups |= places.schools_and_grades(student, day)
    return groups


def _next_days(incidents: Iterable[tuple[str, date]]) -> dict[tuple[str, date], date]:
    """The next later day with an incident of the same student."""
    days: dict[str, set[date]] = defaultdict(set)
    for student, day in incidents:
        days[student].add(day)
    return {(student, one): other for student, each in days.items() for one, other in pairwise(sorted(each))}

"""What has to be looked at again because the day, the terms, the calendar or the mailboxes are no longer the same.

All of it is put down as marks in one transaction, by statements that each mark many things; the marks are worked off
afterwards, so many at a time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    cast,
    delete,
    insert,
    literal,
    or_,
    select,
    union,
    update,
)
from sqlmodel import SQLModel, col

from autoresponder.family import person
from scorecard.foundations import Changes, Foundations, Mailbox, class_terms_between
from scorecard.happenings import day_begins
from scorecard.report import SchoolTerm
from scorecard.roster_slice import Query, rows_in
from scorecard.terms import contact_day
from scorecard.work import Work
from store.case_tables import ConflictCase
from store.contact_tables import Contact, Incident, LetterRecipient
from store.marks import mark, monday_of
from store.roster_tables import (
    RosterAddress,
    RosterClass,
    RosterFamily,
    RosterGrade,
    RosterMembership,
)
from store.scorecard_tables import (
    OF_FAMILIES,
    CaseStanding,
    FamilyStanding,
    Grouping,
    IncidentStanding,
    Mark,
    MarkKind,
    Tally,
    TeamRecord,
    WeekStanding,
)
from store.tables import MailboxState, MessageRecord


@dataclass(frozen=True, slots=True)
class Turning:
    """Marks what a change asks for."""

    connection: Connection
    zone: ZoneInfo

    def everything(self) -> None:
        """All of it: the figures are made for the first time, or the calendar has changed."""
        families = union(select(col(RosterFamily.family)), select(col(FamilyStanding.family)))
        self._mark_all(MarkKind.FAMILY, families)
        mailboxes = union(select(col(MailboxState.address)), select(col(WeekStanding.mailbox)))
        self._mark_all(MarkKind.MAILBOX, mailboxes)
        self._mark_all(MarkKind.CASE, select(cast(col(ConflictCase.id), String)))
        self._mark_all(MarkKind.INCIDENTS, select(col(Incident.student)).distinct())

    def terms(self, changed: Changes) -> None:
        """Terms are new, gone or on other days: every family, and what happened from the first of their days on. What
        was told of those that had figures is taken away."""
        if not changed.terms:
            return
        for table in (FamilyStanding, CaseStanding, IncidentStanding):
            for term in sorted(changed.gone):
                self.connection.execute(delete(table).where(col(table.term) == term))
        for term in sorted(changed.gone):
            of_families = and_(col(Tally.term) == term, col(Tally.measure).in_(OF_FAMILIES))
            self.connection.execute(delete(Tally).where(of_families))
        families = union(select(col(RosterFamily.family)), select(col(FamilyStanding.family)))
        self._mark_all(MarkKind.FAMILY, families)
        weeks: Query = select(col(WeekStanding.mailbox), col(WeekStanding.monday))
        later = weeks.where(col(WeekStanding.monday) >= monday_of(changed.since))
        self._mark(Work(weeks={(row.mailbox, row.monday) for row in self.connection.execute(later)}))
        opened = col(ConflictCase.opened_at) >= day_begins(changed.since, self.zone)
        self._mark_all(MarkKind.CASE, select(cast(col(ConflictCase.id), String)).where(opened))
        happened = select(col(Incident.student)).where(col(Incident.on_day) >= changed.since).distinct()
        self._mark_all(MarkKind.INCIDENTS, happened)

    def class_terms(self, terms: Collection[str]) -> None:
        """Terms of the roster are on other days, or began or ended: the classes that are held in them."""
        if terms:
            rows = self.connection.execute(select(col(RosterClass.id), col(RosterClass.terms)).where(
                col(RosterClass.terms) != ""
            ))  # fmt: skip
            classes = [row.id for row in rows if not set(row.terms.split(",")).isdisjoint(terms)]
            mark(self.connection, MarkKind.CLASS, sorted(classes))

    def mailbox(self, address: str, boxes: Sequence[Mailbox]) -> None:
        """A mailbox is new, gone, of another team or has other aliases: its weeks and cases, those whom its owner
        teaches, and the families that it wrote with. `boxes` is what it was and is."""
        known_as = {address, *(alias for box in boxes for alias in box.aliases)}
        mark(self.connection, MarkKind.MAILBOX, [address])
        owned = select(cast(col(ConflictCase.id), String)).where(col(ConflictCase.mailbox) == address)
        self._mark_all(MarkKind.CASE, owned)
        owners: Query = select(col(RosterAddress.person))
        people = rows_in(self.connection, owners, RosterAddress.address, {person(each) for each in known_as})
        mark(self.connection, MarkKind.STUDENT, [row.person for row in people])
        of = MessageRecord
        written = select(col(LetterRecipient.address)).join(of, col(of.id) == col(LetterRecipient.message_id))
        self._mark_all(MarkKind.ADDRESS, written.where(col(of.mailbox) == address).distinct())
        stood = and_(col(FamilyStanding.grouping) == Grouping.TEACHER, col(FamilyStanding.key) == address)
        self._mark_all(MarkKind.FAMILY, select(col(FamilyStanding.family)).where(stood).distinct())
        contacts: Query = select(col(Contact.mailbox)).distinct()
        spelled = {row.mailbox for row in self.connection.execute(contacts) if person(row.mailbox) in known_as}
        told: Query = select(col(Contact.student)).distinct()
        students = rows_in(self.connection, told, Contact.mailbox, spelled)
        mark(self.connection, MarkKind.STUDENT, [row.student for row in students])

    def day(self, one: date, other: date, foundations: Foundations, terms: Collection[SchoolTerm]) -> None:
        """It is another day, or the clock was set back to an earlier one: places on the roster that held on one of the
        two days and not on the other."""
        early, late = sorted((one, other))
        self._mark_all(MarkKind.STUDENT, _turned(RosterFamily, RosterFamily.student, early, late))
        if not any(term.first <= late and contact_day(term) > early for term in terms):
            return  # nobody's belonging is still to be decided
        for table, person_of in (
            (RosterGrade, RosterGrade.student),
            (RosterMembership, RosterMembership.person),
            (RosterAddress, RosterAddress.person),
        ):
            self._mark_all(MarkKind.STUDENT, _turned(table, person_of, early, late))
        of = RosterMembership
        listed = or_(
            and_(col(of.begins) > early, col(of.begins) <= late), and_(col(of.ends) >= early, col(of.ends) < late)
        )
        self._mark_all(MarkKind.STUDENT, select(col(of.person)).where(listed).distinct())
        self.class_terms(class_terms_between(foundations.class_terms, early, late))
        moved: Query = _turned(TeamRecord, TeamRecord.mailbox, early, late)
        for row in self.connection.execute(moved).all():
            box = foundations.mailboxes.get(row.mailbox)
            self.mailbox(row.mailbox, () if box is None else (box,))

    def clock_set_back(self, now: datetime) -> None:
        """Norms that had run out run again."""
        weeks: Query = select(col(WeekStanding.mailbox), col(WeekStanding.monday))
        rows = self.connection.execute(weeks.where(col(WeekStanding.passed_at) >= now))
        self._mark(Work(weeks={(row.mailbox, row.monday) for row in rows}))

    def _mark(self, work: Work) -> None:
        for kind, keys in work.marks():
            mark(self.connection, kind, keys)

    def _mark_all(self, kind: MarkKind, keys: Any) -> None:
        wanted = keys.subquery()
        word = Mark.__table__.c.kind.type  # type: ignore[attr-defined]
        rows = select(literal(kind, word), *wanted.c)
        self.connection.execute(insert(Mark).from_select(["kind", "key"], rows))


def _turned(table: type[SQLModel], who: object, early: date, late: date) -> Query:
    """Whose rows begin or end to hold after the one day, up to the other."""

    def between(name: str) -> ColumnElement[bool]:
        column = col(getattr(table, name))
        return and_(column > early, column <= late)

    query: Query = select(col(who)).where(or_(between("since"), between("until"))).distinct()
    return query


def record_teams(connection: Connection, mailboxes: dict[str, str], today: date) -> None:
    """Puts on record which team each mailbox (by address) belongs to from today on; those that are not among them are
    no longer connected. What is found at the first time was so before."""
    of = TeamRecord
    rows = list(connection.execute(select(col(of.id), col(of.mailbox), col(of.team), col(of.since), col(of.until))))
    current = {row.mailbox: row for row in rows if row.until is None}
    since = today if rows else None
    for mailbox, row in current.items():
        if mailboxes.get(mailbox) != row.team:
            if row.since == today:  # it was so for no whole day
                connection.execute(delete(of).where(col(of.id) == row.id))
            else:
                connection.execute(update(of).where(col(of.id) == row.id).values(until=today))
    new = [
        {"mailbox": mailbox, "team": team, "since": since, "until": None}
        for mailbox, team in sorted(mailboxes.items())
        if mailbox not in current or current[mailbox].team != team
    ]
    if new:
        connection.execute(insert(of), new)

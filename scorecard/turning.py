"""What has to be looked at again because the day, the terms, the calendar or the mailboxes are no longer the same.

All of it is put down as marks in one transaction, by statements that each mark many things; the marks are worked off
afterwards, so many at a time.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
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
    func,
    insert,
    literal,
    or_,
    select,
    union,
    update,
)
from sqlmodel import SQLModel, col

from autoresponder.family import person
from scorecard.carried import sealed
from scorecard.differences import TallyRow
from scorecard.foundations import Changes, Foundations, Mailbox, class_terms_between
from scorecard.happenings import day_begins
from scorecard.outcomes import RECOVERY_DAYS
from scorecard.packing import groups_in, named_in, numbers_in
from scorecard.report import SchoolTerm
from scorecard.roster_slice import Query, rows_in
from scorecard.terms import contact_day
from scorecard.work import Work
from scorecard.writing import add_to_tallies
from store.case_tables import ConflictCase
from store.chunks import in_few_lengths
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
    OF_MAILBOXES,
    CaseStanding,
    FamilyStanding,
    Grouping,
    IncidentStanding,
    Mark,
    MarkKind,
    Tally,
    TeamRecord,
    WeekStanding,
    Withholding,
)
from store.tables import MailboxState, MessageRecord

_FEW = 20
"""So many mailboxes are looked for by name."""


@dataclass(frozen=True, slots=True)
class Turning:
    """Marks what a change asks for."""

    connection: Connection
    zone: ZoneInfo

    def everything(self) -> None:
        """All of it: the figures are made for the first time, or the calendar has changed."""
        self._every_family()
        mailboxes = union(select(col(MailboxState.address)), select(col(WeekStanding.mailbox)))
        self._mark_all(MarkKind.MAILBOX, mailboxes)
        self._mark_all(MarkKind.CASE, select(cast(col(ConflictCase.id), String)))
        self._mark_all(MarkKind.INCIDENTS, select(col(Incident.student)).distinct())

    def terms(self, changed: Changes) -> None:
        """Terms are new, gone or on other days: every family, and what happened from the first of their days on. What
        was told of those that had figures is taken away."""
        if not changed.terms:
            return
        # Of a term whose records are erased only its numbers are left: they stay, whatever its days are said to be.
        gone = changed.gone - sealed(self.connection, changed.gone)
        for table in (FamilyStanding, CaseStanding, IncidentStanding, Withholding):
            self.connection.execute(delete(table).where(col(table.term).in_(sorted(gone))))
        self._forget_tallies(gone)
        self._every_family()
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

    def mailboxes(self, boxes: Mapping[str, Sequence[Mailbox]]) -> None:
        """Mailboxes are new, gone, of another team or have other aliases: their weeks and cases, those whom their
        owners teach, and the families that they wrote with. `boxes` is what each was and is, by address."""
        if not boxes:
            return
        every_name = {*boxes, *(alias for each in boxes.values() for box in each for alias in box.aliases)}
        mark(self.connection, MarkKind.MAILBOX, sorted(boxes))
        cases: Query = select(cast(col(ConflictCase.id), String).label("id"))
        mark(self.connection, MarkKind.CASE, self._of(cases, ConflictCase.mailbox, boxes, "id"))
        owners: Query = select(col(RosterAddress.person))
        own = self._of(owners, RosterAddress.address, map(person, every_name), "person")
        mark(self.connection, MarkKind.STUDENT, own)
        of = MessageRecord
        written: Query = select(col(LetterRecipient.address)).join(of, col(of.id) == col(LetterRecipient.message_id))
        mark(self.connection, MarkKind.ADDRESS, self._of(written.distinct(), of.mailbox, boxes, "address"))
        mark(self.connection, MarkKind.FAMILY, self._who_stood_with(set(boxes)))
        contacts: Query = select(col(Contact.mailbox)).distinct()
        spelled = {row.mailbox for row in self.connection.execute(contacts) if person(row.mailbox) in every_name}
        told: Query = select(col(Contact.student)).distinct()
        mark(self.connection, MarkKind.STUDENT, self._of(told, Contact.mailbox, spelled, "student"))

    def _of(self, query: Query, column: Any, wanted: Iterable[str], name: str) -> list[str]:
        return sorted({getattr(row, name) for row in rows_in(self.connection, query, column, wanted)})

    def _who_stood_with(self, mailboxes: Collection[str]) -> list[str]:
        """The families that stood with one of these teachers in any term. A single look at all of them, however many
        mailboxes there are."""
        of = FamilyStanding
        teachers = {(Grouping.TEACHER, mailbox) for mailbox in mailboxes}
        query: Query = select(col(of.family), col(of.standings))
        if len(mailboxes) <= _FEW:
            few = in_few_lengths(sorted(teachers))
            named = (col(of.standings).contains(named_in(each), autoescape=True) for each in few)
            query = query.where(or_(*named))
        rows = self.connection.execute(query)
        return sorted({row.family for row in rows if not groups_in(row.standings).isdisjoint(teachers)})

    def _every_family(self) -> None:
        """Those of one school together, so that a step changes the numbers of few groups."""
        listed = (
            select(col(RosterFamily.family), func.max(col(RosterGrade.schools)).label("school"))
            .outerjoin(RosterGrade, col(RosterGrade.student) == col(RosterFamily.student))
            .group_by(col(RosterFamily.family))
        )
        there = {row.family: row.school or "" for row in self.connection.execute(listed)}
        stood = set(self.connection.execute(select(col(FamilyStanding.family)).distinct()).scalars())
        in_order = sorted(there.keys() | stood, key=lambda family: (there.get(family, ""), family))
        mark(self.connection, MarkKind.FAMILY, in_order)

    def _forget_tallies(self, terms: Collection[str]) -> None:
        """The numbers of these terms but those of mailboxes."""
        of = Tally
        query = select(col(of.term), col(of.grouping), col(of.key), col(of.numbers)).where(
            col(of.term).in_(sorted(terms))
        )
        gone: Counter[TallyRow] = Counter()
        for row in self.connection.execute(query):
            for (measure, by), n in numbers_in(row.numbers).items():
                if measure not in OF_MAILBOXES:
                    gone[row.term, row.grouping, row.key, measure, by] -= n
        add_to_tallies(self.connection, gone)

    def day(self, one: date, other: date, foundations: Foundations, terms: Collection[SchoolTerm]) -> None:
        """It is another day, or the clock was set back to an earlier one: places on the roster that held on one of the
        two days and not on the other."""
        early, late = sorted((one, other))
        ripe = and_(col(Incident.on_day) >= early - RECOVERY_DAYS, col(Incident.on_day) < late - RECOVERY_DAYS)
        self._mark_all(MarkKind.INCIDENTS, select(col(Incident.student)).where(ripe).distinct())
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
        known = foundations.mailboxes
        boxes = {row.mailbox: () for row in self.connection.execute(moved)}
        self.mailboxes({address: (known[address],) if address in known else () for address in boxes})

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

"""What marks ask the scorecard to look at again: which families, weeks, cases and incidents."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select, tuple_
from sqlmodel import col

from autoresponder.family import person
from connectors.mailbox import Direction
from scorecard.happenings import spellings
from scorecard.mailbox_weeks import WeekKey
from scorecard.report import SchoolTerm
from scorecard.roster_slice import (
    NEVER_TEACHES,
    Query,
    families_of_students,
    rows_in,
    students_of_addresses,
    students_of_classes,
)
from scorecard.terms import containing
from store.case_tables import CaseMail
from store.chunks import chunks
from store.contact_tables import LetterRecipient
from store.marks import monday_of, week_key, week_of_key
from store.roster_tables import RosterAddress, RosterCare, RosterMembership, RosterPerson
from store.scorecard_tables import MarkKind
from store.tables import Item, MessageRecord

_AT_ONCE = 400


@dataclass(slots=True)
class Work:
    """What is to be looked at again."""

    families: set[str] = field(default_factory=set)
    """Families that are in every term."""
    in_terms: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Other families that are in one term only, by the term's identifier."""
    weeks: set[WeekKey] = field(default_factory=set)
    mailboxes: set[str] = field(default_factory=set)
    """Mailboxes of which every week is."""
    cases: set[int] = field(default_factory=set)
    incidents: set[str] = field(default_factory=set)
    """Students whose incidents are."""

    @property
    def size(self) -> int:
        """How much it is, a family being one."""
        some = set().union(*self.in_terms.values()) - self.families
        return len(self.families) + len(some) + len(self.weeks) + len(self.cases) + len(self.incidents)

    def marks(self) -> Iterator[tuple[MarkKind, list[str]]]:
        """The same work as marks that ask for no more than one thing each."""
        yield MarkKind.FAMILY, sorted(self.families)
        for term, families in sorted(self.in_terms.items()):
            yield MarkKind.FAMILY, [f"{family} {term}" for family in sorted(families - self.families)]
        yield MarkKind.WEEK, [week_key(mailbox, _midweek(monday)) for mailbox, monday in sorted(self.weeks)]
        yield MarkKind.MAILBOX, sorted(self.mailboxes)
        yield MarkKind.CASE, [str(number) for number in sorted(self.cases)]
        yield MarkKind.INCIDENTS, sorted(self.incidents)


@dataclass(frozen=True, slots=True)
class Resolver:
    """Looks up what marks are about. `zone` is the school's time zone, `terms` those that there are figures of."""

    connection: Connection
    zone: ZoneInfo
    terms: Sequence[SchoolTerm]

    def resolve(self, marks: Iterable[tuple[MarkKind, str]]) -> Work:
        """The work that `marks` ask for, each thing once."""
        keys: dict[MarkKind, set[str]] = defaultdict(set)
        for kind, key in marks:
            keys[kind].add(key)
        work = Work(
            mailboxes=keys[MarkKind.MAILBOX],
            cases=set(map(int, keys[MarkKind.CASE])),
            incidents=keys[MarkKind.INCIDENTS],
        )
        for key in keys[MarkKind.FAMILY]:
            family, _, term = key.partition(" ")
            (work.in_terms[term] if term else work.families).add(family)
        threads = {_thread(key) for key in keys[MarkKind.THREAD]}
        for key in keys[MarkKind.WEEK]:
            mailbox, at = week_of_key(key)
            work.weeks.add((mailbox, monday_of(at.astimezone(self.zone).date())))
        self._messages(keys[MarkKind.MESSAGE], work, threads)
        self._threads(sorted(threads), work)
        self._items(keys[MarkKind.ITEM], work)
        work.families |= self._families_of(keys[MarkKind.ADDRESS])
        work.cases |= self._cases_of(keys[MarkKind.ADDRESS])
        people = self._students(keys[MarkKind.STUDENT]) | students_of_classes(self.connection, keys[MarkKind.CLASS])
        if people:
            work.families |= families_of_students(self.connection, people)
            work.incidents |= people
            work.cases |= self._cases_of(self._addresses_of(people))
        return work

    def _messages(self, keys: set[str], work: Work, threads: set[tuple[str, str]]) -> None:
        """Messages concern families in the terms of their day, their week, and their conversation."""
        of, numbers = MessageRecord, set(map(int, keys))
        query: Query = select(
            col(of.id), col(of.mailbox), col(of.thread), col(of.direction), col(of.sender), col(of.received_at)
        )  # fmt: skip
        addresses: dict[str, set[str]] = defaultdict(set)
        terms: dict[int, list[SchoolTerm]] = {}
        for row in rows_in(self.connection, query, of.id, numbers):
            threads.add((row.mailbox, row.thread))
            day = row.received_at.astimezone(self.zone).date()
            work.weeks.add((row.mailbox, monday_of(day)))
            terms[row.id] = containing(self.terms, day)
            for term in terms[row.id] if row.sender and row.direction is Direction.RECEIVED else ():
                addresses[term.id].add(person(row.sender))
        letters: Query = select(col(LetterRecipient.message_id), col(LetterRecipient.address))
        for row in rows_in(self.connection, letters, LetterRecipient.message_id, numbers):
            for term in terms.get(row.message_id, ()):
                addresses[term.id].add(row.address)
        for term_id, of_term in addresses.items():
            work.in_terms[term_id] |= self._families_of(of_term)

    def _families_of(self, addresses: Collection[str]) -> set[str]:
        return families_of_students(self.connection, students_of_addresses(self.connection, addresses))

    def _threads(self, threads: Sequence[tuple[str, str]], work: Work) -> None:
        """Which message opened a conversation may have changed: every week of it is looked at."""
        of = MessageRecord
        for some in chunks(threads, _AT_ONCE):
            query: Query = select(col(of.mailbox), col(of.received_at)).where(
                tuple_(col(of.mailbox), col(of.thread)).in_(some),
                col(of.direction) == Direction.RECEIVED,
                col(of.tag).is_not(None),
            )
            for row in self.connection.execute(query):
                work.weeks.add((row.mailbox, monday_of(row.received_at.astimezone(self.zone).date())))

    def _items(self, keys: set[str], work: Work) -> None:
        query: Query = select(col(Item.mailbox), col(Item.opened_at))
        for row in rows_in(self.connection, query, Item.id, map(int, keys)):
            work.weeks.add((row.mailbox, monday_of(row.opened_at.astimezone(self.zone).date())))

    def _students(self, people: Collection[str]) -> set[str]:
        """The students among these people, those in their care, and those in the classes that they teach."""
        cares: Query = select(col(RosterCare.student))
        found = set(people) | {row.student for row in rows_in(self.connection, cares, RosterCare.guardian, people)}
        staff: Query = select(col(RosterPerson.id)).where(col(RosterPerson.kinds).not_in(NEVER_TEACHES))
        teachers = {row.id for row in rows_in(self.connection, staff, RosterPerson.id, people)}
        places: Query = select(col(RosterMembership.school_class))
        classes = {row.school_class for row in rows_in(self.connection, places, RosterMembership.person, teachers)}
        return found | students_of_classes(self.connection, classes)

    def _addresses_of(self, people: Collection[str]) -> set[str]:
        """Their addresses, and those of whoever looks after them."""
        cares: Query = select(col(RosterCare.guardian))
        guardians = {row.guardian for row in rows_in(self.connection, cares, RosterCare.student, people)}
        addresses: Query = select(col(RosterAddress.address))
        found = rows_in(self.connection, addresses, RosterAddress.person, guardians.union(people))
        return {row.address for row in found}

    def _cases_of(self, addresses: Collection[str]) -> set[int]:
        """Cases with a message from one of these addresses."""
        query: Query = select(col(CaseMail.case_id)).join(
            MessageRecord, col(MessageRecord.id) == col(CaseMail.message_id)
        )
        spelled = spellings(self.connection, addresses)
        return {row.case_id for row in rows_in(self.connection, query, MessageRecord.sender, spelled)}


def _midweek(monday: date) -> datetime:
    """An instant that lies in the week in every time zone."""
    return datetime.combine(monday + timedelta(days=2), time(12), UTC)


def _thread(key: str) -> tuple[str, str]:
    mailbox, _, thread = key.partition(" ")
    return mailbox, thread

"""A small school whose days go by at random, through the writers that the service itself uses."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from autoresponder.cases import CaseRules, CaseWord
from autoresponder.contacts import ContactKind, ContactTone
from autoresponder.items import Word
from classifier.verdict import Opinion
from config import SchoolCalendar
from config.settings import MailboxSettings, Office, School, Scorecard, Settings, Term
from connectors.labels import Label, Tag
from connectors.mailbox import Direction
from scorecard.roster_import import import_lists
from scorecard.school_lists import Care, Listed, Membership, Person, SchoolClass, SchoolLists
from scorecard.school_lists import School as ListedSchool
from scorecard.school_lists import Term as ListedTerm
from store.case_life import FamilySays, TeacherWrites
from store.case_tables import ConflictCase
from store.cases import Cases
from store.contact_record import NewContact, record, withdraw
from store.contact_tables import Contact, ContactSource, Incident
from store.database import Database
from store.items import Items
from store.letters import FamilyLetter
from store.marks import mark
from store.matters import Matter
from store.outbox import Outbox
from store.pages import Entry, Page, Pages, Relabelled
from store.scorecard_tables import MarkKind
from store.tables import Correction, Delivery, DeliveryKind, DeliveryState, Item, MessageRecord

BEGIN = datetime(2026, 9, 14, 13, tzinfo=UTC)
MAILBOXES = ("rivera@maple.example", "okafor@maple.example", "chen@maple.example")
ADDRESSES = ("ana@home.example", "ben@home.example", "cleo@home.example", "dan@home.example", "eve@home.example")
STUDENTS = ("s1", "s2", "s3", "s4", "s5")
GUARDIANS = ("g1", "g2", "g3", "g4")
TEACHERS = ("t1", "t2", "t3")
CLASSES = ("c1", "c2", "c3")
_WRITTEN_AS = ("{}", "{}", "{}+school")
_LEASE = timedelta(minutes=5)


def ints(*limits: int) -> st.SearchStrategy[tuple[int, ...]]:
    """A tuple of numbers, each below its limit."""
    return st.tuples(*(st.integers(0, limit - 1) for limit in limits))


STEPS = {
    "family mail": ints(3, 5, 3, 4, 12_000, 4, 6),
    "teacher mail": ints(3, 32, 4, 12_000, 4),
    "correction": ints(1000, 4),
    "good news": ints(1000, 2),
    "gone": ints(1000, 2),
    "delivery": ints(1000),
    "item": ints(1000, 4),
    "case": ints(1000, 4),
    "contact": ints(3, 5, 4, 3, 2, 60),
    "withdrawal": ints(1000),
    "incident": ints(5, 60, 20),
    "incident taken back": ints(1000),
    "import": st.fixed_dictionaries(
        {
            "cares": st.lists(st.integers(0, 15), min_size=5, max_size=5),
            "grades": st.lists(st.integers(0, 2), min_size=5, max_size=5),
            "schools": st.lists(st.integers(0, 2), min_size=5, max_size=5),
            "classes": st.lists(st.integers(0, 7), min_size=8, max_size=8),
            "days": st.lists(st.integers(0, 90), min_size=8, max_size=8),
            "owners": st.lists(st.integers(0, 3), min_size=5, max_size=5),
            "gone": st.integers(0, 9),
            # Other terms make everything be looked at: what is marked beside them shows in the other imports.
            "terms": st.sampled_from([1, 1, 1, 1, 1, 1, 0, 2, 3]),
        }
    ),
    "settings": ints(3, 3, 3, 4, 2, 2),
    "wait": st.sampled_from([5, 60, 300, 1_500, 3_000, 10_000, 43_200]),
    "clock set back": st.sampled_from([10, 300, 1_500, 6_000]),
    "update": st.sampled_from([1, 2, 5, 1000]),
    "killed": ints(4, 2),
    "rival": ints(4),
}
"""What may happen, and what it depends on."""
HISTORIES = st.lists(
    st.sampled_from(
        [*STEPS, *("family mail", "teacher mail", "import", "update", "wait") * 2]
    ).flatmap(lambda step: st.tuples(st.just(step), STEPS[step])),
    min_size=8,
    max_size=22,
)  # fmt: skip


class Killed(BaseException):
    """The process is no more."""


class Dying(Database):
    """A database whose worker is killed at its transaction of this number: before it commits, or right after."""

    def __init__(self, database: Database, number: int, *, after: bool) -> None:
        self.engine, self.url = database.engine, database.url
        self._left, self._after = number, after

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Counts down."""
        self._left -= 1
        with super().write() as connection:
            yield connection
            if self._left < 0 and not self._after:
                raise Killed
        if self._left < 0:
            raise Killed


class Raced(Database):
    """A database on which something else happens between the reading and the writing of a step."""

    def __init__(self, database: Database, rival: Any) -> None:
        self.engine, self.url = database.engine, database.url
        self._rival = rival

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """The rival is faster, the first time."""
        rival, self._rival = self._rival, None
        if rival is not None:
            rival()
        with super().write() as connection:
            yield connection


def settings_of(
    teams: tuple[int, ...] = (1, 1, 2), terms: int = 0, closed: int = 0, *, alias: bool = False
) -> Settings:
    """The school's settings: teams by mailbox (0 none, 1 Comets, 2 Foxes, 3 not connected)."""
    names = ("", "Comets", "Foxes")
    boxes = tuple(
        MailboxSettings(
            address=address,
            teacher=address.partition("@")[0],
            team=names[team],
            aliases=("room12@maple.example",) if alias and address == MAILBOXES[0] else (),
        )
        for address, team in zip(MAILBOXES, teams, strict=True)
        if team < len(names)
    )
    fall = Term(title="Fall", first=date(2026, 8, 27), last=date(2026, 12, 18))
    late = Term(title="Fall", first=date(2026, 9, 3), last=date(2026, 12, 18))
    winter = Term(title="Winter", first=date(2026, 11, 30), last=date(2027, 3, 26))
    return Settings(
        school=School(
            name="Maple",
            timezone="America/New_York",
            holidays=({"first": date(2026, 9, 28), "last": date(2026, 10, 2 + closed)},),  # type: ignore[arg-type]
        ),
        office=Office(address="office@maple.example", phone="555-0100"),
        terms=((), (fall, winter), (late,), (winter,))[terms],
        mailboxes=boxes or (MailboxSettings(address=MAILBOXES[0], teacher="Ms. Rivera"),),
        scorecard=Scorecard.model_construct(smallest_group=2),
    )


def lists_of(said: dict[str, Any]) -> SchoolLists:
    """A school's whole lists."""
    gone = said["gone"]
    students = [each for place, each in enumerate(STUDENTS) if place != gone]
    schools = ("", "north", "south")
    people = [
        Person(
            each,
            frozenset({"student"}),  # type: ignore[arg-type]
            "Mia",
            "Lopez",
            grades=(("05",), ("06",), ())[grade],
            schools=tuple(filter(None, (schools[school],))),
        )
        for each, grade, school in zip(STUDENTS, said["grades"], said["schools"], strict=True)
        if each in students
    ]
    addresses: dict[str, list[str]] = {each: [] for each in GUARDIANS}
    for address, owner in zip(ADDRESSES, said["owners"], strict=True):
        addresses[GUARDIANS[owner]].append(address)
    people += [
        Person(each, frozenset({"guardian"}), "Ana", "Lopez", addresses=tuple(of))  # type: ignore[arg-type]
        for each, of in addresses.items()
    ]
    names = (MAILBOXES[0], "room12@maple.example")[said["days"][0] % 2], *MAILBOXES[1:]
    people += [
        Person(each, frozenset({"teacher"}), "Sam", "Lee", addresses=(address,))  # type: ignore[arg-type]
        for each, address in zip(TEACHERS, names, strict=True)
    ]
    places = []
    for number, (who, classes, day) in enumerate(
        zip((*STUDENTS, *TEACHERS), said["classes"], said["days"], strict=True)
    ):
        begins = None if day % 3 else date(2026, 8, 20) + timedelta(days=day)
        ends = None if day % 4 else date(2026, 9, 10) + timedelta(days=day)
        if who not in STUDENTS or who in students:
            places += [
                Membership(f"{who}-{each}", who, each, begins=begins, ends=ends if number % 2 else None)
                for bit, each in enumerate(CLASSES)
                if classes >> bit & 1
            ]
    year = ListedTerm("year", "2026-27", date(2026, 8, 1), date(2027, 7, 31), is_year=True)
    fall = ListedTerm("fall", "Fall", date(2026, 8, 27), date(2026, 12, 18))
    later = ListedTerm("fall", "Fall", date(2026, 9, 8), date(2026, 12, 18))
    quarter = ListedTerm("quarter", "Quarter", date(2026, 10, 19), date(2027, 1, 22))
    return SchoolLists(
        complete=frozenset(Listed),
        schools=[ListedSchool("north", "North"), ListedSchool("south", "South")],
        terms=((), (year, fall), (year, later, quarter), (quarter,))[said["terms"]],
        classes=[
            SchoolClass("c1", "Art", "north", terms=("fall",)),
            SchoolClass("c2", "Biology", "south", terms=("year",)),
            SchoolClass("c3", "Chemistry", "north"),
        ],
        people=people,
        cares=[
            Care(student, guardian)
            for student, bits in zip(STUDENTS, said["cares"], strict=True)
            if student in students
            for bit, guardian in enumerate(GUARDIANS)
            if bits >> bit & 1
        ],
        memberships=places,
    )


@dataclass
class History:
    """The school as it goes through one history."""

    database: Database
    now: datetime = BEGIN
    settings: Settings = field(default_factory=settings_of)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _cursors: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for mailbox in MAILBOXES:
            Pages(self.database).connect(mailbox, self.now - timedelta(days=10))

    @property
    def calendar(self) -> SchoolCalendar:
        return SchoolCalendar.of(self.settings.school, self.settings.office)

    def ids(self, column: Any, *which: Any) -> list[Any]:
        with self.database.read() as connection:
            return sorted(connection.execute(select(col(column)).where(*which)).scalars())

    def pick(self, number: int, column: Any, *which: Any) -> Any:
        """One of the rows there are; None of none."""
        found = self.ids(column, *which)
        return found[number % len(found)] if found else None

    def commit(self, mailbox: str, **changes: Any) -> None:
        after = f"cursor {next(self._numbers)}"
        page = Page(mailbox, self._cursors.get(mailbox), after, at=self.now, case_rules=CaseRules(), **changes)
        Pages(self.database).commit(page)
        self._cursors[mailbox] = after

    def message(self, mailbox: str, direction: Direction, ago: int, thread: int, **more: Any) -> MessageRecord:
        number = next(self._numbers)
        return MessageRecord(
            mailbox=mailbox,
            provider_id=f"m{number}",
            direction=direction,
            fingerprint=f"f{number}",
            thread=f"thread {thread}",
            received_at=self.now - timedelta(minutes=5 * ago),
            recorded_at=self.now,
            **more,
        )

    # What may happen

    def family_mail(self, box: int, writer: int, spelled: int, tag: int, ago: int, thread: int, more: int) -> None:
        address = ADDRESSES[writer]
        name, _, domain = address.partition("@")
        mail = self.message(
            MAILBOXES[box],
            Direction.RECEIVED,
            ago,
            thread,
            sender=f"{_WRITTEN_AS[spelled].format(name)}@{domain}",
            family=f"family of {writer}",
            tag=(Tag.ROUTINE, Tag.URGENT, Tag.CONFLICT, None)[tag],
            unsure=more == 1,
            guard="reaction" if more == 2 else None,
            backfill=more == 3,
        )
        deliveries = []
        matter = None
        if mail.tag is not None and not mail.backfill:
            kinds = [DeliveryKind.REPLY, *([DeliveryKind.ROUTE] if mail.tag is Tag.URGENT else [])]
            deliveries = [
                Delivery(
                    mailbox=mail.mailbox,
                    message_id=0,
                    kind=kind,
                    dedupe_key=f"{kind}:{mail.provider_id}",
                    facts="{}",
                    next_attempt_at=self.now,
                    created_at=self.now,
                )
                for kind in kinds
            ]
        if mail.tag is Tag.URGENT and deliveries:
            reference = mail.fingerprint
            of = (mail.mailbox, mail.family or "", "absence", "office", Tag.URGENT, mail.thread)
            matter = Matter(reference, *of, at=self.now, escalates_at=None)
        part = FamilySays(CaseRules()) if mail.tag is Tag.CONFLICT and not mail.backfill else None
        self.commit(mail.mailbox, entries=[Entry(mail, tuple(deliveries), matter=matter, part=part)])

    def teacher_mail(self, box: int, to: int, kind: int, ago: int, thread: int) -> None:
        mail = self.message(MAILBOXES[box], Direction.SENT, ago, thread, own=kind == 3)
        recipients = tuple(address for bit, address in enumerate(ADDRESSES) if to >> bit & 1)
        opinion = None if kind == 2 else Opinion(0.9 if kind else 0.1, bool(kind), "model")
        letter = None if mail.own else FamilyLetter(recipients, opinion)
        part = None if mail.own else TeacherWrites(())
        self.commit(mail.mailbox, entries=[Entry(mail, letter=letter, part=part)])

    def correction(self, which: int, tag: int) -> None:
        of = MessageRecord
        number = self.pick(which, of.id, col(of.direction) == Direction.RECEIVED, col(of.tag).is_not(None))
        if number is not None:
            message = self.read_message(number)
            to = (Tag.ROUTINE, Tag.URGENT, Tag.CONFLICT, None)[tag]
            said = Correction(mailbox=message.mailbox, message_id=number, from_tag=message.tag, to_tag=to, at=self.now)
            labels = frozenset({Label(to)} if to else ())
            change = Relabelled(number, labels, frozenset(), correction=said)
            self.commit(message.mailbox, relabelled=[change])

    def good_news(self, which: int, positive: int) -> None:
        of = MessageRecord
        number = self.pick(which, of.id, col(of.direction) == Direction.SENT, col(of.own).is_(False))
        if number is not None:
            change = Relabelled(number, frozenset(), frozenset(), good_news=bool(positive))
            self.commit(self.read_message(number).mailbox, relabelled=[change])

    def gone(self, which: int, forgotten: int) -> None:
        """A message is deleted; or its record is taken away, as that of one that is read again."""
        number = self.pick(which, MessageRecord.id)
        if number is None:
            return
        message = self.read_message(number)
        held = message.tag is not None and message.tag is not Tag.ROUTINE  # by an item, or a case
        if forgotten and not held and not self.is_held(number):
            self.commit(message.mailbox, replaced=[number])
        else:
            self.commit(message.mailbox, removed=[message.provider_id])

    def delivery(self, which: int) -> None:
        outbox = Outbox(self.database, "worker", _LEASE)
        due = [each for box in MAILBOXES for each in outbox.due(box, self.now + timedelta(days=1))]
        due = [each for each in due if each.delivery.kind in {DeliveryKind.REPLY, DeliveryKind.ROUTE}]
        if due:
            claimed = outbox.claim(due[which % len(due)], self.now + timedelta(days=1))
            if claimed is not None:
                outbox.finish(claimed, DeliveryState.DONE, self.now)

    def item(self, which: int, word: int) -> None:
        number = self.pick(which, Item.id)
        said = (Word.TAKEN, Word.DONE, Word.TAKEN, Word.RETURNED)[word]
        if number is not None:
            Items(self.database).say(number, said, f"clerk{word}@maple.example", self.now)

    def case(self, which: int, word: int) -> None:
        number = self.pick(which, ConflictCase.id)
        if number is not None:
            said = (CaseWord.AGREED, CaseWord.NO_CONFLICT, CaseWord.REOPENED, CaseWord.NOT_YET)[word]
            Cases(self.database).say(number, said, MAILBOXES[0], self.now)

    def contact(self, box: int, student: int, kind: int, tone: int, reached: int, ago: int) -> None:
        by = (MAILBOXES[0], "room12@maple.example", MAILBOXES[2])[box]
        new = NewContact(
            reference=f"contact {next(self._numbers)}",
            mailbox=by,
            student=STUDENTS[student],
            on_day=self.today - timedelta(days=ago),
            kind=list(ContactKind)[kind],
            tone=list(ContactTone)[tone],
            reached=bool(reached),
            source=ContactSource.PAGE,
            over_at=self.now,
        )
        with self.database.write() as connection:
            record(connection, [new], self.now)

    def withdrawal(self, which: int) -> None:
        number = self.pick(which, Contact.id)
        if number is not None:
            with self.database.write() as connection:
                withdraw(connection, col(Contact.id) == number, MAILBOXES[0], self.now)

    def incident(self, student: int, ago: int, baseline: int) -> None:
        day = self.today - timedelta(days=ago)
        back = None if baseline > 15 else day + timedelta(days=baseline)
        values = Incident(
            reference=f"incident {next(self._numbers)}",
            student=STUDENTS[student],
            on_day=day,
            kind="fight",
            baseline_day=back,
            imported_at=self.now,
            changed_at=self.now,
        )
        with self.database.write() as connection:
            connection.execute(insert(Incident).values(values.model_dump(exclude={"id"})))
            mark(connection, MarkKind.STUDENT, [values.student])

    def incident_taken_back(self, which: int) -> None:
        number = self.pick(which, Incident.id)
        if number is not None:
            with self.database.write() as connection:
                this = update(Incident).where(col(Incident.id) == number).returning(col(Incident.student))
                student = connection.execute(this.values(withdrawn_at=self.now)).scalar_one()
                mark(connection, MarkKind.STUDENT, [student])

    def roster(self, said: dict[str, Any]) -> None:
        import_lists(self.database, lists_of(said), digest="0", now=self.now, today=self.today, allow_many=True)

    # Help

    @property
    def today(self) -> date:
        return self.now.astimezone(self.calendar.zone).date()

    def read_message(self, number: int) -> Any:
        with self.database.read() as connection:
            of = MessageRecord
            query = select(col(of.mailbox), col(of.provider_id), col(of.tag)).where(col(of.id) == number)
            return connection.execute(query).one()

    def is_held(self, number: int) -> bool:
        from store.case_tables import CaseMail, TeacherLetter  # noqa: PLC0415
        from store.tables import ItemMail  # noqa: PLC0415

        tables = (CaseMail, TeacherLetter, ItemMail)
        return any(self.ids(table.message_id, col(table.message_id) == number) for table in tables)

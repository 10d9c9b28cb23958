"""A made-up district, written straight into the service's tables: roster, five years of mail, cases, incidents.

Everything that the scorecard reads is there as the service would have recorded it, but inserted in bulk: a million
messages through the pipeline would take hours and say nothing about reading them. Seeded: the same numbers, the same
district.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Index
from sqlmodel import SQLModel

from autoresponder.cases import CaseState
from config.settings import MailboxSettings, Office, Role, School, Service, Settings, Staff, Term, Web
from connectors.labels import Tag
from connectors.mailbox import Direction
from store.case_tables import CaseMail, ConflictCase
from store.contact_tables import Incident, Judgement, LetterRecipient
from store.database import Database
from store.roster_tables import (
    RosterAddress,
    RosterCare,
    RosterClass,
    RosterFamily,
    RosterGrade,
    RosterImport,
    RosterMembership,
    RosterPerson,
    RosterSchool,
)
from store.tables import Correction, Delivery, DeliveryKind, DeliveryState, MailboxState, MessageRecord

YEARS = 5
FIRST_AUGUST = 2021
LEADER = "principal@district.example"
NOW = datetime(2026, 5, 20, 16, 0, tzinfo=UTC)
_STUDENTS_A_SCHOOL = 800
_STUDENTS_A_TEACHER = 16
_CLASSES_OF_A_STUDENT = 6
_TEACHERS_A_TEAM = 8
_BATCH = 20_000
_SENT, _RECEIVED = Direction.SENT.value, Direction.RECEIVED.value
_CLOCK = [f"{13 + minute // 60:02}:{minute % 60:02}:00.000000" for minute in range(600)]
_PLAIN = (str, int, bool, float, type(None))
_GRADES = [f"{grade:02}" for grade in range(1, 13)]


@dataclass(frozen=True, slots=True)
class Size:
    """How large the district is."""

    students: int
    messages: int

    @property
    def schools(self) -> int:
        return max(1, self.students // _STUDENTS_A_SCHOOL)

    @property
    def teachers(self) -> int:
        return max(self.schools, self.students // _STUDENTS_A_TEACHER)

    @property
    def families(self) -> int:
        return self.students * 2 // 3


def settings_of(size: Size, database: str) -> Settings:
    """The district's settings: a mailbox for each teacher, in teams of eight; terms; the principal."""
    boxes = [
        MailboxSettings(address=teacher(each), teacher=f"Teacher {each}", team=_team(each, size), connector="maildir")
        for each in range(size.teachers)
    ]
    return Settings(
        school=School(name="Maple District", timezone="America/Chicago"),
        office=Office(address="office@district.example", phone="555 0100"),
        service=Service(database=database, notices_from=teacher(0)),
        web=Web(url="https://inbox.district.example"),
        staff=(Staff(address=LEADER, name="Kim Park", role=Role.LEADER),),
        mailboxes=tuple(boxes),
        terms=tuple(_terms()),
    )


def teacher(number: int) -> str:
    """Address of a teacher."""
    return f"t{number}@district.example"


def fill(database: Database, size: Size) -> None:
    """Writes the district into an empty database. Indexes of the large tables are made afterwards, which is faster."""
    with database.write() as connection:
        for table in _LARGE:
            for index in _indexes(table):
                index.drop(connection)
        _Filling(connection, size).carry_out()
        for table in _LARGE:
            for index in _indexes(table):
                index.create(connection)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


_LARGE: tuple[type[SQLModel], ...] = (MessageRecord, LetterRecipient, Judgement, Delivery, RosterMembership)


def _indexes(table: type[SQLModel]) -> Sequence[Index]:
    found: set[Index] = table.__table__.indexes  # type: ignore[attr-defined]
    return sorted(found, key=lambda index: str(index.name))


def _team(number: int, size: Size) -> str:
    return f"School {number % size.schools}, team {number // size.schools // _TEACHERS_A_TEAM}"


def _terms() -> Iterator[Term]:
    for year in range(FIRST_AUGUST, FIRST_AUGUST + YEARS):
        yield Term(title=f"Fall {year}", first=date(year, 8, 23), last=date(year, 12, 17))
        yield Term(title=f"Spring {year + 1}", first=date(year + 1, 1, 10), last=date(year + 1, 6, 3))


@dataclass
class _Filling:
    connection: Connection
    size: Size

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(20260301)
        size = self.size
        families = np.concatenate(
            [np.arange(size.families), self._random.integers(0, size.families, size.students - size.families)]
        )
        self._family_of: NDArray[np.int64] = families
        school_of_family = self._random.integers(0, size.schools, size.families)
        self._school_of: NDArray[np.int64] = school_of_family[families]
        # Teacher t is at school t % schools; a student's classes are those of six teachers there.
        places = self._random.integers(0, size.teachers // size.schools, (size.students, _CLASSES_OF_A_STUDENT))
        self._teachers_of: NDArray[np.int64] = places * size.schools + self._school_of[:, None]

    def carry_out(self) -> None:
        self._roster()
        self._mail()
        self._incidents()

    def _roster(self) -> None:
        size = self.size
        students, families, teachers = range(size.students), range(size.families), range(size.teachers)
        self._put(RosterSchool, ("id", "name"), ((f"school{n}", f"School {n}") for n in range(size.schools)))
        self._put(
            RosterPerson,
            ("id", "kinds", "given_name", "family_name", "schools", "matched"),
            [(f"s{n}", "student", "Student", str(n), f"school{self._school_of[n]}", False) for n in students]
            + [(f"g{n}", "guardian", "Guardian", str(n), "", False) for n in families]
            + [(f"t{n}", "teacher", "Teacher", str(n), f"school{n % size.schools}", False) for n in teachers],
        )
        self._put(
            RosterAddress,
            ("address", "person", "matched"),
            [(_guardian(n), f"g{n}", False) for n in families] + [(teacher(n), f"t{n}", False) for n in teachers],
        )
        self._put(RosterFamily, ("student", "family"), ((f"s{n}", f"f{self._family_of[n]}") for n in students))
        self._put(
            RosterCare,
            ("student", "guardian", "by_guardian"),
            ((f"s{n}", f"g{self._family_of[n]}", False) for n in students),
        )
        begins = [date(FIRST_AUGUST + year, 8, 1) for year in range(YEARS)]
        first_grades = self._random.integers(0, len(_GRADES) - YEARS, size.students)
        self._put(
            RosterGrade,
            ("student", "grade", "schools", "since", "until"),
            (
                (
                    f"s{n}",
                    _GRADES[first_grades[n] + year],
                    f"school{self._school_of[n]}",
                    begins[year] if year else None,
                    begins[year + 1] if year + 1 < YEARS else None,
                )
                for n in students
                for year in range(YEARS)
            ),
        )
        self._put(
            RosterClass,
            ("id", "title", "school", "grades", "terms"),
            ((f"c{n}", f"Class {n}", f"school{n % size.schools}", "", "") for n in teachers),
        )
        places = {(f"s{n}", f"c{t}") for n in students for t in self._teachers_of[n]}
        places |= {(f"t{n}", f"c{n}") for n in teachers}
        self._put(
            RosterMembership,
            ("id", "person", "school_class"),
            ((f"{person}:{place}", person, place) for person, place in sorted(places)),
        )
        self._put(
            RosterImport,
            ("at", "digest", "from_settings", "added", "changed", "ended", "rejected"),
            [(NOW, "0", False, size.students, 0, 0, 0)],
        )

    def _mail(self) -> None:
        began = datetime(FIRST_AUGUST, 8, 1, 15, tzinfo=UTC)
        self._put(MailboxState, ("address", "connected_at"), ((teacher(n), began) for n in range(self.size.teachers)))
        days = [day for day in _days(began.date(), NOW.date()) if day.weekday() < 5 and day.month not in (6, 7)]
        number = 0
        while number < self.size.messages:
            count = min(_BATCH, self.size.messages - number)
            self._some_mail(number + 1, count, days)
            number += count

    def _some_mail(self, first: int, count: int, days: Sequence[date]) -> None:
        random = self._random
        # In order of time as a whole, as mail is recorded.
        at = np.sort(random.random(count)) * count / self.size.messages + (first - 1) / self.size.messages
        students = random.integers(0, self.size.students, count)
        teachers = self._teachers_of[students, random.integers(0, _CLASSES_OF_A_STUDENT, count)].tolist()
        families = self._family_of[students].tolist()
        on_day = np.minimum((at * len(days)).astype(int), len(days) - 1).tolist()
        sent, minutes = (random.random(count) < 0.55).tolist(), random.integers(0, 600, count).tolist()
        chance = random.random((count, 3)).tolist()
        named = [day.isoformat() for day in days]
        messages, recipients, judged, deliveries, cases, corrected = [], [], [], [], [], []
        for n, student in enumerate(students.tolist()):
            number, family, is_sent, chances = first + n, families[n], sent[n], chance[n]
            box, guardian = f"t{teachers[n]}@district.example", f"g{family}@family.example"
            when = f"{named[on_day[n]]} {_CLOCK[minutes[n]]}"
            tag = None if is_sent else _tag(chances[0])
            messages.append(
                (
                    number, box, f"p{number}", _SENT if is_sent else _RECEIVED, f"<m{number}@district.example>",
                    f"{number:032x}", f"<thread{student}-{number // 20_000}@district.example>",
                    box if is_sent else guardian, None if is_sent else f"k{family}", when, when, False, False,
                    None if tag is None else tag.value, tag is not None and chances[1] < 0.06, "", None,
                )
            )  # fmt: skip
            if tag is None:
                recipients.append((number, guardian))
                judged.append((number, chances[1] < 0.25, chances[1], "made up", when))
                continue
            if chances[1] < 0.35:
                kind = DeliveryKind.ROUTE if tag is Tag.URGENT else DeliveryKind.REPLY
                deliveries.append(
                    (box, number, kind.value, DeliveryState.DONE.value, "sending", f"d{number}", "{}", "", 1, 1, when,
                     when, when)
                )  # fmt: skip
            if chances[2] < 0.01:
                corrected.append((box, number, tag.value, Tag.ROUTINE.value, when, when))
            if tag is Tag.CONFLICT and chances[2] < 0.4:
                cases.append((number, box, family, datetime.fromisoformat(f"{when}+00:00"), chances[1]))
        columns = (
            "id", "mailbox", "provider_id", "direction", "rfc_message_id", "fingerprint", "thread", "sender", "family",
            "received_at", "recorded_at", "backfill", "own", "tag", "unsure", "labels", "guard",
        )  # fmt: skip
        self._put(MessageRecord, columns, messages)
        self._put(LetterRecipient, ("message_id", "address"), recipients)
        self._put(Judgement, ("message_id", "positive", "score", "model", "at"), judged)
        columns = (
            "mailbox", "message_id", "kind", "state", "step", "dedupe_key", "facts", "draft_id", "attempts",
            "handovers", "next_attempt_at", "created_at", "finished_at",
        )  # fmt: skip
        self._put(Delivery, columns, deliveries)
        self._put(Correction, ("mailbox", "message_id", "from_tag", "to_tag", "at", "followed_at"), corrected)
        self._cases(cases)

    def _cases(self, cases: Sequence[tuple[int, str, int, datetime, float]]) -> None:
        rows = []
        for number, box, family, when, chance in cases:
            agreed = when + timedelta(days=1 + chance * 40) if chance < 0.8 else None
            known = agreed if agreed is not None and agreed < NOW else None
            state = CaseState.OPEN if known is None else CaseState.AGREED
            rows.append(
                (number, box, f"{number:032x}", f"k{family}", state.value, False, when, when, when, known,
                 known or when, 0, when)
            )  # fmt: skip
        columns = (
            "id", "mailbox", "reference", "family", "state", "hostile", "opened_at", "last_mail_at", "takes_until",
            "agreed_at", "changed_at", "steps", "looked_at",
        )  # fmt: skip
        self._put(ConflictCase, columns, rows)
        self._put(CaseMail, ("message_id", "case_id"), ((each[0], each[0]) for each in cases))

    def _incidents(self) -> None:
        count = self.size.students // 5 * YEARS
        students, ahead = self._random.integers(0, self.size.students, count), self._random.random(count)
        back = self._random.integers(1, 40, count)
        span = (NOW.date() - date(FIRST_AUGUST, 8, 23)).days
        rows = []
        for n in range(count):
            day = date(FIRST_AUGUST, 8, 23) + timedelta(days=int(ahead[n] * span))
            baseline = day + timedelta(days=int(back[n])) if back[n] < 30 else None
            rows.append((f"i{n}", f"s{students[n]}", day, "disruption", baseline, NOW, NOW))
        columns = ("reference", "student", "on_day", "kind", "baseline_day", "imported_at", "changed_at")
        self._put(Incident, columns, rows)

    def _put(self, table: type[SQLModel], columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        """Inserts rows as fast as the database can: COPY on PostgreSQL, executemany on SQLite."""
        name, listed = table.__tablename__, ", ".join(f'"{column}"' for column in columns)
        cursor: Any = self.connection.connection.cursor()
        left = iter(rows)
        if self.connection.dialect.name == "postgresql":
            with cursor.copy(f"COPY {name} ({listed}) FROM STDIN") as copy:
                while some := list(islice(left, _BATCH)):
                    copy.write("".join(["\t".join([_copied(value) for value in row]) + "\n" for row in some]))
            self._step_on(table)
            return
        marks = ", ".join("?" * len(columns))
        while some := [tuple(_text(value) for value in row) for row in islice(left, _BATCH)]:
            cursor.executemany(f"INSERT INTO {name} ({listed}) VALUES ({marks})", some)

    def _step_on(self, table: type[SQLModel]) -> None:
        """PostgreSQL numbers what comes next by a sequence, which rows that bring their number leave behind."""
        key = [column.name for column in table.__table__.primary_key]  # type: ignore[attr-defined]
        if key == ["id"] and table in (MessageRecord, ConflictCase):
            name = table.__tablename__
            self.connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT coalesce(max(id), 1) FROM {name}))"
            )


def _guardian(family: int) -> str:
    return f"g{family}@family.example"


def _tag(chance: float) -> Tag:
    return Tag.URGENT if chance < 0.06 else Tag.CONFLICT if chance < 0.11 else Tag.ROUTINE


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=ahead) for ahead in range((last - first).days + 1))


def _copied(value: Any) -> str:
    """As COPY reads it. Nothing here has a tab, a line's end or a backslash in it."""
    return r"\N" if value is None else value if type(value) is str else str(_text(value))


def _text(value: Any) -> Any:
    """As SQLAlchemy writes times into an SQLite file."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, date):
        return value.isoformat()
    return value.item() if isinstance(value, np.generic) else value

"""Families of the school on the roster's tables, in classes of its teachers, and what they have heard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import Connection, insert

from autoresponder.contacts import ContactKind, ContactTone
from autoresponder.family import person
from store.contact_record import NewContact, record
from store.contact_tables import ContactSource
from store.database import Database
from store.roster_tables import (
    RosterAddress,
    RosterCare,
    RosterClass,
    RosterFamily,
    RosterMembership,
    RosterPerson,
    RosterTerm,
)
from tests.service.maple import OKAFOR, RIVERA

SPRING, FALL = "spring", "fall"
TERMS = {FALL: (date(2025, 8, 25), date(2025, 12, 19)), SPRING: (date(2026, 1, 12), date(2026, 5, 29))}
"""First and last days; `maple.TUESDAY` lies in spring."""


@dataclass(frozen=True)
class Home:
    """A family: its children, and its guardians' addresses and languages."""

    children: Sequence[str]
    guardians: Mapping[str, str | None] = field(default_factory=dict)
    teachers: Sequence[str] = (RIVERA,)


LOPEZ = Home(("Maya Lopez", "Leo Lopez"), {"ana@family.example": "es", "luis@family.example": None})
BRANDT = Home(("Theo Brandt",), {"bo@family.example": None})
NGUYEN = Home(("Linh Nguyen",), {"nguyen@family.example": "vi"}, (RIVERA, OKAFOR))
HOMES = {"lopez": LOPEZ, "brandt": BRANDT, "nguyen": NGUYEN}


def enrol(database: Database, homes: Mapping[str, Home] | None = None) -> None:
    """Puts families on the roster, by their identifiers; every teacher has one class."""
    with database.write() as connection:
        for id_, (begins, ends) in TERMS.items():
            add(connection, RosterTerm, id=id_, title=id_.title(), begins=begins, ends=ends)
        for teacher in (RIVERA, OKAFOR):
            add(connection, RosterPerson, id=teacher, kinds="teacher", given_name="", family_name=teacher)
            add(connection, RosterAddress, address=teacher, person=teacher)
            add(
                connection,
                RosterClass,
                id=f"class {teacher}",
                title="Room 12",
                school="maple",
                terms=f"{FALL},{SPRING}",
            )
            place(connection, teacher, teacher)
        for id_, home in (HOMES if homes is None else homes).items():
            admit(connection, id_, home)


def admit(connection: Connection, family: str, home: Home) -> None:
    """One more family."""
    for address, language in home.guardians.items():
        guardian = f"guardian {address}"
        name = address.partition("@")[0].title()
        add(connection, RosterPerson, id=guardian, kinds="guardian", given_name=name, family_name="", language=language)
        add(connection, RosterAddress, address=person(address), person=guardian)
    for child in home.children:
        given, _, last = child.partition(" ")
        student = f"student {child}"
        add(connection, RosterPerson, id=student, kinds="student", given_name=given, family_name=last)
        add(connection, RosterFamily, student=student, family=family)
        for address in home.guardians:
            add(connection, RosterCare, student=student, guardian=f"guardian {address}")
        for teacher in home.teachers:
            place(connection, student, teacher)


def place(connection: Connection, who: str, teacher: str, **held: date | None) -> None:
    """Somebody's place in a teacher's class."""
    add(connection, RosterMembership, id=f"{who} with {teacher}", person=who, school_class=f"class {teacher}", **held)


def good_word(database: Database, child: str, on_day: date, *, teacher: str = RIVERA) -> None:
    """A teacher has told a child's family something good, in a call."""
    at = datetime.combine(on_day, time(18), UTC)
    call = NewContact(
        reference=f"{teacher} {child} {on_day}",
        mailbox=teacher,
        student=f"student {child}",
        on_day=on_day,
        kind=ContactKind.CALL,
        tone=ContactTone.GOOD_NEWS,
        reached=True,
        source=ContactSource.FILE,
        over_at=at,
    )
    with database.write() as connection:
        record(connection, [call], at)


def add(connection: Connection, table: Any, **values: Any) -> None:
    """A row."""
    connection.execute(insert(table).values(values))

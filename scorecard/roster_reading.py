"""Who belongs to which address, as the roster in the database has it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from scorecard.school_lists import Person, PersonKind
from store.roster_tables import RosterAddress, RosterCare, RosterFamily, RosterMembership, RosterPerson


@dataclass(frozen=True, slots=True)
class Student:
    """A student on the roster: the identifier, and the name as people say it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Home:
    """What is known of an address: whose children its owners look after now, the language of the home, and the families
    that these belong to, or belonged to last: those of now first, and of these the longest known."""

    students: tuple[Student, ...]
    language: str | None
    families: tuple[str, ...]
    earlier: tuple[str, ...] = ()
    """Every other family that was ever meant by the address."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What the addresses are worked out from."""

    people: Mapping[str, Row[Any] | Person]
    """Everybody who ever was on the lists."""
    cares: Sequence[tuple[str, str, bool]]
    """Student, guardian, and whether it holds now; the first known first."""
    families: Sequence[tuple[int, str, str, bool]]
    """Number, student, family, and whether it holds now."""
    addresses: Sequence[tuple[str, str, bool]]
    """Address, person, and whether it holds now; the first known first."""


def homes(connection: Connection) -> Mapping[str, Home]:
    """Every address that a guardian has, or had last."""
    care, address = RosterCare, RosterAddress
    people = {row.id: row for row in connection.execute(select(*_PEOPLE))}
    cares = connection.execute(select(col(care.student), col(care.guardian), col(care.until)).order_by(col(care.id)))
    families = connection.execute(select(*_BELONGING))
    owners = connection.execute(
        select(col(address.address), col(address.person), col(address.until)).order_by(col(address.id))
    )
    return homes_of(
        Rows(
            people=people,
            cares=[(row.student, row.guardian, row.until is None and _here(people[row.student])) for row in cares],
            families=[(row.id, row.student, row.family, row.until is None) for row in families],
            addresses=[(row.address, row.person, row.until is None) for row in owners],
        )
    )


def homes_of(rows: Rows) -> Mapping[str, Home]:
    """The same, decided."""
    wards: dict[str, dict[str, bool]] = defaultdict(dict)
    for student, guardian, now in rows.cares:
        wards[guardian][student] = now or wards[guardian].get(student, False)
    families: dict[str, list[tuple[int, str, bool]]] = defaultdict(list)
    for number, student, family, now in rows.families:
        families[student].append((number, family, now))
    alive = {family for _, _, family, now in rows.families if now}
    owners: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for address, person, now in rows.addresses:
        if person in wards:
            owners[address].append((person, now))
    return {address: _home(people, wards, families, alive, rows) for address, people in owners.items()}


def _home(
    owners: Sequence[tuple[str, bool]],
    wards: Mapping[str, Mapping[str, bool]],
    families: Mapping[str, Sequence[tuple[int, str, bool]]],
    alive: Collection[str],
    rows: Rows,
) -> Home:
    # An address that somebody else has by now is theirs alone; one that nobody has any more, of who had it last.
    holders = list(dict.fromkeys(person for person, now in owners if now)) or [owners[-1][0]]
    on_lists = any(now for _, now in owners)
    students = {student for person in holders for student, now in wards[person].items() if now and on_lists}
    ours = {family for student in students for _, family, now in families.get(student, ()) if now}
    ever = sorted(row for person in holders for student in wards[person] for row in families.get(student, ()))
    current = tuple(dict.fromkeys(family for _, family, now in ever if now and family in ours))
    past = tuple(dict.fromkeys(family for _, family, _ in reversed(ever) if family not in alive))
    # Who has left goes on under the family that they were: a matter with them may be open.
    meant = current or past[:1]
    language = next((rows.people[person].language for person in holders if rows.people[person].language), None)
    named = sorted((_name(rows.people[student]), student) for student in students)
    return Home(
        students=tuple(Student(student, name) for name, student in named),
        language=language if students else None,
        families=meant,
        earlier=tuple(family for family in past if family not in meant),
    )


_BELONGING = tuple(col(getattr(RosterFamily, name)) for name in ("id", "student", "family", "until"))
_PEOPLE = tuple(col(getattr(RosterPerson, name)) for name in ("id", "given_name", "family_name", "language", "until"))


def _here(row: Row[Any]) -> bool:
    return row.until is None


def _name(row: Row[Any] | Person) -> str:
    return f"{row.given_name} {row.family_name}".strip()


def guardians_of(connection: Connection, student: str) -> Sequence[str]:
    """Addresses of those who look after a student now, in the order of the alphabet."""
    rows = connection.execute(
        select(col(RosterAddress.address))
        .join(RosterCare, col(RosterCare.guardian) == col(RosterAddress.person))
        .where(col(RosterCare.student) == student, col(RosterCare.until).is_(None), col(RosterAddress.until).is_(None))
    )
    return sorted(set(rows.scalars()))


def teachers_of(connection: Connection, student: str, day: date) -> Sequence[str]:
    """Addresses of the teachers who share a class with a student on a day, in the order of the alphabet."""
    mine, theirs, teacher = aliased(RosterMembership), aliased(RosterMembership), RosterPerson
    rows = connection.execute(
        select(col(teacher.kinds), col(RosterAddress.address))
        .join(theirs, col(theirs.person) == col(teacher.id))
        .join(mine, col(mine.school_class) == col(theirs.school_class))
        .join(RosterAddress, col(RosterAddress.person) == col(teacher.id))
        .where(
            col(mine.person) == student,
            *_holds(mine, day),
            *_holds(theirs, day),
            col(RosterAddress.until).is_(None),
        )
    )
    return sorted({row.address for row in rows if PersonKind.TEACHER in row.kinds.split(",")})


def _holds(place: Any, day: date) -> Sequence[Any]:
    return (
        or_(place.since.is_(None), place.since <= day),
        or_(place.until.is_(None), place.until > day),
        or_(place.begins.is_(None), place.begins <= day),
        or_(place.ends.is_(None), place.ends >= day),
    )

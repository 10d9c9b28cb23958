"""Who belongs to which address, as the roster in the database has it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlmodel import col

from store.roster_tables import RosterAddress, RosterCare, RosterFamily, RosterPerson


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


def homes(connection: Connection) -> Mapping[str, Home]:
    """Every address that a guardian has, or had last."""
    names = {row.id: row for row in connection.execute(select(*_PEOPLE))}
    wards: dict[str, dict[str, bool]] = defaultdict(dict)
    for student, guardian, until in connection.execute(
        select(col(RosterCare.student), col(RosterCare.guardian), col(RosterCare.until)).order_by(col(RosterCare.id))
    ):
        now = until is None and names[student].until is None
        wards[guardian][student] = now or wards[guardian].get(student, False)
    families: dict[str, list[tuple[int, str, bool]]] = defaultdict(list)
    for row in connection.execute(select(*_BELONGING)):
        families[row.student].append((row.id, row.family, row.until is None))
    alive = {family for rows in families.values() for _, family, now in rows if now}
    owners: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for address, person, until in connection.execute(
        select(col(RosterAddress.address), col(RosterAddress.person), col(RosterAddress.until)).order_by(
            col(RosterAddress.id)
        )
    ):
        if person in wards:
            owners[address].append((person, until is None))
    found = {}
    for address, people in owners.items():
        # An address that somebody else has by now is theirs alone; one that nobody has any more, of who had it last.
        holders = list(dict.fromkeys(person for person, now in people if now)) or [people[-1][0]]
        on_lists = any(now for _, now in people)
        students = {s for person in holders for s, now in wards[person].items() if now and on_lists}
        rows = sorted(row for person in holders for s in wards[person] for row in families.get(s, ()))
        ours = {family for s in students for _, family, now in families.get(s, ()) if now}
        current = tuple(dict.fromkeys(family for _, family, now in rows if now and family in ours))
        past = tuple(dict.fromkeys(family for _, family, _ in reversed(rows) if family not in alive))
        # Who has left goes on under the family that they were: a matter with them may be open.
        meant = current or past[:1]
        language = next((names[person].language for person in holders if names[person].language), None)
        found[address] = Home(
            students=tuple(Student(s, _name(names[s])) for s in sorted(students, key=lambda s: _name(names[s]))),
            language=language if students else None,
            families=meant,
            earlier=tuple(family for family in past if family not in meant),
        )
    return found


_BELONGING = tuple(col(getattr(RosterFamily, name)) for name in ("id", "student", "family", "until"))
_PEOPLE = tuple(col(getattr(RosterPerson, name)) for name in ("id", "given_name", "family_name", "language", "until"))


def _name(row: Row[Any]) -> str:
    return f"{row.given_name} {row.family_name}".strip()

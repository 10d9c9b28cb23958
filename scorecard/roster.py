"""Which guardian belongs to which student: a view of the roster in the database, kept in memory."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import count
from pathlib import Path
from threading import Lock
from time import monotonic
from types import MappingProxyType

from sqlalchemy import Connection, func, select
from sqlmodel import col

from autoresponder.family import are_one_family, person
from scorecard.family_sets import families_after
from scorecard.list_files import read_lists
from scorecard.roster_reading import Home, Rows, guardians_of, homes, homes_of, teachers_of
from scorecard.school_lists import PersonKind, Rejected, SchoolLists
from store.database import Database
from store.erasure_tables import Erasure
from store.roster_tables import RosterImport, RosterMatch

_NOBODY = Home((), None, ())


class Roster:
    """Who looks after whom. An empty one (`Roster()`) knows nobody. Threads share it; `refresh` brings it up to
    date."""

    def __init__(self, database: Database | None = None, *, every: float | None = None) -> None:
        """Knows what the `database` does, from the first `refresh` on; `every` so many seconds it refreshes by itself,
        where somebody asks."""
        self._database = database
        self._homes: Mapping[str, Home] = MappingProxyType({})
        self._seen: object = None
        self._every = every
        self._looks_at = 0.0
        self._lock = Lock()
        self.problems: tuple[Rejected, ...] = ()
        """Every row of the file that could not be used whole, where one was loaded."""

    @classmethod
    def of(cls, database: Database, *, every: float | None = None) -> "Roster":
        """The roster in the database, as it is now."""
        roster = cls(database, every=every)
        roster.refresh()
        return roster

    @classmethod
    def load(cls, path: Path | None) -> "Roster":
        """What the lists at `path` say, in no database; None gives the empty roster. Bad rows are left out and listed
        in `problems`. Raises `ConfigError` where the file as a whole cannot be used."""
        if path is None:
            return cls()
        lists = read_lists(path)
        roster = cls()
        roster._homes, roster.problems = _homes_in(lists), tuple(lists.rejected)
        return roster

    def refresh(self) -> bool:
        """Looks whether the roster in the database has changed, and takes it over. Says whether it had."""
        if self._database is None:
            return False
        with self._lock, self._database.read() as connection:
            self._looks_at = monotonic() + (self._every or 0.0)
            newest = _newest(connection)
            if newest == self._seen:
                return False
            self._homes, self._seen = homes(connection), newest
            return True

    def students_of(self, email: str) -> tuple[str, ...]:
        """Names of the students whose guardian has this address; empty where unknown. Neither case nor a +tag matters.
        Two may have one name: `student_ids_of` tells them apart."""
        return tuple(student.name for student in self._home(email).students)

    def student_ids_of(self, email: str) -> tuple[str, ...]:
        """Identifiers (`roster_person.id`) of the same students, in the same order."""
        return tuple(student.id for student in self._home(email).students)

    def language_of(self, email: str) -> str | None:
        """The home language of the guardian with this address as an ISO 639-1 code, None where unknown."""
        return self._home(email).language

    def family_of(self, email: str) -> str | None:
        """The family (`roster_family.family`) that a guardian's mail is filed under: theirs, of several the longest
        known, and the last where their children have left. None where unknown."""
        return next(iter(self._home(email).families), None)

    def families_of(self, email: str) -> tuple[str, ...]:
        """Every family that the guardian with this address belongs to, the longest known first."""
        return self._home(email).families

    def are_one_family(self, email: str, other: str) -> bool:
        """Whether two addresses are of people who look after one student."""
        return are_one_family(self.student_ids_of(email), self.student_ids_of(other))

    def guardians_of(self, student: str) -> Sequence[str]:
        """Addresses of those who look after the student with this identifier now."""
        if self._database is None:
            return ()
        with self._database.read() as connection:
            return guardians_of(connection, student)

    def teachers_of(self, student: str, day: date) -> Sequence[str]:
        """Addresses of the teachers who share a class with the student with this identifier on a day."""
        if self._database is None:
            return ()
        with self._database.read() as connection:
            return teachers_of(connection, student, day)

    def __len__(self) -> int:
        """How many addresses of guardians it knows."""
        return sum(bool(home.students) for home in self._homes.values())

    def _home(self, email: str) -> Home:
        if self._every is not None and monotonic() > self._looks_at:
            self.refresh()
        return self._homes.get(person(email), _NOBODY)


def _newest(connection: Connection) -> object:
    """Something that is another after every import, every match, and whenever somebody was forgotten."""
    matches = select(func.max(col(RosterMatch.id)), func.count(col(RosterMatch.unmatched_at)))
    newest = connection.execute(select(func.max(col(RosterImport.id)))).scalar()
    erased = connection.execute(select(func.max(col(Erasure.id)))).scalar()
    return newest, erased, *connection.execute(matches).one()


def _homes_in(lists: SchoolLists) -> Mapping[str, Home]:
    people = {each.id: each for each in lists.people}
    guardians: dict[str, set[str]] = {each.id: set() for each in lists.people if PersonKind.STUDENT in each.kinds}
    for care in lists.cares:
        guardians[care.student].add(care.guardian)
    numbers = count(1)
    after = families_after(
        {student: frozenset(of) for student, of in guardians.items()}, {}, lambda: f"family-{next(numbers)}", {}, {}
    )
    return homes_of(
        Rows(
            people=people,
            cares=[(care.student, care.guardian, True) for care in lists.cares],
            families=[(number, student, family, True) for number, (student, family) in enumerate(after.items())],
            addresses=[(person(address), each.id, True) for each in lists.people for address in each.addresses],
        )
    )

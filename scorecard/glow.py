"""Who has had no good word from a teacher yet: the teacher's families of today, and when each had one.

Which families are a teacher's, and what counts as a good word, is what the scorecard says (docs/scorecard.md).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from sqlalchemy import Connection, select
from sqlmodel import col

from config.settings import MailboxSettings, Settings
from scorecard.packing import measures_in, named_in, standings_in
from scorecard.places import Places
from scorecard.report import SchoolTerm
from scorecard.roster_slice import read_mailboxes, read_places, rows_in
from store.marks import monday_of
from store.roster_tables import RosterAddress, RosterCare, RosterMembership, RosterPerson
from store.scorecard_tables import FamilyStanding, Grouping, Measure, Tally


@dataclass(frozen=True, slots=True)
class Guardian:
    """Somebody who looks after a student, as of now."""

    name: str
    addresses: tuple[str, ...]
    """In small letters, without a plus tag."""
    language: str | None
    """ISO 639-1 code of the language at home, where the roster names one."""


@dataclass(frozen=True, slots=True)
class GlowFamily:
    """A teacher's family."""

    id: str
    """`roster_family.family`."""
    students: tuple[str, ...]
    """Names of those whom the teacher has in class, in order."""
    guardians: tuple[Guardian, ...]
    positive_on: date | None
    """The day of the first good word from this teacher in the term; None where there was none yet."""
    heard_before: date | None = None
    """The day of the last first good word from this teacher in an earlier term; None where there was never one."""

    @property
    def addresses(self) -> tuple[str, ...]:
        """All of the guardians', each once."""
        return tuple(dict.fromkeys(address for each in self.guardians for address in each.addresses))


def families_of(
    connection: Connection, box: MailboxSettings, settings: Settings, term: SchoolTerm, today: date, turn_of: date
) -> tuple[GlowFamily, ...]:
    """The families that belong to the teacher of `box` today, in the order of their turn: those without a good word
    first. `today` is the day in the school's time zone. Whose turn it is among equals, is drawn anew each week, here
    for that of the day `turn_of`."""
    mailboxes = read_mailboxes(connection, settings)
    own = {address for address, mailbox in mailboxes.names.items() if mailbox == box.address}
    candidates = _classmates(connection, own)
    places = read_places(connection, candidates, mailboxes)
    students: dict[str, list[str]] = defaultdict(list)
    for student in sorted(candidates):
        if places.is_enrolled(student, today) and box.address in places.teachers(student, today):
            family = places.family_in(student, term, today)
            if family is not None:
                students[family].append(student)
    heard = _heard(connection, box.address, students)
    guardians = _guardians(connection, places, {each for group in students.values() for each in group}, today)
    called = _names(connection, {each for group in students.values() for each in group})
    families = [
        GlowFamily(
            id=family,
            students=tuple(sorted(called[each][0] for each in group)),
            guardians=tuple(dict.fromkeys(one for each in group for one in guardians.get(each, ()))),
            positive_on=heard.get((family, term.id)),
            heard_before=max(
                (on for (of, when), on in heard.items() if of == family and when != term.id), default=None
            ),
        )
        for family, group in students.items()
    ]
    return in_turn(families, f"{box.address} {term.id} {monday_of(turn_of).isoformat()}")


def in_turn(families: Iterable[GlowFamily], seed: str) -> tuple[GlowFamily, ...]:
    """Families without a good word in the term first: those who never had one, then who waits longest. Among equals the
    order is drawn by `seed`, the same for the same seed: with another the last are not last again. Then those who had
    one, the latest last."""

    def turn(family: GlowFamily) -> tuple[date, date, str]:
        drawn = sha256(f"{seed} {family.id}".encode()).hexdigest()
        return family.positive_on or date.min, family.heard_before or date.min, drawn

    return tuple(sorted(families, key=turn))


@dataclass(frozen=True, slots=True)
class GlowCount:
    """How many of a teacher's families have had a good word."""

    mailbox: str
    families: int
    waiting: int
    """How many of them have had none yet."""


def counts(connection: Connection, term: SchoolTerm, mailboxes: Iterable[str]) -> tuple[GlowCount, ...]:
    """The counts of each of these teachers who has families: of those that count for the first contact in the term, as
    the scorecard has them."""
    of, found = Tally, []
    query = select(col(of.key), col(of.numbers)).where(
        col(of.term) == term.id, col(of.grouping) == Grouping.TEACHER
    )  # fmt: skip
    for row in rows_in(connection, query, of.key, mailboxes):
        numbers = dict(measures_in(row.numbers))
        families, heard = (sum(numbers.get(each, {}).values()) for each in (Measure.ENROLLED, Measure.HEARD))
        if families:
            found.append(GlowCount(row.key, families, families - heard))
    return tuple(found)


def _classmates(connection: Connection, addresses: Iterable[str]) -> set[str]:
    """Everybody who was ever in a class with somebody who has one of these addresses."""
    people = {
        row.person for row in rows_in(connection, select(col(RosterAddress.person)), RosterAddress.address, addresses)
    }
    classes = select(col(RosterMembership.school_class))
    taught = {row.school_class for row in rows_in(connection, classes, RosterMembership.person, people)}
    members = select(col(RosterMembership.person))
    return {row.person for row in rows_in(connection, members, RosterMembership.school_class, taught)}


def _heard(connection: Connection, mailbox: str, families: Iterable[str]) -> Mapping[tuple[str, str], date]:
    """The day of the first good word, by family and term."""
    of, teacher = FamilyStanding, (Grouping.TEACHER, mailbox)
    query = select(col(of.family), col(of.term), col(of.standings)).where(
        col(of.standings).contains(named_in(teacher), autoescape=True)
    )
    stood = {
        (row.family, row.term): standings_in(row.standings).get(teacher)
        for row in rows_in(connection, query, of.family, families)
    }
    return {key: stands.positive_on for key, stands in stood.items() if stands and stands.positive_on}


def _names(connection: Connection, people: Iterable[str]) -> Mapping[str, tuple[str, str | None]]:
    """Name and language by identifier."""
    of = RosterPerson
    query = select(col(of.id), col(of.given_name), col(of.family_name), col(of.language))
    return {
        row.id: (f"{row.given_name} {row.family_name}".strip(), row.language)
        for row in rows_in(connection, query, of.id, people)
    }


def _guardians(
    connection: Connection, places: Places, students: Iterable[str], today: date
) -> Mapping[str, Sequence[Guardian]]:
    """Who looks after each of these students today."""
    wanted = set(students)
    addresses = {address for address in places.cares if not wanted.isdisjoint(places.students_of(address, today))}
    of = RosterAddress
    query = select(col(of.address), col(of.person), col(of.since), col(of.until))
    owners: dict[str, list[str]] = defaultdict(list)
    for row in rows_in(connection, query, of.address, addresses):
        if (row.since is None or row.since <= today) and (row.until is None or today < row.until):
            owners[row.person].append(row.address)
    named = _names(connection, {*owners, *wanted})
    cares = select(col(RosterCare.student), col(RosterCare.guardian), col(RosterCare.since), col(RosterCare.until))
    found: dict[str, list[Guardian]] = defaultdict(list)
    rows = rows_in(connection, cares, RosterCare.student, wanted)
    for row in sorted(rows, key=lambda row: (row.student, row.guardian)):
        holds = (row.since is None or row.since <= today) and (row.until is None or today < row.until)
        if holds and row.guardian in owners:
            name, language = named[row.guardian]
            theirs = tuple(sorted(owners[row.guardian]))
            found[row.student].append(Guardian(name, theirs, language or named[row.student][1]))
    return found

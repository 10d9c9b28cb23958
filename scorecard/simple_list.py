"""Reads the simple list of a small school: one CSV file, a row per student and guardian (`config.roster` says of what
form)."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from autoresponder.family import person as address_key
from autoresponder.outgoing import one_line
from config.roster import RosterRow, roster_rows
from config.settings import EmailAddress
from scorecard.languages import language_code
from scorecard.school_lists import (
    Care,
    Listed,
    Membership,
    Person,
    PersonKind,
    Rejected,
    School,
    SchoolClass,
    SchoolLists,
    leave_out,
)

_NAME_CHARACTERS = 120
_ADDRESS: TypeAdapter[str] = TypeAdapter(EmailAddress)
_BETWEEN_ADDRESSES = re.compile(r"[;,\s]+")


def read_simple_list(path: Path) -> SchoolLists:
    """The lists in the file; it is complete. Bad rows, and bad cells, are left out and listed in `rejected`.

    A student is who has the `student_id`, and where there is none, the name. Raises `ConfigError` where the file as a
    whole cannot be used.
    """
    reading = _Reading(path.name)
    for row in roster_rows(path):
        reading.take(row)
    return reading.lists()


@dataclass
class _Reading:
    file: str
    people: dict[str, Person] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    """Guardian by address."""
    students: dict[str, tuple[int, RosterRow]] = field(default_factory=dict)
    cares: dict[Care, None] = field(default_factory=dict)
    schools: dict[str, School] = field(default_factory=dict)
    classes: dict[str, SchoolClass] = field(default_factory=dict)
    places: dict[str, Membership] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    def lists(self) -> SchoolLists:
        return SchoolLists(
            complete=frozenset(Listed),
            schools=list(self.schools.values()),
            classes=list(self.classes.values()),
            people=list(self.people.values()),
            cares=list(self.cares),
            memberships=list(self.places.values()),
            rejected=self.rejected,
        )

    def take(self, row: RosterRow) -> None:
        name = one_line(row.student, _NAME_CHARACTERS)
        if not name:
            self._reject(row, "student", "the student's name is missing")
            return
        if row.student_id != one_line(row.student_id, _NAME_CHARACTERS):
            self._reject(row, "student_id", "is no identifier: it is too long, or holds characters that no text has")
            return
        row = replace(row, grade=one_line(row.grade, _NAME_CHARACTERS), school=one_line(row.school, _NAME_CHARACTERS))
        student = self._student(row, name)
        if student is None:
            return
        addresses = self._addresses(row, "guardian_email", row.guardian_email)
        if addresses:
            guardian = self._guardian(row, addresses)
            self.cares[Care(student, guardian)] = None
        elif not row.guardian_email and not row.student_id:
            self._reject(row, "guardian_email", "holds no e-mail address; the student is on the list all the same")
        for teacher in self._addresses(row, "teacher", row.teacher):
            self._taught_by(student, teacher)

    def _student(self, row: RosterRow, name: str) -> str | None:
        """The student's identifier; None where two rows cannot be of one student."""
        id_ = row.student_id or f"name-{_digest(name.casefold())}"
        line, first = self.students.setdefault(id_, (row.line, row))
        for column in ("student", "grade", "school") if row.student_id else ("grade", "school"):
            said, before = getattr(row, column), getattr(first, column)
            if said and before and said.casefold() != before.casefold():
                advice = "the student_id" if row.student_id else "the student's name; if they are two, give student_ids"
                self._reject(row, column, f"line {line} says otherwise of the same student (the same is {advice})")
                return None
        school = f"school-{_digest(row.school.casefold())}" if row.school else ""
        if school:
            self.schools.setdefault(school, School(school, row.school))
        before = self.people.get(id_)
        grades = (row.grade,) if row.grade else before.grades if before else ()
        schools = (school,) if school else before.schools if before else ()
        self.people[id_] = Person(
            id_, frozenset({PersonKind.STUDENT}), before.given_name if before else name, "", (), grades, None, schools
        )
        return id_

    def _guardian(self, row: RosterRow, addresses: Iterable[str]) -> str:
        """Who has one of these addresses is one person, with all of them."""
        known = [self.owners[each] for each in addresses if each in self.owners]
        id_ = known[0] if known else f"address-{_digest(next(iter(addresses)))}"
        for other in dict.fromkeys(known[1:]):
            self._same(other, id_)
        person = self._person(id_, PersonKind.GUARDIAN, addresses)
        language = person.language
        if row.language:
            said = language_code(row.language)
            if said is None:
                reason = "is not one that is known; write a code such as es, or an English name such as Spanish"
                self._reject(row, "language", reason)
            elif language is not None and said != language:
                reason = f"is {said}, but an earlier row of this guardian says {language}, which is kept"
                self._reject(row, "language", reason)
            else:
                language = said
        name = person.given_name or one_line(row.guardian, _NAME_CHARACTERS)
        self.people[id_] = replace(person, given_name=name, language=language)
        self.owners |= dict.fromkeys(addresses, id_)
        return id_

    def _person(self, id_: str, kind: PersonKind, addresses: Iterable[str]) -> Person:
        person = self.people.get(id_, Person(id_, frozenset(), "", ""))
        every = tuple(dict.fromkeys((*person.addresses, *addresses)))
        return replace(person, kinds=person.kinds | {kind}, addresses=every)

    def _same(self, other: str, one: str) -> None:
        """Two who were taken for two are one."""
        if other == one:
            return
        gone = self.people.pop(other)
        person = self._person(one, PersonKind.GUARDIAN, gone.addresses)
        self.people[one] = replace(
            person,
            given_name=person.given_name or gone.given_name,
            kinds=person.kinds | gone.kinds,
            language=person.language or gone.language,
        )
        self.owners |= dict.fromkeys(gone.addresses, one)
        self.cares = {
            replace(care, guardian=one if care.guardian == other else care.guardian): None for care in self.cares
        }
        self.places = {
            number: replace(place, person=one if place.person == other else place.person)
            for number, place in self.places.items()
        }

    def _taught_by(self, student: str, address: str) -> None:
        id_ = self.owners.get(address) or f"address-{_digest(address)}"
        self.people[id_] = self._person(id_, PersonKind.TEACHER, [address])
        self.owners[address] = id_
        schools = self.people[student].schools
        a_class = f"class-{_digest(address)}"
        self.classes.setdefault(a_class, SchoolClass(a_class, address, schools[0] if schools else ""))
        for number, person in ((f"{a_class}-teacher", id_), (f"{a_class}-{student}", student)):
            self.places.setdefault(number, Membership(number, person, a_class))

    def _addresses(self, row: RosterRow, column: str, cell: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._valid(row, column, _BETWEEN_ADDRESSES.split(cell))))

    def _valid(self, row: RosterRow, column: str, written: Iterable[str]) -> Iterator[str]:
        for each in written:
            if not each:
                continue
            try:
                yield address_key(_ADDRESS.validate_python(each))
            except ValidationError:
                self._reject(
                    row, column, "holds something that is no e-mail address (several are parted by semicolons)"
                )

    def _reject(self, row: RosterRow, column: str, reason: str) -> None:
        leave_out(self.rejected, Rejected(self.file, row.line, column, reason))


def _digest(text: str) -> str:
    """An identifier that says nothing in a log. It is the same in every export."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()

"""Reads a school's lists from OneRoster CSV files, version 1.1 or 1.2, bulk or delta.

Real exports are less tidy than the standard: a missing manifest is taken as "all that is there, and complete", columns
may stand in any order, and who looks after a student may stand with the student (as the standard has it) or with the
guardian.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from pydantic import ValidationError

from config.faults import file_fault
from scorecard.csv_package import CsvPackage, Row
from scorecard.oneroster_rows import ClassRow, EnrollmentRow, Entry, OrgRow, RoleRow, SessionRow, UserRow, column_of
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
    Term,
)

_EntryT = TypeVar("_EntryT", bound=Entry)
_Identifiers: TypeAlias = Mapping[Listed, Collection[str]]

KINDS: Mapping[str, PersonKind] = {
    "student": PersonKind.STUDENT,
    "guardian": PersonKind.GUARDIAN,
    "parent": PersonKind.GUARDIAN,
    "relative": PersonKind.GUARDIAN,
    "teacher": PersonKind.TEACHER,
    "aide": PersonKind.STAFF,
    "administrator": PersonKind.STAFF,
    "counselor": PersonKind.STAFF,
    "districtadministrator": PersonKind.STAFF,
    "principal": PersonKind.STAFF,
    "proctor": PersonKind.STAFF,
    "siteadministrator": PersonKind.STAFF,
    "systemadministrator": PersonKind.STAFF,
}
"""What each role of versions 1.1 and 1.2 is to the school, in small letters."""
_YEAR = "schoolyear"
_FILES: Mapping[str, Listed] = {
    "orgs": Listed.SCHOOLS,
    "academicSessions": Listed.TERMS,
    "classes": Listed.CLASSES,
    "users": Listed.PEOPLE,
    "enrollments": Listed.MEMBERSHIPS,
}


def read_oneroster(path: Path, known: Mapping[Listed, Collection[str]] = MappingProxyType({})) -> SchoolLists:
    """The lists in a folder, or a zip archive, of OneRoster CSV files. Bad rows are left out and listed in `rejected`.

    `known` are the identifiers that earlier imports brought: what an incomplete list may refer to. Raises `ConfigError`
    where the set as a whole cannot be used: no users.csv, a file that is no CSV, a manifest that names a file which is
    not there, another version.
    """
    with CsvPackage(path) as package:
        return _Reading(package, _modes(package), known).lists()


def _modes(package: CsvPackage) -> Mapping[str, str]:
    """Each file that there is, with `bulk` or `delta`."""
    present = {name: "bulk" for name in (*_FILES, "roles") if name in package}
    if "users" not in present:
        raise file_fault(package.path, "a file named users.csv among the OneRoster files")
    if "manifest" not in package:
        return present
    said = {
        row.cells.get("propertyname", "").lower(): row.cells.get("value", "").lower()
        for row in package.rows("manifest", "propertyName", "value")
    }
    version = said.get("oneroster.version", "1.1")
    if not version.startswith(("1.1", "1.2")):
        raise file_fault(Path(package.label("manifest")), f"oneroster.version 1.1 or 1.2, found {version}")
    modes: dict[str, str] = {}
    for name in (*_FILES, "roles"):
        mode = said.get(f"file.{name.lower()}", "absent")
        if mode == "absent":
            continue
        if mode not in {"bulk", "delta"}:
            raise file_fault(Path(package.label("manifest")), f"file.{name} to be bulk, delta or absent, found {mode}")
        if name not in package:
            raise file_fault(package.path, f"{name}.csv, which manifest.csv says is there")
        modes[name] = mode
    if "users" not in modes:
        raise file_fault(Path(package.label("manifest")), "file.users to be bulk or delta")
    return modes


@dataclass
class _Reading:
    """One set of files while it is read."""

    package: CsvPackage
    modes: Mapping[str, str]
    known: Mapping[Listed, Collection[str]]
    rejected: list[Rejected] = field(default_factory=list)
    gone: dict[Listed, set[str]] = field(default_factory=lambda: defaultdict(set))

    def lists(self) -> SchoolLists:
        schools = [School(row.sourced_id, row.name) for _, row in self._entries("orgs", OrgRow)]
        terms = [
            Term(row.sourced_id, row.title, row.start_date, row.end_date, is_year=row.type == _YEAR)
            for _, row in self._entries("academicSessions", SessionRow)
        ]
        there = {Listed.SCHOOLS: {school.id for school in schools}, Listed.TERMS: {term.id for term in terms}}
        classes = list(self._classes(there))
        people, agents = self._people(self._kinds())
        there |= {Listed.CLASSES: {each.id for each in classes}, Listed.PEOPLE: set(people)}
        return SchoolLists(
            complete=self.complete,
            schools=schools,
            terms=terms,
            classes=classes,
            people=list(people.values()),
            cares=list(self._cares(people, agents, there)),
            memberships=list(self._memberships(there)),
            gone={listed: frozenset(ids) for listed, ids in self.gone.items()},
            rejected=self.rejected,
        )

    def _classes(self, there: _Identifiers) -> Iterator[SchoolClass]:
        for line, row in self._entries("classes", ClassRow):
            if "orgs" in self.modes and not self._is_there(Listed.SCHOOLS, row.school_sourced_id, there):
                self._reject("classes", line, "schoolSourcedId", f"there is no school {row.school_sourced_id}")
                continue
            yield SchoolClass(row.sourced_id, row.title, row.school_sourced_id, row.grades, row.term_sourced_ids)

    def _memberships(self, there: _Identifiers) -> Iterator[Membership]:
        for line, row in self._entries("enrollments", EnrollmentRow):
            if not self._is_there(Listed.PEOPLE, row.user_sourced_id, there):
                self._reject("enrollments", line, "userSourcedId", f"there is no person {row.user_sourced_id}")
            elif not self._is_there(Listed.CLASSES, row.class_sourced_id, there):
                self._reject("enrollments", line, "classSourcedId", f"there is no class {row.class_sourced_id}")
            else:
                yield Membership(
                    row.sourced_id, row.user_sourced_id, row.class_sourced_id, row.begin_date, row.end_date
                )

    def _is_there(self, listed: Listed, identifier: str, there: _Identifiers) -> bool:
        return identifier in there[listed] or (listed not in self.complete and identifier in self.known.get(listed, ()))

    @property
    def complete(self) -> frozenset[Listed]:
        """The lists that are whole: what was known before and is not on them is no more."""
        return frozenset(listed for name, listed in _FILES.items() if self.modes.get(name) == "bulk")

    def _kinds(self) -> Mapping[str, frozenset[PersonKind]]:
        """What each person is, from roles.csv; empty in version 1.1, which says it in users.csv."""
        kinds: dict[str, set[PersonKind]] = defaultdict(set)
        if "roles" not in self.modes:
            return {}
        for row in self._rows("roles"):
            entry = self._checked("roles", RoleRow, row)
            if entry is None or entry.status != "active":
                continue
            kind = KINDS.get(entry.role)
            if kind is None:
                self._reject("roles", row.line, "role", f"{entry.role} is no role of OneRoster")
            else:
                kinds[entry.user_sourced_id].add(kind)
        return {person: frozenset(of) for person, of in kinds.items()}

    def _people(
        self, kinds: Mapping[str, frozenset[PersonKind]]
    ) -> tuple[dict[str, Person], list[tuple[int, str, tuple[str, ...]]]]:
        """The people, and of each row its line, whose it is, and whom it names as agents."""
        people: dict[str, Person] = {}
        agents: list[tuple[int, str, tuple[str, ...]]] = []
        for line, user in self._entries("users", UserRow):
            of = kinds.get(user.sourced_id, frozenset())
            if user.role is not None and not of:
                if user.role not in KINDS:
                    self._reject("users", line, "role", f"{user.role} is no role of OneRoster")
                    continue
                of = frozenset({KINDS[user.role]})
            people[user.sourced_id] = Person(
                id=user.sourced_id,
                kinds=of,
                given_name=user.preferred_given_name or user.given_name,
                family_name=user.family_name,
                addresses=user.email,
                grades=user.grades,
            )
            agents.append((line, user.sourced_id, user.agent_sourced_ids))
        return people, agents

    def _cares(
        self, people: Mapping[str, Person], agents: Sequence[tuple[int, str, tuple[str, ...]]], there: _Identifiers
    ) -> Iterator[Care]:
        """Who looks after whom. On a row that is no student's, the agents are the students that this person looks
        after."""
        found: dict[Care, None] = {}
        for line, person, named in agents:
            is_student = PersonKind.STUDENT in people[person].kinds
            for agent in named:
                if self._is_there(Listed.PEOPLE, agent, there):
                    found[Care(person, agent) if is_student else Care(agent, person, by_guardian=True)] = None
                else:
                    self._reject("users", line, "agentSourcedIds", f"there is no person {agent}")
        return iter(found)

    def _entries(self, name: str, model: type[_EntryT]) -> Iterator[tuple[int, _EntryT]]:
        """The rows of a file that hold, each identifier once, with their lines."""
        seen: set[str] = set()
        for row in self._rows(name):
            entry = self._kept(name, model, row, _FILES[name])
            if entry is None:
                continue
            if entry.sourced_id in seen:
                self._reject(name, row.line, "sourcedId", "an earlier row has the same; that one is kept")
                continue
            seen.add(entry.sourced_id)
            yield row.line, entry

    def _kept(self, name: str, model: type[_EntryT], row: Row, listed: Listed) -> _EntryT | None:
        """The row, None where it is bad or says that the entry is no more."""
        entry = self._checked(name, model, row)
        if entry is not None and entry.status != "active":
            self.gone[listed].add(entry.sourced_id)
            return None
        return entry

    def _rows(self, name: str) -> Iterator[Row]:
        if name not in self.modes:
            return
        required = ("sourcedId", "status") if self.modes[name] == "delta" else ("sourcedId",)
        yield from self.package.rows(name, *required)

    def _checked(self, name: str, model: type[_EntryT], row: Row) -> _EntryT | None:
        """The row without those of its cells that make no sense; None where it cannot do without one of them."""
        cells = dict(row.cells)
        try:
            return model.model_validate(cells)
        except ValidationError as error:
            columns = {column_of(field).lower(): column_of(field) for field in model.model_fields}
            for fault in error.errors(include_input=False, include_url=False):
                column = str(fault["loc"][0])
                self._reject(name, row.line, columns[column], fault["msg"].removeprefix("Value error, "))
                cells.pop(column, None)
        try:
            return model.model_validate(cells)
        except ValidationError:
            return None

    def _reject(self, name: str, line: int, column: str, reason: str) -> None:
        self.rejected.append(Rejected(self.package.label(name), line, column, reason))

"""Reads a school's lists from the rows of a set of files: what OneRoster and School Data Sync have in common."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeAlias, TypeVar

from pydantic import ValidationError

from scorecard.csv_package import Row
from scorecard.oneroster_rows import (
    ClassRow,
    CourseRow,
    EnrollmentRow,
    Entry,
    OrgRow,
    RoleRow,
    SessionRow,
    UserRow,
    column_of,
)
from scorecard.school_lists import (
    Care,
    Listed,
    Membership,
    Person,
    PersonKind,
    Rejected,
    RoleChange,
    School,
    SchoolClass,
    SchoolLists,
    Term,
    leave_out,
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
_SCHOOL = "school"
FILES: Mapping[str, Listed] = {
    "orgs": Listed.SCHOOLS,
    "academicSessions": Listed.TERMS,
    "classes": Listed.CLASSES,
    "users": Listed.PEOPLE,
    "enrollments": Listed.MEMBERSHIPS,
}
"""The files by their names without `.csv`, and what each lists."""


class Source(Protocol):
    """Where the rows come from."""

    @property
    def modes(self) -> Mapping[str, str]:
        """Each file that there is, with `bulk` or `delta`."""
        ...

    def rows(self, name: str) -> Iterator[Row]:
        """The rows of a file, none where it is not there."""
        ...

    def label(self, name: str) -> str:
        """The file's name as people find it."""
        ...


@dataclass
class Reading:
    """One set of files while it is read. `known` is what an incomplete list may refer to, `students` who of these are
    students: a row that only changes a student need not say so again."""

    source: Source
    known: Mapping[Listed, Collection[str]]
    students: Collection[str] = ()
    rejected: list[Rejected] = field(default_factory=list)
    gone: dict[Listed, set[str]] = field(default_factory=lambda: defaultdict(set))
    unread: dict[Listed, set[str]] = field(default_factory=lambda: defaultdict(set))

    def lists(self) -> SchoolLists:
        orgs = [row for _, row in self._entries("orgs", OrgRow)]
        schools = [School(row.sourced_id, row.name) for row in orgs]
        terms = list(self._terms())
        there = {Listed.SCHOOLS: {school.id for school in schools}, Listed.TERMS: {term.id for term in terms}}
        classes = list(self._classes(there))
        roles = self._roles()
        above = {row.sourced_id for row in orgs if row.type != _SCHOOL}
        pupils = {role.person for role in roles if role.kind is PersonKind.STUDENT and not role.gone}
        people, agents = self._people(roles if self.source.modes.get("roles") == "bulk" else (), above)
        there |= {Listed.CLASSES: {each.id for each in classes}, Listed.PEOPLE: set(people)}
        return SchoolLists(
            complete=self.complete,
            schools=schools,
            terms=terms,
            classes=classes,
            people=list(people.values()),
            role_changes=roles if self.source.modes.get("roles") == "delta" else (),
            cares=list(self._cares(people, pupils, agents, there)),
            memberships=list(self._memberships(there)),
            gone={listed: frozenset(ids) for listed, ids in self.gone.items()},
            unread={listed: frozenset(ids) for listed, ids in self.unread.items() if ids},
            rejected=self.rejected,
        )

    def _terms(self) -> Iterator[Term]:
        """The standard's end is the day after the last, and most systems write the last: where the next session begins
        on the day on which one ends, the end is taken as the standard has it."""
        rows = list(self._entries("academicSessions", SessionRow))
        begins = {(row.type, row.start_date) for _, row in rows}
        for line, row in rows:
            if row.end_date < row.start_date:
                self._reject("academicSessions", line, "endDate", "lies before the startDate")
                self.unread[Listed.TERMS].add(row.sourced_id)
                continue
            follows = (row.type, row.end_date) in begins and row.end_date > row.start_date
            last = row.end_date - timedelta(days=1) if follows else row.end_date
            yield Term(row.sourced_id, row.title, row.start_date, last, is_year=row.type == _YEAR)

    def _classes(self, there: _Identifiers) -> Iterator[SchoolClass]:
        courses = {row.sourced_id: row for _, row in self._entries("courses", CourseRow)}
        for line, row in self._entries("classes", ClassRow):
            course = courses.get(row.course_sourced_id or "")
            if "orgs" in self.source.modes and not self._is_there(Listed.SCHOOLS, row.school_sourced_id, there):
                self._reject("classes", line, "schoolSourcedId", f"there is no school {row.school_sourced_id}")
                self.unread[Listed.CLASSES].add(row.sourced_id)
                continue
            title = row.title or (course.title if course else "")
            grades = row.grades or (course.grades if course else ())
            yield SchoolClass(row.sourced_id, title, row.school_sourced_id, grades, row.term_sourced_ids)

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
        stays = listed not in self.complete or identifier in self.unread[listed]
        return identifier in there[listed] or (stays and identifier in self.known.get(listed, ()))

    @property
    def complete(self) -> frozenset[Listed]:
        """The lists that are whole: what was known before and is not on them is no more."""
        return frozenset(listed for name, listed in FILES.items() if self.source.modes.get(name) == "bulk")

    def _roles(self) -> Sequence[RoleChange]:
        """What each person is at which school, from roles.csv; nothing in version 1.1, which says it in users.csv."""
        roles = []
        for row in self.source.rows("roles"):
            entry = self._checked("roles", RoleRow, row)
            if entry is None:
                continue
            kind = KINDS.get(entry.role)
            if kind is None:
                self._reject("roles", row.line, "role", f"{entry.role} is no role of OneRoster")
            else:
                gone = entry.status != "active"
                roles.append(RoleChange(entry.user_sourced_id, kind, entry.org_sourced_id or "", gone))
        return roles

    def _people(
        self, roles: Sequence[RoleChange], above: Collection[str]
    ) -> tuple[dict[str, Person], list[tuple[int, str, tuple[str, ...]]]]:
        """The people, and of each row its line, whose it is, and whom it names as agents. `above` are what has schools
        below it: nobody's school."""
        people: dict[str, Person] = {}
        agents: list[tuple[int, str, tuple[str, ...]]] = []
        kinds: dict[str, set[PersonKind]] = defaultdict(set)
        schools: dict[str, set[str]] = defaultdict(set)
        for role in roles:
            if not role.gone:
                kinds[role.person].add(role.kind)
                schools[role.person].add(role.school)
        for line, user in self._entries("users", UserRow):
            of = frozenset(kinds.get(user.sourced_id, ()))
            if user.role is not None and not of:
                if user.role not in KINDS:
                    self._reject("users", line, "role", f"{user.role} is no role of OneRoster")
                    self.unread[Listed.PEOPLE].add(user.sourced_id)
                    continue
                of = frozenset({KINDS[user.role]})
            at = {*schools.get(user.sourced_id, ()), *user.org_sourced_ids} - {"", *above}
            people[user.sourced_id] = Person(
                id=user.sourced_id,
                kinds=of,
                given_name=user.preferred_given_name or user.given_name,
                family_name=user.family_name,
                addresses=user.email,
                grades=user.grades,
                schools=tuple(sorted(at)),
            )
            agents.append((line, user.sourced_id, user.agent_sourced_ids))
        return people, agents

    def _cares(
        self,
        people: Mapping[str, Person],
        pupils: Collection[str],
        agents: Sequence[tuple[int, str, tuple[str, ...]]],
        there: _Identifiers,
    ) -> Iterator[Care]:
        """Who looks after whom. On a row that is no student's, the agents are the students that this person looks
        after."""
        found: dict[Care, None] = {}
        for line, person, named in agents:
            kinds = people[person].kinds
            is_student = PersonKind.STUDENT in kinds or (not kinds and (person in pupils or person in self.students))
            for agent in named:
                if self._is_there(Listed.PEOPLE, agent, there):
                    found[Care(person, agent) if is_student else Care(agent, person, by_guardian=True)] = None
                else:
                    self._reject("users", line, "agentSourcedIds", f"there is no person {agent}")
        return iter(found)

    def _entries(self, name: str, model: type[_EntryT]) -> Iterator[tuple[int, _EntryT]]:
        """The rows of a file that hold, each identifier once, with their lines."""
        seen: set[str] = set()
        listed = FILES.get(name)
        for row in self.source.rows(name):
            entry = self._checked(name, model, row)
            if entry is None:
                if listed is not None:
                    self.unread[listed].add(row.cells.get("sourcedid", ""))
            elif entry.status != "active":
                if listed is not None:
                    self.gone[listed].add(entry.sourced_id)
            elif entry.sourced_id in seen:
                self._reject(name, row.line, "sourcedId", "an earlier row has the same; that one is kept")
            else:
                seen.add(entry.sourced_id)
                yield row.line, entry

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
        leave_out(self.rejected, Rejected(self.source.label(name), line, column, reason))

"""Reads a school's lists from the CSV files of Microsoft School Data Sync, version 2.1. They are always complete.

Source: https://learn.microsoft.com/en-us/schooldatasync/sds-v2.1-csv-file-format
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from config.faults import file_fault
from scorecard.csv_package import CsvPackage, Row
from scorecard.list_reading import FILES, KINDS, Reading
from scorecard.school_lists import Listed, PersonKind, Rejected, SchoolLists, leave_out

_RELATIONS = frozenset({"parent", "guardian", "relative"})
"""Who looks after a student. Others that may stand there, such as doctors and aides, do not."""
_TEACHES = frozenset({"teacher", "professor", "adjunct", "lecturer", "faculty", "ta"})
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "classes": {"orgsourcedid": "schoolsourcedid", "sessionsourcedids": "termsourcedids"},
}
_AMERICAN_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})", re.ASCII)
_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "orgs": ("sourcedId", "name"),
    "users": ("sourcedId",),
    "roles": ("userSourcedId", "orgSourcedId", "role"),
    "classes": ("sourcedId", "orgSourcedId"),
    "enrollments": ("classSourcedId", "userSourcedId", "role"),
    "academicSessions": ("sourcedId", "title", "type", "startDate", "endDate"),
    "courses": ("sourcedId",),
    "relationships": ("userSourcedId", "relationshipUserSourcedId", "relationshipRole"),
}


def is_school_data_sync(package: CsvPackage) -> bool:
    """Whether the files are of that form: there is no manifest, and the roles have no identifiers of their own."""
    if "manifest" in package or "roles" not in package:
        return False
    return "relationships" in package or "sourcedid" not in package.columns("roles")


def read_school_data_sync(
    package: CsvPackage,
    known: Mapping[Listed, Collection[str]] = MappingProxyType({}),
    students: Collection[str] = (),
) -> SchoolLists:
    """The lists in the files. Bad rows are left out and listed in `rejected`. Raises `ConfigError` where the set as a
    whole cannot be used: one of orgs.csv, users.csv and roles.csv is missing, or a file is no CSV."""
    for name in ("orgs", "users", "roles"):
        if name not in package:
            raise file_fault(package.path, f"a file named {name}.csv among the School Data Sync files")
    source = _Source(package)
    reading = Reading(source, known, students)
    reading.rejected.extend(source.rejected)
    return reading.lists()


class _Source:
    """The rows as OneRoster would write them."""

    def __init__(self, package: CsvPackage) -> None:
        self._package = package
        self.modes = {name: "bulk" for name in (*FILES, "roles", "courses") if name in package}
        self.rejected: list[Rejected] = []
        self._grades: dict[str, dict[str, None]] = defaultdict(dict)
        for row in self._raw("roles"):
            if row.cells.get("grade") and row.cells.get("role", "").lower() == PersonKind.STUDENT:
                self._grades[row.cells.get("usersourcedid", "")][row.cells["grade"]] = None
        self._guardians: dict[str, dict[str, None]] = defaultdict(dict)
        self._read_relationships()
        self._look_after_somebody = {each for of in self._guardians.values() for each in of}

    def label(self, name: str) -> str:
        return self._package.label(name)

    def rows(self, name: str) -> Iterator[Row]:
        for row in self._raw(name):
            names = _RENAMED.get(name, {})
            cells = {names.get(column, column): _day(cell) for column, cell in row.cells.items()}
            if name == "users":
                cells = self._user(cells)
            elif name == "roles":
                cells = self._role(cells)
            elif name == "enrollments":
                role, place = _role(cells.get("role", "")), (cells.get("classsourcedid"), cells.get("usersourcedid"))
                cells |= {"role": role, "sourcedid": " ".join((*filter(None, place), role))}
            yield Row(row.line, cells)
        if name == "roles":
            for guardian in sorted(self._look_after_somebody):
                cells = {"sourcedid": guardian, "usersourcedid": guardian, "role": PersonKind.GUARDIAN.value}
                yield Row(0, cells)

    def _raw(self, name: str) -> Iterator[Row]:
        if name in self._package:
            yield from self._package.rows(name, *_REQUIRED[name])

    def _read_relationships(self) -> None:
        users = {row.cells.get("sourcedid", "") for row in self._raw("users")}
        for row in self._raw("relationships"):
            student, guardian = row.cells.get("usersourcedid", ""), row.cells.get("relationshipusersourcedid", "")
            if row.cells.get("relationshiprole", "guardian").lower() not in _RELATIONS:
                continue
            for column, identifier in (("userSourcedId", student), ("relationshipUserSourcedId", guardian)):
                if identifier not in users:
                    reason = f"there is no person {identifier}" if identifier else "is missing"
                    leave_out(self.rejected, Rejected(self.label("relationships"), row.line, column, reason))
                    break
            else:
                self._guardians[student][guardian] = None

    def _user(self, cells: Mapping[str, str]) -> dict[str, str]:
        """A user signs in with an address, which is theirs where the list names no other."""
        identifier, address = cells.get("sourcedid", ""), cells.get("email") or cells.get("username", "")
        more = {
            "agentsourcedids": ",".join(self._guardians.get(identifier, ())),
            "grades": ",".join(self._grades.get(identifier, ())),
            "email": address if "@" in address else "",
        }
        kept = {name: cell for name, cell in cells.items() if name in {"sourcedid", "givenname", "familyname"}}
        return kept | {name: cell for name, cell in more.items() if cell}

    def _role(self, cells: Mapping[str, str]) -> dict[str, str]:
        kept = {name: cell for name, cell in cells.items() if name in {"usersourcedid", "orgsourcedid"}}
        role = _role(cells.get("role", ""))
        return kept | {"role": role, "sourcedid": f"{kept.get('usersourcedid', '')} {role}"}


def _role(written: str) -> str:
    """The role as OneRoster calls it; of the many of a college's staff only whether they teach counts here."""
    small = written.lower().replace(" ", "")
    if small in _TEACHES:
        return "teacher"
    return small if small in KINDS else "administrator"


def _day(cell: str) -> str:
    """`8/24/2021`, as Microsoft's own samples have it, as ISO 8601."""
    found = _AMERICAN_DAY.fullmatch(cell)
    return f"{found[3]}-{int(found[1]):02}-{int(found[2]):02}" if found else cell

"""Reads a school's lists from OneRoster CSV files, version 1.1 or 1.2, bulk or delta.

Real exports are less tidy than the standard: a missing manifest is taken as "all that is there, and complete", columns
may stand in any order, and who looks after a student may stand with the student (as the standard has it) or with the
guardian.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from config.faults import file_fault
from scorecard.csv_package import CsvPackage, Row
from scorecard.list_reading import FILES, Reading
from scorecard.school_lists import Listed, SchoolLists

_READ = (*FILES, "roles", "courses")


def read_oneroster(
    package: CsvPackage,
    known: Mapping[Listed, Collection[str]] = MappingProxyType({}),
    students: Collection[str] = (),
) -> SchoolLists:
    """The lists in OneRoster CSV files. Bad rows are left out and listed in `rejected`.

    `known` are the identifiers that earlier imports brought: what an incomplete list may refer to; `students` are those
    of students. Raises `ConfigError`
    where the set as a whole cannot be used: no users.csv, a file that is no CSV, a manifest that names a file which is
    not there, another version.
    """
    return Reading(_Source(package, _modes(package)), known, students).lists()


@dataclass(frozen=True, slots=True)
class _Source:
    package: CsvPackage
    modes: Mapping[str, str]

    def rows(self, name: str) -> Iterator[Row]:
        if name in self.modes:
            required = ("sourcedId", "status") if self.modes[name] == "delta" else ("sourcedId",)
            yield from self.package.rows(name, *required)

    def label(self, name: str) -> str:
        return self.package.label(name)


def _modes(package: CsvPackage) -> Mapping[str, str]:
    """Each file that there is, with `bulk` or `delta`."""
    present = {name: "bulk" for name in _READ if name in package}
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
    for name in _READ:
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

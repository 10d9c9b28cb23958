"""A school's lists, whichever of the known forms they come in."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType

from config.faults import file_fault
from scorecard.csv_package import CsvPackage
from scorecard.oneroster import read_oneroster
from scorecard.school_data_sync import is_school_data_sync, read_school_data_sync
from scorecard.school_lists import Listed, SchoolLists
from scorecard.simple_list import read_simple_list

_BLOCK = 1 << 20


def read_lists(
    path: Path, known: Mapping[Listed, Collection[str]] = MappingProxyType({}), students: Collection[str] = ()
) -> SchoolLists:
    """The lists at `path`: a CSV file is the simple list of a small school, a folder or a zip archive is OneRoster, or
    Microsoft School Data Sync.

    `known` is what an incomplete list may refer to (`scorecard.roster_import.known_to`), `students` who of these are
    students. Raises `ConfigError`.
    """
    if path.suffix.lower() == ".csv":
        return read_simple_list(path)
    with CsvPackage(path) as package:
        read = read_school_data_sync if is_school_data_sync(package) else read_oneroster
        return read(package, known, students)


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of the CSV files of a folder with their names, hexadecimal. Raises `ConfigError`."""
    digest = hashlib.sha256()
    try:
        for file in sorted(path.glob("**/*.csv")) if path.is_dir() else [path]:
            digest.update(file.name.encode() + b"\0" if path.is_dir() else b"")
            with file.open("rb") as content:
                while block := content.read(_BLOCK):
                    digest.update(block)
    except OSError as error:
        raise file_fault(path, f"a readable file of the school's lists ({error.strerror or error})") from error
    return digest.hexdigest()

"""A set of CSV files that a student information system exports together: in a folder or in a zip archive."""

import csv
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from config.faults import file_fault

LARGEST_FILE = 512 * 1024 * 1024
"""Bytes of one file, unpacked; the enrolments of several of the largest districts."""
LONGEST_LINE = 1024 * 1024
"""Bytes; a student with a thousand guardians."""
_NOT_OURS = frozenset({"..", "/", "__MACOSX"})
_SEPARATORS = ",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file. `line` counts from 1 and is where it begins; `cells` are stripped, under their column's name
    in small letters, and only those that hold something."""

    line: int
    cells: Mapping[str, str]


class CsvPackage:
    """The CSV files of a folder, or of a zip archive, by their names in small letters without `.csv`.

    Files that lie one folder deep count too: many systems pack the folder itself. A `with` block closes the archive.
    """

    def __init__(self, path: Path, *, single: bool = False) -> None:
        """Opens `path`. Raises `ConfigError` where it is neither a folder nor a zip archive, or is damaged; with
        `single`, where it is no file: then it is one CSV file itself, whatever its name ends in."""
        self.path = path
        self._archive: zipfile.ZipFile | None = None
        if single:
            if not path.is_file():
                raise file_fault(path, "a readable CSV file")
            self.path, self._files = path.parent, {path.stem.lower(): path.name}
            return
        if path.is_dir():
            self._files = _named(path, [str(file.relative_to(path)) for file in _folder(path)])
            return
        try:
            self._archive = zipfile.ZipFile(path)
        except OSError as error:
            raise file_fault(path, f"a folder of CSV files, or a zip archive of them ({error.strerror})") from error
        except zipfile.BadZipFile as error:
            raise file_fault(path, f"a folder of CSV files, or a zip archive of them ({error})") from error
        self._files = _named(path, [each.filename for each in self._archive.infolist() if not each.is_dir()])

    def __enter__(self) -> "CsvPackage":
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Closes the archive."""
        self.close()

    def close(self) -> None:
        """Lets go of the archive."""
        if self._archive is not None:
            self._archive.close()

    def __contains__(self, name: str) -> bool:
        """Whether there is such a file."""
        return name.lower() in self._files

    @property
    def names(self) -> tuple[str, ...]:
        """The files that there are, in the order of the alphabet."""
        return tuple(sorted(self._files))

    def label(self, name: str) -> str:
        """The file's name as people find it."""
        return self._files[name.lower()]

    def columns(self, name: str) -> Sequence[str]:
        """The names of a file's columns, in small letters. Raises `ConfigError` as `rows` does."""
        with self._bytes(name) as raw:
            where = Path(self.label(name))
            return _header(where, next(_decoded(where, raw), ""))[0]

    def rows(self, name: str, *required: str) -> Iterator[Row]:
        """The rows of a file that are not blank, one by one.

        Columns may stand in any order, their names in any case. Raises `ConfigError`, with the line, where the file is
        no UTF-8 or no CSV (RFC 4180), is too large, or lacks one of the `required` columns.
        """
        where = Path(self.label(name))
        with self._bytes(name) as raw:
            lines = _decoded(where, raw)
            columns, separator = _header(where, next(lines, ""))
            for column in required:
                if column.lower() not in columns:
                    raise file_fault(where, f"a column named {column} in the first row", line=1)
            reader = csv.reader(lines, delimiter=separator, strict=True)
            begins = 2
            try:
                for cells in reader:
                    line, begins = begins, reader.line_num + 2
                    found = {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if cell.strip()}
                    if found:
                        yield Row(line, found)
            except csv.Error as error:
                raise file_fault(where, f"comma-separated values ({error})", line=reader.line_num + 1) from error

    @contextmanager
    def _bytes(self, name: str) -> Iterator[IO[bytes]]:
        label = self.label(name)
        try:
            if self._archive is None:
                size = (self.path / label).stat().st_size
                opened: IO[bytes] = (self.path / label).open("rb")
            else:
                size, opened = self._archive.getinfo(label).file_size, self._archive.open(label)
        except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            raise file_fault(self.path / label, f"a readable CSV file ({error})") from error
        with opened:
            if size > LARGEST_FILE:
                raise file_fault(self.path / label, f"at most {LARGEST_FILE:,} bytes")
            try:
                yield opened
            except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:  # found damaged while it is read
                raise file_fault(self.path / label, f"a readable CSV file ({error})") from error


def _header(where: Path, first: str) -> tuple[Sequence[str], str]:
    """The names of the columns, and what stands between them. Raises `ConfigError` where they are none."""
    separator = max(_SEPARATORS, key=first.count)
    try:
        return [cell.strip().lower() for cell in next(csv.reader([first], delimiter=separator), [])], separator
    except csv.Error as error:
        raise file_fault(where, f"the names of the columns, as comma-separated values ({error})", line=1) from error


def _decoded(where: Path, raw: IO[bytes]) -> Iterator[str]:
    """The lines as text, without a byte order mark. Raises `ConfigError` for one that is no UTF-8."""
    for number, line in enumerate(_lines(where, raw), start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise file_fault(where, "UTF-8 text", line=number, advice="save it again as UTF-8") from error


def _lines(where: Path, raw: IO[bytes]) -> Iterator[bytes]:
    """The lines, which may also end in a carriage return alone. Raises `ConfigError` for one that never ends: a small
    archive may hold a very large one."""
    rest = b""
    while piece := raw.readline(LONGEST_LINE):
        if not rest and piece.endswith(b"\n") and piece.find(b"\r", 0, -2) < 0:
            yield piece
            continue
        parts = (rest + piece).splitlines(keepends=True)
        rest = b"" if piece.endswith(b"\n") else parts.pop()
        if len(rest) >= LONGEST_LINE:
            raise file_fault(where, f"lines of less than {LONGEST_LINE:,} bytes")
        yield from parts
    yield from rest.splitlines(keepends=True)


def _folder(path: Path) -> list[Path]:
    return [file for pattern in ("*", "*/*") for file in sorted(path.glob(pattern)) if file.is_file()]


def _named(path: Path, files: list[str]) -> dict[str, str]:
    """The CSV files at most one folder deep, by name. Raises `ConfigError` where two have the same."""
    named: dict[str, str] = {}
    for file in files:
        inside = PurePosixPath(file.replace("\\", "/"))
        if inside.suffix.lower() != ".csv" or len(inside.parts) > 2 or inside.parts[0] in _NOT_OURS:
            continue
        name = inside.stem.lower()
        if name in named:
            raise file_fault(path, f"one file named {inside.name}", advice=f"there are {named[name]} and {file}")
        named[name] = file
    return named

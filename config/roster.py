"""The rows of the school's list of students and guardians, as its student system exports it (CSV, RFC 4180)."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from config.faults import file_fault
from config.textfile import read_text

LARGEST_FILE = 32 * 1024 * 1024
"""Bytes; several times the largest district."""


_COLUMNS = ("student", "guardian_email", "language", "student_id", "grade", "school", "teacher", "guardian")


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One row as it stands in the file: `line` counts from 1, cells are stripped and empty where the file has none."""

    line: int
    student: str
    guardian_email: str
    language: str
    student_id: str = ""
    grade: str = ""
    school: str = ""
    teacher: str = ""
    guardian: str = ""


def roster_rows(path: Path) -> Iterator[RosterRow]:
    """The rows that are not blank. Takes commas, semicolons (spreadsheets write them where the decimal sign is a comma)
    and tabs; columns in any order, others passed over. Raises `ConfigError` with file and line where the file is no CSV
    or lacks a column. What stands in a row is not judged here."""
    text = read_text(path, "CSV file", largest=LARGEST_FILE)
    separator = max(",;\t", key=text.lstrip().partition("\n")[0].count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    columns: list[str] = []
    line = 1
    try:
        for cells in reader:
            begins, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if columns:
                row = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
                yield RosterRow(begins, **{name: row.get(name, "") for name in _COLUMNS})
                continue
            columns = [re.sub(r"[\s-]+", "_", cell.strip().lower()) for cell in cells]
            for name in ("student", "guardian_email"):
                if name not in columns:
                    raise file_fault(path, f"a column named {name} in the first row", line=begins)
    except csv.Error as error:
        raise file_fault(path, f"comma-separated values ({error})", line=reader.line_num or 1) from error
    if not columns:
        raise file_fault(path, "a first row that names the columns: student,guardian_email,language", line=1)

"""The school's list of students and their guardians, as its student system exports it (CSV, RFC 4180)."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from config.faults import ConfigError, Fault, file_fault
from config.settings import EmailAddress, LanguageCode
from config.textfile import read_text

LARGEST_FILE = 50_000_000
"""Bytes; several times the largest district."""
MOST_FAULTS = 20
_ADDRESS: TypeAdapter[str] = TypeAdapter(EmailAddress)
_LANGUAGE: TypeAdapter[str] = TypeAdapter(LanguageCode)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One guardian of one student. `language` is what the family reads, None where the list does not say."""

    student: str
    guardian_email: str
    language: str | None = None


def read_roster(path: Path) -> tuple[Enrolment, ...]:
    """Reads the columns student, guardian_email and, where present, language; others are passed over. Raises
    `ConfigError` with file and line, at most 20 faults; a fault never shows what stands in the list."""
    rows = csv.reader(
        io.StringIO(text := read_text(path, "CSV file", largest=LARGEST_FILE), newline=""),
        delimiter=_delimiter(text),
        strict=True,
    )
    faults: list[Fault] = []
    enrolments: list[Enrolment] = []
    try:
        columns = [name.strip().lower() for name in next(rows, [])]
        for name in ("student", "guardian_email"):
            if name not in columns:
                raise file_fault(path, f"a column named {name} in the first line", line=1)
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            line = rows.line_num
            try:
                enrolments.append(_enrolment(dict(zip(columns, (cell.strip() for cell in row), strict=False))))
            except (ValidationError, ValueError) as error:
                faults.append(Fault(str(path), "", _expected(error), line=line))
            if len(faults) == MOST_FAULTS:
                break
    except csv.Error as error:
        raise file_fault(path, f"comma-separated values ({error})", line=rows.line_num) from error
    if faults:
        raise ConfigError(faults)
    return tuple(enrolments)


def _enrolment(cells: dict[str, str]) -> Enrolment:
    if not cells.get("student"):
        raise ValueError("a student's name in the column student")
    language = cells.get("language")
    return Enrolment(
        cells["student"],
        _ADDRESS.validate_python(cells.get("guardian_email", "")),
        _LANGUAGE.validate_python(language) if language else None,
    )


def _expected(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors()[0]["ctx"]["error"]).removesuffix(" is expected")
    return str(error)


def _delimiter(text: str) -> str:
    # Spreadsheets write semicolons where the decimal sign is a comma.
    header = text.partition("\n")[0]
    return ";" if header.count(";") > header.count(",") else ","

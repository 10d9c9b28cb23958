"""The cells of a list that a school keeps by hand or exports: read strictly, so that nothing in it is guessed.

A reason never repeats what stands in a cell: lists hold names of children, and cells that spreadsheets would run.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from autoresponder.naming import ByName, Nobody, Student
from scorecard.csv_package import Row
from scorecard.school_lists import Rejected
from scorecard.spreadsheet import begins_formula

LONGEST_CELL = 200
"""Characters."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_EARLIEST = date(2000, 1, 1)
_WITHDRAWN = frozenset({"withdrawn", "removed", "deleted", "tobedeleted"})
_STANDS = frozenset({"active", "valid"})
_Word = TypeVar("_Word")


class Refused(Exception):
    """A cell that cannot be used."""

    def __init__(self, column: str, reason: str) -> None:
        """In a column, for a reason."""
        super().__init__(f"{column}: {reason}")
        self.column, self.reason = column, reason


@dataclass(frozen=True, slots=True)
class Pupils:
    """The students that a list may name."""

    ids: frozenset[str]
    """Also of those who have left: late rows tell of them."""
    by_name: ByName
    """Of those on the roster now."""

    @classmethod
    def of(cls, ids: frozenset[str], now: Sequence[Student]) -> "Pupils":
        """All identifiers, and the students there are now."""
        return cls(ids, ByName(now))


@dataclass
class Cells:
    """The cells of one row."""

    row: Row
    file: str

    def refused(self, refusal: Refused) -> Rejected:
        """The row as it is reported."""
        return Rejected(self.file, self.row.line, refusal.column, refusal.reason)

    def text(self, column: str, *, required: bool = False) -> str:
        """A cell; empty where it is. Raises `Refused` for one that is no short line of text, or is missing."""
        value = self.row.cells.get(column, "")
        if not value and required:
            raise Refused(column, "is missing")
        if len(value) > LONGEST_CELL:
            raise Refused(column, f"is longer than {LONGEST_CELL} characters")
        if not value.isprintable():
            raise Refused(column, "holds characters that no line of text has, such as NUL or a line break")
        return value

    def safe(self, column: str, *, required: bool = False) -> str:
        """A cell that is kept as it stands. Raises `Refused` for one that a spreadsheet would run as a formula."""
        value = self.text(column, required=required)
        if begins_formula(value):
            raise Refused(column, "begins like a formula of a spreadsheet; write it as plain text")
        return value

    def day(self, column: str, today: date, *, required: bool = False) -> date | None:
        """A date; None where the cell is empty. Raises `Refused` for anything but ISO 8601, and for a day ahead."""
        value = self.text(column, required=required)
        if not value:
            return None
        try:
            day = date.fromisoformat(value) if _DAY.fullmatch(value) else None
        except ValueError:
            day = None
        if day is None:
            raise Refused(column, "is no date such as 2026-03-04 (year-month-day, ISO 8601); others can be misread")
        if day > today:
            raise Refused(column, "lies in the future")
        if day < _EARLIEST:
            raise Refused(column, "lies before the year 2000")
        return day

    def word(self, column: str, words: Mapping[str, _Word], default: _Word | None = None) -> _Word:
        """One of `words`, in any case. Raises `Refused` for another, and where it is missing without a `default`."""
        value = " ".join(self.text(column, required=default is None).casefold().replace("_", " ").split())
        found = words.get(value) if value else default
        if found is None:
            raise Refused(column, f"is none of: {', '.join(words)}")
        return found

    def withdrawn(self) -> bool:
        """Whether the row is taken back. Raises `Refused` for a status that nobody knows."""
        status = self.text("status").casefold().replace(" ", "")
        if status and status not in _WITHDRAWN | _STANDS:
            raise Refused("status", "is neither empty nor withdrawn")
        return status in _WITHDRAWN

    def student(self, pupils: Pupils) -> str:
        """The identifier of the student, by `student_id`, else by the whole name. Raises `Refused`; nobody is
        guessed."""
        id_ = self.text("student_id")
        if id_:
            if id_ not in pupils.ids:
                raise Refused("student_id", "is no student's on the roster")
            return id_
        found = pupils.by_name.called(self.text("student", required=True))
        if isinstance(found, Nobody):
            several = "is the name of several students; give the student_id"
            raise Refused(
                "student", several if found is Nobody.SEVERAL else "is no student's whole name on the roster now"
            )
        return found.id


@dataclass
class Once:
    """The rows that were read, each once by its reference."""

    lines: dict[str, tuple[int, object]] = field(default_factory=dict)

    def is_new(self, reference: str, line: int, says: object, *, by: str) -> bool:
        """Whether no row before had this reference; False where one says the same. Raises `Refused` where one says
        otherwise; `by` is what the reference was made of."""
        before = self.lines.setdefault(reference, (line, says))
        if before[1] != says:
            raise Refused("id", f"line {before[0]} has the same {by} and says otherwise")
        return before[0] == line

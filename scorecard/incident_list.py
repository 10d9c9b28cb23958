"""Reads a school's list of behavior incidents (CSV, RFC 4180): docs/howto/contacts.md names the columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from scorecard.csv_package import CsvPackage
from scorecard.list_cells import Cells, Once, Pupils, Refused
from scorecard.school_lists import Rejected, leave_out

LONGEST_KIND = 60
"""Characters: a word of the school's own, and no account of what happened."""


@dataclass(frozen=True, slots=True)
class ListedIncident:
    """One row; the columns of `store.contact_tables.Incident` say what each means."""

    reference: str
    student: str
    on_day: date
    kind: str
    baseline_day: date | None
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class IncidentList:
    """A whole list: its rows, each once, and those that were left out."""

    rows: Sequence[ListedIncident]
    rejected: Sequence[Rejected]


def read_incidents(path: Path, pupils: Pupils, *, today: date) -> IncidentList:
    """The incidents in a file. Raises `ConfigError` where the file as a whole cannot be used."""
    rows: list[ListedIncident] = []
    rejected: list[Rejected] = []
    once = Once()
    with CsvPackage(path, single=True) as package:
        for row in package.rows(package.names[0], "date", "kind"):
            cells = Cells(row, path.name)
            try:
                incident = _incident(cells, pupils, today)
                by = "id" if row.cells.get("id") else "student, date and kind; give ids if they are two"
                if once.is_new(incident.reference, row.line, incident, by=by):
                    rows.append(incident)
            except Refused as refusal:
                leave_out(rejected, cells.refused(refusal))
    return IncidentList(rows, rejected)


def _incident(cells: Cells, pupils: Pupils, today: date) -> ListedIncident:
    on_day = cells.day("date", today, required=True)
    if on_day is None:  # pragma: no cover - it is required
        raise Refused("date", "is missing")
    student, kind, id_ = cells.student(pupils), cells.safe("kind", required=True), cells.safe("id")
    if len(kind) > LONGEST_KIND:
        raise Refused("kind", f"is longer than {LONGEST_KIND} characters: write a word, not what happened")
    baseline_day = cells.day("baseline_date", today)
    if baseline_day is not None and baseline_day < on_day:
        raise Refused("baseline_date", "lies before the incident")
    return ListedIncident(
        reference=f"id:{id_}" if id_ else f"{student}|{on_day.isoformat()}|{kind.casefold()}",
        student=student,
        on_day=on_day,
        kind=kind,
        baseline_day=baseline_day,
        withdrawn=cells.withdrawn(),
    )

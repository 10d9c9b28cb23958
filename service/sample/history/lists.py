"""The school's lists, as its office would write them: students and guardians, calls, incidents (CSV)."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from service.sample.envelopes import DOMAIN
from service.sample.history.course import BadDay, Call
from service.sample.history.people import Room


def write_families(path: Path, rooms: Iterable[Room]) -> None:
    """Writes the simple list of a small school (docs/howto/roster.md): a row per child and guardian."""
    rows = [
        (
            child.id,
            child.name,
            room.teacher.grade,
            f"{room.teacher.mailbox}@{DOMAIN}",
            f"{guardian.given_name} {guardian.family_name}".strip(),
            "; ".join(guardian.addresses),
            guardian.language,
        )
        for room in rooms
        for child in room.children
        for guardian in child.guardians
    ]
    _write(path, ("student_id", "student", "grade", "teacher", "guardian", "guardian_email", "language"), rows)


def write_calls(path: Path, calls: Iterable[Call]) -> None:
    """Writes the list of telephone calls (docs/howto/contacts.md)."""
    rows = [
        (
            call.on_day.isoformat(),
            "call",
            call.child.id,
            f"{call.mailbox}@{DOMAIN}",
            "good news" if call.good_news else "neutral",
            "yes" if call.reached else "no",
        )
        for call in calls
    ]
    _write(path, ("date", "kind", "student_id", "teacher", "tone", "reached"), rows)


def write_incidents(path: Path, bad_days: Iterable[BadDay]) -> None:
    """Writes the list of behavior incidents (docs/howto/contacts.md)."""
    rows = [
        (
            day.on_day.isoformat(),
            day.child.id,
            day.kind,
            day.baseline_day.isoformat() if day.baseline_day is not None else "",
        )
        for day in bad_days
    ]
    _write(path, ("date", "student_id", "kind", "baseline_date"), rows)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)

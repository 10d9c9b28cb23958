"""The list of families that help at home, as a CSV file for a spreadsheet."""

import csv
import io
from collections.abc import Iterable

from service.good_news import FamilyStands

_BEGIN_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection"): a name may come from anybody."""
COLUMNS = ("guardian", "addresses", "students", "language", "since")


def helpers_csv(helpers: Iterable[FamilyStands]) -> str:
    """A row for each guardian (RFC 4180); several addresses or students in one cell, with "; " between."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for each in helpers:
        for guardian in each.family.guardians:
            row = (
                guardian.name,
                "; ".join(guardian.addresses),
                "; ".join(each.family.students),
                guardian.language or "",
                each.helps_since.isoformat() if each.helps_since else "",
            )
            writer.writerow([_safe(cell) for cell in row])
    return out.getvalue()


def _safe(cell: str) -> str:
    """A cell that no spreadsheet computes."""
    line = " ".join(cell.split())
    return f"'{line}" if line.startswith(_BEGIN_FORMULAS) else line

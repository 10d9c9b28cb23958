"""The list of families that help at home, as a CSV file for a spreadsheet."""

from collections.abc import Iterable

from scorecard.spreadsheet import table
from service.good_news import FamilyStands

COLUMNS = ("guardian", "addresses", "students", "language", "since")


def helpers_csv(helpers: Iterable[FamilyStands]) -> str:
    """A row for each guardian (RFC 4180); several addresses or students in one cell, with "; " between."""
    rows = [
        (
            guardian.name,
            "; ".join(guardian.addresses),
            "; ".join(each.family.students),
            guardian.language or "",
            each.helps_since.isoformat() if each.helps_since else "",
        )
        for each in helpers
        for guardian in each.family.guardians
    ]
    return table(COLUMNS, rows)

"""No cell of any list that we write is run by a spreadsheet, and none that we read is kept if it would be."""

import csv
import io
import re
from datetime import date
from pathlib import Path

import pytest

from scorecard.csv_package import Row
from scorecard.glow import GlowFamily, Guardian
from scorecard.list_cells import Cells, Refused
from scorecard.spreadsheet import table
from service.good_news import FamilyStands
from service.helper_list import helpers_csv

DANGEROUS = (
    *("=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=cmd|' /C calc'!A0", " =1", "\u00a0=1"),
    *("\u200b=1", "\uff1d1+1", "\uff20x", "\u22121", "%0A-1", ";=1", "\ufeff=1"),
)
"""What Excel, LibreOffice and Google Sheets take for a formula, some of them only after trimming or folding widths
(OWASP, "CSV Injection")."""


ROOT = Path(__file__).parents[2]
WRITERS = {"scorecard/spreadsheet.py", "service/sample/history/lists.py"}
"""The one place that writes lists for people, and the sample school's own files."""


def test_every_list_for_a_spreadsheet_is_written_in_one_place() -> None:
    packages = ("config", "connectors", "classifier", "autoresponder", "store", "scorecard", "service")
    sources = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    writing = {
        str(path.relative_to(ROOT))
        for path in sources
        if re.search(r"csv\.(Dict)?[Ww]riter\(", path.read_text("utf-8"))
    }
    assert writing == WRITERS


@pytest.mark.parametrize("cell", DANGEROUS)
def test_no_figure_or_event_begins_a_formula(cell: str) -> None:
    written = table(["name", "value"], [(cell, 1.5), ("Ana", -1)])
    rows = list(csv.reader(io.StringIO(written)))
    assert not begins_formula(rows[1][0]), rows[1]
    assert rows[2] == ["Ana", "-1"]  # a number is one


@pytest.mark.parametrize("cell", DANGEROUS)
def test_the_list_of_helpers_runs_nothing(cell: str) -> None:
    family = GlowFamily("f1", (cell,), (Guardian(cell, ("ana@family.example",), cell),), None)
    rows = list(csv.reader(io.StringIO(helpers_csv([FamilyStands(family, helps_since=date(2026, 3, 3))]))))
    assert len(rows) == 2
    assert not any(begins_formula(each) for each in rows[1]), rows[1]


@pytest.mark.parametrize("cell", [each for each in DANGEROUS if each[0] not in "%;"])
def test_what_would_be_run_is_not_even_kept(cell: str) -> None:
    with pytest.raises(Refused):
        Cells(Row(2, {"kind": cell}), "incidents.csv").safe("kind")


def begins_formula(cell: str) -> bool:
    """As the most credulous spreadsheet would see it."""
    bare = cell.lstrip(" \t\r\n\u00a0\u200b\ufeff\u3000")
    return bare[:1] in set("=+-@＝＋－＠−")

"""Lists for a spreadsheet (CSV, RFC 4180), in which no cell is a formula: names and addresses come from anybody."""

import csv
import unicodedata
from collections.abc import Iterable, Sequence
from io import StringIO

_BEGIN_FORMULAS = frozenset("=+-@")
_LOOK_LIKE_MINUS = "\u2212\u2010\u2011\u2012\u2013"
_INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A header and its rows. None is an empty cell, a number a number; a text that would be a formula begins with an
    apostrophe, by which spreadsheets know text, and stands on one line."""
    written = StringIO(newline="")
    lines = csv.writer(written)
    lines.writerow(columns)
    for row in rows:
        lines.writerow(["" if cell is None else _harmless(cell) for cell in row])
    return written.getvalue()


def begins_formula(text: str) -> bool:
    """Whether some spreadsheet takes `text` for a formula (OWASP, "CSV Injection"): also behind blanks and characters
    that nobody sees, which some trim, and in the wide forms that others fold (Unicode's NFKC)."""
    first = next((each for each in text if unicodedata.category(each) not in _INVISIBLE), "")
    return first in _LOOK_LIKE_MINUS or unicodedata.normalize("NFKC", first)[:1] in _BEGIN_FORMULAS if first else False


def _harmless(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    line = " ".join(cell.split())
    return f"'{line}" if begins_formula(line) else line

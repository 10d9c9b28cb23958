"""Which guardian belongs to which student, from the school's own CSV export."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from babel import Locale
from pydantic import TypeAdapter, ValidationError

from autoresponder.family import person
from autoresponder.outgoing import one_line
from config.roster import roster_rows
from config.settings import EmailAddress

_NAME_CHARACTERS = 120
_SPOKEN_AT_HOME = (
    "en",
    "es",
    "fr",
    "pt",
    "de",
    "it",
    "ru",
    "uk",
    "pl",
    "vi",
    "zh",
    "ar",
    "ko",
    "ja",
    "so",
    "fil",
    "fa",
    "ur",
)
_ADDRESS: TypeAdapter[str] = TypeAdapter(EmailAddress)


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that was left out, or a part of it: the line of the file (the first is 1), and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class _Guardian:
    students: tuple[str, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Roster:
    """The students of each guardian, and the language of the home. An empty one (`Roster()`) knows nobody."""

    _guardians: Mapping[str, _Guardian] = field(default_factory=dict)
    problems: tuple[RowProblem, ...] = ()
    """Every row that could not be used whole."""

    @classmethod
    def load(cls, path: Path | None) -> "Roster":
        """Reads the school's CSV file (`config.roster` says of what form), a row per student and guardian.

        None gives the empty roster. Bad rows are left out and listed in `problems`. Raises `ConfigError` where the file
        as a whole cannot be used.
        """
        return cls() if path is None else _read(path)

    def students_of(self, email: str) -> tuple[str, ...]:
        """The students of the guardian with this address, in the file's order; empty where unknown. Neither case nor
        a +tag matters, on either side."""
        return self._guardians.get(person(email), _Guardian()).students

    def language_of(self, email: str) -> str | None:
        """The home language of the guardian with this address as an ISO 639-1 code, None where unknown."""
        return self._guardians.get(person(email), _Guardian()).language

    def __len__(self) -> int:
        return len(self._guardians)


def _read(path: Path) -> Roster:
    guardians: dict[str, _Guardian] = {}
    problems: list[RowProblem] = []
    for row in roster_rows(path):
        student = one_line(row.student, _NAME_CHARACTERS)
        if not student:
            problems.append(RowProblem(row.line, "the student's name is missing"))
            continue
        try:
            email = person(_ADDRESS.validate_python(row.guardian_email))
        except ValidationError:
            problems.append(RowProblem(row.line, "guardian_email holds no e-mail address (one address per row)"))
            continue
        known = guardians.get(email, _Guardian())
        language, doubt = _agreed(known.language, row.language)
        if doubt:
            problems.append(RowProblem(row.line, doubt))
        guardians[email] = _Guardian(tuple(dict.fromkeys((*known.students, student))), language)
    return Roster(guardians, tuple(problems))


def _agreed(known: str | None, cell: str) -> tuple[str | None, str]:
    """The guardian's language after one more row, and what is doubtful about it, in words."""
    if not cell.strip():
        return known, ""
    said = _language(cell)
    if said is None:
        return known, "language is not one that is known; write a code such as es, or an English name such as Spanish"
    if known is not None and said != known:
        return known, f"language is {said}, but an earlier row of this guardian says {known}, which is kept"
    return said, ""


def _language(cell: str) -> str | None:
    """`es`, `es-MX`, `Spanish` or `español` as an ISO 639 code."""
    wanted = cell.strip().casefold()
    code = wanted.replace("_", "-").partition("-")[0]
    return code if code in Locale("en").languages else _languages_by_name().get(wanted)


@cache
def _languages_by_name() -> dict[str, str]:
    """Language codes by the language's name, in English and, for those that schools meet most, in itself."""
    english = {name.casefold(): code for code, name in Locale("en").languages.items() if "_" not in code}
    own = {(Locale(code).get_language_name() or code).casefold(): code for code in _SPOKEN_AT_HOME}
    return english | own

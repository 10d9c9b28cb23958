"""The rows of OneRoster's CSV files as this project needs them, checked one by one.

Source: 1EdTech OneRoster 1.1.1 CSV Tables, https://www.imsglobal.org/oneroster-v11-final-csv-tables; OneRoster CSV
Binding 1.2.1, https://www.imsglobal.org/spec/oneroster/v1p2/bind/csv. Columns that are not named here are passed over.
"""

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, TypeAdapter
from pydantic.alias_generators import to_camel

from config.settings import EmailAddress

_ADDRESS: TypeAdapter[str] = TypeAdapter(EmailAddress)
_BETWEEN_ADDRESSES = re.compile(r"[;,\s]+")


def column_of(field: str) -> str:
    """The standard's name for a field of a row: `sourced_id` is `sourcedId`."""
    return to_camel(field)


def _parts(cell: object) -> object:
    """A cell that holds a list, as `a,b`."""
    return tuple(part.strip() for part in cell.split(",") if part.strip()) if isinstance(cell, str) else cell


def _small(cell: object) -> object:
    return cell.lower() if isinstance(cell, str) else cell


def _day(cell: object) -> object:
    """`2026-08-15`, also with a time behind it, which some systems write."""
    return cell[:10] if isinstance(cell, str) and cell[10:11] in {"", "T", " "} else cell


def _addresses(cell: object) -> object:
    """One address or several. Raises ValueError for one that is none."""
    if not isinstance(cell, str):
        return cell
    return tuple(
        dict.fromkeys(_ADDRESS.validate_python(part).lower() for part in _BETWEEN_ADDRESSES.split(cell) if part)
    )


def _text(cell: str) -> str:
    """Raises ValueError for what no database takes as text."""
    if any(character < " " or character == "\x7f" for character in cell):
        raise ValueError("holds characters that no text has, such as NUL or a line break")
    return cell


Identifier = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_text)]
Identifiers = Annotated[tuple[Identifier, ...], BeforeValidator(_parts)]
Word = Annotated[str, BeforeValidator(_small)]
Name = Annotated[str, StringConstraints(max_length=255), AfterValidator(_text)]
Day = Annotated[date, BeforeValidator(_day)]
Addresses = Annotated[tuple[str, ...], BeforeValidator(_addresses)]


def _no_role_of_ours(role: str) -> str:
    return role.replace("_", "").replace(" ", "")


Role = Annotated[Word, AfterValidator(_no_role_of_ours)]


class Entry(BaseModel):
    """What every row has. Cells that are empty count as left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=lambda field: column_of(field).lower())

    sourced_id: Identifier
    status: Annotated[Literal["active", "inactive", "tobedeleted"], BeforeValidator(_small)] = "active"
    """In a delta: whether the entry is there, or no more. `inactive` is of version 1.0 and still written."""


class OrgRow(Entry):
    """orgs.csv."""

    name: Name
    type: Word = "school"


class SessionRow(Entry):
    """academicSessions.csv."""

    title: Name
    type: Word
    start_date: Day
    end_date: Day


class ClassRow(Entry):
    """classes.csv."""

    title: Name = ""
    grades: Identifiers = ()
    course_sourced_id: Identifier | None = None
    school_sourced_id: Identifier
    term_sourced_ids: Identifiers = ()


class CourseRow(Entry):
    """courses.csv."""

    title: Name = ""
    grades: Identifiers = ()


class UserRow(Entry):
    """users.csv; `role` only in version 1.1."""

    given_name: Name = ""
    family_name: Name = ""
    role: Role | None = None
    email: Addresses = ()
    agent_sourced_ids: Identifiers = ()
    org_sourced_ids: Identifiers = ()
    grades: Identifiers = ()
    preferred_given_name: Name = ""


class RoleRow(Entry):
    """roles.csv, version 1.2."""

    user_sourced_id: Identifier
    role: Role
    org_sourced_id: Identifier | None = None


class EnrollmentRow(Entry):
    """enrollments.csv."""

    class_sourced_id: Identifier
    user_sourced_id: Identifier
    role: Role
    begin_date: Day | None = None
    end_date: Day | None = None

"""The tables of the roster: who goes to the school, who looks after them, and since when.

What ends stays, with the day from which it no longer held: figures of past terms are computed from what held then.
`since` is None for what was there at the first import; nobody knows for how long it had been. `until` is the first day
on which it no longer held. What ends and comes back has a row for each time; only a person's, a school's, a term's and
a class's own row says no more than the last: since when a student goes to the school stands in `RosterFamily`.
"""

from datetime import date, datetime

from sqlalchemy import Index, Text
from sqlmodel import Field, SQLModel

from store.tables import UtcDateTime


class RosterPerson(SQLModel, table=True):
    """Somebody on the school's lists: a student, a guardian, a teacher, other staff, or several of these."""

    __tablename__ = "roster_person"

    id: str = Field(primary_key=True)
    """The identifier that the school's system gives."""
    kinds: str
    """Comma-separated and sorted."""
    given_name: str
    family_name: str
    schools: str = ""
    """Identifiers of the schools (`roster_school.id`) that they belong to, comma-separated and sorted."""
    language: str | None = None
    matched: bool = False
    """True for a guardian whom no list names: the school said of an address that it is of this student's family. Such
    a guardian makes no family another, and stays whatever the lists say."""
    since: date | None = None
    until: date | None = None
    """First day on which the person was on no list; None while they are."""


class RosterGrade(SQLModel, table=True):
    """A student's grade and schools, and from when until when. A student who is on the list has one, "" where the list
    names none."""

    __tablename__ = "roster_grade"
    __table_args__ = (Index("ix_roster_grade_student", "student"),)

    id: int | None = Field(default=None, primary_key=True)
    student: str = Field(foreign_key="roster_person.id")
    grade: str
    """As the school writes it."""
    schools: str = ""
    """Identifiers of the student's schools then, comma-separated and sorted."""
    since: date | None = None
    until: date | None = None


class RosterFamily(SQLModel, table=True):
    """The family that a student belongs to, and from when until when. A family is a set of guardians: students who
    share theirs are one family. A student without guardians is a family alone."""

    __tablename__ = "roster_family"
    __table_args__ = (Index("ix_roster_family_student", "student"), Index("ix_roster_family_family", "family"))

    id: int | None = Field(default=None, primary_key=True)
    student: str = Field(foreign_key="roster_person.id")
    family: str
    """A random identifier, which the family keeps while one of its students does."""
    since: date | None = None
    until: date | None = None


class RosterAddress(SQLModel, table=True):
    """An e-mail address of somebody's, and from when until when. Mail from before a list first named the address was
    theirs too, unless somebody else had it: then only is `since` a day."""

    __tablename__ = "roster_address"
    __table_args__ = (Index("ix_roster_address_person", "person"), Index("ix_roster_address_address", "address"))

    id: int | None = Field(default=None, primary_key=True)
    address: str
    """As it is compared: in small letters, without a plus tag."""
    person: str = Field(foreign_key="roster_person.id")
    matched: bool = False
    """True where the school said so of a sender whom the lists did not know; imports leave it alone."""
    since: date | None = None
    until: date | None = None


class RosterCare(SQLModel, table=True):
    """Somebody looks after a student, and from when until when."""

    __tablename__ = "roster_care"
    __table_args__ = (Index("ix_roster_care_guardian", "guardian"), Index("ix_roster_care_student", "student"))

    id: int | None = Field(default=None, primary_key=True)
    student: str = Field(foreign_key="roster_person.id")
    guardian: str = Field(foreign_key="roster_person.id")
    by_guardian: bool = False
    """Whether the list has it in the guardian's row, not in the student's."""
    since: date | None = None
    until: date | None = None


class RosterSchool(SQLModel, table=True):
    """A school, or what has schools below it."""

    __tablename__ = "roster_school"

    id: str = Field(primary_key=True)
    name: str
    since: date | None = None
    until: date | None = None


class RosterTerm(SQLModel, table=True):
    """A stretch of the school year."""

    __tablename__ = "roster_term"

    id: str = Field(primary_key=True)
    title: str
    begins: date
    ends: date
    """Its last day."""
    is_year: bool = False
    since: date | None = None
    until: date | None = None


class RosterClass(SQLModel, table=True):
    """A class or course section."""

    __tablename__ = "roster_class"

    id: str = Field(primary_key=True)
    title: str
    school: str
    grades: str = ""
    terms: str = Field(default="", sa_type=Text)
    since: date | None = None
    until: date | None = None


class RosterMembership(SQLModel, table=True):
    """Somebody's place in a class, and from when until when. `begins` and `ends` (its last day) are what the list says
    of it; `since` and `until` are when the list had it. It held on a day on which both do."""

    __tablename__ = "roster_membership"
    __table_args__ = (
        Index("ix_roster_membership_id", "id"),
        Index("ix_roster_membership_person", "person"),
        Index("ix_roster_membership_class", "school_class"),
    )

    number: int | None = Field(default=None, primary_key=True)
    id: str
    """The identifier that the school's system gives; of rows with the same, at most one holds now."""
    person: str
    school_class: str
    begins: date | None = None
    ends: date | None = None
    since: date | None = None
    until: date | None = None


class RosterMatch(SQLModel, table=True):
    """The school said whose an address is that no list names. Imports leave it alone."""

    __tablename__ = "roster_match"
    __table_args__ = (Index("ix_roster_match_address", "address"),)

    id: int | None = Field(default=None, primary_key=True)
    address: str
    """As it is compared: in small letters, without a plus tag."""
    person: str = Field(foreign_key="roster_person.id")
    """Whom the school named: a guardian whose address it is, or a student whose guardian has it."""
    matched_at: datetime = Field(sa_type=UtcDateTime)
    unmatched_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the school took it back; None while it holds."""


class RosterImport(SQLModel, table=True):
    """One import that was carried out."""

    __tablename__ = "roster_import"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    digest: str
    """SHA-256 of what was imported, hexadecimal."""
    from_settings: bool = False
    """Whether it was the file that the settings name, rather than the command."""
    added: int
    changed: int
    ended: int
    rejected: int

"""The tables of the roster: who goes to the school, who looks after them, and since when.

What ends stays, with the day from which it no longer held: figures of past terms are computed from what held then.
`since` is None for what was there at the first import; nobody knows for how long it had been.
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
    since: date | None = None
    until: date | None = None
    """First day on which the person was on no list; None while they are."""


class RosterGrade(SQLModel, table=True):
    """A student's grade, and from when until when."""

    __tablename__ = "roster_grade"
    __table_args__ = (Index("ix_roster_grade_student", "student"),)

    id: int | None = Field(default=None, primary_key=True)
    student: str = Field(foreign_key="roster_person.id")
    grade: str
    """As the school writes it."""
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
    """An e-mail address of somebody's."""

    __tablename__ = "roster_address"
    __table_args__ = (Index("ix_roster_address_person", "person"),)

    address: str = Field(primary_key=True)
    """As it is compared: in small letters, without a plus tag."""
    person: str = Field(primary_key=True, foreign_key="roster_person.id")


class RosterCare(SQLModel, table=True):
    """Somebody looks after a student."""

    __tablename__ = "roster_care"
    __table_args__ = (Index("ix_roster_care_guardian", "guardian"),)

    student: str = Field(primary_key=True, foreign_key="roster_person.id")
    guardian: str = Field(primary_key=True, foreign_key="roster_person.id")
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
    """Somebody's place in a class."""

    __tablename__ = "roster_membership"
    __table_args__ = (
        Index("ix_roster_membership_person", "person"),
        Index("ix_roster_membership_class", "school_class"),
    )

    id: str = Field(primary_key=True)
    person: str
    school_class: str
    begins: date | None = None
    ends: date | None = None
    since: date | None = None
    until: date | None = None


class RosterImport(SQLModel, table=True):
    """One import that was carried out."""

    __tablename__ = "roster_import"

    id: int | None = Field(default=None, primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    digest: str
    """SHA-256 of what was imported, hexadecimal."""
    added: int
    changed: int
    ended: int
    rejected: int

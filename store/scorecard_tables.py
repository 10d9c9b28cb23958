"""The tables that the scorecard keeps its figures in, so that a page never counts from the start.

What may have changed is marked in the transaction that changes it (`store.marks`); the scorecard works the marks off
and corrects the tallies by the difference. Everything here can be dropped and made again from the other tables.
"""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from store.tables import UtcDateTime, _Word


class Grouping(StrEnum):
    """By what figures are grouped."""

    ALL = "all"
    """Everybody; the only key is the empty string."""
    SCHOOL = "school"
    """The key is `roster_school.id`."""
    GRADE = "grade"
    """The key is school and grade with a slash between, "/05" where the roster names no school."""
    TEAM = "team"
    """The key is the team's name, as the settings have it."""
    TEACHER = "teacher"
    """The key is the mailbox's address."""


class MarkKind(StrEnum):
    """What may have changed."""

    ADDRESS = "address"
    """What somebody wrote or was written; the key is the address as it is compared."""
    STUDENT = "student"
    """A student's place on the roster, contacts or incidents; the key is `roster_person.id`."""
    WEEK = "week"
    """The service's own counts of a mailbox's week; the key is the mailbox, a space, and the Monday (ISO 8601)."""
    CASE = "case"
    """The key is `conflict_case.id`."""
    EVERYTHING = "everything"
    """Teams, terms or the calendar: all of it. The key is empty."""


class _GroupingWord(_Word):
    words = Grouping
    cache_ok = True


class _MarkWord(_Word):
    words = MarkKind
    cache_ok = True


class Mark(SQLModel, table=True):
    """Something that may have changed since the figures were last brought up to date. Only added and taken away: two
    transactions that mark the same thing leave two marks, so that none can be worked off before what it tells of is
    committed."""

    __tablename__ = "scorecard_mark"

    id: int | None = Field(default=None, primary_key=True)
    kind: MarkKind = Field(sa_type=_MarkWord)
    key: str


class ScorecardState(SQLModel, table=True):
    """One row: how far the figures are. Who brings them up to date holds it."""

    __tablename__ = "scorecard_state"

    id: int = Field(default=1, primary_key=True)
    looked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the figures were last brought up to date."""
    day: date | None = None
    """The school's day then: with a new one, places on the roster begin and end."""
    settings: str = ""
    """Checksum of what of the settings the figures rest on."""


class TeamRecord(SQLModel, table=True):
    """The team of a mailbox, and from when until when: a figure of last term counts for the team of last term."""

    __tablename__ = "team_record"
    __table_args__ = (Index("ix_team_record_mailbox", "mailbox"),)

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    team: str
    since: date | None = None
    """None for what the service found when it first looked."""
    until: date | None = None
    """First day on which it was no longer so."""


class FamilyStanding(SQLModel, table=True):
    """How a family stands with a group in a term: the events behind the shares of families."""

    __tablename__ = "scorecard_family"
    __table_args__ = (Index("ix_scorecard_family_family", "family"),)

    term: str = Field(primary_key=True)
    grouping: Grouping = Field(primary_key=True, sa_type=_GroupingWord)
    key: str = Field(primary_key=True)
    family: str = Field(primary_key=True)
    enrolled: bool
    """Whether it belongs to the group at the end of the fourth school week, or now where that is yet to come."""
    positive_on: date | None = None
    """The day of its first positive contact in the term."""
    written_on: date | None = None
    """The day on which it was first written to in the term."""
    answered_on: date | None = None
    """The first day on which it had been written to, and had written or replied, in the term."""


class CaseStanding(SQLModel, table=True):
    """A conflict case in a group and term."""

    __tablename__ = "scorecard_case"
    __table_args__ = (Index("ix_scorecard_case_case", "case_id"),)

    term: str = Field(primary_key=True)
    grouping: Grouping = Field(primary_key=True, sa_type=_GroupingWord)
    key: str = Field(primary_key=True)
    case_id: int = Field(primary_key=True, foreign_key="conflict_case.id")
    opened_on: date
    agreed_on: date | None = None


class IncidentStanding(SQLModel, table=True):
    """An incident in a group and term."""

    __tablename__ = "scorecard_incident"
    __table_args__ = (Index("ix_scorecard_incident_student", "student"),)

    term: str = Field(primary_key=True)
    grouping: Grouping = Field(primary_key=True, sa_type=_GroupingWord)
    key: str = Field(primary_key=True)
    incident_id: int = Field(primary_key=True, foreign_key="incident.id")
    student: str
    on_day: date
    baseline_day: date | None = None
    again_on: date | None = None
    """The student's next incident."""


class WeekStanding(SQLModel, table=True):
    """The service's own counts of a mailbox's week: what they were when last counted."""

    __tablename__ = "scorecard_week"

    mailbox: str = Field(primary_key=True)
    monday: date = Field(primary_key=True)
    numbers: str = "{}"
    """Counts by name, as JSON."""


class Tally(SQLModel, table=True):
    """A number of a group's week: what a page reads, and nothing else."""

    __tablename__ = "scorecard_tally"

    term: str = Field(primary_key=True)
    grouping: Grouping = Field(primary_key=True, sa_type=_GroupingWord)
    key: str = Field(primary_key=True)
    monday: date = Field(primary_key=True)
    """Of the week in which it happened; a family counts in the week in which it first did."""
    measure: str = Field(primary_key=True)
    n: int


class Told(SQLModel, table=True):
    """A figure as a weekly mail told it: where late data changes history, the page shows both."""

    __tablename__ = "scorecard_told"

    term: str = Field(primary_key=True)
    grouping: Grouping = Field(primary_key=True, sa_type=_GroupingWord)
    key: str = Field(primary_key=True)
    monday: date = Field(primary_key=True)
    """Of the week that the mail told of."""
    measure: str = Field(primary_key=True)
    value: float
    told_at: datetime = Field(sa_type=UtcDateTime)

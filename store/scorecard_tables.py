"""The tables that the scorecard keeps its figures in, so that a page never counts from the start.

What may have changed is marked in the transaction that changes it (`store.marks`); the scorecard works the marks off
and corrects the tallies by the difference. Everything here but `TeamRecord` and `Told` can be made again from the other
tables.
"""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Index, Text
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
    """What somebody wrote or was written, or whose address it is; the key is the address as it is compared."""
    MESSAGE = "message"
    """The key is `message.id`: whom it concerns, its week and its conversation are looked up when the mark is worked
    off."""
    STUDENT = "student"
    """Somebody's place on the roster, contacts or incidents; the key is `roster_person.id`. For a teacher, all students
    of their classes; for a guardian, all that they look after."""
    CLASS = "class"
    """A class's days, school or terms; the key is `roster_class.id`."""
    FAMILY = "family"
    """The key is `roster_family.family`; behind a space, where only one term is concerned, that term's identifier."""
    WEEK = "week"
    """The service's own counts of a mailbox's week; the key is the mailbox, a space, and an instant in that week (UTC,
    ISO 8601)."""
    THREAD = "thread"
    """A conversation: in which week it was opened, and when it was answered; the key is the mailbox, a space, and
    `message.thread`."""
    ITEM = "item"
    """The key is `item.id`."""
    MAILBOX = "mailbox"
    """Every week of a mailbox; the key is its address."""
    CASE = "case"
    """The key is `conflict_case.id`."""
    INCIDENTS = "incidents"
    """Every incident of a student; the key is `roster_person.id`."""
    EVERYTHING = "everything"
    """Teams, terms or the calendar: all of it. The key is empty."""


class Measure(StrEnum):
    """What a tally counts, and by what: where nothing else is said, by the Monday of the week in which it happened, ISO
    8601. A family counts once."""

    ENROLLED = "enrolled"
    """Families that belong to the group at the end of the fourth school week, or now where that is yet to come; in the
    week in which the term begins."""
    POSITIVE = "positive"
    """Of those, the ones with a positive contact by the end of the fourth school week; in the week of the first."""
    WRITTEN = "written"
    """Families that were written to; in the week of the first time."""
    TWO_WAY = "two_way"
    """Of those, the ones who wrote or replied; in the first week by which both had happened."""
    HEARD = "heard"
    """Of those that belong to the group, the ones with a positive contact at any time in the term; by nothing ("")."""
    TEAM = "team"
    """Families of a school that stand with a team, too; by the team's name."""
    RESOLVED = "resolved"
    """Conflicts for which a plan was agreed; by how many school days that took."""
    OPEN = "open"
    """Conflicts without one; by the day on which they opened."""
    JUDGED = "judged"
    """Students with an incident whose fourteen days are over; by nothing ("")."""
    RECOVERED = "recovered"
    """Of those, the ones who were back to baseline; by nothing."""
    PENDING = "pending"
    """Students whose incidents in the term are all younger; by nothing."""
    URGENT = "urgent"
    CONFLICT = "conflict"
    ROUTINE = "routine"
    UNSURE = "unsure"
    ANSWERED = "answered"
    ROUTED = "routed"
    CORRECTED = "corrected"
    NORM_KEPT = "norm_kept"
    NORM_MISSED = "norm_missed"
    NORM_OPEN = "norm_open"
    CLAIMED = "claimed"
    CLAIM_MINUTES = "claim_minutes"
    CLAIMED_SOON = "claimed_soon"


OF_FAMILIES = (Measure.ENROLLED, Measure.POSITIVE, Measure.WRITTEN, Measure.TWO_WAY)
"""By week; for every grouping."""
OF_TERMS = (
    Measure.HEARD, Measure.TEAM, Measure.RESOLVED, Measure.OPEN, Measure.JUDGED, Measure.RECOVERED, Measure.PENDING,
)  # fmt: skip
"""Of the term as a whole."""
OF_MAILBOXES = tuple(each for each in Measure if each not in (*OF_FAMILIES, *OF_TERMS))
"""The service's own counts, named as `scorecard.report.Counts` names them; for everybody, teams and teachers only."""


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
    """One row: how far the figures are. Who brings them up to date steps `version` on in the same transaction, over the
    one that they began with: of two at once, one has done nothing."""

    __tablename__ = "scorecard_state"

    id: int = Field(default=1, primary_key=True)
    version: int = 0
    looked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the figures were last all up to date."""
    day: date | None = None
    """The school's day then: with a new one, places on the roster begin and end."""
    settings: str = ""
    """Checksum of `rests_on`."""
    rests_on: str = Field(default="", sa_type=Text)
    """What of the settings, and which terms that had begun, the figures rest on, as JSON
    (`scorecard.foundations.Foundations`)."""


class TeamRecord(SQLModel, table=True):
    """The team of a mailbox that the settings name, and from when until when: a figure of last term counts for the team
    of last term. The settings do not tell what they were: this cannot be made again."""

    __tablename__ = "team_record"
    __table_args__ = (Index("ix_team_record_mailbox", "mailbox"),)

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    team: str
    """"" for none."""
    since: date | None = None
    """None for what the service found when it first looked."""
    until: date | None = None
    """First day on which it was no longer so."""


class FamilyStanding(SQLModel, table=True):
    """How a family stands with its groups in a term: the events behind the shares of families."""

    __tablename__ = "scorecard_family"
    __table_args__ = (Index("ix_scorecard_family_term", "term"),)

    family: str = Field(primary_key=True)
    term: str = Field(primary_key=True)
    standings: str = Field(sa_type=Text)
    """The groups, and the days of what happened first, as JSON (`scorecard.packing`)."""


class CaseStanding(SQLModel, table=True):
    """A conflict case in a term."""

    __tablename__ = "scorecard_case"
    __table_args__ = (Index("ix_scorecard_case_term", "term"),)

    case_id: int = Field(primary_key=True, foreign_key="conflict_case.id")
    term: str = Field(primary_key=True)
    opened_on: date
    agreed_on: date | None = None
    school_days: int | None = None
    """From the one to the other."""
    groups: str = Field(sa_type=Text)
    """The groups that it counts for, as JSON."""


class IncidentStanding(SQLModel, table=True):
    """An incident in a term."""

    __tablename__ = "scorecard_incident"
    __table_args__ = (Index("ix_scorecard_incident_student", "student"), Index("ix_scorecard_incident_term", "term"))

    incident_id: int = Field(primary_key=True, foreign_key="incident.id")
    term: str = Field(primary_key=True)
    student: str
    on_day: date
    baseline_day: date | None = None
    again_on: date | None = None
    """The student's next incident."""
    recovered: bool | None = None
    """Whether the student was back to baseline within fourteen days; None while these are not over."""
    groups: str = Field(sa_type=Text)
    """The groups that it counts for, as JSON."""


class WeekStanding(SQLModel, table=True):
    """The service's own counts of a mailbox's week: what they were when last counted."""

    __tablename__ = "scorecard_week"
    __table_args__ = (Index("ix_scorecard_week_due", "due_at"), Index("ix_scorecard_week_passed", "passed_at"))

    mailbox: str = Field(primary_key=True)
    monday: date = Field(primary_key=True)
    numbers: str = Field(default="[]", sa_type=Text)
    """What it adds to tallies, as JSON: lists of term, grouping, key, measure and number."""
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the first norm of it that still runs ends: then it is counted again."""
    passed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the last norm of it ended that was missed: a clock that is set back before it makes it run again."""


class Tally(SQLModel, table=True):
    """A group's numbers of a term: what a page reads, and nothing else."""

    __tablename__ = "scorecard_tally"

    term: str = Field(primary_key=True)
    grouping: Grouping = Field(primary_key=True, sa_type=_GroupingWord)
    key: str = Field(primary_key=True)
    numbers: str = Field(sa_type=Text)
    """By measure, and by what that is counted by, as JSON (`scorecard.packing`)."""


class Withholding(SQLModel, table=True):
    """What of a term is withheld, and from which figures that was concluded: it holds only as long as those stand."""

    __tablename__ = "scorecard_withholding"

    term: str = Field(primary_key=True)
    changed: int = 0
    """Steps on with every change of who belongs where, in the transaction that changes it."""
    judged: int | None = None
    """What `changed` was when it was judged."""
    rests_on: str = ""
    """Checksum of what else it goes by: threshold and teams."""
    withheld: str = Field(default="", sa_type=Text)
    """Groups that are withheld, by what of them is, as JSON."""


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


class AddressSpelling(SQLModel, table=True):
    """An address as it stands on mail where it is not as it is compared: with what its owner adds behind a plus."""

    __tablename__ = "address_spelling"
    __table_args__ = (Index("ix_address_spelling_address", "address"),)

    spelling: str = Field(primary_key=True)
    address: str
    """As it is compared (`autoresponder.family.person`)."""

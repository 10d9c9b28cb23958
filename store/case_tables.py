"""The tables of cases: hard conversations, from a family's first conflict message to the agreed plan.

They hold times, addresses and keyed checksums: no word of any message, and nobody's name.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from autoresponder.cases import CaseState
from store.tables import UtcDateTime, _Word


class CaseEventKind(StrEnum):
    """What happened to a case."""

    OPENED = "opened"
    ADDED = "added"
    """Further conflict mail of the same matter came."""
    ANSWERED = "answered"
    """The teacher wrote to the family, or spoke with them."""
    PROPOSED = "proposed"
    """The family wrote what may be an agreement."""
    NOT_YET = "not yet"
    """The teacher says that it was none."""
    AGREED = "agreed"
    REOPENED = "reopened"
    NO_CONFLICT = "no conflict"
    REMINDED = "reminded"
    COACH_TOLD = "coach told"
    COACH_OFFERED = "coach offered"
    """The coach was told early."""


class _CaseStateWord(_Word):
    words = CaseState
    cache_ok = True


class _CaseEventWord(_Word):
    words = CaseEventKind
    cache_ok = True


class ConflictCase(SQLModel, table=True):
    """One family's matter with one teacher."""

    __tablename__ = "conflict_case"
    __table_args__ = (
        UniqueConstraint("mailbox", "reference"),
        Index("ix_conflict_case_family", "mailbox", "family", "state"),
        Index("ix_conflict_case_looks", "mailbox", "state", "looks_at"),
        Index("ix_conflict_case_mark", "agreed_mark"),
    )

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    """The teacher's."""
    reference: str
    """Fingerprint of the message that it opened with: the same after a restored record is read on."""
    family: str
    """`autoresponder.family.family_key`."""
    state: CaseState = Field(default=CaseState.OPEN, sa_type=_CaseStateWord)
    hostile: bool = False
    """Whether a message of it insults or threatens (`autoresponder.hostile`)."""
    opened_at: datetime = Field(sa_type=UtcDateTime)
    """When the first of its messages was received."""
    last_mail_at: datetime = Field(sa_type=UtcDateTime)
    """When the last of them was."""
    takes_until: datetime = Field(sa_type=UtcDateTime)
    """Until when further conflict mail of the family belongs to it, while it is open; in its threads, always."""
    first_answer_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_answer_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the teacher first and last wrote to the family, or spoke with them."""
    waiting_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the family wrote what the teacher has not answered; None where nothing waits."""
    consented_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the family wrote what may be an agreement; None where they did not, or the teacher says that it was none."""
    agreed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When a plan was agreed, as far as it still holds."""
    agreed_by: str | None = None
    """Address of who said so in the page; None where a label did."""
    agreed_mark: int | None = None
    """Number of the message whose label "plan agreed" has been heard; None where none stands."""
    changed_at: datetime = Field(sa_type=UtcDateTime)
    """When it got the state it has."""
    reminded_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    coach_told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When teacher and coach were reminded of what waits now; None again once it is answered."""
    coach_offered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the coach was told early."""
    steps: int = 0
    """How often somebody was reminded or told."""
    looks_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When the service has to look at it next; None where it need not."""
    looked_at: datetime = Field(sa_type=UtcDateTime)
    """When it did last."""


class CaseMail(SQLModel, table=True):
    """A conflict message, and the case that it belongs to."""

    __tablename__ = "case_mail"
    __table_args__ = (Index("ix_case_mail_case", "case_id"),)

    message_id: int = Field(primary_key=True, foreign_key="message.id")
    case_id: int = Field(foreign_key="conflict_case.id")


class CaseEvent(SQLModel, table=True):
    """What happened to a case: only added to, never changed."""

    __tablename__ = "case_event"
    __table_args__ = (Index("ix_case_event_case", "case_id"),)

    id: int | None = Field(default=None, primary_key=True)
    case_id: int = Field(foreign_key="conflict_case.id")
    kind: CaseEventKind = Field(sa_type=_CaseEventWord)
    by: str | None = None
    """Address of who said so in the page; None for a label, for mail, and for the service itself."""
    at: datetime = Field(sa_type=UtcDateTime)


class TeacherLetter(SQLModel, table=True):
    """A mail of the teacher's own, and a family that it went to."""

    __tablename__ = "teacher_letter"
    __table_args__ = (Index("ix_teacher_letter_family", "family"),)

    message_id: int = Field(primary_key=True, foreign_key="message.id")
    family: str = Field(primary_key=True)
    """`autoresponder.family.family_key`; empty where its thread alone tells whom it is for."""

"""The tables of what happened between school and families beside received mail: to whom teachers wrote, whether it was
good news, calls and meetings, incidents. Identifiers, addresses, days and kinds: no text, and nobody's name."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from autoresponder.contacts import ContactKind, ContactTone
from store.tables import UtcDateTime, _Word

__all__ = [
    "Contact",
    "ContactKind",
    "ContactSource",
    "ContactTone",
    "HeardReply",
    "Incident",
    "Judgement",
    "LetterRecipient",
]


class ContactSource(StrEnum):
    """How the service learned of a contact."""

    FILE = "file"
    REPLY = "reply"
    """The teacher's reply to the morning mail."""
    PAGE = "page"


class _ContactKindWord(_Word):
    words = ContactKind
    cache_ok = True


class _ContactToneWord(_Word):
    words = ContactTone
    cache_ok = True


class _ContactSourceWord(_Word):
    words = ContactSource
    cache_ok = True


class LetterRecipient(SQLModel, table=True):
    """An address outside the school that a mail of the teacher's own went to (To, Cc, Bcc)."""

    __tablename__ = "letter_recipient"
    __table_args__ = (Index("ix_letter_recipient_address", "address"),)

    message_id: int = Field(primary_key=True, foreign_key="message.id")
    address: str = Field(primary_key=True)
    """As it is compared (`autoresponder.family.person`)."""


class Judgement(SQLModel, table=True):
    """Whether a mail of the teacher's own is a positive contact: the classifier's word, or a person's, which stands."""

    __tablename__ = "judgement"

    message_id: int = Field(primary_key=True, foreign_key="message.id")
    positive: bool
    score: float | None = None
    """The classifier's probability that it is, 0 to 1; None where none judged."""
    model: str | None = None
    """Version of the classifier that judged."""
    by: str | None = None
    """Address of who overruled it; None where the classifier's word stands."""
    at: datetime = Field(sa_type=UtcDateTime)


class Contact(SQLModel, table=True):
    """A call, text, note or meeting with a student's family. Withdrawn ones stay on record and count nowhere."""

    __tablename__ = "contact"
    __table_args__ = (
        UniqueConstraint("reference"),
        Index("ix_contact_student", "student", "on_day"),
        Index("ix_contact_mailbox", "mailbox", "on_day"),
    )

    id: int | None = Field(default=None, primary_key=True)
    reference: str
    """The same for the same contact told again: made of the row's own identifier, or of its facts."""
    mailbox: str
    """Address of the teacher, or of who else at the school it was."""
    student: str
    """`roster_person.id`."""
    on_day: date
    """In the school's time zone."""
    kind: ContactKind = Field(sa_type=_ContactKindWord)
    tone: ContactTone = Field(sa_type=_ContactToneWord)
    reached: bool
    """Whether the family was spoken with, or answered."""
    source: ContactSource = Field(sa_type=_ContactSourceWord)
    logged_by: str | None = None
    """Address of who logged it; None for a file."""
    logged_at: datetime = Field(sa_type=UtcDateTime)
    over_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """The end of its day, or when the service was told, if that was earlier: what a family wrote until then is answered
    by a talk that reached them. None where it answers nothing."""
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    withdrawn_by: str | None = None
    """Who withdrew it: their address, or "administrator" for the command. None where the school's own list did."""


class HeardReply(SQLModel, table=True):
    """A teacher's answer to the morning mail that has been heard: each once, however many copies of it there are."""

    __tablename__ = "heard_reply"
    __table_args__ = (UniqueConstraint("mailbox", "fingerprint"),)

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    """The teacher's."""
    fingerprint: str
    """The answer's `autoresponder.identifiers.fingerprint`."""
    on_day: date
    """When it was written, in the school's time zone."""
    heard_at: datetime = Field(sa_type=UtcDateTime)
    doubts: str = ""
    """Lines of it that nothing could be made of, by number and reason, such as "2 nobody,3 several": no word of any."""


class Incident(SQLModel, table=True):
    """A behavior incident of a student, from the school's own list. Withdrawn ones stay on record and count nowhere."""

    __tablename__ = "incident"
    __table_args__ = (UniqueConstraint("reference"), Index("ix_incident_student", "student", "on_day"))

    id: int | None = Field(default=None, primary_key=True)
    reference: str
    """The row's own identifier in the school's list, or made of its facts."""
    student: str
    """`roster_person.id`."""
    on_day: date
    kind: str
    """The school's own short word for it."""
    baseline_day: date | None = None
    """When the student was back to baseline; None where the list does not say."""
    imported_at: datetime = Field(sa_type=UtcDateTime)
    changed_at: datetime = Field(sa_type=UtcDateTime)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

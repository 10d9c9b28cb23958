"""The tables. None has a column for a message's text; `subject` stays empty unless the school turns it on."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar

from sqlalchemy import DateTime, Dialect, Index, String, Text, TypeDecorator, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from autoresponder.items import ItemState
from connectors.labels import Tag
from connectors.mailbox import Direction

OPEN_DELIVERY = text("state IN ('waiting', 'working', 'set aside', 'uncertain')")
OPEN_ITEM = text("state = 'open'")
"""What indexes of the few open ones hold; a query says the same, word for word, and is answered from them."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, stored in UTC. SQLite forgets the zone of what it stores; this gives it back."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware to naive UTC. Raises ValueError for a naive time: a guess here would move deadlines."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be recorded")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Naive UTC to aware."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


class DeliveryKind(StrEnum):
    """What a delivery does."""

    TAG = "tag"
    ROUTE = "route"
    REPLY = "reply"
    ESCALATE = "escalate"
    """An item that nobody took, to the next desk."""
    TELL = "tell"
    """A short mail to the staff about an item."""
    REMIND = "remind"
    """A short mail about a case that waits, to the teacher or the coach."""
    DRAFT = "draft"
    """A draft of the teacher's own answer, into their Drafts. Never sent."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    """To be done at `next_attempt_at`."""
    WORKING = "working"
    """A worker is at it until `lease_until`; after that another looks what became of it."""
    DONE = "done"
    CANCELLED = "cancelled"
    """No longer wanted: the teacher answered, the tag was corrected, the message is gone."""
    SET_ASIDE = "set aside"
    """Gave up; `alliance outbox` shows it, `alliance retry` tries again."""
    UNCERTAIN = "uncertain"
    """A reply that may or may not have left; never sent a second time (decision 3)."""


class DeliveryStep(StrEnum):
    """How far sending has come."""

    PLANNED = "planned"
    DRAFTED = "drafted"
    SENDING = "sending"
    """Handed to the mail server, or about to be: from here on it may be out."""


class NoticeKind(StrEnum):
    """What a notice tells the administrator, a teacher or a leader."""

    PARKED = "parked"
    """Mailboxes are not worked on until somebody acts."""
    LIFTED = "lifted"
    """Mailboxes that were parked work again."""
    DIGEST = "digest"
    """A teacher's morning mail."""
    STOPPED = "stopped"
    """Mailboxes give no more answers, because too many went out."""
    WEEKLY = "weekly"
    """A principal's mail of the week."""
    ALERT = "alert"
    """Something that the administrator has to know of (`store.operating_tables.AlertKind`)."""
    ALL_CLEAR = "all clear"
    """It is over."""


class _Word(TypeDecorator[StrEnum]):
    """An enumeration's value as plain text: readable in any tool, and a new value needs no migration."""

    impl = String(16)
    cache_ok = True
    words: ClassVar[type[StrEnum]]

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        """The value's text. Raises ValueError for a word that is none of these."""
        del dialect
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> StrEnum | None:
        """The text's value."""
        del dialect
        return None if value is None else self.words(value)


class EventKind(StrEnum):
    """What happened to an item."""

    OPENED = "opened"
    ADDED = "added"
    """Further mail of the same matter came."""
    NEXT_DESK = "next desk"
    ON_CALL = "on call"
    REMINDED = "reminded"
    TAKEN = "taken"
    REFUSED = "refused"
    """Somebody wanted it and was told who has it."""
    DONE = "done"
    NOT_URGENT = "not urgent"
    RETURNED = "returned"
    """Back to the teacher."""
    CORRECTED = "corrected"
    """The teacher said that none of it is urgent."""
    UNCLEAR = "unclear"
    """A reply was not understood, and changed nothing."""
    REOPENED = "reopened"
    """The teacher said that it is urgent (after all)."""


class _TagWord(_Word):
    words = Tag
    cache_ok = True


class _DirectionWord(_Word):
    words = Direction
    cache_ok = True


class _KindWord(_Word):
    words = DeliveryKind
    cache_ok = True


class _StateWord(_Word):
    words = DeliveryState
    cache_ok = True


class _StepWord(_Word):
    words = DeliveryStep
    cache_ok = True


class _NoticeWord(_Word):
    words = NoticeKind
    cache_ok = True


class _ItemStateWord(_Word):
    words = ItemState
    cache_ok = True


class _EventWord(_Word):
    words = EventKind
    cache_ok = True


class Installation(SQLModel, table=True):
    """One row: the secret that fingerprints are keyed with."""

    __tablename__ = "installation"

    id: int = Field(default=1, primary_key=True)
    key: bytes


class MailboxState(SQLModel, table=True):
    """What is remembered of a mailbox between two looks at it."""

    __tablename__ = "mailbox"

    address: str = Field(primary_key=True)
    cursor: str | None = Field(default=None, sa_type=Text)
    connected_at: datetime = Field(sa_type=UtcDateTime)


class MessageRecord(SQLModel, table=True):
    """One message that was seen: who, when, what tag. Its text stays in the mailbox."""

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("mailbox", "provider_id"),
        Index("ix_message_rfc", "mailbox", "rfc_message_id"),
        Index("ix_message_content", "fingerprint", "mailbox"),
        Index("ix_message_thread", "mailbox", "thread", "direction"),
        Index("ix_message_received", "mailbox", "received_at"),
        Index("ix_message_family", "mailbox", "family", "received_at"),
        Index("ix_message_sender", "sender", "received_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    provider_id: str = Field(sa_type=Text)
    direction: Direction = Field(sa_type=_DirectionWord)
    rfc_message_id: str | None = Field(default=None, sa_type=Text)
    fingerprint: str
    thread: str = Field(sa_type=Text)
    sender: str | None = None
    family: str | None = None
    """`autoresponder.family.family_key` of who sent it, where it is family mail."""
    subject: str | None = Field(default=None, sa_type=Text)
    received_at: datetime = Field(sa_type=UtcDateTime)
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    backfill: bool = False
    own: bool = False
    """Sent by this service, not by the teacher."""
    tag: Tag | None = Field(default=None, sa_type=_TagWord)
    """None for what is no family mail: robots, lists, staff, the teacher's own."""
    urgent: float | None = None
    conflict: float | None = None
    unsure: bool = False
    language: str | None = None
    model: str | None = None
    """Version of the classifier that judged."""
    labels: str = ""
    """Alliance labels that the message carries, or is about to, comma-separated and sorted."""
    guard: str | None = None
    """Name of the guard that kept it from being answered."""
    set_aside: str | None = Field(default=None, sa_type=Text)
    """Why it could not be read; None where it could."""
    removed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Delivery(SQLModel, table=True):
    """One action to carry out: the outbox (decision 3)."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("dedupe_key"),
        Index("ix_delivery_due", "mailbox", "state", "next_attempt_at"),
        Index("ix_delivery_recipient", "mailbox", "recipient", "kind"),
        Index("ix_delivery_message", "message_id"),
        Index("ix_delivery_rfc", "rfc_message_id"),
        Index(
            "ix_delivery_open",
            "state",
            "kind",
            "next_attempt_at",
            sqlite_where=OPEN_DELIVERY,
            postgresql_where=OPEN_DELIVERY,
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    message_id: int = Field(foreign_key="message.id")
    kind: DeliveryKind = Field(sa_type=_KindWord)
    state: DeliveryState = Field(default=DeliveryState.WAITING, sa_type=_StateWord)
    step: DeliveryStep = Field(default=DeliveryStep.PLANNED, sa_type=_StepWord)
    dedupe_key: str = Field(sa_type=Text)
    facts: str = Field(default="{}", sa_type=Text)
    """The planned action as JSON (`autoresponder.plan`): tags, times, languages; no text of the message."""
    recipient: str | None = None
    rfc_message_id: str | None = Field(default=None, sa_type=Text)
    """Message-ID that the mail is, or will be, sent under."""
    draft_id: str = Field(default="", sa_type=Text)
    attempts: int = 0
    handovers: int = 0
    """How often it was handed to the mail server without word of what became of it."""
    next_attempt_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    lease_holder: str | None = None
    deaths: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """So many processes ended with it in hand (service/caution.py)."""
    last_error: str | None = Field(default=None, sa_type=Text)
    created_at: datetime = Field(sa_type=UtcDateTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Correction(SQLModel, table=True):
    """A tag that a person changed: the teacher, by the label in their own mail program, or the office."""

    __tablename__ = "correction"
    __table_args__ = (
        Index("ix_correction_message", "message_id"),
        Index("ix_correction_unfollowed", "mailbox", "followed_at"),
    )

    id: int | None = Field(default=None, primary_key=True)
    mailbox: str
    message_id: int = Field(foreign_key="message.id")
    from_tag: Tag | None = Field(sa_type=_TagWord)
    to_tag: Tag | None = Field(sa_type=_TagWord)
    """None where the teacher took the label away."""
    at: datetime = Field(sa_type=UtcDateTime)
    followed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When what follows from it was planned: the office, a case; None while that is still to be done."""


class Notice(SQLModel, table=True):
    """One mail of the service's own: to the administrator about mailboxes that are parked, work again or give no
    more answers, or to a teacher in the morning."""

    __tablename__ = "notice"
    __table_args__ = (UniqueConstraint("rfc_message_id"),)

    id: int | None = Field(default=None, primary_key=True)
    kind: NoticeKind = Field(sa_type=_NoticeWord)
    rfc_message_id: str = Field(sa_type=Text)
    """Derived from the mailboxes it tells of and since when each is parked, or from mailbox and day: the same outage,
    the same morning, the same Message-ID."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    next_attempt_at: datetime = Field(sa_type=UtcDateTime)
    lease_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    attempts: int = 0
    handovers: int = 0
    """How often it was handed to the mail server without word of what became of it."""
    told_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When it was out, or there was nothing left to tell."""


class Parking(SQLModel, table=True):
    """A mailbox whose server refuses us, from the first refusal until it works again and that is told."""

    __tablename__ = "parking"

    mailbox: str = Field(primary_key=True)
    since: datetime = Field(sa_type=UtcDateTime)
    reason: str = Field(sa_type=Text)
    """The error's own words, which never hold a secret (`connectors.errors`)."""
    sending: bool = False
    """True where its mail is read and tagged and only sending is refused."""
    lifted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outage_notice: int | None = Field(default=None, foreign_key="notice.id")
    lifting_notice: int | None = Field(default=None, foreign_key="notice.id")


class Item(SQLModel, table=True):
    """One matter of one family at the office: one mail or several."""

    __tablename__ = "item"
    __table_args__ = (
        UniqueConstraint("reference"),
        Index("ix_item_family", "family", "state"),
        Index("ix_item_due", "mailbox", "state", "escalates_at"),
        Index("ix_item_open", "opened_at", sqlite_where=OPEN_ITEM, postgresql_where=OPEN_ITEM),
    )

    id: int | None = Field(default=None, primary_key=True)
    reference: str
    """Fingerprint of the message that it opened with: the same after a restored record is read on."""
    mailbox: str
    """Where that message came."""
    family: str
    """`autoresponder.family.family_key`."""
    topic: str
    tag: Tag = Field(sa_type=_TagWord)
    state: ItemState = Field(default=ItemState.OPEN, sa_type=_ItemStateWord)
    holder: str | None = None
    """Address of who took it, or closed it."""
    path: str = Field(sa_type=Text)
    """Names of the desks that have had it, comma-separated, the first first."""
    steps: int = 0
    """How often it went on because nobody took it."""
    reminders: int = 0
    opened_at: datetime = Field(sa_type=UtcDateTime)
    last_mail_at: datetime = Field(sa_type=UtcDateTime)
    """When the family last wrote about it."""
    changed_at: datetime = Field(sa_type=UtcDateTime)
    """When it got the state it has."""
    stepped_at: datetime = Field(sa_type=UtcDateTime)
    """When it was opened, or last went on."""
    escalates_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    """When it goes on if nobody takes it; None where it stays."""


class ItemMail(SQLModel, table=True):
    """A message that belongs to an item."""

    __tablename__ = "item_mail"
    __table_args__ = (Index("ix_item_mail_item", "item_id"),)

    message_id: int = Field(primary_key=True, foreign_key="message.id")
    item_id: int = Field(foreign_key="item.id")


class ItemEvent(SQLModel, table=True):
    """What happened to an item: only added to, never changed."""

    __tablename__ = "item_event"
    __table_args__ = (Index("ix_item_event_item", "item_id"),)

    id: int | None = Field(default=None, primary_key=True)
    item_id: int = Field(foreign_key="item.id")
    kind: EventKind = Field(sa_type=_EventWord)
    desk: str | None = None
    """The desk that it came to."""
    by: str | None = None
    """Address of who said so; None for the service itself."""
    at: datetime = Field(sa_type=UtcDateTime)

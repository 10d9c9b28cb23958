"""What is to be done with one message: labels, perhaps a reply, perhaps a route to the office. Data, decided purely.

Nothing here holds text of the message: a planned reply or route is worded when it is delivered, from these facts and
the original in the mailbox (decision 1).
"""

from datetime import date, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from config.settings import OFFICE_DESK
from connectors.away import Absence
from connectors.labels import Label, Tag


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(_Frozen):
    """An answer this service gave, or has planned: to whom, for which tag, when (UTC)."""

    sender: str
    tag: Tag
    at: datetime
    crisis: bool = False
    """Whether it was the note for somebody who may be harmed."""


class Answering(StrEnum):
    """Which families the mailbox may answer at all just now."""

    ALL = "all"
    URGENT = "urgent only"
    """Its answers are stopped; somebody in need still gets theirs."""
    NONE = "none"
    """Its answers are stopped, and those kept for people in need are used up."""


class History(_Frozen):
    """What the record knows about a message's sender and thread at the time of the decision. Times are in UTC."""

    connected_at: datetime
    """When the mailbox was connected; older mail is never answered."""
    answers_to_sender: tuple[Answer, ...] = ()
    """Answers from this mailbox to this sender, whatever their state, unless cancelled or rejected."""
    answers_to_family: tuple[Answer, ...] = ()
    """The same, to others of the sender's family in this thread."""
    answering: Answering = Answering.ALL
    absences: tuple[Absence, ...] = ()
    """When the teacher's own automatic reply is on, as far as known."""
    answered_in_other_mailbox: bool = False
    """The same message reached another of our mailboxes, which answers it."""
    routed_already: bool = False
    """The same message was routed to the office from another mailbox, or from this one under another id."""
    teacher_wrote_at: datetime | None = None
    """When the teacher last wrote into this thread."""


class NoReply(_Frozen):
    """Which guard said no, and why, in a sentence for the record. `guard` is the guard function's name."""

    guard: str
    reason: str


class Missing(StrEnum):
    """What a family may be asked for, so that the teacher can answer."""

    STUDENT = "student"
    PERIOD = "period"
    QUESTION = "question"


class Span(_Frozen):
    """From one moment to a later one; aware, in the school's time zone."""

    begins: datetime
    ends: datetime


class ShortCalls(_Frozen):
    """Times in which every family can call the teacher for a few minutes."""

    spans: tuple[Span, ...] = ()
    """The next of them; none where there are none."""
    minutes: int = 5
    """How long one call is."""


class ReplyFacts(_Frozen):
    """All that a reply is worded from, besides the original's headers."""

    tag: Tag
    languages: tuple[str, ...]
    """In this order: the family's, then the school's, each ISO 639-1."""
    received_at: datetime
    reply_by: datetime
    """End of the norm, aware, in the school's time zone."""
    same_day_closed: bool
    """True where the office is closed at the time of the answer, so that "call the office" needs its next opening."""
    office_opens_at: datetime | None = None
    """The office's next opening, school's time zone, where it is closed now."""
    crisis: bool = False
    """Whether somebody may be harmed, or may harm themselves: the note then is about that alone."""
    missing: tuple[Missing, ...] = tuple(Missing)
    """What neither the message nor the roster tells."""
    closed_from: date | None = None
    """First day of the holidays that lie before `reply_by`, None where there are none."""
    closed_until: date | None = None
    """Their last day."""
    call_windows: tuple[Span, ...] = ()
    """The next times in which the teacher can be called."""
    short_calls: ShortCalls = ShortCalls()
    """When the teacher can be called for a few minutes; none but in a routine note."""
    office_told: bool = True
    """Whether the front office is among those who get an urgent message: only then may the note say so."""


class Occasion(StrEnum):
    """What a mail to the office is, in the life of its item."""

    FIRST = "first"
    ADDITION = "addition"
    """Further mail of the same matter, for whoever has it."""
    NEXT = "next"
    """Nobody took it: it comes to the next desk."""
    ON_CALL = "on call"
    """The office is closed: it comes to whoever is on call."""
    REMINDER = "reminder"
    """Nobody at any desk took it."""
    MARKED = "marked"
    """The teacher marked it as urgent, where the office had it as something else, or had closed it."""


class RouteFacts(_Frozen):
    """All that a route's summary is worded from, besides the original."""

    tag: Tag
    recipient: str
    """The first of `recipients`."""
    recipients: tuple[str, ...] = ()
    """Everybody it goes to, in one mail; none in facts from before there were desks."""
    desk: str = OFFICE_DESK
    """The desk that it is for."""
    occasion: Occasion = Occasion.FIRST
    desks_before: tuple[str, ...] = ()
    """The desks that had it before, the first first."""
    holder: str | None = None
    """Who has taken the item that this adds to."""
    references: tuple[str, ...] = ()
    """Message-IDs, without angle brackets, of the mails that brought it to the desks before."""
    reminder: int = 0
    """How often it has gone on because nobody took it, from the second time on; 0 before. Tells its mails apart."""
    received_at: datetime
    family_told: bool
    """Whether a reply to the family is planned."""
    no_reply_reason: str = ""
    no_reply_guard: str = ""
    """Which guard gave it; none in facts from before that was kept."""
    unsure: bool = False
    unread: bool = False
    """Whether the service could not read it: that it may be urgent is all that is known."""
    sender_unverified: bool = False
    """Whether the mail's own authentication says that it may not come from the address it names."""
    marked_by: str = ""
    """The teacher's name, where a teacher marked it as urgent and not the service; then nothing more is planned for the
    family, and `family_told` says what they had before."""
    told_norm: bool = False
    """Whether the family's note was the norm's, not the one for urgent messages."""
    otherwise: Tag | None = None
    """What it is where a person finds that it is not urgent; None in facts from before that was kept."""


class Told(StrEnum):
    """What a short mail to the staff says about an item."""

    TAKEN = "taken"
    """Somebody else has it."""
    CLOSED = "closed"
    """It is closed already."""
    RETURNED = "returned"
    """The office gives it back to the teacher."""
    NOT_ANSWERED = "not answered"
    """The service breaks down over the family's note, and tries no more; likewise the next two."""
    NOT_LABELLED = "not labelled"
    NOT_DRAFTED = "not drafted"
    """To the teacher: of their own draft."""


class TellFacts(_Frozen):
    """All that a short mail to the staff about an item, or a message, is worded from, besides the record of it."""

    told: Told
    by: str
    """Who has it, closed it, or gave it back; the teacher's name where the service broke down."""
    at: datetime
    """When."""
    sender: str = ""
    """The family's address."""
    received_at: datetime | None = None
    """When the family wrote."""
    references: tuple[str, ...] = ()
    """Message-IDs, without angle brackets, of the thread it stands in; the last is what it answers."""


class TagFacts(_Frozen):
    """What is known of a labelling beside the labels."""

    instead: frozenset[Label] | None = None
    """The labels of our own that these replace: while they still stand there, nobody corrected anything."""
    or_else: tuple[frozenset[Label], ...] = ()
    """Others of our own that may still stand there: of a labelling that this one overtook."""

    @property
    def replaced(self) -> tuple[frozenset[Label], ...]:
        """All of these."""
        return (*(() if self.instead is None else (self.instead,)), *self.or_else)


class Plan(_Frozen):
    """What shall happen with one message. `labels` are always set; at least one of `reply` and `no_reply` is None."""

    labels: frozenset[Label]
    reply: ReplyFacts | None = None
    no_reply: NoReply | None = None
    route: RouteFacts | None = None
    topic: str = "other"
    """What the message is about (docs/labelling.md, "Topics")."""
    draft: bool = False
    """Whether the teacher gets a draft of their own answer."""

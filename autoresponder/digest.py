"""The morning mail to a teacher: who waits, whom to call, what was promised for today, what the office has done. Pure.

It is read on a phone on the way to the classroom, and the subject by whoever looks over a shoulder: so the subject has
counts and no names, each part a handful of lines, and no line a word of any message. Nobody is blamed: a day that has
passed is said, and no more.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from autoresponder.digest_contacts import ContactFacts, contact_blocks, counted_contacts, how_to_tell
from autoresponder.digest_glow import GlowLines, counted_glow, glow_blocks
from autoresponder.identifiers import derived_message_id
from autoresponder.items import ItemState
from autoresponder.note import Block, Link, Note, Paragraph, Row, Rows, Section
from autoresponder.outgoing import one_line
from autoresponder.plan import Span
from autoresponder.wording import OFFICE, STAFF_LANGUAGES, Wording, wording, written_languages
from config.settings import Settings

LISTED = 5
"""Families that a part names; the others are counted."""
_STUDENTS = 3
_NAME_CHARACTERS = 60
_ADDRESS_CHARACTERS = 60
_SUBJECT_CHARACTERS = 60
_Entry = TypeVar("_Entry")


@dataclass(frozen=True, slots=True)
class Family:
    """Who it is about, as the teacher knows them. None of it is trusted: it is bounded and stripped when worded."""

    address: str
    """Where they write from; empty where the mail named nobody."""
    students: tuple[str, ...] = ()
    """Their children, from the roster."""
    unverified: bool = False
    """Whether the mail may come from somebody else; then no child is named."""
    subject: str = ""
    """The subject of what they wrote; empty where the school keeps none."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A family that has written and has not heard from the teacher."""

    family: Family
    received_at: datetime
    """When they wrote, the first time since they heard last."""
    reply_by: datetime | None
    """By when the norm promises an answer; None where the calendar has no such day."""
    hours: float
    """School hours of the norm that have passed."""
    messages: int = 1
    office: ItemState | None = None
    """Where the item stands that the office has of it, if any."""


@dataclass(frozen=True, slots=True)
class Promised:
    """A conversation that was to be taken up again today."""

    family: Family


@dataclass(frozen=True, slots=True)
class Proposal:
    """A conversation that reads as if a plan had been agreed; only the teacher can say so."""

    family: Family


@dataclass(frozen=True, slots=True)
class Handled:
    """What the office has seen to."""

    family: Family
    state: ItemState
    who: str
    """Name or address; empty for the front office itself."""
    at: datetime


@dataclass(frozen=True, slots=True)
class DigestFacts:
    """All that a morning mail is worded from. Times are aware."""

    teacher: str
    today: date
    since: date
    """The day from which on mail is counted."""
    waiting: tuple[Waiting, ...] = ()
    """The oldest first; none of them in `to_call`."""
    to_call: tuple[Waiting, ...] = ()
    """Families with whom a conversation helps more than a mail; the oldest first."""
    call_times: tuple[Span, ...] = ()
    """When the teacher can be called today."""
    follow_ups: tuple[Promised, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    handled: tuple[Handled, ...] = ()
    """The oldest first."""
    contacts: ContactFacts = field(default_factory=ContactFacts)
    """What came of the teacher's answers to earlier morning mails."""
    glow: GlowLines = field(default_factory=GlowLines)
    """Families who have had no good word from the teacher yet."""
    answers_paused_since: datetime | None = None
    """Since when the service answers nobody in this mailbox, where something stopped it."""
    page: str = ""
    """Address of the teacher's page; empty where the school serves none."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that the teacher need be told."""
        parts = (self.waiting, self.to_call, self.follow_ups, self.proposals, self.handled)
        told = any(parts) or self.glow.families or not self.contacts.is_empty
        return not told and self.answers_paused_since is None


def digest_message_id(mailbox: str, day: date) -> str:
    """The Message-ID, without angle brackets, of a mailbox's morning mail of a day: the same day, the same id."""
    return derived_message_id(f"digest of {day.isoformat()}", "notice", mailbox)


def digest_note(facts: DigestFacts, settings: Settings) -> Note:
    """The mail in the staff's language; its title is the subject."""
    words = wording(written_languages(settings.school.languages[:1], STAFF_LANGUAGES)[0], OFFICE)
    worded = _Digest(facts, settings, words)
    section = Section(words.language, words.direction, tuple(worded.blocks()))
    return Note(title=worded.subject(), sections=(section,))


@dataclass(frozen=True, slots=True)
class _Digest:
    facts: DigestFacts
    settings: Settings
    words: Wording

    def subject(self) -> str:
        _ = self.words.gettext
        facts = self.facts
        # Translators: parts of a subject line, which reads "Good morning: 3 waiting, 1 to call". Each is right for any
        # number.
        counted = (
            (_("{count} waiting"), facts.waiting),
            (_("{count} to call"), facts.to_call),
            (_("{count} to follow up"), facts.follow_ups),
            (_("{count} to confirm"), facts.proposals),
            (_("{count} seen to by the office"), facts.handled),
        )
        said = [text.format(count=len(entries)) for text, entries in counted if entries]
        said += (*counted_contacts(facts.contacts, self.words), *counted_glow(facts.glow, self.words))
        if facts.answers_paused_since is not None:
            said.append(_("automatic answers paused"))
        return _("Good morning: {counts}").format(counts=_(", ").join(said))

    def blocks(self) -> Iterator[Block]:
        _ = self.words.gettext
        facts = self.facts
        yield Paragraph(
            _("Good morning, {teacher}. This is how things stand on {day}.").format(
                teacher=facts.teacher, day=self.words.day(facts.today)
            )
        )
        if facts.answers_paused_since is not None:
            yield Paragraph(self._paused(facts.answers_paused_since), strong=True)
        rows = [
            *self._part(_("Waiting for your answer"), facts.waiting, self._waiting),
            *self._part(_("Better called than written to"), facts.to_call, self._waiting),
            *self._call_times(),
            *self._part(_("To follow up today"), facts.follow_ups, self._promised),
            *self._part(_("A plan may be agreed with"), facts.proposals, self._proposal),
            *self._part(_("The office has seen to"), facts.handled, self._handled),
        ]
        # Each part a block of its own, for the space between them.
        yield from (Rows((row,)) for row in rows)
        yield from contact_blocks(facts.contacts, self.words)
        yield from glow_blocks(facts.glow, self.words)
        if facts.proposals:
            yield Paragraph(
                _(
                    "Only you know whether a plan was agreed. If so, give the message the label “{label}”; if not, "
                    "you need do nothing."
                ).format(label="Alliance/Plan agreed")
            )
        if facts.page:
            yield Link(_("Open your page"), facts.page)
        if facts.waiting or facts.to_call:
            yield Paragraph(
                _(
                    "This counts family mail since {day} that you have neither answered nor deleted. If you spoke with "
                    "a family instead, take the label off their message, and it is no longer named."
                ).format(day=self.words.day(facts.since))
            )
        yield from how_to_tell(facts.contacts, self.words)
        yield Paragraph(
            _(
                "This mail names families: please do not pass it on. It was written automatically; your administrator "
                "can turn it off for you."
            )
        )

    def _part(self, title: str, entries: Sequence[_Entry], line: Callable[[_Entry], str]) -> Iterator[Row]:
        if not entries:
            return
        more = len(entries) - LISTED
        named = tuple(line(entry) for entry in entries[:LISTED])
        if more > 0:
            named = (*named, self.words.gettext("and {count} more").format(count=more))
        yield Row(title, named)

    def _call_times(self) -> Iterator[Row]:
        if self.facts.to_call and self.facts.call_times:
            _ = self.words.gettext
            spans = [
                _("{opens} to {closes}").format(opens=self._clock(span.begins), closes=self._clock(span.ends))
                for span in self.facts.call_times
            ]
            yield Row(_("Your call times today"), (self.words.list(spans),))

    def _waiting(self, waiting: Waiting) -> str:
        _ = self.words.gettext
        said = [self._due(waiting)]
        if waiting.messages > 1:
            said.append(_("{count} messages").format(count=waiting.messages))
        if waiting.office is ItemState.OPEN:
            said.append(_("urgent, and nobody at the office has taken it yet"))
        if waiting.office is ItemState.RETURNED:
            said.append(_("the office leaves the answer to you"))
        return _("{family}: {what}").format(family=self._family(waiting.family), what=_("; ").join(said))

    def _due(self, waiting: Waiting) -> str:
        _ = self.words.gettext
        used = _("{used} of {norm} school hours").format(
            used=int(waiting.hours), norm=self.settings.norm.reply_within_hours[1]
        )
        if waiting.reply_by is None:
            return used
        by = waiting.reply_by.astimezone(self.settings.school.zone)
        if by.date() == self.facts.today:
            return _("today by {time} ({used})").format(time=self._clock(by), used=used)
        if by.date() < self.facts.today:
            return _("hoped for by {day} ({used})").format(day=self.words.day(by.date()), used=used)
        return _("by {day} ({used})").format(day=self.words.day(by.date()), used=used)

    def _promised(self, promised: Promised) -> str:
        return self._family(promised.family)

    def _proposal(self, proposal: Proposal) -> str:
        return self._family(proposal.family)

    def _handled(self, handled: Handled) -> str:
        _ = self.words.gettext
        at = handled.at.astimezone(self.settings.school.zone)
        sentence = {
            ItemState.CLAIMED: _("{family}: {who} is seeing to it, since {when}"),
            ItemState.NOT_URGENT: _("{family}: {who} found it not urgent, {when}; the answer is yours"),
        }.get(handled.state, _("{family}: {who} settled it, {when}"))
        return sentence.format(
            family=self._family(handled.family),
            who=one_line(handled.who, _ADDRESS_CHARACTERS) or _("the office"),
            when=_("{day}, {time}").format(day=self.words.day(at.date()), time=self.words.clock(at)),
        )

    def _paused(self, since: datetime) -> str:
        _ = self.words.gettext
        at = since.astimezone(self.settings.school.zone)
        return _(
            "Automatic answers from your mailbox are paused since {day}, {time}, because unusually many went out. Your "
            "administrator can resume them."
        ).format(day=self.words.day(at.date()), time=self.words.clock(at))

    def _family(self, family: Family) -> str:
        """How a family is named: by the children first, as a teacher thinks of them."""
        _ = self.words.gettext
        address = one_line(family.address, _ADDRESS_CHARACTERS) or _("somebody unknown")
        named = [one_line(student, _NAME_CHARACTERS) for student in family.students[:_STUDENTS]]
        if family.unverified:
            who = _("{address} (sender not verified)").format(address=address)
        elif named:
            who = _("{students} ({address})").format(students=self.words.list(named), address=address)
        else:
            who = address
        subject = one_line(family.subject, _SUBJECT_CHARACTERS)
        return _("{who}, “{subject}”").format(who=who, subject=subject) if subject else who

    def _clock(self, at: datetime) -> str:
        return self.words.clock(at.astimezone(self.settings.school.zone))

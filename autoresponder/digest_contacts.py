"""What the morning mail says of contacts: what was noted from the teacher's answers, and how to tell of more. Pure.

A name that nobody could place is on record nowhere, so a line of an answer is named by its number and day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from autoresponder.contacts import ContactKind, ContactTone
from autoresponder.note import Block, Paragraph, Row, Rows
from autoresponder.outgoing import one_line
from autoresponder.wording import Wording

_NAME_CHARACTERS = 60
_MOST_DOUBTS = 5


class DoubtReason(StrEnum):
    """Why nothing was made of a line of the teacher's answer."""

    NOBODY = "nobody"
    """No student of theirs has that name."""
    SEVERAL = "several"
    UNCLEAR = "unclear"
    UNDO = "undo"
    """What is to be taken back could not be told."""


@dataclass(frozen=True, slots=True)
class NotedContact:
    """A contact that was noted from an answer."""

    number: int
    """By which it can be taken back; 0 where it has been."""
    student: str
    """As the roster names them. Not trusted: it is bounded and stripped when worded."""
    on: date
    kind: ContactKind
    tone: ContactTone
    reached: bool


@dataclass(frozen=True, slots=True)
class Doubt:
    """A line of an answer that nothing was made of."""

    line: int
    """Counts the lines that are not blank from 1."""
    on: date
    """When the answer was written."""
    reason: DoubtReason


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """What came of the teacher's answers since the last morning mail."""

    noted: tuple[NotedContact, ...] = ()
    taken_back: tuple[NotedContact, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    can_be_told: bool = False
    """Whether there is a roster by which a family can be told from others."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing that the teacher need be told."""
        return not (self.noted or self.taken_back or self.doubts)


def counted_contacts(facts: ContactFacts, words: Wording) -> tuple[str, ...]:
    """Parts of the mail's subject."""
    _ = words.gettext
    # Translators: parts of a subject line, each right for any number.
    counted = ((_("{count} noted"), facts.noted), (_("{count} not understood"), facts.doubts))
    said = tuple(text.format(count=len(entries)) for text, entries in counted if entries)
    return said or ((_("taken back"),) if facts.taken_back else ())


def contact_blocks(facts: ContactFacts, words: Wording) -> Iterator[Block]:
    """The part of the mail that answers the teacher's own."""
    _ = words.gettext
    if facts.noted:
        yield Rows((Row(_("Noted from your answer"), tuple(_noted(each, words) for each in facts.noted)),))
    if facts.taken_back:
        yield Rows((Row(_("Taken back, as you said"), tuple(_contact(each, words) for each in facts.taken_back)),))
    if facts.doubts:
        lines = [_doubt(each, words) for each in facts.doubts[:_MOST_DOUBTS]]
        more = len(facts.doubts) - _MOST_DOUBTS
        lines += [_("and {count} more").format(count=more)] if more > 0 else []
        yield Rows((Row(_("Not noted"), tuple(lines)),))
    if facts.noted:
        yield Paragraph(
            _("Is something wrong? Answer this mail with “undo”, or with “undo 2” for the second line alone.")
        )


def how_to_tell(facts: ContactFacts, words: Wording) -> Iterator[Block]:
    """One sentence on how a contact is told; nothing where no family could be told from others."""
    _ = words.gettext
    if facts.can_be_told:
        yield Paragraph(
            _(
                "You called or met a family? Answer this mail, a line for each: “called the family of …, good news”, "
                "“left a message for the … family”, “met with …’s mother”. It goes to nobody but yourself."
            )
        )


def said_of(contact_kind: ContactKind, tone: ContactTone, words: Wording, *, reached: bool) -> str:
    """A contact in a few words: "call, good news"."""
    _ = words.gettext
    kinds = {
        ContactKind.CALL: _("call") if reached else _("call, not reached"),
        ContactKind.TEXT: _("text message"),
        ContactKind.NOTE: _("note"),
        ContactKind.MEETING: _("meeting") if reached else _("meeting, nobody came"),
    }
    tones = {ContactTone.GOOD_NEWS: _("good news"), ContactTone.CONCERN: _("a concern")}
    return _(", ").join([kinds[contact_kind], *([tones[tone]] if tone in tones else [])])


def _noted(noted: NotedContact, words: Wording) -> str:
    _ = words.gettext
    return _("{number}. {contact}").format(number=noted.number, contact=_contact(noted, words))


def _contact(noted: NotedContact, words: Wording) -> str:
    _ = words.gettext
    return _("family of {student}: {what}, {day}").format(
        student=one_line(noted.student, _NAME_CHARACTERS) or _("somebody unknown"),
        what=said_of(noted.kind, noted.tone, words, reached=noted.reached),
        day=words.day(noted.on),
    )


def _doubt(doubt: Doubt, words: Wording) -> str:
    _ = words.gettext
    sentence = {
        DoubtReason.NOBODY: _("line {line} of your answer of {day}: I found no student of yours with that name"),
        DoubtReason.SEVERAL: _("line {line} of your answer of {day}: I could not tell which family you meant"),
        DoubtReason.UNDO: _("line {line} of your answer of {day}: I could not tell what to take back"),
    }.get(doubt.reason, _("line {line} of your answer of {day}: I was not sure what it means"))
    return sentence.format(line=doubt.line, day=words.day(doubt.on))

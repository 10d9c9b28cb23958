"""What the staff is told of a case: a kind reminder to the teacher, a word to the coach. Pure.

The teacher learns which family waits. The coach learns which teacher, and since when: nobody's name and no word of a
message, which stay between the teacher and the family.
"""

from dataclasses import dataclass
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict

from autoresponder.cases import CaseStepKind
from autoresponder.identifiers import derived_message_id
from autoresponder.note import Block, Link, Note, Paragraph, Row, Rows, Section
from autoresponder.outgoing import one_line
from autoresponder.wording import OFFICE, STAFF_LANGUAGES, Wording, wording, written_languages
from config.settings import MailboxSettings, Settings

_ADDRESS_CHARACTERS = 254
_NAME_CHARACTERS = 80


class RemindFacts(BaseModel):
    """All that a mail about a case is worded from. Times are aware."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: CaseStepKind
    received_at: datetime
    """When the family wrote what waits; the case's first message where nothing does."""
    waiting_since: datetime | None
    """When the family wrote what the teacher has not answered; None where nothing waits."""
    sender: str = ""
    """The family's address."""
    due_at: datetime | None = None
    """By when the norm wanted an answer."""
    reminded_at: datetime | None = None
    """When the teacher was reminded."""
    coach_at: datetime | None = None
    """When the coach is told if there is still no answer; None where nobody is."""
    coach_offered: bool = False
    """Whether the teacher reads that the coach is there for them."""
    hostile: bool = False
    cases_lately: int = 1
    """How many cases of this family the teacher has had within the term, this one included."""


def remind_message_id(reference: str, number: int, recipient: str, mailbox: str) -> str:
    """The Message-ID, without angle brackets, of the `number`-th mail about a case to `recipient`."""
    return derived_message_id(f"case {reference} {number} {recipient}", "notice", mailbox)


def remind_note(facts: RemindFacts, *, mailbox: MailboxSettings, settings: Settings, page: str = "") -> Note:
    """The mail, with its subject as title, in the staff's language. `page` is the address of the page with the cases,
    where the school serves one."""
    words = wording(written_languages(settings.school.languages[:1], STAFF_LANGUAGES)[0], OFFICE)
    voice = _Voice(words, facts, mailbox, settings)
    title, blocks = voice.to_teacher() if facts.step is CaseStepKind.REMIND else voice.to_coach()
    if page:
        blocks = (*blocks, Link(words.gettext("Open conversations"), page))
    return Note(title=title, sections=(Section(words.language, words.direction, blocks),))


@dataclass(frozen=True, slots=True)
class _Voice:
    words: Wording
    facts: RemindFacts
    mailbox: MailboxSettings
    settings: Settings

    def to_teacher(self) -> tuple[str, tuple[Block, ...]]:
        _ = self.words.gettext
        facts = self.facts
        rows = [
            Row(_("From"), (one_line(facts.sender, _ADDRESS_CHARACTERS) or _("somebody unknown"),)),
            Row(_("Received"), (self._moment(facts.received_at),)),
        ]
        if facts.due_at is not None:
            rows.append(Row(_("Answer promised by"), (self._moment(facts.due_at),)))
        said = [
            _("Hello {name},").format(name=one_line(self.mailbox.teacher, _NAME_CHARACTERS)),
            _(
                "a family wrote to you about something difficult, and your mailbox shows no answer of yours yet. "
                "Messages like these are hard to answer, and the longer they wait, the harder they get."
            ),
        ]
        then = [
            _(
                "It need not be the whole answer. Two sentences that say when you will call are a good beginning. If "
                "you have talked already, confirm it to the family in one line: then nothing more is sent about it."
            ),
            _("Once you have a plan together, put the label “Plan agreed” on one of the messages."),
            *self._coach(),
        ]
        blocks: tuple[Block, ...] = (*map(Paragraph, said), Rows(tuple(rows)), *map(Paragraph, then))
        return _("A family is waiting for your answer"), blocks

    def to_coach(self) -> tuple[str, tuple[Block, ...]]:
        _ = self.words.gettext
        facts, teacher = self.facts, one_line(self.mailbox.teacher, _NAME_CHARACTERS)
        received = self._day(facts.received_at)
        if facts.step is CaseStepKind.TELL_COACH:
            said = [
                _(
                    "On {day} a family wrote to {teacher} about something difficult, and has no answer yet, as far as "
                    "the mailbox shows."
                ).format(day=received, teacher=teacher)
            ]
            if facts.reminded_at is not None:
                said.append(
                    _("{teacher} was reminded on {day}.").format(teacher=teacher, day=self._day(facts.reminded_at))
                )
        elif facts.hostile:
            said = [
                _("On {day} {teacher} got a message from a family in a harsh tone.").format(
                    day=received, teacher=teacher
                ),
                _("Nothing is overdue. But nobody should have to answer such a message alone."),
            ]
        else:
            said = [
                _(
                    "On {day} a family wrote to {teacher} about something difficult, as it has before: {count} such "
                    "conversations within {days} days."
                ).format(day=received, teacher=teacher, count=facts.cases_lately, days=self.settings.cases.term_days),
                _("Nothing is overdue. But a second pair of eyes may help to find what lies beneath."),
            ]
        said += [
            _("Please ask {teacher} whether you can help: by listening, with a draft, or in the call itself.").format(
                teacher=teacher
            ),
            _(
                "This mail names no family and repeats nothing that was written. What you need to know, {teacher} "
                "decides."
            ).format(teacher=teacher),
        ]
        return _("{teacher} may be glad of your help").format(teacher=teacher), tuple(map(Paragraph, said))

    def _coach(self) -> list[str]:
        _ = self.words.gettext
        coach, facts = self.settings.coach, self.facts
        if coach is None:
            return []
        name = one_line(coach.name, _NAME_CHARACTERS)
        said = []
        if facts.coach_offered:
            said.append(
                _("You need not do this alone: {coach} is glad to think it through with you.").format(coach=name)
            )
        if facts.coach_at is not None:
            said.append(
                _(
                    "If there is no answer by {day}, {coach} hears that a family is waiting for you, so that you get "
                    "help with it; not which family, and nothing of what was written."
                ).format(day=self._moment(facts.coach_at), coach=name)
            )
        return said

    def _moment(self, at: datetime) -> str:
        local = at.astimezone(self.settings.school.zone)
        return self.words.gettext("{day}, {time}").format(
            day=self.words.day(local.date()), time=self.words.clock(local)
        )

    def _day(self, at: datetime) -> str:
        day: date = at.astimezone(self.settings.school.zone).date()
        return self.words.day(day)

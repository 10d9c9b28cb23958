"""Glow, then grow: a draft of the teacher's answer to a conflict, for the teacher to finish and send, or not.

It is never sent by itself. What only the teacher can know stands in brackets, numbered alike in each language. What if
it is sent as it is? Then a family reads kind sentences and a few prompts that name things to write about: the brackets
hold nothing that the family may not see, judge nobody, and neither promise nor admit anything; the one above all says
in the school's words that the draft is unfinished, which is true either way. Nothing is quoted from the message: its
subject and its place in the thread are all that is taken from it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from email.message import EmailMessage
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from autoresponder.calls import next_calls
from autoresponder.conversation import WAYS, Matter, Way, matter_of
from autoresponder.follow_up import follow_up_day
from autoresponder.identifiers import derived_message_id, original_key
from autoresponder.in_thread import answer_to
from autoresponder.note import Block, Note, Paragraph, Section, Signature
from autoresponder.outgoing import one_line
from autoresponder.own_wording import words_for
from autoresponder.plan import Span
from autoresponder.planner import languages_for
from autoresponder.wording import CONVERSATION, Wording, written_languages
from classifier.verdict import Verdict
from config.calendar import SchoolCalendar
from config.settings import MailboxSettings, Settings
from connectors.message import MARKER, Message

__all__ = ["ALTERNATIVES", "DraftFacts", "Known", "compose_draft", "draft_facts", "draft_message_id", "draft_note"]

ALTERNATIVES = len(WAYS)
"""How many drafts there are for each topic: numbered from 1."""
_NAME_CHARACTERS = 60


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Known(_Frozen):
    """What the record knows of the teacher and this family. Days are local dates."""

    last_positive_contact: date | None = None
    was_good_news: bool = False
    """Whether that was good news from the teacher; otherwise all that is known of it is that the family gave thanks."""
    earlier_cases: tuple[date, ...] = ()
    """When earlier cases began."""


class DraftFacts(_Frozen):
    """All that a draft is worded from, besides the original's headers."""

    topic: str
    """What the message is about (docs/labelling.md, "Topics")."""
    languages: tuple[str, ...]
    """In this order: the school's, then the family's."""
    students: tuple[str, ...] = ()
    """The family's children, as the roster names them."""
    follow_up: date
    call_windows: tuple[Span, ...] = ()
    """The next times in which the teacher can call."""
    last_positive_contact: date | None = None
    was_good_news: bool = False
    earlier_case: date | None = None
    """When the latest case before this one began."""


class _Step(StrEnum):
    """What stands in a bracket."""

    GLOW = "glow"
    SINCE = "since"
    GROW = "grow"
    ASK = "ask"
    CALL = "call"
    PLAN = "plan"
    FOLLOW_UP = "follow-up"


def draft_facts(
    message: Message,
    verdict: Verdict,
    *,
    mailbox: MailboxSettings,
    settings: Settings,
    calendar: SchoolCalendar,
    now: datetime,
    home_language: str | None = None,
    students: tuple[str, ...] = (),
    known: Known | None = None,
) -> DraftFacts:
    """The facts of a draft that is written `now` (aware). `home_language` is the family's on the roster. Raises
    `NoSchoolDay` where the calendar has no day for the follow-up."""
    today = now.astimezone(calendar.zone).date()
    record = known or Known()
    languages = languages_for(message, verdict.language, home_language, settings)
    return DraftFacts(
        topic=verdict.topic,
        languages=written_languages((*settings.school.languages[:1], *languages)),
        students=students,
        follow_up=follow_up_day(today, calendar),
        call_windows=next_calls(mailbox.call_windows, now, now.astimezone(calendar.zone), calendar),
        last_positive_contact=record.last_positive_contact,
        was_good_news=record.was_good_news,
        earlier_case=max((day for day in record.earlier_cases if day < today), default=None),
    )


def draft_message_id(original: Message, mailbox: MailboxSettings, alternative: int) -> str:
    """The Message-ID, without angle brackets, of this alternative of the draft about `original`."""
    return derived_message_id(f"{alternative} {original_key(original)}", "draft", mailbox.address)


def compose_draft(
    original: Message,
    facts: DraftFacts,
    *,
    mailbox: MailboxSettings,
    settings: Settings,
    now: datetime,
    alternative: int = 1,
    message_id: str = "",
) -> EmailMessage:
    """The draft, in the original's thread, ready for `outgoing.as_bytes` and the teacher's Drafts.

    It carries no Auto-Submitted, since a person sends it. `message_id` (without angle brackets) is the one on record;
    left out, it is `draft_message_id`. Raises ValueError where the sender's address cannot be written to, or where
    there is no such alternative.
    """
    note = draft_note(facts, mailbox=mailbox, settings=settings, alternative=alternative)
    mail = answer_to(
        original,
        mailbox=mailbox,
        words=words_for(note.sections[0].language, settings),
        now=now,
        message_id=message_id or draft_message_id(original, mailbox, alternative),
    )
    mail[MARKER] = "draft"
    note.fill(mail)
    return mail


def draft_note(facts: DraftFacts, *, mailbox: MailboxSettings, settings: Settings, alternative: int = 1) -> Note:
    """What the draft says, without the headers: a section in each of `facts.languages` that we write. Raises ValueError
    where `alternative` is not from 1 to `ALTERNATIVES`."""
    if not 1 <= alternative <= ALTERNATIVES:
        raise ValueError(f"alternatives from 1 to {ALTERNATIVES} are expected, not {alternative}")
    way, matter = WAYS[alternative - 1], matter_of(facts.topic)
    first, *others = [
        _Voice(words_for(language, settings, CONVERSATION), facts, way, matter, mailbox, settings)
        for language in written_languages(facts.languages)
    ]
    heading = [Paragraph(first.unfinished(alternative))]
    heading += [Paragraph(other.below(), language=other.words.language) for other in others]
    between = [Paragraph(first.same_follows(), language=first.words.language)]
    sections = (first.section(heading), *(other.section(between) for other in others))
    return Note(title=settings.school.name, sections=sections)


@dataclass(frozen=True, slots=True)
class _Voice:
    """The draft, about to be written in one language."""

    words: Wording
    facts: DraftFacts
    way: Way
    matter: Matter
    mailbox: MailboxSettings
    settings: Settings

    def section(self, before: list[Paragraph]) -> Section:
        _ = self.words.gettext
        said = [
            _("Hello,"),
            self._together(_(self.way.opening), _(self.matter.opening)),
            self._glow(),
            *self._since(),
            self._prompted(self.way.grow, _Step.GROW, _(self.matter.grow)),
            self._ask(),
            *self._calls(),
            self._prompted(self.way.plan, _Step.PLAN, _(self.matter.plan)),
            self._follow_up(),
            _("We both want school to go well for your child."),
        ]
        signature = Signature((self.mailbox.teacher, self.settings.school.name))
        blocks: tuple[Block, ...] = (*before, *map(Paragraph, said), signature)
        return Section(self.words.language, self.words.direction, blocks)

    def unfinished(self, alternative: int) -> str:
        """What a teacher reads first."""
        _ = self.words.gettext
        return _(
            "[Unfinished draft, {number} of {count}. What stands in brackets is to be filled in or taken out before "
            "sending, this line too.]"
        ).format(number=alternative, count=ALTERNATIVES)

    def below(self) -> str:
        """In the language of this later part, where to find it."""
        _ = self.words.gettext
        return _("(This note is also in English, below.)")

    def same_follows(self) -> str:
        """In the teacher's language, what is to be done about the part in the family's."""
        _ = self.words.gettext
        return _(
            "[The same follows in the family's language. What is written in a bracket above belongs in the one of the "
            "same number below, best with an interpreter's help. Or this part is left out.]"
        )

    def _glow(self) -> str:
        _ = self.words.gettext
        prompt = _(self.way.glow_prompt)
        if day := self.facts.last_positive_contact:
            known = (
                _("{prompt} (good news went to the family on {day})")
                if self.facts.was_good_news
                else _("{prompt} (the family gave thanks for a message of {day})")
            )
            prompt = known.format(prompt=prompt, day=self.words.day(day))
        return self._prompted(self.way.glow, _Step.GLOW, prompt, names=self._students())

    def _since(self) -> list[str]:
        _ = self.words.gettext
        if self.facts.earlier_case is None:
            return []
        bracket = self._bracket(_Step.SINCE, _("what has been done since; or this line is taken out"))
        told = _("We have been in touch about a concern before, on {day}: {prompt}")
        return [told.format(day=self.words.day(self.facts.earlier_case), prompt=bracket)]

    def _ask(self) -> str:
        _ = self.words.gettext
        question = [] if self.way.question is None else [_(self.matter.asks[self.way.question])]
        own = self._bracket(_Step.ASK, _("an open question of one's own, or nothing"))
        return f"{self._together(_(self.way.ask), *question)} {own}"

    def _calls(self) -> list[str]:
        _ = self.words.gettext
        if not self.way.calls:
            return []
        if not self.facts.call_windows:
            return [_("If you would rather talk, please reply with a phone number and a time that suits you.")]
        # In a bracket, since days may pass before the teacher sends it.
        zone = self.settings.school.zone
        times = [
            self.words.span(span.begins.astimezone(zone), span.ends.astimezone(zone))
            for span in self.facts.call_windows
        ]
        bracket = self._bracket(_Step.CALL, self.words.list(times, either=True))
        offer = _("If you would rather talk, I can call you {times}. Please reply with your phone number and the time.")
        return [offer.format(times=bracket)]

    def _follow_up(self) -> str:
        _ = self.words.gettext
        bracket = self._bracket(_Step.FOLLOW_UP, _("by phone or by mail, and at what time"))
        return _(self.way.follow_up).format(day=self.words.day(self.facts.follow_up), prompt=bracket)

    def _prompted(self, sentence: str, step: _Step, prompt: str, names: str = "") -> str:
        return self.words.gettext(sentence).format(prompt=self._bracket(step, prompt, names))

    def _bracket(self, step: _Step, prompt: str, names: str = "") -> str:
        _ = self.words.gettext
        steps = {
            _Step.GLOW: _("Glow"),
            _Step.SINCE: _("Since then"),
            _Step.GROW: _("Grow"),
            _Step.ASK: _("Ask"),
            _Step.CALL: _("Call"),
            _Step.PLAN: _("Plan"),
            _Step.FOLLOW_UP: _("Follow-up"),
        }
        named = "\u00a0·\u00a0".join(filter(None, (str(self._present().index(step) + 1), steps[step], names)))
        # Translators: what a teacher is to write about, such as [2 · Grow: what was seen]. Keep the square brackets.
        return _("[{named}: {prompt}]").format(named=named, prompt=prompt)

    def _present(self) -> list[_Step]:
        """The steps of this draft, in the order of their numbers."""
        absent = set()
        if self.facts.earlier_case is None:
            absent.add(_Step.SINCE)
        if not (self.way.calls and self.facts.call_windows):
            absent.add(_Step.CALL)
        return [step for step in _Step if step not in absent]

    def _students(self) -> str:
        names = [one_line(name, _NAME_CHARACTERS) for name in self.facts.students]
        if self.words.direction == "rtl":
            names = [f"\u2068{name}\u2069" for name in names]  # Unicode UAX #9 §2.3: a name keeps its own direction.
        return self.words.list(names, either=True) if names else ""

    def _together(self, *sentences: str) -> str:
        return self.words.sentences(sentences)

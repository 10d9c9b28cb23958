"""The answer to a family: one automatic note, in the family's language and the school's, worded from facts.

It is written for somebody who is tired, worried or angry, reads on a phone, and may be in the middle of a crisis: short
sentences, one thing to do, nothing that argues, and nothing said to have happened that has not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from autoresponder.identifiers import derived_message_id, original_key
from autoresponder.in_thread import answer_to, reply_address
from autoresponder.note import Block, Note, Paragraph, Row, Rows, Section, Signature
from autoresponder.own_wording import words_for
from autoresponder.plan import Missing, ReplyFacts, Span
from autoresponder.sentences import danger, norm_hours, office_for_today, short_calls
from autoresponder.wording import LANGUAGES, Wording, written_languages
from config.crisis import numbers_of
from config.settings import MailboxSettings, Settings
from connectors.labels import Tag
from connectors.message import CRISIS, MARKER, NOTE, Message

__all__ = ["LANGUAGES", "compose_reply", "reply_address", "reply_message_id", "reply_note"]


def reply_message_id(original: Message, mailbox: MailboxSettings) -> str:
    """The Message-ID, without angle brackets, of the answer to `original`."""
    return derived_message_id(original_key(original), "reply", mailbox.address)


def compose_reply(
    original: Message,
    facts: ReplyFacts,
    *,
    mailbox: MailboxSettings,
    settings: Settings,
    office_has_it: bool,
    now: datetime,
    message_id: str = "",
) -> EmailMessage:
    """The answer to `original`, ready for `outgoing.as_bytes`.

    `office_has_it` says that the original was handed to the office: only then does an urgent answer say so. `now` is
    the aware time of the answer. `message_id` (without angle brackets) is the one on record for this answer; left out,
    it is `reply_message_id`. Raises ValueError where the sender's address cannot be written to; the planner plans
    no answer to such mail.
    """
    if facts.office_opens_at is not None and now >= facts.office_opens_at:
        facts = facts.model_copy(update={"same_day_closed": False})  # Delivered later than planned.
    note = reply_note(facts, mailbox=mailbox, settings=settings, office_has_it=office_has_it)
    mail = answer_to(
        original,
        mailbox=mailbox,
        words=words_for(note.sections[0].language, settings, crisis=facts.crisis),
        now=now,
        message_id=message_id or reply_message_id(original, mailbox),
    )
    mail["Auto-Submitted"] = "auto-replied"  # RFC 3834 §5.1
    mail["X-Auto-Response-Suppress"] = "All"  # [MS-OXCMAIL] §2.1.3.2.20
    # No Precedence: RFC 3834 §3.1.8 recommends none, and "bulk" sends a note to a parent into the spam folder.
    mail[MARKER] = "reply"
    mail[NOTE] = CRISIS if facts.crisis else facts.tag.value
    note.fill(mail)
    return mail


def reply_note(facts: ReplyFacts, *, mailbox: MailboxSettings, settings: Settings, office_has_it: bool) -> Note:
    """What the answer says, without the headers: a section in each of `facts.languages` that we write."""
    languages = written_languages((*facts.languages, *settings.school.languages[:1]))
    voices = [
        _Voice(words_for(language, settings, crisis=facts.crisis), facts, mailbox, settings, office_has_it)
        for language in languages
    ]
    sections = []
    for index, voice in enumerate(voices):
        pointers = [] if index else [Paragraph(other.below(), language=other.words.language) for other in voices[1:]]
        sections.append(voice.section(pointers))
    numbers = numbers_of(settings)
    dialable = (settings.office.phone, numbers.emergency, *(line.phone for line in numbers.lines))
    return Note(title=settings.school.name, sections=tuple(sections), phones=tuple(filter(None, dialable)))


@dataclass(frozen=True, slots=True)
class _Voice:
    """The facts, about to be said in one language."""

    words: Wording
    facts: ReplyFacts
    mailbox: MailboxSettings
    settings: Settings
    office_has_it: bool

    def section(self, pointers: list[Paragraph]) -> Section:
        bodies: Mapping[Tag, Callable[[], list[Block]]] = {
            Tag.URGENT: self._crisis if self.facts.crisis else self._urgent,
            Tag.CONFLICT: self._conflict,
            Tag.ROUTINE: self._routine,
        }
        _ = self.words.gettext
        blocks: list[Block] = [
            *pointers,
            Paragraph(_("Hello,")),
            *bodies[self.facts.tag](),
            Signature((self.mailbox.teacher, self.settings.school.name)),
        ]
        return Section(self.words.language, self.words.direction, tuple(blocks))

    def below(self) -> str:
        """In the language of this note's later text, where to find it."""
        _ = self.words.gettext
        # Translators: replace English by the name of your own language.
        return _("(This note is also in English, below.)")

    def _routine(self) -> list[Block]:
        _ = self.words.gettext
        return [
            Paragraph(_("Thank you for your message. This is an automatic note to let you know that it arrived.")),
            Paragraph(
                _(
                    "I will read it myself and answer by {day}, within {norm} school hours (days without school do not "
                    "count)."
                ).format(norm=norm_hours(self.settings), day=self._reply_day())
            ),
            *self._holidays(),
            *self._short_calls(),
            *self._same_day(),
            *self._asked_for(),
            self._once(),
        ]

    def _short_calls(self) -> list[Block]:
        said = short_calls(self.words, self.facts.short_calls, self.settings)
        return [Paragraph(said)] if said else []

    def _holidays(self) -> list[Block]:
        """Why the day of the answer is so far away."""
        _ = self.words.gettext
        first, last = self.facts.closed_from, self.facts.closed_until
        if first is None or last is None:
            return []
        if first == last:
            return [Paragraph(_("There is no school on {day}.").format(day=self.words.day(first)))]
        told = _("There is no school from {first} to {last}, and I may not read mail on those days.")
        return [Paragraph(told.format(first=self.words.day(first), last=self.words.day(last)))]

    def _asked_for(self) -> list[Block]:
        _ = self.words.gettext
        wanted = {
            Missing.STUDENT: _("your student's name"),
            Missing.PERIOD: _("the class period"),
            Missing.QUESTION: _("your question"),
        }
        things = [wanted[each] for each in Missing if each in self.facts.missing]
        if not things:
            return []
        sentence = _(
            "So that I can give you a full answer, please reply with {things}, unless that is already in your message."
        )
        return [Paragraph(sentence.format(things=self.words.list(things)))]

    def _conflict(self) -> list[Block]:
        _ = self.words.gettext
        return [
            Paragraph(
                _("Thank you for telling me about this. This is an automatic note to let you know that it arrived.")
            ),
            Paragraph(
                _("I want to read what you wrote with care, and I will get back to you myself by {day}.").format(
                    day=self._reply_day()
                )
            ),
            *self._holidays(),
            self._call(),
            *self._same_day(),
            self._once(),
        ]

    def _call(self) -> Paragraph:
        _ = self.words.gettext
        times = [self.words.span(span.begins, span.ends) for span in self._call_windows()]
        if not times:
            return Paragraph(_("If you would rather talk, please reply with a phone number and a time that suits you."))
        offer = _("If you would rather talk, I can call you {times}. Please reply with your phone number and the time.")
        return Paragraph(offer.format(times=self.words.list(times, either=True)))

    def _call_windows(self) -> list[Span]:
        zone = self.settings.school.zone
        return [
            Span(begins=span.begins.astimezone(zone), ends=span.ends.astimezone(zone))
            for span in self.facts.call_windows
        ]

    def _crisis(self) -> list[Block]:
        """Nothing but help: who is there now, and that a person reads it. While the office is closed, that is whoever
        answers at any hour."""
        _ = self.words.gettext
        office = self._office_in_crisis()
        others = [self._danger(), *self._lines()]
        return [
            Paragraph(_("Thank you for telling us. You did the right thing by writing.")),
            *([*others, office] if self.facts.same_day_closed else [office, *others]),
            Paragraph(
                _(
                    "This first note is automatic, so that you have these numbers at once. I will read your message "
                    "myself, and the next answer comes from a person."
                )
            ),
        ]

    def _office_in_crisis(self) -> Paragraph:
        _ = self.words.gettext
        phone = self.settings.office.phone
        if self.facts.same_day_closed:
            told = (
                _("Your message was passed to our front office. {closed} Please call there, too: {phone}.")
                if self.office_has_it
                else _("{closed} Please call there as soon as you can: {phone}.")
            )
            return Paragraph(told.format(closed=self._closed(), phone=phone))
        told = (
            _(
                "Your message was passed to our front office, where a person will read it. Please call them now, so "
                "that somebody can help right away: {phone}."
            )
            if self.office_has_it
            else _("Please call our front office now, so that somebody can help right away: {phone}.")
        )
        return Paragraph(told.format(phone=phone), strong=True)

    def _lines(self) -> list[Block]:
        """Lines that listen at any hour, where the school's country or its configuration names some."""
        _ = self.words.gettext
        lines = numbers_of(self.settings).lines
        if not lines:
            return []
        # Translators: the phone number takes calls and text messages.
        both = _("{phone} (call or text)")
        rows = [Row(line.name, (both.format(phone=line.phone) if line.text else line.phone,)) for line in lines]
        return [Paragraph(_("To talk to somebody at any hour of the day or night:")), Rows(tuple(rows))]

    def _urgent(self) -> list[Block]:
        _ = self.words.gettext
        return [
            Paragraph(_("Thank you for writing. This is an automatic note to let you know that your message arrived.")),
            *self._urgent_steps(),
            Paragraph(_("I will read your message myself, too.")),
            self._once(),
        ]

    def _urgent_steps(self) -> list[Block]:
        """While the office is open it is the nearest help; while it is closed, that is the emergency number."""
        office = self._handed_over() if self.office_has_it else self._please_call()
        return [self._danger(), *office] if self.facts.same_day_closed else [*office, self._danger()]

    def _handed_over(self) -> list[Block]:
        _ = self.words.gettext
        phone = self.settings.office.phone
        if not self.facts.same_day_closed:
            return [
                Paragraph(
                    _(
                        "It looks like something that should not wait, so it was passed to our front office, where a "
                        "person will read it."
                    )
                ),
                Paragraph(
                    _(
                        "If you have not heard from us within {minutes} minutes, or if it cannot wait that long, "
                        "please call the office: {phone}."
                    ).format(minutes=self.settings.norm.call_after_minutes, phone=phone),
                    strong=True,
                ),
            ]
        return [
            Paragraph(
                _(
                    "It looks like something that should not wait, so it was passed to our front office. {closed} A "
                    "person will read your message as soon as it is open."
                ).format(closed=self._closed())
            ),
            Paragraph(
                _(
                    "If you have not heard from us within {minutes} minutes after the office opens, please call: "
                    "{phone}."
                ).format(minutes=self.settings.norm.call_after_minutes, phone=phone)
            ),
        ]

    def _please_call(self) -> list[Block]:
        _ = self.words.gettext
        phone = self.settings.office.phone
        if not self.facts.same_day_closed:
            return [
                Paragraph(
                    _(
                        "It looks like something that should not wait. So that somebody can help you right away, "
                        "please call the front office now: {phone}."
                    ).format(phone=phone),
                    strong=True,
                )
            ]
        return [
            Paragraph(
                _(
                    "It looks like something that should not wait. {closed} Please call as soon as it is open: {phone}."
                ).format(closed=self._closed(), phone=phone),
                strong=True,
            )
        ]

    def _same_day(self) -> list[Block]:
        """Where to turn with what cannot wait: stands in every note, since a tag can be wrong."""
        asked = office_for_today(self.words, self.settings)
        if not self.facts.same_day_closed:
            return [Paragraph(asked)]
        return [Paragraph(self.words.sentences((asked, self._closed()))), self._danger()]

    def _closed(self) -> str:
        _ = self.words.gettext
        opens_at = self.facts.office_opens_at
        if opens_at is None:
            return _("The office is closed right now.")
        local = opens_at.astimezone(self.settings.school.zone)
        return _("The office is closed right now and opens again on {day} at {time}.").format(
            day=self.words.day(local.date()), time=self.words.clock(local)
        )

    def _danger(self) -> Paragraph:
        told = danger(self.words, self.settings)
        return Paragraph(told, strong=self.facts.tag is Tag.URGENT)

    def _once(self) -> Paragraph:
        _ = self.words.gettext
        return Paragraph(
            _("You get this note only once. A person reads every message, and the next answer comes from a person.")
        )

    def _reply_day(self) -> str:
        return self.words.day(self.facts.reply_by.astimezone(self.settings.school.zone).date())

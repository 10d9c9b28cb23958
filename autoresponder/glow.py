"""A draft of good news: a new mail to one family, for the teacher to finish and send, or not.

It is never sent by itself, and it praises nobody: what went well only the teacher has seen, so that stands in angle
brackets to be filled in. Sent as it is, a family reads kind sentences and a prompt that hurts nobody.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from pydantic import BaseModel, ConfigDict

from autoresponder.identifiers import derived_message_id
from autoresponder.note import Note, Paragraph, Section, Signature
from autoresponder.outgoing import WIRE, address_field, addresses_field, date_field, id_field, one_line, text_field
from autoresponder.own_wording import words_for
from autoresponder.plan import ShortCalls
from autoresponder.sentences import short_call_times, short_calls
from autoresponder.wording import CONVERSATION, Wording, written_languages
from config.settings import MailboxSettings, Settings
from connectors.message import MARKER

__all__ = ["GlowFacts", "compose_glow", "glow_message_id", "glow_note", "is_unfilled"]

_NAME_CHARACTERS = 60
_SUBJECT_CHARACTERS = 160
_OPEN_BLANK = re.compile(r"⟨\s*1\s*·")


class GlowFacts(BaseModel):
    """All that a draft of good news is worded from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    students: tuple[str, ...]
    """The family's children that the teacher has in class."""
    languages: tuple[str, ...]
    """In this order: the school's, then those of the home."""
    short_calls: ShortCalls = ShortCalls()
    """When the family can call the teacher for a few minutes."""


def glow_message_id(family: str, term: str, mailbox: str) -> str:
    """The Message-ID, without angle brackets, of the draft for a family in a term: there is one."""
    return derived_message_id(f"good news in {term} for {family}", "draft", mailbox)


def compose_glow(
    facts: GlowFacts,
    recipients: Sequence[str],
    *,
    mailbox: MailboxSettings,
    settings: Settings,
    now: datetime,
    message_id: str,
) -> EmailMessage:
    """The draft, ready for `outgoing.as_bytes` and the teacher's Drafts.

    It carries no Auto-Submitted, since a person sends it. `now` is aware, `message_id` stands without angle brackets.
    Raises ValueError where one of the `recipients` is no address that mail can be sent to, or there is none.
    """
    if not recipients:
        raise ValueError("a draft needs somebody to write to")
    note = glow_note(facts, mailbox=mailbox, settings=settings)
    mail = EmailMessage(policy=WIRE)
    mail["From"] = address_field(mailbox.address, mailbox.teacher)
    mail["To"] = addresses_field(recipients)
    mail["Subject"] = text_field(note.title, _SUBJECT_CHARACTERS)
    mail["Date"] = date_field(now)
    mail["Message-ID"] = id_field(message_id)
    mail[MARKER] = "draft"
    note.fill(mail)
    return mail


def glow_note(facts: GlowFacts, *, mailbox: MailboxSettings, settings: Settings) -> Note:
    """What the draft says; its title is the subject, in the language of the home."""
    first, *others = [
        _Voice(words_for(language, settings, CONVERSATION), facts, mailbox, settings)
        for language in written_languages(facts.languages)
    ]
    heading = [Paragraph(first.unfinished())]
    heading += [Paragraph(other.below(), language=other.words.language) for other in others]
    between = [Paragraph(first.same_follows(), language=first.words.language)]
    sections = (first.section(heading), *(other.section(between) for other in others))
    return Note(title=(others or [first])[0].subject(), sections=sections, phones=(settings.office.phone,))


def is_unfilled(text: str) -> bool:
    """Whether `text` is such a draft in which nobody has said what went well: kind words about nothing."""
    return _OPEN_BLANK.search(text) is not None


@dataclass(frozen=True, slots=True)
class _Voice:
    """The draft, about to be written in one language."""

    words: Wording
    facts: GlowFacts
    mailbox: MailboxSettings
    settings: Settings

    def section(self, before: list[Paragraph]) -> Section:
        _ = self.words.gettext
        said = [
            _("Hello,"),
            _("Nothing is wrong. I am writing because I have something good to tell you."),
            _("This is what I saw, and would like you to know: {prompt}").format(
                prompt=self._blank(f"1\u00a0·\u00a0{self._students()}", _("one thing that went well this week"))
            ),
            _(
                "If you like, write back one thing that your child enjoys or is proud of. One line is plenty, and a "
                "thumbs-up is fine, too."
            ),
            *self._calls(),
            _("We both want school to go well for your child."),
        ]
        signature = Signature((self.mailbox.teacher, self.settings.school.name))
        return Section(self.words.language, self.words.direction, (*before, *map(Paragraph, said), signature))

    def subject(self) -> str:
        _ = self.words.gettext
        # Translators: a subject line; the children's names follow.
        return _("Something good from school: {students}").format(students=self._students())

    def unfinished(self) -> str:
        """What a teacher reads first."""
        _ = self.words.gettext
        return _(
            "[Unfinished draft. What stands between ⟨ and ⟩ is to be filled in or taken out, the addresses above are "
            "to be checked, and this line is to be taken out before sending.]"
        )

    def below(self) -> str:
        """In the language of this later part, where to find it."""
        _ = self.words.gettext
        return _("(This note is also in English, below.)")

    def same_follows(self) -> str:
        """In the teacher's language, what is to be done about the part in the family's."""
        _ = self.words.gettext
        return _(
            "[The same follows in the family's language. What is written between ⟨ and ⟩ above belongs in the place "
            "of the same number below, best with an interpreter's help. Or this part is left out.]"
        )

    def _calls(self) -> list[str]:
        _ = self.words.gettext
        times = short_call_times(self.words, self.facts.short_calls, self.settings)
        if not times:
            return []
        # Between brackets, since days may pass before the teacher sends it.
        offer = short_calls(
            self.words, self.facts.short_calls, self.settings, self._blank(f"2\u00a0·\u00a0{_('Call')}", times)
        )
        return [self.words.sentences((offer, _("If one of these times suits you, a thumbs-up in reply is enough.")))]

    def _blank(self, named: str, prompt: str) -> str:
        _ = self.words.gettext
        # Translators: what a teacher is to write about, such as ⟨1 · Ana: one thing …⟩. Keep the two angle brackets.
        return _("⟨{named}: {prompt}⟩").format(named=named, prompt=prompt)

    def _students(self) -> str:
        names = [one_line(name, _NAME_CHARACTERS) for name in self.facts.students]
        if self.words.direction == "rtl":
            names = [f"\u2068{name}\u2069" for name in names]  # Unicode UAX #9 §2.3: a name keeps its own direction.
        return self.words.list(names) if names else ""

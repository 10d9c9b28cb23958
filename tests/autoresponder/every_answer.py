"""Every answer that a family can get: each tag and the crisis, at every time of the school's year that is different, in
every language, from the real calendar through the real planner to the bytes that a mail server gets."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cache

from autoresponder.note import Note
from autoresponder.outgoing import as_bytes
from autoresponder.plan import Missing, ReplyFacts
from autoresponder.planner import reply_facts
from autoresponder.replies import compose_reply, reply_note
from autoresponder.wording import LANGUAGES
from config.calendar import SchoolCalendar
from config.settings import CallWindow, Crisis, Holiday, MailboxSettings, Office, PartnershipCalls, School, Settings
from connectors.labels import Tag
from tests.autoresponder.sample import ZONE, original

MOMENTS = {
    "in school hours": datetime(2026, 3, 3, 12, 5, tzinfo=ZONE),
    "before the first bell": datetime(2026, 3, 3, 6, 50, tzinfo=ZONE),
    "late on a Friday": datetime(2026, 3, 6, 22, 40, tzinfo=ZONE),
    "on a Sunday": datetime(2026, 3, 8, 14, 0, tzinfo=ZONE),
    "on the last day before a break": datetime(2026, 12, 18, 16, 10, tzinfo=ZONE),
    "in the break": datetime(2026, 12, 25, 9, 0, tzinfo=ZONE),
    "on a single day without school": datetime(2026, 5, 25, 10, 0, tzinfo=ZONE),
}
"""On the school's clocks. The Sunday is the one on which the clocks go forward."""
PHONE = "(608) 555-0142"
_SECOND = "en"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: what it was made from, and what a mail server gets."""

    language: str
    tag: Tag
    crisis: bool
    office_has_it: bool
    moment: str
    facts: ReplyFacts
    settings: Settings

    @property
    def name(self) -> str:
        """For people."""
        told = ", the office has it" if self.office_has_it else ""
        return f"{self.language}, {'crisis' if self.crisis else self.tag}{told}, {self.moment}"

    def raw(self) -> bytes:
        """The whole mail."""
        mail = compose_reply(
            original(received_at=self.facts.received_at),
            self.facts,
            mailbox=self.settings.mailboxes[0],
            settings=self.settings,
            office_has_it=self.office_has_it,
            now=self.facts.received_at,
        )
        return as_bytes(mail)

    def note(self) -> Note:
        """What it says."""
        return reply_note(
            self.facts, mailbox=self.settings.mailboxes[0], settings=self.settings, office_has_it=self.office_has_it
        )

    def section(self) -> str:
        """The part in the family's language, as plain text."""
        note = self.note()
        return replace(note, sections=note.sections[:1]).text()


@cache
def every_answer() -> tuple[Answer, ...]:
    """All of them, some five hundred."""
    return tuple(_answers())


def _answers() -> Iterator[Answer]:
    for language in LANGUAGES:
        settings = _school(language)
        calendar = SchoolCalendar.of(settings.school, settings.office)
        for number, (moment, at) in enumerate(MOMENTS.items()):
            for tag, crisis, told in (
                (Tag.ROUTINE, False, False),
                (Tag.CONFLICT, False, False),
                (Tag.URGENT, False, False),
                (Tag.URGENT, False, True),
                (Tag.URGENT, True, False),
                (Tag.URGENT, True, True),
            ):
                facts = reply_facts(
                    tag,
                    (language,),
                    received_at=at,
                    mailbox=settings.mailboxes[0],
                    settings=settings,
                    calendar=calendar,
                    now=at,
                    crisis=crisis,
                    missing=tuple(Missing)[number % 4 :],  # three things, two, one, and none
                )
                yield Answer(language, tag, crisis, told, moment, facts, settings)


def _school(language: str) -> Settings:
    """English is the school's; a family that reads English has a school of Spanish, so that every mail has two parts.
    The school of the Korean and the French families knows no emergency numbers."""
    calls = tuple(CallWindow(day=day, opens=time(12, 10), closes=time(12, 40)) for day in ("tue", "thu"))
    short = (PartnershipCalls(day="tue", weeks=(1, 3), opens=time(15, 40), closes=time(16, 0)),)
    country = None if language in {"ko", "fr"} else "US"
    return Settings(
        school=School(
            name="Maple Street School",
            timezone=ZONE.key,
            languages=("es" if language == _SECOND else _SECOND,),
            country=country,
            holidays=(
                Holiday(first=date(2026, 12, 21), last=date(2027, 1, 1)),
                Holiday(first=date(2026, 5, 25)),
            ),
        ),
        office=Office(address="office@maple.example", phone=PHONE, opens=time(7, 30), closes=time(16, 0)),
        crisis=Crisis(),
        mailboxes=(
            MailboxSettings(
                address="rivera@maple.example", teacher="Ms. Rivera", call_windows=calls, partnership_calls=short
            ),
        ),
    )

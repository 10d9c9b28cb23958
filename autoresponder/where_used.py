"""Where families read which sentence: looked for in notes of every kind, so that it cannot go out of date."""

import re
import string
from collections.abc import Iterator, Mapping
from datetime import time
from enum import StrEnum
from functools import cache

from autoresponder.gallery import KINDS, facts_of
from autoresponder.note import Note
from autoresponder.own_wording import replaceable
from autoresponder.reach_me import reach_me
from autoresponder.replies import reply_note
from autoresponder.wording import CONVERSATION, sentences_in
from config.settings import CallWindow, MailboxSettings, Office, School, Settings


class Place(StrEnum):
    """What a sentence is read in."""

    ROUTINE = "routine"
    CONFLICT = "conflict"
    URGENT = "urgent"
    CRISIS = "crisis"
    REACH_ME = "how to reach me"
    SUBJECT = "the subject, where the mail had none"
    DRAFT = "draft"


@cache
def where_used() -> Mapping[str, tuple[Place, ...]]:
    """Each replaceable sentence, in English, with the places that it stands in."""
    ours = [each for each in replaceable() if each not in sentences_in(CONVERSATION)]
    longest_first = {each: _looks_like(each) for each in sorted(ours, key=len, reverse=True)}
    found: dict[str, set[Place]] = {each: set() for each in ours}
    for place, note in _every_note():
        text = " ".join(note.text().split())
        for sentence, looks in longest_first.items():
            if looks.search(text):
                found[sentence].add(place)
                # What fills its placeholders may be a sentence of its own; its words are not another's any more.
                text = looks.sub(lambda match: " \0 ".join(match.groups()), text)
    return {
        sentence: tuple(place for place in Place if place in found.get(sentence, {Place.DRAFT})) or (Place.SUBJECT,)
        for sentence in replaceable()
    }


def _looks_like(sentence: str) -> re.Pattern[str]:
    pieces = [
        re.escape(literal) + ("(.+?)" if name else "") for literal, name, _, _ in string.Formatter().parse(sentence)
    ]
    return re.compile(r"(?<!\w)" + "".join(pieces))


def _every_note() -> Iterator[tuple[Place, Note]]:
    for settings in (_school("US"), _school(None)):
        (box,) = settings.mailboxes
        yield Place.REACH_ME, reach_me("en", box, settings)
        for kind in KINDS.values():
            place = Place.CRISIS if kind.more.get("crisis") else Place(kind.tag.value)
            facts = facts_of(kind, ("es", "en"), settings)  # In two languages, so that one says where the other is.
            for each in (facts, facts.model_copy(update={"office_opens_at": None})):
                yield place, reply_note(each, mailbox=box, settings=settings, office_has_it=kind.office_has_it)


def _school(country: str | None) -> Settings:
    calls = (CallWindow(day="tue", opens=time(12, 10), closes=time(12, 40)),)
    return Settings(
        school=School(name="Maple Street School", timezone="America/Chicago", country=country),
        office=Office(address="office@maple.example", phone="(608) 555-0142"),
        mailboxes=(MailboxSettings(address="rivera@maple.example", teacher="Ms. Rivera", call_windows=calls),),
    )

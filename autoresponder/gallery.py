"""Every note that a family can get, one of a kind, with made-up facts: to be read before families read them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from autoresponder.note import Note
from autoresponder.plan import Missing, ReplyFacts, ShortCalls, Span
from autoresponder.replies import reply_note
from config.settings import Settings
from connectors.labels import Tag

_RECEIVED = datetime(2026, 3, 3, 12, 5)  # noqa: DTZ001 - a Tuesday, wherever the school is
_WEEK = {"closed_from": date(2026, 3, 9), "closed_until": date(2026, 3, 13)}
_DAY = {"closed_from": date(2026, 3, 9), "closed_until": date(2026, 3, 9)}


@dataclass(frozen=True, slots=True)
class Kind:
    """What makes a note what it is."""

    tag: Tag
    closed: bool = False
    """Whether the office is closed until the next morning."""
    office_has_it: bool = False
    can_be_called: bool = False
    """Whether the teacher named times for calls."""
    short_calls: bool = False
    """Whether the teacher named times for short calls."""
    more: Mapping[str, object] = field(default_factory=dict)
    """Further facts (`ReplyFacts`)."""


KINDS: Mapping[str, Kind] = {
    "routine": Kind(Tag.ROUTINE),
    "routine, office closed": Kind(Tag.ROUTINE, closed=True),
    "routine, before holidays, student known": Kind(Tag.ROUTINE, more=_WEEK | {"missing": (Missing.PERIOD,)}),
    "routine, before a free day, nothing missing": Kind(Tag.ROUTINE, more=_DAY | {"missing": ()}),
    "routine, the teacher can be called for a few minutes": Kind(Tag.ROUTINE, short_calls=True),
    "conflict": Kind(Tag.CONFLICT),
    "conflict, office closed, the teacher can be called": Kind(Tag.CONFLICT, closed=True, can_be_called=True),
    "urgent": Kind(Tag.URGENT),
    "urgent, the office has it": Kind(Tag.URGENT, office_has_it=True),
    "urgent, office closed": Kind(Tag.URGENT, closed=True),
    "urgent, office closed, the office has it": Kind(Tag.URGENT, closed=True, office_has_it=True),
    "crisis": Kind(Tag.URGENT, more={"crisis": True}),
    "crisis, the office has it": Kind(Tag.URGENT, office_has_it=True, more={"crisis": True}),
    "crisis, office closed": Kind(Tag.URGENT, closed=True, more={"crisis": True}),
    "crisis, office closed, the office has it": Kind(
        Tag.URGENT, closed=True, office_has_it=True, more={"crisis": True}
    ),
}
"""Every kind of note, by a name for people."""


def facts_of(kind: Kind, languages: tuple[str, ...], settings: Settings) -> ReplyFacts:
    """Made-up facts of a note of this kind: a Tuesday noon in March, to be answered by Thursday."""
    received = _RECEIVED.replace(tzinfo=settings.school.zone)
    calls = [received.replace(day=day, hour=15, minute=0) for day in (4, 5)]
    fortnightly = [received.replace(day=day, hour=15, minute=40) for day in (3, 17)]
    return ReplyFacts(
        tag=kind.tag,
        languages=languages,
        received_at=received,
        reply_by=received + timedelta(days=2),
        same_day_closed=kind.closed,
        office_opens_at=received.replace(day=4, hour=7, minute=30) if kind.closed else None,
        call_windows=tuple(Span(begins=at, ends=at.replace(minute=20)) for at in calls if kind.can_be_called),
        short_calls=ShortCalls(
            spans=tuple(Span(begins=at, ends=at.replace(hour=16, minute=0)) for at in fortnightly if kind.short_calls)
        ),
    ).model_copy(update=dict(kind.more))


def gallery(language: str, settings: Settings) -> Iterator[tuple[str, Note]]:
    """Each kind's name and note, in `language` alone, one of `wording.LANGUAGES`; with the school's names and numbers,
    for its first teacher."""
    alone = settings.model_copy(update={"school": settings.school.model_copy(update={"languages": (language,)})})
    for name, kind in KINDS.items():
        facts = facts_of(kind, (language,), alone)
        yield name, reply_note(facts, mailbox=alone.mailboxes[0], settings=alone, office_has_it=kind.office_has_it)


def as_page(language: str, settings: Settings) -> str:
    """The gallery of one language as a page in Markdown."""
    parts = [f"# What families read: {language}\n"]
    parts += [f"## {name.capitalize()}\n\n```text\n{note.text()}```\n" for name, note in gallery(language, settings)]
    return "\n".join(parts)

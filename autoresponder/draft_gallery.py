"""Every draft that a teacher can get, for a hard conversation and for good news, with made-up facts: to be read before
families read what becomes of it."""

from collections.abc import Iterator
from datetime import date, datetime

from autoresponder.conversation import MATTERS, WAYS
from autoresponder.glow import GlowFacts, glow_note
from autoresponder.grow import ALTERNATIVES, DraftFacts, draft_note
from autoresponder.note import Note
from autoresponder.plan import ShortCalls, Span
from config.settings import Settings

_FOLLOW_UP = date(2026, 3, 6)
_GOOD_NEWS = date(2026, 2, 20)
_EARLIER = date(2026, 1, 12)
_CALL = (datetime(2026, 3, 4, 15, 0), datetime(2026, 3, 4, 15, 20))  # noqa: DTZ001 - wherever the school is
_STUDENT = "Leo"


def facts_of(topic: str, languages: tuple[str, ...], settings: Settings, *, alternative: int) -> DraftFacts:
    """Made-up facts of a draft on a Tuesday in March. The first alternative shows all that the record may know, the
    second a time for a call, the third a family of which nothing is known."""
    begins, ends = (at.replace(tzinfo=settings.school.zone) for at in _CALL)
    return DraftFacts(
        topic=topic,
        languages=languages,
        students=(_STUDENT,) if alternative < ALTERNATIVES else (),
        follow_up=_FOLLOW_UP,
        call_windows=(Span(begins=begins, ends=ends),),
        last_positive_contact=_GOOD_NEWS if alternative == 1 else None,
        earlier_case=_EARLIER if alternative == 1 else None,
    )


def gallery(language: str, settings: Settings) -> Iterator[tuple[tuple[str, ...], list[Note]]]:
    """The topics that share their words, and their drafts in order, in `language` alone, one of `wording.LANGUAGES`;
    with the school's name, for its first teacher."""
    shared: dict[int, list[str]] = {}
    for topic, matter in MATTERS.items():
        shared.setdefault(id(matter), []).append(topic)
    for topics in shared.values():
        notes = [
            draft_note(
                facts_of(topics[0], (language,), settings, alternative=number),
                mailbox=settings.mailboxes[0],
                settings=settings,
                alternative=number,
            )
            for number in range(1, ALTERNATIVES + 1)
        ]
        yield tuple(topics), notes


def good_news(language: str, settings: Settings) -> Note:
    """The draft of good news in `language` alone, for the school's first teacher, with times for short calls."""
    begins, ends = (at.replace(tzinfo=settings.school.zone) for at in _CALL)
    facts = GlowFacts(
        students=(_STUDENT,), languages=(language,), short_calls=ShortCalls(spans=(Span(begins=begins, ends=ends),))
    )
    return glow_note(facts, mailbox=settings.mailboxes[0], settings=settings)


def as_page(language: str, settings: Settings) -> str:
    """The gallery of one language as a page in Markdown."""
    note = good_news(language, settings)
    parts = [f"# Drafts: {language}\n", f"## Good news\n\n```text\n{note.title}\n\n{note.text()}```\n"]
    for topics, notes in gallery(language, settings):
        parts.append(f"## A hard conversation: {', '.join(topics).replace('_', ' ')}\n")
        for way, note in zip(WAYS, notes, strict=True):
            parts.append(f"### {way.name.capitalize()}\n\n```text\n{note.text()}```\n")
    return "\n".join(parts)

"""The life of an item at the office: what a reply says about it, and what becomes of it then. Pure.

A reply is understood by its first line alone. Whatever is not understood changes nothing: a wrong "done" would end the
search for a child.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from connectors.labels import Tag

ONE_MATTER = timedelta(hours=12)
"""So long after its last mail an item takes further mail of the same family: tomorrow's pickup is another matter, and
whoever took today's may not be there."""
_LONGEST_LINE = 80


class ItemState(StrEnum):
    """Where an item stands."""

    OPEN = "open"
    """Nobody has taken it."""
    CLAIMED = "claimed"
    """Somebody is at it."""
    DONE = "done"
    NOT_URGENT = "not urgent"
    RETURNED = "returned"
    """Back with the teacher."""


UNFINISHED = (ItemState.OPEN, ItemState.CLAIMED)


class Word(StrEnum):
    """What somebody at the office says about an item."""

    TAKEN = "taken"
    DONE = "done"
    NOT_URGENT = "not urgent"
    RETURNED = "back to the teacher"


class Refusal(StrEnum):
    """Why somebody who wanted an item did not get it."""

    TAKEN = "taken"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a word does to an item: its new state, or why not; neither where nothing changes."""

    state: ItemState | None = None
    refusal: Refusal | None = None


# In English and Spanish, without accents and punctuation.
_PHRASES: dict[Word, tuple[str, ...]] = {
    Word.TAKEN: (
        *("taken", "take", "i take it", "i take this", "ill take it", "ill take this", "i will take it", "i took it"),
        *("i have it", "ive got it", "i got it", "got it", "i have this", "mine", "on it", "im on it", "claimed"),
        *("claim", "its mine", "i have taken it", "we have it", "weve got it"),
        *("tomado", "tomada", "lo tomo", "la tomo", "lo tengo", "la tengo", "me encargo", "yo me encargo", "me ocupo"),
        *("yo me ocupo", "yo lo tomo", "yo lo tengo", "mio", "lo tenemos", "nos encargamos"),
    ),
    Word.DONE: (
        *("done", "all done", "its done", "this is done", "handled", "taken care of", "its taken care of", "resolved"),
        *("solved", "completed", "finished", "closed", "its handled"),
        *("hecho", "hecha", "ya esta hecho", "listo", "lista", "ya esta listo", "ya esta", "resuelto", "resuelta"),
        *("atendido", "atendida", "terminado", "solucionado", "cerrado"),
    ),
    Word.NOT_URGENT: (
        *("not urgent", "this is not urgent", "its not urgent", "isnt urgent", "this isnt urgent", "non urgent"),
        *("no urgency", "not an emergency", "not urgent at all"),
        *("no urgente", "no es urgente", "esto no es urgente", "no era urgente", "sin urgencia"),
    ),
    Word.RETURNED: (
        *("back to the teacher", "back to teacher", "to the teacher", "for the teacher", "return to teacher"),
        *("return to the teacher", "returned to the teacher", "give back to the teacher", "back to you"),
        *("al maestro", "a la maestra", "al docente", "a la docente", "al profesor", "a la profesora"),
        *("para el maestro", "para la maestra", "para el docente", "devuelto al maestro", "devuelto a la maestra"),
        *("de vuelta al maestro", "de vuelta a la maestra", "devolver al maestro", "devolver a la maestra"),
        *("de vuelta al docente", "devuelto al docente"),
    ),
}
_WORDS = {phrase: word for word, phrases in _PHRASES.items() for phrase in phrases}
_COURTESIES = re.compile(r"\b(?:thanks|thank you|thx|please|muchas gracias|gracias|por favor)\b")
_GREETING = re.compile(r"(?:hi|hello|hola|ok|okay|yes|si)\b")
_PARTS = re.compile(r"[.,;:!\u2013\u2014]+|\s-+\s")


def understood(newest: str) -> Word | None:
    """What the first line of a reply says; None where that is not certain, also for a question."""
    line = next((line.strip() for line in newest.splitlines() if line.strip()), "")
    if not line or len(line) > _LONGEST_LINE or "?" in line or "¿" in line:
        return None
    parts = [plain for part in _PARTS.split(_without_accents(line)) if (plain := _plain(part))]
    if len(parts) > 1 and _GREETING.fullmatch(parts[0]):
        parts = parts[1:]
    return _WORDS.get(parts[0]) if parts else None


def outcome(state: ItemState, holder: str | None, word: Word, by: str) -> Outcome:
    """What `word`, said by the address `by`, does to an item in `state` that `holder` has, or closed.

    Who takes first has it. Whoever works on it may close it, whoever took it: two people at one counter say "done" for
    each other. What is closed stays closed, unless it turns out not to have been urgent.
    """
    if word is Word.TAKEN:
        if state in {ItemState.OPEN, ItemState.RETURNED}:
            return Outcome(state=ItemState.CLAIMED)
        if holder == by:
            return Outcome()
        return Outcome(refusal=Refusal.TAKEN if state is ItemState.CLAIMED else Refusal.CLOSED)
    said = _STATES[word]
    if state is said or state is ItemState.NOT_URGENT:
        return Outcome()
    if state is ItemState.DONE and said is not ItemState.NOT_URGENT:
        return Outcome()
    return Outcome(state=said)


def is_same_matter(*, topic: str, desk: str, thread: str, tag: Tag, item: "Topical") -> bool:
    """Whether further mail of a family belongs to an unfinished item of theirs: the same topic, or the same thread and
    desk. What is urgent never joins what is not, or nobody would look at it in time."""
    if tag is Tag.URGENT and item.tag is not Tag.URGENT:
        return False
    return topic == item.topic or (thread in item.threads and desk == item.desk)


@dataclass(frozen=True, slots=True)
class Topical:
    """What an item is about."""

    topic: str
    desk: str
    """The desk it came to first."""
    tag: Tag
    threads: frozenset[str]


_STATES = {
    Word.DONE: ItemState.DONE,
    Word.NOT_URGENT: ItemState.NOT_URGENT,
    Word.RETURNED: ItemState.RETURNED,
}


def _without_accents(line: str) -> str:
    decomposed = unicodedata.normalize("NFKD", line.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _plain(part: str) -> str:
    """A part of a line as the phrases above are written."""
    kept = "".join(c if c.isalnum() or c.isspace() else "" if c in "'\u2019\u2018`" else " " for c in part)
    return " ".join(_COURTESIES.sub(" ", " ".join(kept.split())).split())

"""What a teacher says in answer to the morning mail: "called the family of …, good news". Pure.

Line by line, and only by what stands in the list of phrases: a line that begins otherwise says nothing, and of one that
begins like a contact and goes on in a way that nobody can be sure of, nothing is made. Who is meant by a name is
decided elsewhere (`autoresponder.naming`).
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeAlias

from autoresponder import contact_phrases as say
from autoresponder.contact_days import dated
from autoresponder.contacts import ContactKind, ContactTone
from autoresponder.naming import Spoken, spoken

_MOST_LINES = 40
_LONGEST_LINE = 200
_MOST_NUMBERS = 20
_BROKEN_AT = 60
"""Characters of a line that a mail program may have broken."""
_GO_ON = (",", " and", " but", " y", " pero", " with", " con", " the", " of", " de")
_QUOTED = (">", "\u201c", '"', "\u00ab", "|")
_BULLET = re.compile(r"^(?:[-*\u2022\u2013]\s*|\(?\d{1,2}[.)]\s+)")
_TITLE_DOT = re.compile(r"\b(mrs|mr|ms|mx|dr|sra|srta|sr|[^\W\d_])\.", re.IGNORECASE)
_PARTS = re.compile(r"[,;:!.()\u3002\uff0c\u2013\u2014]+|\s-+\s|\s(?:and|but|y|pero|et|mais)\s")
_UNDO = re.compile(r"(?P<word>[a-z]+(?: [a-z]+)*)\s*(?P<numbers>(?:\d[\d\s]*)?)")


@dataclass(frozen=True, slots=True)
class ContactLine:
    """A line that tells of a contact. `number` counts the reply's lines that are not blank from 1."""

    number: int
    name: Spoken
    """Whom with."""
    perhaps: tuple[Spoken, ...]
    """What may be a further name, and may be anything else."""
    kind: ContactKind
    tone: ContactTone
    reached: bool
    with_family: bool
    """Whether a student's bare name is not enough."""
    on: date


@dataclass(frozen=True, slots=True)
class UndoLine:
    """A line that takes back what was noted: the numbers that the morning mail gave it, all of it where there are
    none."""

    number: int
    which: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class UnclearLine:
    """A line that begins like one of these, and nobody can be sure of the rest."""

    number: int


@dataclass(frozen=True, slots=True)
class DraftsLine:
    """A line that asks for drafts of good news."""

    number: int


Line: TypeAlias = ContactLine | UndoLine | DraftsLine | UnclearLine


def lines_of(newest: str, today: date) -> tuple[Line, ...]:
    """What the lines of a reply written on the day `today` say. Where none says anything, and somebody wrote more than
    thanks, the first is unclear."""
    lines = [line for line in map(str.strip, newest.splitlines()) if line][:_MOST_LINES]
    found = tuple(each for number, line in _whole(lines) if (each := _line(number, line, today)) is not None)
    if found or all(_folded(line) in say.COURTESIES for line in lines[:1]):
        return found
    return (UnclearLine(1),)


def _whole(lines: Sequence[str]) -> list[tuple[int, str]]:
    """The lines with what goes on in the next one, since mail programs break lines and people do: "no answer" may stand
    below the call."""
    whole: list[tuple[int, str]] = []
    for number, line in enumerate(lines, 1):
        if whole and _goes_on(whole[-1][1], line):
            begun, before = whole[-1]
            whole[-1] = (begun, f"{before} {line}" if before.endswith(_GO_ON) else f"{before}, {line}")
        else:
            whole.append((number, line))
    return whole


def _goes_on(before: str, line: str) -> bool:
    if line.startswith(_QUOTED) or _BULLET.match(line) or _begins_like_a_contact(_folded(line)):
        return False
    said = _without_leads(_folded(line))
    told = said in say.UNREACHED or said in say.REACHED or said in say.TONES
    return told or before.endswith(_GO_ON) or (len(before) >= _BROKEN_AT and before[-1] not in ".!?")


def _line(number: int, line: str, today: date) -> Line | None:
    if line.startswith(_QUOTED) or len(line) > _LONGEST_LINE:
        return None
    line = _BULLET.sub("", line)
    whole = _folded(line)
    undo = _UNDO.fullmatch(whole)
    if undo is not None and undo["word"] in say.UNDO:
        return UndoLine(number, tuple(dict.fromkeys(map(int, undo["numbers"].split())))[:_MOST_NUMBERS])
    if whole in say.DRAFTS:
        return DraftsLine(number)
    if not _begins_like_a_contact(dated(whole, today)[0]):
        return None
    if "?" in line or "\u00bf" in line:
        return UnclearLine(number)
    return _contact(number, line, today) or UnclearLine(number)


def _contact(number: int, line: str, today: date) -> ContactLine | None:
    """What a line says that begins with an opening; None where that is not certain."""
    prepared = _TITLE_DOT.sub(r"\1", unicodedata.normalize("NFKC", line).casefold())
    line, on = dated(_apart(prepared), today)
    if on is None:
        return None
    opening, rest = _longest_opening(line)
    if opening is None:
        return None
    first, *others = [part for part in (_folded(each) for each in _PARTS.split(f" {rest} ")) if part] or [""]
    first, tone = _tone_at_the_end(first)
    first = _without_trailing(first)
    if _names_nobody(first):
        return None
    told = _Told(opening.reached, tone)
    if not all(told.takes(other) for other in others):
        return None
    return ContactLine(
        number=number,
        name=spoken(first),
        perhaps=tuple(told.perhaps),
        kind=opening.kind,
        tone=told.tone or ContactTone.NEUTRAL,
        reached=told.reached,
        with_family=opening.with_family,
        on=on,
    )


@dataclass
class _Told:
    """What the parts of a line behind the first name say, as they are taken one by one."""

    reached: bool
    tone: ContactTone | None
    perhaps: list[Spoken] = field(default_factory=list)

    def takes(self, part: str) -> bool:
        """Takes a part; False where nobody can be sure what it means."""
        said = _without_leads(part)
        if not said or said in say.KIN:
            return True
        tone = say.TONES.get(said) or say.TONES.get(part)
        if tone is not None:
            agrees = self.tone in {None, tone}
            self.tone = tone
            return agrees
        if {said, part} & say.UNREACHED:
            self.reached = False
        elif {said, part} & say.REACHED:
            self.reached = True
        elif _is_negated(part):
            return False
        else:
            name, ends_with = _tone_at_the_end(part)
            self.tone = self.tone or ends_with
            self.perhaps.append(spoken(name))
        return True


def _longest_opening(line: str) -> tuple[say.Opening | None, str]:
    """The opening of a line whose punctuation stands, and what follows it."""
    tokens = line.split()
    plain = [_folded(token) for token in tokens]
    for begins in range(min(4, len(tokens))):
        if begins and " ".join(plain[:begins]) not in say.BEFORE:
            continue
        for ends in range(min(len(tokens), begins + 8), begins, -1):
            opening = say.OPENINGS.get(" ".join(filter(None, plain[begins:ends])))
            if opening is not None and ends < len(tokens):
                return opening, " ".join(tokens[ends:])
    return None, ""


def _begins_like_a_contact(plain: str) -> bool:
    return _opening(_without_before(plain)) is not None


def _opening(plain: str) -> say.Opening | None:
    tokens = plain.split()
    found = (say.OPENINGS.get(" ".join(tokens[:ends])) for ends in range(min(len(tokens), 8), 0, -1))
    return next((each for each in found if each is not None), None)


def _without_before(plain: str) -> str:
    for phrase in sorted(say.BEFORE, key=len, reverse=True):
        if plain.startswith(f"{phrase} ") and _opening(plain) is None:
            return plain.removeprefix(f"{phrase} ")
    return plain


def _tone_at_the_end(part: str) -> tuple[str, ContactTone | None]:
    """A part of a line without the tone it ends with, as in "the family of Bo with good news"."""
    tokens = part.split()
    for begins in range(1, len(tokens)):
        tone = say.TONES.get(" ".join(tokens[begins:]))
        if tone is not None and tokens[begins - 1] in say.LEADS:
            kept = tokens[:begins]
            while kept and kept[-1] in say.LEADS:
                kept.pop()
            return " ".join(kept), tone
    return part, None


def _without_trailing(part: str) -> str:
    for phrase in say.TRAILING:
        part = part.removesuffix(f" {phrase}")
    return part


def _names_nobody(part: str) -> bool:
    no_name = part in say.TONES or part in say.UNREACHED or part in say.REACHED or _is_negated(part)
    return no_name or not _without_leads(part)


def _is_negated(part: str) -> bool:
    return not say.NEGATIONS.isdisjoint(part.split())


def _without_leads(part: str) -> str:
    tokens = part.split()
    while tokens and tokens[0] in say.LEADS:
        tokens.pop(0)
    return " ".join(tokens)


def _apart(line: str) -> str:
    """A line without accents, its punctuation left."""
    decomposed = unicodedata.normalize("NFKD", line.replace("&", " and "))
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def _folded(text: str) -> str:
    """The words of a text as the phrases are written; the apostrophe that makes a name a possessive keeps a word of its
    own."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(_words(plain))


def _words(plain: str) -> Iterable[str]:
    owned = re.sub(r"(?<=\w)['\u2019\u2018`\u02bc]s(?!\w)", " \u02bcs ", plain)
    kept = "".join(
        c if c.isalnum() or c.isspace() or c == "\u02bc" else "" if c in "'\u2019\u2018`" else " " for c in owned
    )
    return (word if word == "\u02bcs" else word.replace("\u02bc", "") for word in kept.split())

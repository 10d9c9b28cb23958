"""The phrases of the safety net: how a language's file is written, and how it becomes patterns for spaCy's `Matcher`.

A phrase is words in lower case, with or without accents:

    (wants|wanted) to die     one of several; "(really|)" may be left out
    {child} jumped            one of the file's own `[words]`, here `child`
    kill*                     every word that begins so
    has ~ a gun               up to three words between, none of them a comma

docs/reference/safety-net.md says what each table of a file is for.
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from classifier.errors import ModelError
from classifier.gloss import folded
from classifier.words import split

BOOKS = Path(__file__).parent / "safety"
"""The files that come with the package, one per language."""
PAUSES = (",", ";", ":", "\n")
"""What no gap in a phrase reaches across."""
_LONGEST_GAP = 3
_PART = re.compile(r"\{(\w+)\}|\(([^()]*)\)|(~)|([^\s{}()~]+)")
_CLASS = re.compile(r"\{(\w+)\}")
_PREFIXED = {"ar": ("", "و", "ف")}
"""What may stand before a word without a space, by language: Arabic "and" and "so"."""


class Kind(StrEnum):
    """What kind of danger a phrase speaks of."""

    SELF_HARM = "self_harm"
    ABUSE = "abuse"
    WEAPON = "weapon"
    """A weapon, or a threat of violence."""
    MISSING_CHILD = "missing_child"
    MEDICAL = "medical"


class Setting(StrEnum):
    """What, in the same sentence, takes the alarm out of a phrase; EXPLAINED and RETURNED in a later one as well."""

    SETTLED = "settled"
    """Long past, or well again."""
    FICTION = "fiction"
    """A book, play, film, song or game."""
    SUPPOSED = "supposed"
    """A drill, a rule, a question what one would do."""
    ELSEWHERE = "elsewhere"
    """Far away, in the news, or an animal."""
    EXPLAINED = "explained"
    """No danger after all: "it is from chapter nine", "a false alarm", "the police have him"."""
    RETURNED = "returned"
    """Home again. Answers only who was missing: a child who wanted to die and is asleep now still needs somebody."""


class Negation(BaseModel):
    """How a language denies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: tuple[str, ...] = ()
    """Denies a phrase that begins within two words after it."""
    after: tuple[str, ...] = ()
    """Denies a phrase that ends within two words before it."""
    stops: tuple[str, ...] = ()
    """Words that no denial reaches across: "she has no friends and wants to die"."""
    only_seeming: tuple[str, ...] = ()
    """Holds a word of denial and denies nothing: "doesn't know that", "not only"."""


class Book(BaseModel):
    """One language's file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    alarms: dict[Kind, tuple[str, ...]]
    innocent: tuple[str, ...] = ()
    """An alarm that shares a word with one of these is none: "die of laughter"."""
    negation: Negation = Negation()
    settings: dict[Setting, tuple[str, ...]] = Field(default_factory=dict)
    found: dict[Kind, tuple[str, ...]]
    """Examples that must raise an alarm of this kind."""
    passed: dict[str, tuple[str, ...]]
    """Examples that must raise none, by why not."""


class Token(NamedTuple):
    """One place in a phrase: any of `words`, or a word that begins with any of `stems`. With neither, a gap."""

    words: frozenset[str] = frozenset()
    stems: tuple[str, ...] = ()

    @property
    def is_gap(self) -> bool:
        """True where anything may stand here."""
        return not self.words and not self.stems

    def commonness(self, uses: Mapping[str, int]) -> tuple[int, int]:
        """Lower where fewer texts will have it: a word that many phrases use is an everyday word, and so is a short
        one. `uses` counts the phrases that each word is in."""
        return max((uses[word] for word in self.words), default=1), -min(map(len, (*self.words, *self.stems)))

    def patterns(self) -> list[dict[str, Any]]:
        """What `Matcher` looks for."""
        if self.is_gap:
            return [{"LOWER": {"NOT_IN": list(PAUSES)}, "OP": "?"}] * _LONGEST_GAP
        if not self.stems:
            return [{"LOWER": {"IN": sorted(self.words)}}]
        spellings = [*map(re.escape, self.stems), *(f"{re.escape(word)}$" for word in sorted(self.words))]
        return [{"LOWER": {"REGEX": f"^(?:{'|'.join(spellings)})"}}]


Phrase = tuple[Token, ...]


def spelled(text: str, language: str, *, plain: bool = False) -> str:
    """`text` as phrases are compared, no longer than before: lower case, no accents (Vietnamese keeps its own unless
    `plain`), one kind of apostrophe."""
    text = text.replace("’", "'").replace("‘", "'")
    if language in _ACCENTS_COUNT and not (plain and language == "vi"):
        return folded(text, language)
    text = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return "".join(character for character in text if not unicodedata.combining(character))


_ACCENTS_COUNT = ("vi", "ar", "ru", "ko", "zh")


def comparable(word: str, language: str, *, plain: bool = False) -> str:
    """One word as phrases are compared: `spelled`, without the apostrophes that people leave out. Never empty."""
    if word.isascii():
        return word.lower().replace("'", "") or word
    return spelled(word, language, plain=plain).replace("'", "") or word


@cache
def book(language: str) -> Book | None:
    """The shipped file of `language`, None where there is none. Raises `ModelError` where it cannot be read."""
    file = BOOKS / f"{language}.toml"
    if not file.is_file():
        return None
    try:
        return Book.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelError(f"{file}: {error}; install the package again") from error


def phrases(
    notations: Sequence[str], language: str, words: Mapping[str, Sequence[str]], *, plain: bool = False
) -> Iterator[Phrase]:
    """What the notations stand for. Raises ValueError for a class of words that the file does not have."""
    for notation in notations:
        elements = [
            list(_choices(_alternatives(match, notation, words), language, plain)) for match in _PART.finditer(notation)
        ]
        for chosen in product(*elements):
            yield tuple(token for part in chosen for token in part)


def _alternatives(match: re.Match[str], notation: str, words: Mapping[str, Sequence[str]]) -> Sequence[str] | None:
    group, inline, gap, literal = match.groups()
    if gap:
        return None
    if literal:
        return [literal]
    return [
        whole
        for alternative in (inline.split("|") if inline is not None else [f"{{{group}}}"])
        for whole in _filled(alternative, notation, words)
    ]


def _filled(alternative: str, notation: str, words: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The alternative with each word of the class that it names, itself where it names none."""
    match = _CLASS.search(alternative)
    if match is None:
        yield alternative
        return
    if match[1] not in words:
        raise ValueError(f"{notation!r}: no [words] named {match[1]!r}")
    for word in words[match[1]]:
        yield from _filled(alternative.replace(match[0], word, 1), notation, words)


def _choices(alternatives: Sequence[str] | None, language: str, plain: bool) -> Iterator[Phrase]:
    """The alternatives, those of one word gathered into one token."""
    if alternatives is None:
        yield (Token(),)
        return
    single_words, single_stems = set[str](), set[str]()
    for alternative in alternatives:
        tokens = tuple(_tokens(alternative, language, plain))
        if len(tokens) == 1:
            single_words |= tokens[0].words
            single_stems.update(tokens[0].stems)
        else:
            yield tokens
    if single_words or single_stems:
        yield (Token(frozenset(single_words), tuple(sorted(single_stems))),)


def _tokens(text: str, language: str, plain: bool) -> Iterator[Token]:
    for piece in text.split():
        *whole, last = (comparable(word, language, plain=plain) for word in split(piece.removesuffix("*")).words)
        before = _PREFIXED.get(language, ("",))
        for word in whole:
            yield Token(frozenset(prefix + word for prefix in before))
        spellings = [prefix + last for prefix in before]
        yield Token(stems=tuple(spellings)) if piece.endswith("*") else Token(frozenset(spellings))

"""The school's own sentences, from files that it edits: `<language>.toml` in `wording.folder`.

A file is read again when it has changed, so that a correction is in the next note. A sentence that is not sound is left
out and the built-in one stands in its place: a family never gets half a sentence, and none waits for a mended file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from functools import cache, lru_cache
from gettext import NullTranslations
from pathlib import Path
from typing import Any

import structlog

from autoresponder.own_sentences import lacks_of
from autoresponder.wording import CONVERSATION, FAMILIES, LANGUAGES, Wording, is_written, sentences_in, wording
from autoresponder.wording import written_languages as as_written
from config.faults import ConfigError, Fault, dotted
from config.positions import Positions, locate
from config.said import said
from config.settings import Settings
from config.textfile import parse_toml, read_text, shortened

log = structlog.get_logger()

LARGEST = 500_000
"""Bytes of one file; every sentence with a long replacement needs a fifth."""
KIND = ".toml"
_TABLE, _ENGLISH, _SAYS = "sentence", "english", "says"
_FILES_KEPT = 64
_ANY = datetime(2026, 3, 3, 12)  # noqa: DTZ001 - only what it is written with counts
_QUOTES = 'a quotation mark inside a sentence is written \\" or “ ”'


@dataclass(frozen=True, slots=True)
class OwnFile:
    """What one file holds: `says`, by the English sentence, is sound; what is not is among the faults."""

    path: Path
    says: Mapping[str, str]
    faults: tuple[Fault, ...]
    lines: Mapping[str, int]
    """The line of each sentence of `says`."""


def words_for(language: str, settings: Settings, catalogue: str = FAMILIES, *, crisis: bool = False) -> Wording:
    """The wording of one of `LANGUAGES` with the school's own sentences, where it has some. Raises KeyError for another
    language. The notes in a `crisis` take own sentences only where somebody at the school is named who has read them.
    """
    built_in, own = wording(language, catalogue), settings.wording
    if own.folder is None or (crisis and not own.crisis_read_by):
        return built_in
    path = own.folder / f"{language}{KIND}"
    try:
        seen = path.stat()
    except FileNotFoundError:
        return built_in
    except OSError as error:
        log.error("the school's own wording cannot be reached; the built-in one stands in", file=path, why=said(error))
        return built_in
    says = _logged(path, seen.st_mtime_ns, seen.st_size).says
    return replace(built_in, translations=_Own(says, built_in.translations)) if says else built_in


def own_files(folder: Path) -> Iterator[OwnFile]:
    """Every file of own sentences, read now. What is not named after a language that we write is a fault; what is no
    TOML file is left alone. Never raises."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == KIND)
    except OSError as error:
        fault = Fault(str(folder), "", f"a folder that can be read ({error.strerror or error})")
        yield OwnFile(folder, {}, (fault,), {})
        return
    for path in paths:
        if path.stem in LANGUAGES:
            yield read_own(path)
        else:
            near = as_written([path.stem]) if is_written(path.stem) else get_close_matches(path.stem, LANGUAGES, n=1)
            advice = f"the nearest is {near[0]}{KIND}" if near else f"the languages are {', '.join(LANGUAGES)}"
            fault = Fault(str(path), "", f"a file named after a language, such as es{KIND}", advice=advice)
            yield OwnFile(path, {}, (fault,), {})


def read_own(path: Path) -> OwnFile:
    """The own sentences of one file, and all that is wrong with it. Never raises for what stands in it."""
    try:
        source = read_text(path, "file of own sentences", largest=LARGEST).encode()
        table = parse_toml(path, source)
    except ConfigError as error:
        faults = [replace(fault, advice=_QUOTES) if "TOML" in fault.expected else fault for fault in error.faults]
        return OwnFile(path, {}, tuple(faults), {})
    return _Reading(path, locate(source)).file(table)


class _Reading:
    """One file, while it is read."""

    def __init__(self, path: Path, positions: Positions) -> None:
        self._path = path
        self._positions = positions
        self._faults: list[Fault] = []
        self._says: dict[str, str] = {}
        self._lines: dict[str, int] = {}

    def file(self, table: Mapping[str, Any]) -> OwnFile:
        for key in table:
            if key != _TABLE:
                self._wrong((key,), f"[[{_TABLE}]] tables only", found=f'"{shortened(key)}"')
        items = table.get(_TABLE, [])
        if isinstance(items, list):
            for place, item in enumerate(items):
                self._item(place, item)
        else:
            self._wrong((_TABLE,), f"double brackets, [[{_TABLE}]]")
        self._faults.sort(key=lambda fault: fault.line or 0)
        return OwnFile(self._path, self._says, tuple(self._faults), self._lines)

    def _item(self, place: int, item: object) -> None:
        at = (_TABLE, place)
        if not isinstance(item, dict):
            self._wrong(at, f"a table with {_ENGLISH} and {_SAYS}")
            return
        for key in item:
            if key not in {_ENGLISH, _SAYS}:
                self._wrong((*at, key), f"{_ENGLISH} and {_SAYS} only", found=f'"{shortened(key)}"')
        english, says = item.get(_ENGLISH), item.get(_SAYS)
        for key, value in ((_ENGLISH, english), (_SAYS, says)):
            if not isinstance(value, str):
                advice = f"there are no plural forms here; {len(value)} were found" if isinstance(value, list) else ""
                self._wrong((*at, key), "one sentence in quotation marks", advice=advice)
        if isinstance(english, str) and isinstance(says, str):
            self._sentence(place, english, says)

    def _sentence(self, place: int, english: str, says: str) -> None:
        if english not in replaceable():
            self._wrong((_TABLE, place, _ENGLISH), "a built-in sentence", f"“{shortened(english)}”", _nearest(english))
        elif english in self._lines:
            first = f"line {self._lines[english]} has it already: take one of them out"
            self._wrong((_TABLE, place, _ENGLISH), "each sentence once", f"“{shortened(english)}”", first)
        elif says != "":
            line = self._lines[english] = self._positions.line_of((_TABLE, place, _SAYS))
            lacks = list(lacks_of(english, says))
            if not lacks:
                self._says[english] = says
            for lack in lacks:
                expected = f"{lack.expected} (in place of “{shortened(english)}”)"
                self._faults.append(Fault(str(self._path), _SAYS, expected, line, lack.found, lack.advice))

    def _wrong(self, at: tuple[str | int, ...], expected: str, found: str | None = None, advice: str = "") -> None:
        line = self._positions.line_of(at)
        self._faults.append(Fault(str(self._path), dotted(at), expected, line, found, advice))


class _Own(NullTranslations):
    """The school's sentences before the built-in ones."""

    def __init__(self, says: Mapping[str, str], built_in: NullTranslations) -> None:
        super().__init__()
        self._says = says
        self._built_in = built_in

    def gettext(self, message: str) -> str:
        own = self._says.get(message)
        return self._built_in.gettext(message) if own is None else own


@cache
def replaceable() -> tuple[str, ...]:
    """The sentences that a school may replace: all of the answers, of "how to reach me" and of the drafts but those by
    which a language joins words and writes days."""
    return tuple(each for each in (*sentences_in(FAMILIES), *sentences_in(CONVERSATION)) if each not in grammar())


@cache
def grammar() -> frozenset[str]:
    """Patterns of days and times, and what joins the things of a list: the language's, not the school's."""
    asked = _Asked()
    words = replace(wording(LANGUAGES[0]), translations=asked)
    words.span(_ANY, _ANY)
    for either in (False, True):
        words.list(("a", "b", "c"), either=either)
    return frozenset(asked.sentences)


class _Asked(NullTranslations):
    def __init__(self) -> None:
        super().__init__()
        self.sentences: set[str] = set()

    def gettext(self, message: str) -> str:
        self.sentences.add(message)
        return message


def _nearest(english: str) -> str:
    if english in grammar():
        return "how days, times and lists are written belongs to the language and cannot be replaced: take it out"
    near = get_close_matches(english, replaceable(), n=1, cutoff=0.5)
    if near:
        return f"the nearest is “{near[0]}”: copy it, and read your own sentence again beside it"
    return "`alliance wording export` prints them all; take this one out"


@lru_cache(maxsize=_FILES_KEPT)
def _logged(path: Path, changed: int, size: int) -> OwnFile:  # noqa: ARG001 - what tells one state from another
    """The file as it was when it `changed`, read once; what is wrong with it is logged then."""
    read = read_own(path)
    for fault in read.faults:
        wrong = said(ConfigError([fault]))
        log.error("a sentence of the school's own wording is not used; the built-in one stands in", fault=wrong)
    return read

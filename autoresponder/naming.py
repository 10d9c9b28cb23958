"""Who is meant by a name that a teacher writes: exactly one family, or nobody. Pure.

What is called a match is lenient, since a further match only makes a name ambiguous: "Ana" means every student whose
given names begin so. What is taken is strict: a single one.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from autoresponder.contact_phrases import ARTICLES, KIN, OF, TITLES

OWNED = "\u02bcs"
"""A possessive's ending, as a word of its own."""


class Nobody(StrEnum):
    """Why a name leads to no student."""

    UNKNOWN = "nobody"
    SEVERAL = "several"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Student:
    """A student as the roster names them."""

    id: str
    given: str
    family_name: str
    family: str
    """`RosterFamily.family`; the student's own id where there is none."""
    guardians: tuple[tuple[str, str], ...] = ()
    """Given and family name of each."""

    @property
    def name(self) -> str:
        """As people say it."""
        return f"{self.given} {self.family_name}".strip()

    @property
    def listed(self) -> str:
        """As it stands in a list that goes by family names."""
        return f"{self.family_name}, {self.given}" if self.family_name else self.given


@dataclass(frozen=True, slots=True)
class Spoken:
    """A name as somebody wrote it, in folded words."""

    words: tuple[str, ...]
    kin: bool = False
    """Whether it is somebody of the student's family who is named: "Bo's mother", "the Diaz family"."""
    titled: bool = False
    """Whether it is an adult's family name: "Mrs. Diaz"."""


def spoken(part: str) -> Spoken:
    """A folded part of a line as a name: "the family of ana lopez", "bo ʼs mother", "the diaz family", "mrs diaz"."""
    words = _without(part.split(), ARTICLES)
    if len(words) > 1 and words[0] in {"a", "o"} and words[1] in KIN:  # in Portuguese; elsewhere an initial
        words = words[1:]
    for kin in sorted((each.split() for each in KIN), key=len, reverse=True):
        size = len(kin)
        if words[:size] == kin and len(words) > size and words[size] in OF:
            return Spoken(tuple(_without(_unowned(words[size + 1 :]), ARTICLES)), kin=True)
        if words[-size:] == kin and len(words) > size:
            return Spoken(tuple(_unowned(words[:-size])), kin=True)
        if words[:size] == kin and len(words) > size:
            return Spoken(tuple(_unowned(words[size:])), kin=True)
    for title in sorted((each.split() for each in TITLES), key=len, reverse=True):
        if words[: len(title)] == title and len(words) > len(title):
            return Spoken(tuple(_unowned(words[len(title) :])), titled=True)
    return Spoken(tuple(_unowned(words)))


def meant(name: Spoken, students: Sequence[Student], *, with_family: bool = False) -> Student | Nobody:
    """The student whose family is meant. `with_family` says that a student's bare name is not enough."""
    if not name.words:
        return Nobody.UNKNOWN
    exact = [each for each in students if not name.titled and name.words == _full(each.given, each.family_name)]
    pupils = exact if len(exact) == 1 else [each for each in students if _is_student(name, each)]
    adults = [each for each in students if not name.kin and _has_guardian(name, each)]
    found = list({each.id: each for each in (*pupils, *adults)}.values())
    if not found:
        return Nobody.UNKNOWN
    if len({each.family for each in found}) > 1:
        return Nobody.SEVERAL
    if with_family and not (name.kin or name.titled or adults):
        return Nobody.UNCLEAR
    return min(found, key=lambda each: each.id)


class ByName:
    """Students by their whole names, as a school's list writes them: "Ana Lopez", or "Lopez, Ana"."""

    def __init__(self, students: Iterable[Student]) -> None:
        """Of these students."""
        self._found: dict[tuple[str, ...], list[Student]] = {}
        for each in students:
            self._found.setdefault(_full(each.given, each.family_name), []).append(each)

    def called(self, name: str) -> Student | Nobody:
        """The one student of this name; or why there is none."""
        last, comma, first = name.partition(",")
        found = self._found.get(_full(first, last) if comma else _words(name), [])
        if len(found) == 1:
            return found[0]
        return Nobody.SEVERAL if found else Nobody.UNKNOWN


def _is_student(name: Spoken, student: Student) -> bool:
    given, family = _words(student.given), _words(student.family_name)
    if not family:  # a list that has the name in one piece: nobody knows where the family name begins
        return _begins(given, name.words) or _begins(given[::-1], name.words[::-1])
    if name.titled:
        return _begins(family, name.words)
    if "".join(name.words) in {"".join((*given, *family)), "".join((*family, *given))}:
        return True  # a language without blanks between the names
    if _begins(given, name.words) or _begins(family, name.words):
        return True
    return any(
        _begins(one, name.words[:cut]) and _begins(other, name.words[cut:])
        for cut in range(1, len(name.words))
        for one, other in ((given, family), (family, given))
    )


def _has_guardian(name: Spoken, student: Student) -> bool:
    for given, family in student.guardians:
        if name.titled and _begins(_words(family), name.words):
            return True
        if len(name.words) > 1 and name.words == _full(given, family):
            return True
    return False


def _begins(words: Sequence[str], with_words: Sequence[str]) -> bool:
    return 0 < len(with_words) <= len(words) and tuple(words[: len(with_words)]) == tuple(with_words)


def _full(given: str, family: str) -> tuple[str, ...]:
    return (*_words(given), *_words(family))


def _words(name: str) -> tuple[str, ...]:
    """A name in folded words."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    kept = (c for c in decomposed if not unicodedata.combining(c) and c not in "'\u2019\u2018`\u02bc")
    return tuple("".join(c if c.isalnum() else " " for c in kept).split())


def _unowned(words: Sequence[str]) -> list[str]:
    """Without the possessive's ending, and without a plural's: "the lopezes" stays what it is."""
    return [word for word in words if word != OWNED]


def _without(words: Sequence[str], articles: Sequence[str]) -> list[str]:
    for article in sorted((each.split() for each in articles), key=len, reverse=True):
        if list(words[: len(article)]) == article and len(words) > len(article):
            return list(words[len(article) :])
    return list(words)

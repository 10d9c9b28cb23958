"""Word-by-word English glosses of the other nine languages, so that a model that learned English can read along.

A gloss is no translation: word order stays, endings go, and what the lexicon does not know is passed over. It is enough
to tell "did not take her pill" from "took her pill", and it costs a tenth of a millisecond a message.

A lexicon is `classifier/lexicon/<language>.tsv`, one entry a line, source and gloss parted by a tab:

    лекарств*       medicine      a stem: every word that begins so
    на этой неделе  this week     a phrase; the longest match wins
    +ها             her           an ending, glossed where a stem leaves it over
    و+              and           a prefix, taken off where the word is unknown otherwise
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from classifier.errors import ModelError

LEXICONS = Path(__file__).parent / "lexicon"
UNKNOWN = "[UNK]"
"""What stands for a word in another script that the lexicon does not know; a Latin one, often a name, stays."""

_TOKEN = re.compile(r"\d+(?:[:.,]\d+)*|[^\W\d_]+(?:['-][^\W\d_]+)*|[^\w\s]|\n")
_HAN = re.compile(r"[\u3400-\u9fff]+|\d+(?:[:.,]\d+)*|[^\W\d_\u3400-\u9fff]+|[^\w\s]|\n")
_BEFORE_MARK = re.compile(r"(?<! ) +([.,!?;:)])")  # from a run's beginning only: in linear time
_ARABIC_SIGNS = re.compile("[\u064b-\u0652\u0640]")
_ARABIC_LETTERS = str.maketrans("أإآىة", "اااية")
_LONGEST_PREFIX = 4


def folded(text: str, language: str) -> str:
    """`text` as lexicons spell it: NFC, lower case, without what families leave out when they type."""
    text = unicodedata.normalize("NFC", text).casefold().replace("’", "'")
    if language == "ar":
        return _ARABIC_SIGNS.sub("", text).translate(_ARABIC_LETTERS)
    return text.replace("ё", "е") if language == "ru" else text


class Lexicon:
    """The glosses of one language. Reading only; safe to share between threads."""

    def __init__(self, lines: Iterator[str], language: str) -> None:
        """Reads a lexicon's lines. Raises ValueError with the line's number where one has no tab or no source."""
        self.language = language
        self._whole: dict[str, str] = {}
        self._stems: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}
        self._endings: dict[str, str] = {}
        self._most_words: dict[str, int] = {}
        """Of each word that phrases begin with, how many words the longest of them has."""
        self._longest = self._longest_stem = 1
        for number, line in enumerate(lines, start=1):
            if line.strip() and not line.startswith("#"):
                self._add(line.rstrip("\n"), number)

    def _add(self, line: str, number: int) -> None:
        source, tab, english = line.partition("\t")
        source, english = folded(source.strip(), self.language), english.strip()
        if not tab or not source.strip("*+"):
            raise ValueError(f"line {number}: expected SOURCE<TAB>GLOSS, found {line[:60]!r}")
        if source.startswith("+"):
            self._endings[source[1:]] = english
        elif source.endswith("+"):
            self._prefixes[source[:-1]] = english
        else:
            first, *more = source.split()
            self._most_words[first] = max(self._most_words.get(first, 1), 1 + len(more))
            self._longest = max(self._longest, len(source))
            if source.endswith("*"):
                self._stems[source[:-1]] = english
                self._longest_stem = max(self._longest_stem, len(source) - 1)
            else:
                self._whole[source] = english

    def __len__(self) -> int:
        return len(self._whole) + len(self._stems) + len(self._prefixes) + len(self._endings)

    def gloss(self, text: str) -> str:
        """`text` in English words, in the order of the original."""
        words = (
            english
            if english is not None
            else source
            if source.isascii() or not source.isalpha()
            else self._copy(source)
            for source, english in self.read(text)
        )
        return _BEFORE_MARK.sub(r"\1", " ".join(word for word in words if word))

    def _copy(self, word: str) -> str:
        return word if unicodedata.name(word[0], "").startswith("LATIN") else UNKNOWN

    def read(self, text: str) -> Iterator[tuple[str, str | None]]:
        """(words as they stand, gloss) from the beginning to the end; None where the lexicon does not know them."""
        text = folded(text, self.language)
        if self.language == "zh":
            yield from self._read_han(text)
            return
        tokens = _TOKEN.findall(text)
        place = 0
        while place < len(tokens):
            token = tokens[place]
            if not token[0].isalpha():
                yield token, token
                place += 1
                continue
            length, english = self._phrase(tokens, place)
            yield " ".join(tokens[place : place + length]), english
            place += length

    def _phrase(self, tokens: list[str], place: int) -> tuple[int, str | None]:
        """The longest run of words from `place` on that is known, at least one word; and its gloss."""
        for length in range(min(self._most_words.get(tokens[place], 1), len(tokens) - place), 1, -1):
            phrase = " ".join(tokens[place : place + length])
            if phrase in self._whole:
                return length, self._whole[phrase]
            begin = len(phrase) - len(tokens[place + length - 1])
            for end in range(min(len(phrase), self._longest_stem), begin, -1):
                if phrase[:end] in self._stems:
                    return length, self._stems[phrase[:end]]
        return 1, self._word(tokens[place])

    def _word(self, word: str) -> str | None:
        if word in self._whole:
            return self._whole[word]
        for end in range(min(len(word), self._longest_stem), 0, -1):
            if word[:end] in self._stems:
                return f"{self._stems[word[:end]]} {self._endings.get(word[end:], '')}".strip()
        for end in range(min(_LONGEST_PREFIX, len(word) - 1), 0, -1):
            if word[:end] in self._prefixes and (rest := self._word(word[end:])) is not None:
                return f"{self._prefixes[word[:end]]} {rest}".strip()
        for end in range(len(word) - 1, 0, -1):
            if word[end:] in self._endings and word[:end] in self._whole:
                return f"{self._whole[word[:end]]} {self._endings[word[end:]]}".strip()
        return None

    def _read_han(self, text: str) -> Iterator[tuple[str, str | None]]:
        for run in _HAN.findall(text):
            if not "\u3400" <= run[0] <= "\u9fff":
                yield run, run
                continue
            place = 0
            while place < len(run):
                length = min(self._longest, len(run) - place)
                while length > 1 and run[place : place + length] not in self._whole:
                    length -= 1
                yield run[place : place + length], self._whole.get(run[place : place + length])
                place += length


@cache
def lexicon(language: str) -> Lexicon | None:
    """The shipped lexicon of `language`, None where there is none. Raises `ModelError` where it cannot be read."""
    file = LEXICONS / f"{language}.tsv"
    if not file.is_file():
        return None
    try:
        with file.open(encoding="utf-8") as lines:
            return Lexicon(lines, language)
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: {error}; install the package again") from error

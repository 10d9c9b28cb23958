"""Text as the model sees it: words, in any language. Chinese and Japanese characters are words of their own."""

import re
import unicodedata
from typing import NamedTuple

MAX_CHARACTERS = 20_000
"""How much of one message is read: its beginning, and its end, where the sentence may stand that changes everything."""
_END_CHARACTERS = 4_000

_IDEOGRAPH = r"\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"([{_IDEOGRAPH}]|[^\W_{_IDEOGRAPH}]+(?:['’][^\W_{_IDEOGRAPH}]+)*|\n|[^\w\s]|[_\s])( ?)")
_BLANKS = re.compile(r"[^\S\n]+")
_LINES = re.compile(r"(?<!\s)\s*\n\s*")  # from a run's beginning only: in linear time


class Words(NamedTuple):
    """The words of a text, and whether a space follows each; put together they are the text again."""

    words: list[str]
    spaces: list[bool]


def tidy(text: str) -> str:
    """`text` in Unicode's NFKC form (UAX #15), bounded, with single spaces and line ends."""
    if len(text) > MAX_CHARACTERS:
        text = f"{text[: MAX_CHARACTERS - _END_CHARACTERS]}\n{text[-_END_CHARACTERS:]}"
    if not text.isascii():
        # Lone surrogates come out of broken mail and fit in no string store.
        text = unicodedata.normalize("NFKC", text.encode("utf-8", "replace").decode())[: 2 * MAX_CHARACTERS]
    return _BLANKS.sub(" ", _LINES.sub("\n", text.strip()))


def lowered(text: str) -> str:
    """`text` in lower case, character for character: places in it are places in `text`."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def split(text: str) -> Words:
    """The words of a text that is `tidy`."""
    found = _WORD.findall(text)
    return Words([word for word, _ in found], [bool(space) for _, space in found])


def folded(words: Words, lower: str) -> Words:
    """The same words in lower case, read off `lower`, which is `lowered` of the text that they were split from."""
    found, place = [], 0
    for word, space in zip(words.words, words.spaces, strict=True):
        end = place + len(word)
        found.append(lower[place:end])
        place = end + space
    return Words(found, words.spaces)

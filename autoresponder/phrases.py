"""Finds set phrases in what somebody wrote, in any of the families' languages: whole words, without regard to case,
accents and punctuation. Pure."""

import unicodedata
from collections.abc import Collection, Iterable

_APOSTROPHES = frozenset("'\u2019\u2018`\u02bc")


def plain(text: str) -> str:
    """The words of a text between single spaces, as phrases are compared: folded to lower case without accents, with a
    space before the first and behind the last, so that a phrase is found at its word boundaries. Chinese, which sets no
    spaces, has one between any two characters."""
    decomposed = unicodedata.normalize("NFKD", text.casefold()).replace("đ", "d")
    kept = "".join(
        f" {letter} " if _is_chinese(letter) else letter if letter.isalnum() else " "
        for letter in decomposed
        if not unicodedata.combining(letter) and letter not in _APOSTROPHES
    )
    return f" {' '.join(kept.split())} "


def phrases(lines: Iterable[str]) -> frozenset[str]:
    """Phrases as `plain` writes them, separated by commas or standing in lines of their own."""
    return frozenset(plain(phrase) for line in lines for phrase in line.split(",") if phrase.strip())


def without(plain_text: str, wanted: Collection[str]) -> str:
    """The text without any of these phrases, the longest taken out first."""
    for phrase in sorted(wanted, key=len, reverse=True):
        while phrase in plain_text:
            plain_text = plain_text.replace(phrase, " ")
    return plain_text


def _is_chinese(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff"

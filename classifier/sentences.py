"""Where a text's sentences are. Plain rules that hold in all ten languages; a line is never joined with the next."""

import re
from collections.abc import Iterator

_SENTENCE = re.compile(r"[^.!?。！？؟…\n]+(?:[.!?。！？؟…]+(?=\w)[^.!?。！？؟…\n]+)*[.!?。！？؟…]*[\"'”’»)\]]*")
_LETTER = re.compile(r"\w")


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """(begin, end) of every sentence with something to read in it, in order. A full stop inside a word or number
    ("8.30", "p.m") ends none."""
    for match in _SENTENCE.finditer(text):
        if _LETTER.search(match[0]):
            begin = match.start() + len(match[0]) - len(match[0].lstrip())
            yield begin, match.end()

"""What the encoder reads of a letter: English, sentence by sentence, with the time that every day named is away.

"Please let her out at 1 on Thursday", come on a Thursday morning, is read as

    thursday in the morning at school. | Please let her out at 1 on Thursday (today)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from classifier.features import Reading
from classifier.gloss import lexicon
from classifier.mentions import Mention
from classifier.sentences import sentences

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CAME = {
    "before": "before school",
    "early": "in the morning at school",
    "midday": "around noon at school",
    "late": "in the afternoon at school",
    "after": "after school",
    "night": "at night",
    "off": "no school",
}
_WEEK = 7


@dataclass(frozen=True, slots=True)
class Rendered:
    """A letter as the encoder reads it. `sentences[i]` renders the text from `spans[i][0]` to `spans[i][1]`."""

    opening: str
    """When the letter came; empty where that is unknown."""
    sentences: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]


def render(reading: Reading, language: str) -> Rendered:
    """Renders one reading, written in `language`."""
    text, mentions = reading.text, reading.named.mentions if reading.received else ()
    spans = tuple(sentences(text))
    glosses = lexicon(language)
    pieces = []
    for begin, end in spans:
        inside = [each for each in mentions if begin <= each.begin and each.end <= end]
        piece = _annotated(text, begin, end, inside, reading.due)
        pieces.append(glosses.gloss(piece) if glosses else piece)
    opening = f"{_DAYS[reading.received.weekday()]} {_CAME[reading.came]}." if reading.received else ""
    return Rendered(opening, tuple(pieces), spans)


def _annotated(text: str, begin: int, end: int, found: Sequence[Mention], due: int) -> str:
    parts, place = [], begin
    for mention in found:
        parts.append(f"{text[place : mention.end]} ({_away(mention.days, due)})")
        place = mention.end
    return "".join([*parts, text[place:end]])


def _away(days: int, due: int) -> str:
    if days < 0:
        return "past"
    if days == 0:
        return "today"
    if days <= due:
        return "next school day"
    return "later" if days <= _WEEK else "much later"

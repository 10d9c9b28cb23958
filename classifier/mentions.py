"""The days and clock times that a text names, each with its place: "today", "on Thursday", "el 12 de mayo", "下午3点".

Words and short phrases in the ten languages; nothing is parsed deeper than a word beside a word. Days come out as
distances from the received day, because that is what decides.
"""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date
from operator import itemgetter

from classifier.time_words import DAYS_AHEAD, EVERY, LAST, MONTHS, MORNING_BEFORE, NEXT, WEEKDAYS
from classifier.words import Words

FARTHEST = 300
"""Days: a date without a year is read as the one nearest to the received day, at most this far away."""

_HANGUL = re.compile(r"[가-힣]{2,}")
_FIRST_HANGUL = "가"
_DIGITS = re.compile(r"\d+")


def _index() -> dict[str, list[tuple[tuple[str, ...], str, int]]]:
    """Phrases by their first token, longest first, so that "pasado mañana" is read before "mañana"."""
    found: dict[str, list[tuple[tuple[str, ...], str, int]]] = {}
    groups = [("ahead", days, phrases) for days, phrases in DAYS_AHEAD.items()]
    groups += [("weekday", day, phrases) for day, phrases in enumerate(WEEKDAYS)]
    groups += [("month", month, phrases) for month, phrases in enumerate(MONTHS, start=1)]
    for kind, value, phrases in groups:
        for phrase in phrases:
            tokens = tuple(phrase.split())
            found.setdefault(tokens[0], []).append((tokens, kind, value))
    for entries in found.values():
        entries.sort(key=lambda entry: -len(entry[0]))
    return found


_INDEX = _index()
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)")
_BEFORE_DAY = frozenset({"the", "el", "dia", "día"})
"""What makes a bare number a day of the month: "the 16", "el 16"."""
_AFTER_NUMBER = frozenset({":", "%", ".", "am", "pm", "a", "p", "min", "minutes", "minutos"})
"""What makes it something else."""
_NUMERIC = re.compile(
    r"(?<![\d/.])(\d{1,2})/(\d{1,2})(?:/(?:20)?\d{2})?(?![\d/])|(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日号일]?"
)
_CLOCK = re.compile(
    r"(?<![\d:])(\d{1,2})(?:[:h.](\d{2}))? ?(am|pm|a\.m|p\.m)(?![a-z])|(?<![\d:.])(\d{1,2})[:h](\d{2})(?!\d)"
    r"|(\d{1,2}) ?[点點시时](?: ?(\d{1,2}) ?[分분])?"
)


@dataclass(frozen=True, slots=True, order=True)
class Mention:
    """A day that a text names, at `begin` to `end` (characters), `days` after the received day, 0 for today."""

    begin: int
    end: int
    days: int


@dataclass(frozen=True, slots=True, order=True)
class Clock:
    """A clock time that a text names, at `begin` to `end` (characters): `hour` of the day, 13.5 for half past one."""

    begin: int
    end: int
    hour: float


@dataclass(frozen=True, slots=True)
class Named:
    """What a text names, in the order of the text; no two days overlap."""

    mentions: tuple[Mention, ...]
    clocks: tuple[Clock, ...]

    @property
    def days(self) -> frozenset[int]:
        """The distances of the days that are named."""
        return frozenset(mention.days for mention in self.mentions)

    @property
    def hours(self) -> frozenset[float]:
        """The hours of the clock times that are named."""
        return frozenset(clock.hour for clock in self.clocks)


_Match = tuple[str, int, int, int]
"""Kind ("ahead", "weekday", "month"), value, position of the first word, number of words."""


def named(words: Words, text: str, received: date | None) -> Named:
    """The days and clock times in `text` (lower case; `words` are its words, put together they are the text). Weekdays
    and dates need `received`."""
    tokens = words.words
    matches = list(_matches(tokens))
    digits = _DIGITS.search(text) is not None
    if not matches and not digits:
        return Named((), ())
    spans = _spans(words)
    found, dated = _worded(tokens, matches, spans, received)
    if not digits:
        return Named(_apart(found), ())
    if received is not None:
        found.extend(_numeric_dates(text, received))
        found.extend(Mention(*spans[position], days) for position, days in _days_of_month(tokens, received, dated))
    return Named(_apart(found), tuple(_clocks(text)))


def _worded(
    tokens: Sequence[str], matches: Sequence[_Match], spans: Sequence[tuple[int, int]], received: date | None
) -> tuple[list[Mention], set[int]]:
    """The days that are named in words, and the positions of the numbers that belong to a month."""
    found: list[Mention] = []
    dated: set[int] = set()
    for kind, value, position, length in matches:
        begin, end = spans[position][0], spans[min(position + length, len(spans)) - 1][1]
        if kind == "ahead":
            days = _ahead(tokens, position, value)
        elif received is None:
            continue
        elif kind == "weekday":
            days = _weekday(tokens, position, length, value, received)
        else:
            beside = next((p for p in (position + 1, position - 1, position - 2) if _number(tokens, p)), -1)
            dated.add(beside)
            if beside >= 0:
                begin, end = min(begin, spans[beside][0]), max(end, spans[beside][1])
            days = _distance(received, value, _number(tokens, beside))
        found.extend(Mention(begin, end, each) for each in days)
    return found, dated


def _ahead(tokens: Sequence[str], position: int, value: int) -> tuple[int, ...]:
    """How far a day like "tomorrow" is; "por la mañana" names none, "esta mañana" is today."""
    before = tokens[position - 1] if position else ""
    if value != 1 or before not in MORNING_BEFORE or tokens[position][:2] != "ma":
        return (value,)
    return (0,) if before == "esta" else ()


def _apart(found: list[Mention]) -> tuple[Mention, ...]:
    """In the order of the text, without those that begin inside another."""
    apart: list[Mention] = []
    for mention in sorted(found):
        if not apart or mention.begin >= apart[-1].end:
            apart.append(mention)
    return tuple(apart)


def _spans(words: Words) -> list[tuple[int, int]]:
    spans, place = [], 0
    for word, space in zip(words.words, words.spaces, strict=True):
        spans.append((place, place + len(word)))
        place += len(word) + space
    return spans


def _weekday(tokens: Sequence[str], position: int, length: int, value: int, received: date) -> tuple[int, ...]:
    """How far the weekday at `position` is. "Every Thursday" names no day; "last Thursday" is past; "next Thursday",
    said on a Wednesday, is not tomorrow."""
    before = tokens[position - 1] if position else ""
    after = tokens[position + length] if position + length < len(tokens) else ""
    days = (value - received.weekday()) % 7
    if before in EVERY:
        return ()
    if before in LAST or after in LAST:
        return (days - 7,)
    if (before in NEXT or after in NEXT) and days <= 1:
        return (days + 7,)
    return (days,)


def _matches(tokens: Sequence[str]) -> Iterator[_Match]:
    """(kind, value, position, words) of every known word or phrase, none inside another."""
    skip = 0
    # Hardly any word is known, so the quick look at all of them comes first.
    known = [(position, _INDEX[token]) for position, token in enumerate(tokens) if token in _INDEX]
    known += [(position, _korean(token)) for position, token in enumerate(tokens) if token >= _FIRST_HANGUL]
    for position, entries in sorted(known, key=itemgetter(0)):
        if position < skip:
            continue
        for phrase, kind, value in entries:
            if len(phrase) == 1 or tuple(tokens[position : position + len(phrase)]) == phrase:
                skip = position + len(phrase)
                yield kind, value, position, len(phrase)
                break


def _korean(token: str) -> list[tuple[tuple[str, ...], str, int]]:
    """What a Korean word with its particles begins with; a word that is known as it stands is not asked for again."""
    if token in _INDEX or not _HANGUL.match(token):
        return []
    found = _INDEX.get(token[:3]) or _INDEX.get(token[:2]) or []
    return [(entry[0], entry[1], entry[2]) for entry in found if len(entry[0]) == 1]


def _number(tokens: Sequence[str], position: int) -> int:
    """The day of a month at `position`: "16" or "16th", 0 where there is none."""
    if not 0 <= position < len(tokens):
        return 0
    digits = tokens[position].rstrip("stndrh")
    return int(digits) if digits.isdecimal() and len(digits) <= 2 and 1 <= int(digits) <= 31 else 0


def _at_digits(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """What `pattern.finditer(text)` finds, for a pattern that begins with a digit: tried only where there is one."""
    place = 0
    for digits in _DIGITS.finditer(text):
        place = max(place, digits.start())
        while place < digits.end():
            match = pattern.match(text, place)
            if match is not None:
                yield match
            place = match.end() if match is not None else place + 1


def _numeric_dates(text: str, received: date) -> Iterator[Mention]:
    """ "2/12" as families in the US write it, and "2月12日"."""
    for match in _at_digits(_NUMERIC, text):
        for days in _distance(received, int(match[1] or match[3]), int(match[2] or match[4])):
            yield Mention(*match.span(), days)


def _days_of_month(tokens: Sequence[str], received: date, dated: Set[int]) -> Iterator[tuple[int, int]]:
    """(position, distance) of "the 16th", in this month or the next, where no month stands beside it (`dated`)."""
    for position in [position for position, token in enumerate(tokens) if token[0].isdecimal()]:
        if position in dated:
            continue
        token = tokens[position]
        bare = position > 0 and tokens[position - 1] in _BEFORE_DAY
        followed = tokens[position + 1] if position + 1 < len(tokens) else ""
        if not _ORDINAL.fullmatch(token) and (not bare or followed in _AFTER_NUMBER):
            continue
        day = _number(tokens, position)
        months = (received.month, received.month % 12 + 1)
        distances = [distance for month in months for distance in _distance(received, month, day)]
        if distances:
            yield position, min(distances, key=abs)


def _distance(received: date, month: int, day: int) -> tuple[int, ...]:
    found = []
    for year in (received.year - 1, received.year, received.year + 1):
        try:
            found.append((date(year, month, day) - received).days)
        except ValueError:
            continue
    nearest = min(found, key=abs, default=FARTHEST + 1)
    return (nearest,) if abs(nearest) <= FARTHEST else ()


def _clocks(text: str) -> Iterator[Clock]:
    for match in _at_digits(_CLOCK, text):
        hour, minute, half, plain_hour, plain_minute, cjk_hour, cjk_minute = match.groups()
        value = int(hour or plain_hour or cjk_hour) + int(minute or plain_minute or cjk_minute or 0) / 60
        if half:
            value = value % 12 + (12 if half[0] == "p" else 0)
        elif value < 7:
            value += 12  # who writes "at 2:30" to a school means the afternoon
        if value < 24:
            yield Clock(*match.span(), value)

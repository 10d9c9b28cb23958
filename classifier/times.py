"""The times a message names, held against the time it came: "Thursday" is urgent on Thursday, not on Monday.

A first version that reads single words and short phrases in the ten languages; what it finds are features for the
model, never a verdict. The school day is taken to be Monday to Friday, `OPENS` to `CLOSES`.
"""

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from operator import itemgetter

from classifier.time_words import DAYS_AHEAD, MONTHS, MORNING_BEFORE, WEEKDAYS

OPENS, CLOSES = time(8, 0), time(15, 30)
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


@dataclass(frozen=True, slots=True)
class Named:
    """What a message names: days as distances in days from the received day, clock times as hours of the day."""

    days: frozenset[int]
    clocks: frozenset[float]


def named(tokens: Sequence[str], text: str, received: date | None) -> Named:
    """The days and clock times in `text` (lower case; `tokens` are its words). Weekdays and dates need `received`."""
    days: set[int] = set()
    dated: set[int] = set()
    for kind, value, position in _matches(tokens):
        if kind == "ahead":
            if value == 1 and position and tokens[position - 1] in MORNING_BEFORE and tokens[position][:2] == "ma":
                continue
            days.add(value)
        elif received is not None and kind == "weekday":
            days.add((value - received.weekday()) % 7)
        elif received is not None:
            beside = next((p for p in (position + 1, position - 1, position - 2) if _number(tokens, p)), -1)
            dated.add(beside)
            days.update(_distance(received, value, _number(tokens, beside)))
    if _DIGITS.search(text) is None:
        return Named(frozenset(days), frozenset())
    if received is not None:
        days.update(_numeric_dates(text, received))
        days.update(_days_of_month(tokens, received, dated))
    return Named(frozenset(days), frozenset(_clocks(text)))


def _matches(tokens: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """(kind, value, position) of every known word or phrase, none inside another."""
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
                yield kind, value, position
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


def _numeric_dates(text: str, received: date) -> Iterator[int]:
    """ "2/12" as families in the US write it, and "2月12日"."""
    for match in _at_digits(_NUMERIC, text):
        yield from _distance(received, int(match[1] or match[3]), int(match[2] or match[4]))


def _days_of_month(tokens: Sequence[str], received: date, dated: Set[int]) -> Iterator[int]:
    """ "The 16th", in this month or the next, where no month stands beside it (`dated`)."""
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
        yield from sorted(distances, key=abs)[:1]


def _distance(received: date, month: int, day: int) -> tuple[int, ...]:
    found = []
    for year in (received.year - 1, received.year, received.year + 1):
        try:
            found.append((date(year, month, day) - received).days)
        except ValueError:
            continue
    nearest = min(found, key=abs, default=FARTHEST + 1)
    return (nearest,) if abs(nearest) <= FARTHEST else ()


def _clocks(text: str) -> Iterator[float]:
    for match in _at_digits(_CLOCK, text):
        hour, minute, half, plain_hour, plain_minute, cjk_hour, cjk_minute = match.groups()
        value = int(hour or plain_hour or cjk_hour) + int(minute or plain_minute or cjk_minute or 0) / 60
        if half:
            value = value % 12 + (12 if half[0] == "p" else 0)
        elif value < 7:
            value += 12  # who writes "at 2:30" to a school means the afternoon
        if value < 24:
            yield value


def _is_school_day(day: date) -> bool:
    return day.weekday() < 5


def arrival(received: datetime) -> str:
    """When it came, seen from the school day: before, early, midday, late, after, night or off (no school day)."""
    if not _is_school_day(received.date()):
        return "off"
    hour = received.hour + received.minute / 60
    for name, until in (("night", 5), ("before", 8), ("early", 11), ("midday", 13.5), ("late", 15.5), ("after", 21)):
        if hour < until:
            return name
    return "night"


def acting_day(received: datetime) -> int:
    """Days from the received day to the school day on which an urgent matter would have to be acted on: the same day
    until school closes, the next school day after that (docs/labelling.md, "urgent")."""
    day = received.date()
    if _is_school_day(day) and received.time() < CLOSES:
        return 0
    ahead = 1
    while not _is_school_day(day + timedelta(days=ahead)):
        ahead += 1
    return ahead


def time_cues(words: Sequence[str], text: str, received: datetime | None) -> list[str]:
    """Features, each a word: which days and clock times `text` names, against when it came. `words` and `text` are in
    lower case. `EXPLAINED` says in English what the plain ones mean."""
    found = named(words, text, received.date() if received else None)
    if received is None:
        return [f"names={days}" for days in sorted(found.days) if -1 <= days <= 1]
    came, due = arrival(received), acting_day(received)
    near = {day for day in found.days if 0 <= day <= due}
    cues = []
    if near:
        cues.append("due=counts")
    if 0 in near:
        cues.append("due=today")
    if any(day > due for day in found.days):
        cues.append("due=both" if near else "due=later")
    if any(day < 0 for day in found.days):
        cues.append("due=past")
    if not found.days:
        cues.append("due=none")
    if found.clocks:
        cues.append("clock")
        hour = received.hour + received.minute / 60
        if near:
            cues.append("clock+counts")
        if due == 0 and any(hour <= clock <= hour + 7 for clock in found.clocks):
            cues.append("clock=ahead")
    return [*cues, f"came={came}", *(f"{cue}|{came}" for cue in cues)]


EXPLAINED = {
    "due=today": "names the day it came",
    "due=counts": "names a day before the next school day is under way",
    "clock=ahead": "names a time later the same school day",
}
"""What the cues that speak for haste mean, in the staff's words, the plainest first."""

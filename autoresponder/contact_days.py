"""The day that a teacher's line names: "yesterday", "on Monday", "2026-03-04". Pure."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from autoresponder import contact_phrases as say

_ISO_DAY = re.compile(r"\b(?:on\s)?(\d{4}-\d{2}-\d{2})\b")


def dated(line: str, today: date) -> tuple[str, date | None]:
    """A line without the day that it names, and that day: `today` where it names none, None where it is no day."""
    if (iso := _ISO_DAY.search(line)) is not None:
        try:
            on = date.fromisoformat(iso[1])
        except ValueError:
            return line, None
        return _cut(line, iso[0]), on if on <= today else None
    for phrases, days in ((say.YESTERDAY, 1), (say.TODAY, 0)):
        for phrase in phrases:
            if (cut := _cut(line, phrase)) != line:
                return cut, today - timedelta(days=days)
    for weekday, names in enumerate(say.WEEKDAYS):
        for phrase in _with_day(names):
            if (cut := _cut(line, phrase)) != line:
                return cut, today - timedelta(days=(today.weekday() - weekday) % 7)
    return line, today


def _with_day(names: Sequence[str]) -> Iterator[str]:
    """How a line names a weekday: never bare, since people are called Domingo."""
    for name in names:
        yield from (f"{before} {name}" for before in sorted(say.BEFORE_A_DAY, key=len, reverse=True))


def _cut(line: str, phrase: str) -> str:
    """The line without the first such words of their own."""
    found = re.search(rf"(?<![\w'])(?:(?:on|from)\s)?{re.escape(phrase)}(?![\w'])", line)
    return line if found is None else " ".join(f"{line[: found.start()]} {line[found.end() :]}".split())

"""Days without school from an iCalendar file (RFC 5545), which may come from anywhere and hold anything."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from dateutil.rrule import rrulestr
from icalendar import Event, vRecur

from config.faults import ConfigError, file_fault
from config.textfile import read_text

LARGEST_FILE = 2_000_000
"""Bytes. A district's calendar of ten years is a tenth of this."""
MOST_EVENTS = 5_000
MOST_RULES = 200
MOST_REPEATS = 3_000
DEEPEST_NESTING = 8
LAST_YEAR = 2099
"""Rules without an end are followed up to here."""
_ALWAYS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"})
RULE_PARTS = {
    "YEARLY": _ALWAYS | {"BYDAY", "BYMONTH", "BYMONTHDAY"},
    "MONTHLY": _ALWAYS | {"BYDAY", "BYMONTHDAY"},
    "WEEKLY": _ALWAYS | {"BYDAY"},
    "DAILY": _ALWAYS,
}
"""What a holiday's rule may say (RFC 5545 §3.3.10). Every rule of these kinds meets a day soon; among the others are
some that never do, and looking for their first day takes minutes."""
SIMPLE = "write its dates out, or use a rule such as FREQ=YEARLY;BYMONTH=11;BYDAY=4TH"
DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class HolidayFile:
    """What a holiday file says: stretches without school (first and last day), and warnings in whole sentences."""

    stretches: tuple[tuple[date, date], ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Block:
    """The content lines of one event, and where it begins."""

    path: Path
    line: int
    text: str

    def fault(self, name: str, expected: str, advice: str = "") -> ConfigError:
        """The error for the property `name`, at its line; at the event's first line where it has no such property."""
        for ahead, content in enumerate(self.text.split("\r\n")):
            if name and content.upper().startswith((f"{name}:", f"{name};")):
                return file_fault(self.path, expected, line=self.line + ahead, advice=advice)
        return file_fault(self.path, expected, line=self.line, advice=advice)


def read_holidays(path: Path) -> HolidayFile:
    """Reads every all-day event as days without school; its DTEND is the first day with school again (RFC 5545
    §3.6.1). Events with a time of day, and cancelled ones, are left out. Raises `ConfigError` with file and line."""
    blocks = list(_events(path, read_text(path, "iCalendar file", largest=LARGEST_FILE)))
    if len(blocks) > MOST_EVENTS:
        raise file_fault(path, f"at most {MOST_EVENTS} events", advice="leave only the school's own holidays in it")
    events = [(block, _parsed(block)) for block in blocks]
    if sum("RRULE" in event for _, event in events) > MOST_RULES:
        raise file_fault(path, f"at most {MOST_RULES} repeating events", advice="write their dates out")
    replaced = {
        (str(event.get("UID")), day) for block, event in events for day in _dates(block, event, "RECURRENCE-ID")
    }
    stretches: list[tuple[date, date]] = []
    timed = 0
    for block, event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        if isinstance(getattr(event["DTSTART"], "dt", None), datetime):
            timed += 1
            continue
        moved = {day for uid, day in replaced if uid == str(event.get("UID"))} - _dates(block, event, "DTSTART")
        stretches += _stretches(block, event, moved if "RECURRENCE-ID" not in event else set())
    warnings: tuple[str, ...] = ()
    if not stretches:
        without = f" ({timed} events have a time of day and do not count)" if timed else ""
        warnings = (f"{path} names no day without school{without}; only all-day events do.",)
    return HolidayFile(tuple(sorted(stretches)), warnings)


def _events(path: Path, text: str) -> Iterator[_Block]:
    """Cuts the text into its events. The cutting is done here because parsers drop what is not closed in silence."""
    open_parts: list[tuple[str, int]] = []
    start = 0
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, content in enumerate(lines, start=1):
        name, _, part = content.strip().upper().partition(":")
        if not open_parts and name and (name, part) != ("BEGIN", "VCALENDAR"):
            raise file_fault(path, "BEGIN:VCALENDAR", line=number, advice="this is not an iCalendar file")
        if name == "BEGIN":
            open_parts.append((part, number))
            start = number if part == "VEVENT" else start
        elif name == "END":
            begun, at = open_parts.pop()
            if begun != part:
                raise file_fault(path, f"END:{begun} for the part that begins in line {at}", line=number)
            if part == "VEVENT":
                yield _Block(path, start, "\r\n".join(lines[start - 1 : number]) + "\r\n")
        if len(open_parts) > DEEPEST_NESTING:
            raise file_fault(path, "parts that are nested less deeply", line=number)
    if open_parts:
        begun, at = open_parts[-1]
        raise file_fault(path, f"END:{begun} before the end of the file", line=at)
    if not text.strip():
        raise file_fault(path, "BEGIN:VCALENDAR", line=1, advice="the file is empty")


def _parsed(block: _Block) -> Event:
    """The event; whatever it says at most once, it says at most once, and DTSTART is there and a date or a time."""
    try:
        event = Event.from_ical(block.text)
    except (ValueError, OverflowError) as error:
        raise block.fault("", "an event as RFC 5545 writes it", _short(error)) from error
    if not isinstance(event, Event):
        raise block.fault("", "an event as RFC 5545 writes it")
    if event.errors:
        name, problem = event.errors[0]
        raise block.fault(name or "", "an event as RFC 5545 writes it", _short(problem))
    for name in ("DTSTART", "DTEND", "DURATION", "RRULE", "RECURRENCE-ID", "UID", "STATUS"):
        if isinstance(event.get(name), list):
            raise block.fault(name, f"at most one {name} in an event")
    if not _dates(block, event, "DTSTART"):
        raise block.fault("", "DTSTART in the event")
    return event


def _stretches(block: _Block, event: Event, moved: set[date]) -> Iterator[tuple[date, date]]:
    (first,) = _dates(block, event, "DTSTART")
    starts = _repeats(block, event, first) if "RRULE" in event else {first}
    starts |= _dates(block, event, "RDATE")
    days = _length(block, event, first)
    for start in starts - _dates(block, event, "EXDATE") - moved:
        yield start, start + timedelta(days=min(days - 1, (date.max - start).days))


def _length(block: _Block, event: Event, first: date) -> int:
    """Length in days, at least one. An end on the first day itself is a common slip and means that one day."""
    for end in _dates(block, event, "DTEND"):
        if end < first:
            raise block.fault("DTEND", "DTEND after DTSTART")
        return max((end - first).days, 1)
    if "DURATION" in event:
        duration = getattr(event["DURATION"], "dt", None)
        if not isinstance(duration, timedelta) or duration.days < 1:
            raise block.fault("DURATION", "a DURATION in days")
        return duration.days
    return 1


def _repeats(block: _Block, event: Event, first: date) -> set[date]:
    written = event["RRULE"]
    rule: dict[str, list[Any]] = dict(written) if isinstance(written, vRecur) else {}
    if not _is_simple(rule):
        raise block.fault("RRULE", "a simple repeating rule", SIMPLE)
    last = min([date(LAST_YEAR, 12, 31), *(_day(until) or date.min for until in rule.pop("UNTIL", []))])
    days: set[date] = set()
    try:
        text = ";".join(f"{name}={','.join(map(str, values))}" for name, values in rule.items())
        for repeat in rrulestr(text, dtstart=datetime.combine(first, time.min)):
            if repeat.date() > last:
                break
            if len(days) == MOST_REPEATS:
                raise block.fault("RRULE", f"at most {MOST_REPEATS} repetitions", "add UNTIL or COUNT")
            days.add(repeat.date())
    except (ValueError, TypeError, OverflowError) as error:
        raise block.fault("RRULE", "a simple repeating rule", SIMPLE) from error
    return days


def _is_simple(rule: dict[str, list[Any]]) -> bool:
    frequency = str(rule.get("FREQ", [""])[0]).upper()
    if not set(rule) <= RULE_PARTS.get(frequency, frozenset()) or {"BYDAY", "BYMONTHDAY"} <= set(rule):
        return False
    months = [int(month) for month in rule.get("BYMONTH", [])]
    longest = max((DAYS_IN_MONTH[month - 1] for month in months if 1 <= month <= 12), default=31)
    weeks = [int(re.sub(r"[^0-9]", "", str(day)) or 1) for day in rule.get("BYDAY", [])]
    most = 53 if frequency == "YEARLY" and not months else 5
    return (
        all(1 <= month <= 12 for month in months)
        and all(1 <= abs(int(day)) <= longest for day in rule.get("BYMONTHDAY", []))
        and all(1 <= week <= most for week in weeks)
        and all(1 <= int(step) <= 1000 for step in rule.get("INTERVAL", []))
    )


def _dates(block: _Block, event: Event, name: str) -> set[date]:
    """Every date that a property names; of a time, its date."""
    value: Any = event.get(name, [])
    days: set[date] = set()
    for listed in value if isinstance(value, list) else [value]:
        for item in getattr(listed, "dts", [listed]):
            day = _day(getattr(item, "dt", None))
            if day is None:
                raise block.fault(name, "a date")
            days.add(day)
    return days


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else None


def _short(problem: object) -> str:
    return " ".join(str(problem).split())[:120]

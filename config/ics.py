"""Days without school from an iCalendar file (RFC 5545), which may come from anywhere and hold anything."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from dateutil.rrule import rrulestr
from icalendar import Event, vRecur

from config.faults import file_fault
from config.textfile import read_text

LARGEST_FILE = 2_000_000
"""Bytes. A district's calendar of ten years is a tenth of this."""
MOST_EVENTS = 5_000
MOST_RULES = 200
MOST_REPEATS = 3_000
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

    line: int
    text: str


def read_holidays(path: Path) -> HolidayFile:
    """Reads every all-day event as days without school; its DTEND is the first day with school again (RFC 5545
    §3.6.1). Events with a time of day, and cancelled ones, are left out. Raises `ConfigError` with file and line."""
    blocks = list(_events(path, read_text(path, "iCalendar file", largest=LARGEST_FILE)))
    if len(blocks) > MOST_EVENTS:
        raise file_fault(path, f"at most {MOST_EVENTS} events", advice="leave only the school's own holidays in it")
    events = [(block, _parsed(path, block)) for block in blocks]
    if sum("RRULE" in event for _, event in events) > MOST_RULES:
        raise file_fault(path, f"at most {MOST_RULES} repeating events", advice="write their dates out")
    replaced = {
        (str(event.get("UID")), _day(_value(event, "RECURRENCE-ID").dt)) for _, event in events if _is_override(event)
    }
    stretches: list[tuple[date, date]] = []
    timed = 0
    for block, event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        if _is_timed(event):
            timed += 1
            continue
        stretches += _stretches(path, block, event, replaced)
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
                yield _Block(start, "\r\n".join(lines[start - 1 : number]) + "\r\n")
        if len(open_parts) > 8:
            raise file_fault(path, "parts that are nested less deeply", line=number)
    if open_parts:
        begun, at = open_parts[-1]
        raise file_fault(path, f"END:{begun} before the end of the file", line=at)
    if not text.strip():
        raise file_fault(path, "BEGIN:VCALENDAR", line=1, advice="the file is empty")


def _parsed(path: Path, block: _Block) -> Event:
    try:
        event = Event.from_ical(block.text)
    except (ValueError, RecursionError) as error:
        raise file_fault(path, "an event as RFC 5545 writes it", line=block.line, advice=_short(error)) from error
    if not isinstance(event, Event):
        raise file_fault(path, "an event as RFC 5545 writes it", line=block.line)
    if event.errors:
        name, problem = event.errors[0]
        raise file_fault(path, "an event as RFC 5545 writes it", line=_line_of(block, name), advice=_short(problem))
    if "DTSTART" not in event:
        raise file_fault(path, "DTSTART in the event", line=block.line)
    for name in ("DTSTART", "DTEND", "DURATION", "RRULE", "RECURRENCE-ID"):
        if isinstance(event.get(name), list):
            raise file_fault(path, f"at most one {name} in an event", line=_line_of(block, name))
    return event


def _stretches(path: Path, block: _Block, event: Event, replaced: set[tuple[str, date]]) -> Iterator[tuple[date, date]]:
    first: date = _value(event, "DTSTART").dt
    days = _length(path, block, event, first)
    skipped = {_day(day.dt) for listed in _listed(event, "EXDATE") for day in listed.dts}
    starts = {_day(day.dt) for listed in _listed(event, "RDATE") for day in listed.dts}
    starts |= set(_repeats(path, block, event, first)) if "RRULE" in event else {first}
    if not _is_override(event):
        skipped |= {day for uid, day in replaced if uid == str(event.get("UID"))}
    for start in starts - skipped:
        yield start, start + timedelta(days=min(days - 1, (date.max - start).days))


def _length(path: Path, block: _Block, event: Event, first: date) -> int:
    """Length in days, at least one. An end on the first day itself is a common slip and means that one day."""
    if "DTEND" in event:
        days = (_day(_value(event, "DTEND").dt) - first).days
        if days < 0:
            raise file_fault(path, "DTEND after DTSTART", line=_line_of(block, "DTEND"))
        return max(days, 1)
    if "DURATION" in event:
        duration = _value(event, "DURATION").dt
        if not isinstance(duration, timedelta) or duration.days < 1:
            raise file_fault(path, "a DURATION in days", line=_line_of(block, "DURATION"))
        return duration.days
    return 1


def _repeats(path: Path, block: _Block, event: Event, first: date) -> Iterator[date]:
    rule = _value(event, "RRULE").copy()
    line = _line_of(block, "RRULE")
    if not _is_simple(rule):
        raise file_fault(path, "a simple repeating rule", line=line, advice=SIMPLE)
    untils = rule.pop("UNTIL", [])
    last = min([date(LAST_YEAR, 12, 31), *(_day(until) for until in untils)])
    try:
        repeats = rrulestr(rule.to_ical().decode(), dtstart=datetime.combine(first, time.min))
        for place, repeat in enumerate(islice(repeats, MOST_REPEATS + 1)):
            if repeat.date() > last:
                return
            if place == MOST_REPEATS:
                raise file_fault(path, f"at most {MOST_REPEATS} repetitions", line=line, advice="add UNTIL or COUNT")
            yield repeat.date()
    except (ValueError, TypeError, OverflowError) as error:
        raise file_fault(path, "a simple repeating rule", line=line, advice=SIMPLE) from error


def _is_simple(rule: vRecur) -> bool:
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
    )


def _value(event: Event, name: str) -> Any:
    """A property's value. icalendar types it as any of thirty; `_parsed` has seen that it is the right one."""
    return event[name]


def _listed(event: Event, name: str) -> list[Any]:
    value = event.get(name, [])
    return [*value] if isinstance(value, list) else [value]


def _is_timed(event: Event) -> bool:
    return isinstance(_value(event, "DTSTART").dt, datetime)


def _is_override(event: Event) -> bool:
    return "RECURRENCE-ID" in event


def _day(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    raise TypeError("a period stands where a date is expected")


def _line_of(block: _Block, name: str | None) -> int:
    for ahead, content in enumerate(block.text.split("\r\n")):
        if name and content.upper().startswith((f"{name}:", f"{name};")):
            return block.line + ahead
    return block.line


def _short(problem: object) -> str:
    return " ".join(str(problem).split())[:120]

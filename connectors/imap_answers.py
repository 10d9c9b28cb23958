"""FETCH answers and sets of numbers: the texts of IMAP that come by the thousand, read and written without a detour."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

_SET_LENGTH = 7000
"""Bytes of a set of numbers in one command (RFC 2683 §3.2.1.5 asks for lines under 8,000)."""
_MONTHS = {name: n for n, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}  # noqa: SIM905
_START = re.compile(rb"(\d{1,10}) \(")
_UID = re.compile(rb"\bUID (\d{1,10})\b", re.IGNORECASE)
_FLAGS = re.compile(rb"\bFLAGS \(([^)]*)\)", re.IGNORECASE)
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,18})\b", re.IGNORECASE)
_INTERNALDATE = re.compile(
    rb'\bINTERNALDATE " ?(\d{1,2})-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"', re.IGNORECASE
)
_BODY = re.compile(rb'\bBODY\[[^\]]*\](?:<\d+>)? (?:"((?:[^"\\]|\\.)*)"|(NIL)\b)', re.IGNORECASE)
_COPIED = re.compile(r"\[(?:APPENDUID (\d{1,10}) (\d{1,10})|COPYUID (\d{1,10}) \d+ (\d{1,10}))\]", re.IGNORECASE)
_UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listed:
    """What is known of a message without reading it. `received_at` is in UTC, 1970 where the server gives no time that
    can be read (old mail is never answered, so that is the safe side); `size` is 0 where it gives none."""

    number: int
    uid: int
    flags: frozenset[str]
    received_at: datetime = _UNKNOWN_TIME
    size: int = 0


def uid_sets(uids: Sequence[int]) -> Iterator[str]:
    """Ascending numbers as IMAP sets (RFC 3501 §9, sequence-set), each short enough for one command."""
    parts: list[str] = []
    length = 0
    for low, high in _ranges(uids):
        part = str(low) if low == high else f"{low}:{high}"
        if parts and length + len(part) > _SET_LENGTH:
            yield ",".join(parts)
            parts, length = [], 0
        parts.append(part)
        length += len(part) + 1
    if parts:
        yield ",".join(parts)


def _ranges(uids: Sequence[int]) -> Iterator[tuple[int, int]]:
    low = high = 0
    for uid in uids:
        if low and uid == high + 1:
            high = uid
            continue
        if low:
            yield low, high
        low = high = uid
    if low:
        yield low, high


def listed_in(line: bytes) -> Listed | None:
    """What one message's answer tells, None where it names no UID."""
    start, uid = _START.match(line), _UID.search(line)
    if start is None or uid is None:
        return None
    flags, size = _FLAGS.search(line), _SIZE.search(line)
    return Listed(
        int(start[1]),
        int(uid[1]),
        frozenset(flags[1].decode("ascii", "replace").lower().split()) if flags else frozenset(),
        _received(line),
        int(size[1]) if size else 0,
    )


def _received(line: bytes) -> datetime:
    found = _INTERNALDATE.search(line)
    if found is None:
        return _UNKNOWN_TIME
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
    try:
        offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
        zone = timezone(-offset if sign == b"-" else offset)
        number = _MONTHS[month.decode("ascii").lower()]
        local = datetime(int(year), number, int(day), int(hour), int(minute), min(int(second), 59), tzinfo=zone)
        return local.astimezone(UTC)
    except (ValueError, KeyError, OverflowError):
        return _UNKNOWN_TIME


def messages_in(pieces: Iterable[bytes | tuple[bytes, ...]]) -> Iterator[tuple[bytes, bytes | None]]:
    """FETCH answers as imaplib splits them (a line up to its literal with that literal, then the rest of the line),
    message by message: the lines, and the content where there is one."""
    text, content = b"", None
    for piece in (*pieces, b"0 ("):
        line, literal = (piece[0], piece[1]) if isinstance(piece, tuple) else (piece, None)
        if _START.match(line):
            if text:
                yield text, content
            text, content = b"", None
        text += line
        if literal is not None:
            content = literal
        elif content is None and (short := _BODY.search(line)):
            content = re.sub(rb"\\(.)", rb"\1", short[1] or b"")


def contents_in(pieces: Iterable[bytes | tuple[bytes, ...]]) -> dict[int, bytes]:
    """The contents in FETCH answers by UID."""
    found = ((_UID.search(text), content) for text, content in messages_in(pieces))
    return {int(uid[1]): content for uid, content in found if uid is not None and content is not None}


def copied_to(told: bytes | None) -> tuple[int, int] | None:
    """UIDVALIDITY and UID of the new message in the answer to APPEND or COPY, where the server tells (RFC 4315 §3)."""
    found = _COPIED.search((told or b"").decode("ascii", "replace"))
    if found is None:
        return None
    return int(found[1] or found[3]), int(found[2] or found[4])

"""How much structure of a mail is read: what a parser needs grows with parts and header lines, not with bytes.

Five bytes open a part and three a header field, and each costs the parser a hundred times that in memory; multiparts in
each other cost it its stack, which no exception reports. So a mail is cut where it holds more than any mail does.
"""

import re
from collections.abc import Iterator

MAX_DELIMITERS = 20_000
"""Lines that begin like a boundary (RFC 2046 §5.1.1). 2,000 parts are looked at, and some texts draw lines."""
MAX_TYPES = 2_500
"""Content-Type fields: one for each part that is looked at, and as deep as multiparts can lie in each other."""
MAX_FIELD_LINES = 100_000
"""Lines that begin like a header field (RFC 5322 §2.2), wherever they stand."""

_SCANNED = 1024 * 1024
_TYPE = re.compile(rb"content-type", re.IGNORECASE)
_DELIMITER = re.compile(rb"\n--")
_FIELD_LINE = re.compile(rb"\n[!-9;-~]{1,200}:")


def within_bounds(mail: bytes) -> tuple[bytes, str]:
    """The beginning of `mail` that is read, and what to note as its defect: nothing where that is all of it."""
    ends = [
        (_nth(mail, _DELIMITER, MAX_DELIMITERS) if mail.count(b"\n--") > MAX_DELIMITERS else None, "boundary lines"),
        (_nth(mail, _TYPE, MAX_TYPES) if _types(mail) > MAX_TYPES else None, "typed parts"),
        (_nth(mail, _FIELD_LINE, MAX_FIELD_LINES) if mail.count(b":") > MAX_FIELD_LINES else None, "header lines"),
    ]
    found = [(end, what) for end, what in ends if end is not None]
    if not found:
        return mail, ""
    end, what = min(found)
    return mail[:end], f"cut off: more {what} than any mail has"


def _types(mail: bytes) -> int:
    return sum(piece.lower().count(b"content-type") for piece in _pieces(mail))


def _pieces(mail: bytes) -> Iterator[bytes]:
    """`mail` in pieces that overlap by less than the words looked for, so that each is counted once."""
    for start in range(0, max(1, len(mail)), _SCANNED):
        yield mail[start : start + _SCANNED + len(b"content-type") - 1]


def _nth(mail: bytes, pattern: re.Pattern[bytes], number: int) -> int | None:
    """Where the match after the first `number` begins; None where there are not so many."""
    for counted, match in enumerate(pattern.finditer(mail)):
        if counted == number:
            return match.start()
    return None

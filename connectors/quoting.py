"""Telling what the sender wrote this time from quoted history and signatures.

One pass over the lines, no backtracking: the time is linear in the text, whatever it holds. The rule in doubt is to
keep: a line of history too many costs little, a line of the family's own that is lost may be the one that mattered. So
a cut needs the mark of a mail program, not just a word: a quote sign, a header block, a dated attribution.
"""

import re
from collections.abc import Iterator, Sequence

from connectors.quoting_words import (
    ATTRIBUTION_OPENERS,
    CLOSING_VERB,
    DISCLAIMER,
    FORWARD,
    FROM_WORDS,
    MOBILE_SIGNATURE,
    NAMED_DEVICE,
    ORIGINAL,
    OTHER_HEADER_WORDS,
    PRONOUN_BEFORE_VERB,
    SENT_WORDS,
    TO_SUBJECT_WORDS,
)

_LINE_LOOKED_AT = 400
"""No mail program writes a longer marker line; of longer lines nothing is matched."""
_SIGNATURE_LINES = 12
_SIGNATURE_CHARS = 700
_FORWARD_OWN_LETTERS = 40
"""Up to this many characters, what stands above a forwarded message is a cover note ("FYI, please read") and the
forwarded message is what the family sent."""

_QUOTE = re.compile(r"\s{0,3}>(?:[\s>]|$|[^\s:;_.=(){}\-<0-9])|\s{0,3}>\d{1,2}[/.\s-]")
_FACE = re.compile(r"\s{0,3}>From ")
_RULE = re.compile(r"\s{0,8}[-_=*─—]{3,}\s*$")
_ADDRESS = re.compile(r"<[^<>\s]{1,200}@[^<>\s]{1,200}>|[\[(](?:mailto:)?[^\s\[\]()]{1,100}@[^\s\[\]()]{1,100}[\])]")
_CLOCK = re.compile(r"\d{1,2}\s?[:.h時点點시]\s?\d{2}|[\u0660-\u0669]{1,2}:[\u0660-\u0669]{2}")
_YEAR = re.compile(r"(?:19|20)\d{2}|[\u0660-\u0669]{4}")
_MARKS = frozenset("-_*=—─>")
_DIGIT = re.compile(r"\d")
_QUOTATION_MARK = re.compile(r"\s*[\"'“”„«»‘’「『]")
_WORD = re.compile(r"\w")
_POSTSCRIPT = re.compile(
    r"\s*(?:p\.?\s?s\b|p\.?\s?d\b|pd\s?[:.]|附[:：]|又及|ملاحظة|추신|з\.?\s?ы|t\.?\s?b\.?\s?[:.])", re.IGNORECASE
)
_AROUND_SIGNATURE = " \t*_>-—[]()\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
_DASH_SIGNATURE = re.compile(r"(?:--|—|– –) ?\Z")


_ASKED = re.compile(r"\s{0,3}>+\s*[\"“”«‘'(¿¡]*[^\W\d_].{7,}[.?!…。？！؟][\"”»’')\s]*\Z")
"""A quoted line that is a sentence from its first letter to its full stop."""


def newest_text(text: str) -> str:
    """The newest text in `text`: without quoted history, forwarded mail under an own text, and signature.

    Never empty where `text` holds anything but white space: of a forward without own words the forwarded text is the
    newest there is. Answers written between quoted lines are kept. Time is linear in the length of `text`.
    """
    lines = text.split("\n")
    own, rest, forwarded = _own_lines(lines)
    newest = _without_signature(own)
    if rest is not None and (not _WORD.search(newest) or (forwarded and _is_cover_note(newest))):
        newest = f"{newest}\n\n{newest_text_of_forward(rest)}".strip()
    if _WORD.search(newest):
        return newest
    return _without_signature(lines) or text.strip()


def newest_text_of_forward(lines: Sequence[str]) -> str:
    """What a forwarded message says: its text without its header block, and without history of its own."""
    start = 0
    while start < len(lines) and (not lines[start].strip() or _header_word(lines[start]) or _marker(lines[start])):
        start += 1
    body = [_unquoted(line) for line in lines[start:]] if _mostly_quoted(lines[start:]) else list(lines[start:])
    own, _, _ = _own_lines(body)
    return _without_signature(own) or "\n".join(body).strip()


def _own_lines(lines: Sequence[str]) -> tuple[list[str], Sequence[str] | None, bool]:
    """The sender's own lines; what follows a boundary, with the boundary (None where there is none); and whether that
    is a forwarded message rather than the message answered."""
    own: list[str] = []
    quoted = [index for index, line in enumerate(lines) if _is_quote(line)]
    quotes = frozenset(quoted) if _is_history(quoted, lines) else frozenset()
    index = 0
    while index < len(lines):
        line = lines[index]
        if index in quotes:
            index = _past_quote(index, lines, quotes)
            continue
        if not _may_mark(line):
            own.append(line)
            index += 1
            continue
        kind = _boundary(index, lines, quotes)
        if kind:
            return own, lines[index:], kind == "forward"
        length = _attribution(index, lines, quotes)
        if length < 0:
            return own, lines[index - length :], False
        index += length
        if not length:
            own.append(line)
            index += 1
    return own, None, False


def _may_mark(line: str) -> bool:
    """Quickly: whether `line` can begin anything but own text. Marker lines hold a colon, begin with a rule, or open an
    attribution that goes on in the next line."""
    return ":" in line or "：" in line or line.lstrip()[:1] in _MARKS or _may_open(line.lstrip())


def _is_quote(line: str) -> bool:
    return ">" in line[:4] and _QUOTE.match(line[:8]) is not None and _FACE.match(line[:10]) is None


def _is_history(quoted: list[int], lines: Sequence[str]) -> bool:
    """Whether quote signs mean a quote. A single one amid own text can be anything ("> 102 since this morning"); a
    whole sentence that stands first, with the answer under it, is what was asked."""
    if len(quoted) != 1:
        return bool(quoted)
    only = quoted[0]
    before = lines[only - 1].strip() if only else ""
    if before and before[-1] in ":：-" and CLOSING_VERB.search(before[-_LINE_LOOKED_AT:]):
        return True
    answered = any(line.strip() for line in lines[only + 1 :])
    if not any(line.strip() for line in lines[:only]):
        return answered and _ASKED.match(lines[only]) is not None
    return not before and not answered


def _past_quote(index: int, lines: Sequence[str], quotes: frozenset[int]) -> int:
    """The first line after the quoted block that begins at `index`.

    A program that wraps what it quotes leaves the overhang of a long line without its sign; such a tail belongs to the
    quote where it stands tight between two quoted lines.
    """
    while index < len(lines) and index in quotes:
        index += 1
    tight = index + 1 < len(lines) and index + 1 in quotes and bool(lines[index].strip())
    if tight and len(lines[index - 1]) >= 66 and len(lines[index]) <= 40 and lines[index][:1].islower():
        return index + 1
    return index


def _boundary(index: int, lines: Sequence[str], quotes: frozenset[int]) -> str:
    """ "reply" or "forward" where everything from `index` on is another message, "" where it is not."""
    line = lines[index].strip()
    if not line or len(line) > _LINE_LOOKED_AT:
        return ""
    if line[0] in _MARKS or line[-1] in "-:：":
        if ORIGINAL.match(line):
            return "reply"
        if FORWARD.match(line):
            return "forward"
    if _header_word(line) in {"from", "sent"} and _header_block(index, lines):
        return "reply" if any(part.strip() for part in lines[:index]) else "forward"
    if _RULE.match(line):
        following = _next_full(index + 1, lines)
        if following is not None and following not in quotes and _header_word(lines[following]) in {"from", "sent"}:
            return "reply" if _header_block(following, lines, ruled=True) else ""
    return ""


def _marker(line: str) -> bool:
    stripped = line.strip()
    return len(stripped) <= _LINE_LOOKED_AT and bool(
        _RULE.match(stripped) or ORIGINAL.match(stripped) or FORWARD.match(stripped)
    )


def _header_word(line: str) -> str:
    """Which field of a header block in a text `line` is: "from", "sent", "to", "other", or "" for none."""
    head = line[:40].lstrip(" \t*_>|\u200e\u200f\u202a-\u202e")
    cut = min((at for at in (head.find(":"), head.find("：")) if at >= 0), default=-1)
    if cut <= 0:
        return ""
    word = head[:cut].strip(" *_\u200e\u200f\u202a\u202b\u202c\u00a0").lower()
    if word in FROM_WORDS:
        return "from"
    if word in SENT_WORDS:
        return "sent"
    if word in TO_SUBJECT_WORDS:
        return "to"
    return "other" if word in OTHER_HEADER_WORDS else ""


def _header_block(index: int, lines: Sequence[str], *, ruled: bool = False) -> bool:
    """Whether mail header lines begin at `index`: a sender, a date with a digit in it, and a recipient or subject.
    Under a rule the first two are enough."""
    seen: set[str] = set()
    gaps = 0
    for line in lines[index : index + 14]:
        word = _header_word(line)
        if not word:
            # An empty line between the fields, or the overhang of a long list of recipients.
            gaps += 1
            if gaps > (3 if seen else 0):
                break
            continue
        if word == "sent" and not _DIGIT.search(line[:_LINE_LOOKED_AT]) and not ruled:
            continue
        seen.add(word)
    return "from" in seen and "sent" in seen and (ruled or "to" in seen)


def _attribution(index: int, lines: Sequence[str], quotes: frozenset[int]) -> int:
    """How many lines an attribution ("On … wrote:") at `index` takes: 0 for none, negative where all that follows is
    history though it bears no quote signs."""
    for length, joined in _joined(index, lines, quotes):
        kind = _attribution_kind(joined)
        if kind:
            return _attribution_length(kind, length, _next_full(index + length, lines), lines, quotes)
    return 0


def _joined(index: int, lines: Sequence[str], quotes: frozenset[int]) -> Iterator[tuple[int, str]]:
    """The line at `index`, then joined with the next one and two: programs wrap long attributions."""
    joined = lines[index].strip()
    if not joined or len(joined) > _LINE_LOOKED_AT:
        return
    yield 1, joined
    if not _may_open(joined):
        return
    for length in (2, 3):
        last = index + length - 1
        further = lines[last].strip() if last < len(lines) and last not in quotes else ""
        if not further or len(joined) + len(further) > _LINE_LOOKED_AT:
            return
        joined = f"{joined} {further}"
        yield length, joined


def _attribution_length(
    kind: str, length: int, following: int | None, lines: Sequence[str], quotes: frozenset[int]
) -> int:
    if following is not None and following in quotes:
        return length
    if kind != "dated":
        return 0
    if following is None:
        return length
    # Somebody who quotes by hand ("On 9/15 at 10:20 Mr. Lee wrote:") puts quotation marks around the words.
    return 0 if _QUOTATION_MARK.match(lines[following]) else -length


def _may_open(line: str) -> bool:
    return bool(ATTRIBUTION_OPENERS.match(line) and _DIGIT.search(line))


def _attribution_kind(line: str) -> str:
    """ "dated" for an attribution as mail programs write it, "plain" for a line that only ends like one, else ""."""
    end = line.rstrip(" -—*_>")
    address = _ADDRESS.search(line)
    moment = _YEAR.search(line) or _CLOCK.search(line)
    opened = ATTRIBUTION_OPENERS.match(line) is not None
    ruled = line.startswith("--")
    colon = end[-1:] in {":", "："}
    if colon:
        if address and address.end() >= len(end) - 30 and (moment or (opened and _DIGIT.search(line))):
            return "dated"
    elif not (ruled and line.endswith("--")) and not (address and moment and opened):
        return ""
    if not CLOSING_VERB.search(f"{end[-120:]}:"):
        digit = _DIGIT.search(line)
        return "plain" if colon and digit and len(line) <= 80 and (digit.start() < 4 or opened) else ""
    named = opened and not PRONOUN_BEFORE_VERB.search(line)
    return "dated" if named and (moment or ruled) else "plain"


def _next_full(index: int, lines: Sequence[str]) -> int | None:
    """The next line with anything on it, at most two empty ones ahead."""
    for position in range(index, min(index + 3, len(lines))):
        if lines[position].strip():
            return position
    return None


def _without_signature(lines: Sequence[str]) -> str:
    kept = list(lines)
    for index in range(len(kept) - 1, max(-1, len(kept) - 2 - 3 * _SIGNATURE_LINES), -1):
        if _DASH_SIGNATURE.match(kept[index]) and _is_signature(kept[index + 1 :]):
            postscript = next((at for at in range(index + 1, len(kept)) if _POSTSCRIPT.match(kept[at][:40])), None)
            candidate = kept[:index] + (kept[postscript:] if postscript is not None else [])
            if any(_WORD.search(line) for line in candidate):
                kept = candidate
            break
    kept = [line for line in kept if not _is_mobile_signature(line)]
    while kept and (not kept[-1].strip() or _RULE.match(kept[-1])):
        kept.pop()
    kept = _without_disclaimer(kept)
    return "\n".join(kept).strip()


def _is_signature(lines: Sequence[str]) -> bool:
    """RFC 3676 §4.3: what follows "-- " to the end, where it is short enough to be one."""
    full = [line for line in lines if line.strip()]
    return len(full) <= _SIGNATURE_LINES and sum(map(len, full)) <= _SIGNATURE_CHARS


def _is_mobile_signature(line: str) -> bool:
    stripped = line.strip(_AROUND_SIGNATURE)
    if not 6 <= len(stripped) <= 160:
        return False
    return MOBILE_SIGNATURE.match(stripped) is not None or NAMED_DEVICE.match(stripped) is not None


def _without_disclaimer(lines: list[str]) -> list[str]:
    """Without a closing paragraph of legal small print, where something stands above it."""
    for index in range(len(lines) - 1, max(0, len(lines) - 30), -1):
        if not lines[index - 1].strip() and DISCLAIMER.match(lines[index][:_LINE_LOOKED_AT].lstrip(" *_")):
            above = lines[:index]
            return above if any(_WORD.search(line) for line in above) else lines
    return lines


def _mostly_quoted(lines: Sequence[str]) -> bool:
    full = [line for line in lines if line.strip()]
    return bool(full) and sum(map(_is_quote, full)) * 2 > len(full)


def _unquoted(line: str) -> str:
    return line.lstrip(" >") if _is_quote(line) else line


def _is_cover_note(text: str) -> bool:
    return len(text) <= 4 * _FORWARD_OWN_LETTERS and len("".join(text.split())) <= _FORWARD_OWN_LETTERS

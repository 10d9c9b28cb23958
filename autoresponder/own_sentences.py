"""A school's own sentence in place of a built-in one: what must hold so that no family reads half of it.

A sentence is plain words and placeholders such as {day}. What fills a placeholder is a promise that the service keeps
(the norm, the day, the numbers to call), so every one of the built-in sentence stands in the school's own, once.
Nothing else is obeyed in it: no markup, no formatting codes, no way to reach into what is filled in.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST = 1_000
"""Characters of one sentence; the longest built-in one has a quarter of that."""
PLACEHOLDERS = {
    "address": "the teacher's address",
    "closed": "whole sentences that say that the office is closed, and when it opens",
    "closes": "the time of day at which it ends",
    "count": "how many drafts there are",
    "day": "a day in words, such as Thursday, March 5",
    "first": "the first day, in words",
    "last": "the last day, in words",
    "length": "how many minutes a short call has, from partnership_calls",
    "minutes": "norm.call_after_minutes",
    "named": "number and name of the step",
    "norm": "norm.reply_within_hours, such as 24–48",
    "number": "a number, such as the emergency number",
    "opens": "the time of day at which it begins",
    "phone": "a phone number, to be dialled by a touch",
    "prompt": "what the teacher is to write about",
    "students": "the children's names",
    "things": "what is missing, such as the class period",
    "time": "a time of day",
    "times": "times for a call, in words",
    "weekday": "a weekday",
}
"""What stands in place of each placeholder, for whoever writes a sentence."""
_TURNS_AROUND = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # Unicode UAX #9 §2
_MARKUP = re.compile(r"</?[a-zA-Z!][^>]{0,200}>|&(#\d{1,7}|#x[0-9a-fA-F]{1,6}|[a-zA-Z]{2,20});")


@dataclass(frozen=True, slots=True)
class Lack:
    """What is wrong with a sentence. `expected` completes the sentence "expected …"."""

    expected: str
    found: str | None = None
    advice: str = ""


def placeholders_of(sentence: str) -> Counter[str]:
    """The placeholders of a built-in sentence, and how often each stands there."""
    return Counter(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


def lacks_of(built_in: str, own: str) -> Iterator[Lack]:
    """Everything for which `own` cannot stand in place of `built_in`, the English sentence of the code."""
    if not any(unicodedata.category(each)[0] in "LN" for each in own):
        yield Lack("a sentence in words", advice='write one, or take it out again: says = ""')
        return
    if len(own) > LONGEST:
        yield Lack(f"at most {LONGEST} characters", found=f"{len(own)}")
        return
    yield from _broken_characters(own)
    if marked := _MARKUP.search(own):
        yield Lack("plain words", found=f'"{marked[0]}"', advice="a family would read the markup itself: take it out")
    if built_in.startswith("[") and not (own.startswith("[") and own.endswith("]")):
        advice = "they show the teacher what to fill in or take out before sending"
        yield Lack("square brackets around the sentence, [ and ]", advice=advice)
    yield from _wrong_placeholders(placeholders_of(built_in), own)


def _broken_characters(own: str) -> Iterator[Lack]:
    for character in dict.fromkeys(own):
        seen = f"U+{ord(character):04X}"
        if character in _TURNS_AROUND:
            advice = "it turns the reading direction around; numbers and names are set apart by themselves: take it out"
            yield Lack("no invisible sign that changes the direction", found=seen, advice=advice)
        elif unicodedata.category(character) in {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}:
            advice = "write the sentence on one line, without tabs and line breaks"
            yield Lack("letters, figures and signs on one line", found=seen, advice=advice)


def _wrong_placeholders(wanted: Counter[str], own: str) -> Iterator[Lack]:
    try:
        parsed = list(string.Formatter().parse(own))
    except ValueError:
        yield Lack("braces in pairs around a name", advice=_as_they_are(wanted))
        return
    if any({"{", "}"} & set(literal) for literal, _, _, _ in parsed):
        yield Lack("no braces but those of the placeholders", advice=_as_they_are(wanted))
        return
    found: Counter[str] = Counter()
    for _, name, details, conversion in parsed:
        if name is None:
            continue
        if details or conversion or name not in wanted:
            written = name + (f"!{conversion}" if conversion else "") + (f":{details}" if details else "")
            shown = written if len(written) <= 40 else written[:39] + "…"
            yield Lack("placeholders of the built-in sentence only", f"{{{shown}}}", _as_they_are(wanted))
        else:
            found[name] += 1
    for name, times in wanted.items():
        if found[name] < times:
            advice = f"{{{name}}} becomes {PLACEHOLDERS[name]}: write {{{name}}} where it belongs"
            yield Lack(f"the placeholder {{{name}}}", found="none", advice=advice)
        elif found[name] > times:
            yield Lack(f"the placeholder {{{name}}} once", f"{found[name]} of it", "take the others out")


def _as_they_are(wanted: Counter[str]) -> str:
    if not wanted:
        return "this sentence has none"
    return f"write {', '.join(f'{{{name}}}' for name in wanted)} as in the built-in sentence, each once"

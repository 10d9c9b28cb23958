"""No text makes any of our regular expressions take more than linear time, up to the length that it is ever given."""

import re

from tests.hostile.cage import caged
from tests.hostile.patterns import Found, attacks, every_pattern, made_at_run_time

LONG = 60_000
"""Characters: at this length what takes the square of it needs minutes."""
SECONDS = 4
SHORT = {
    "autoresponder.guards.": (4_000, "the beginning of a text (`Case.beginning`), or a subject of 2,000"),
    "autoresponder.in_thread.": (2_000, "a subject"),
    "autoresponder.missing.": (4_000, "`_READ`"),
    "config.said.": (10_000, "a sentence of a server"),
    "config.textfile:": (4_000, "the error of a TOML parser"),
    "connectors.headers._BARE": (1_000, "`MAX_NAME`"),
    "connectors.quoting_words.": (400, "`_LINE_LOOKED_AT`"),
}
"""Patterns that are only given texts of this many characters, and where that is seen to."""
MADE = {
    "autoresponder.contact_days": "phrases of the calendar's own, escaped",
    "autoresponder.guards.phrases": "the lists in that module; the patterns are held by it, and tried",
    "autoresponder.note": "the school's phone numbers, escaped, in an alternation without repetition",
    "autoresponder.where_used": "the catalogue's own sentences, escaped",
    "config.settings": "digits of a directory's number in an address of the school's own",
    "connectors.graph_attachments": "the boundary of a mail that we made ourselves, escaped",
    "service.connecting.editing": "names of our tables",
    "service.web.acts": "the forms of references in that module",
}
"""Where a pattern is made at run time, and out of what: nothing that a stranger writes."""


def _size(found: Found) -> int:
    return next((size for where, (size, _) in SHORT.items() if found.where.startswith(where)), LONG)


def _tried(found: Found) -> None:
    for text in attacks(found.pattern, _size(found)):
        if found.searches:
            for _ in found.pattern.finditer(text):
                pass
        else:
            found.pattern.match(text)
            found.pattern.fullmatch(text)


def test_every_pattern_is_done_in_little_time_with_what_was_made_against_it() -> None:
    patterns = every_pattern()
    assert len(patterns) > 200  # the finder finds them
    slow = [
        str(found)
        for found in patterns
        if caged(lambda found=found: _tried(found), seconds=SECONDS, mebibytes=1024).trouble
    ]
    assert slow == []


def test_the_attacks_find_what_is_slow() -> None:
    for slow in (r"(a+)+b", r"\s+$", r"(?:x|xx)*y", r"<[^>]*>.*</"):
        found = Found("a test", re.compile(slow), searches=True)
        assert caged(lambda found=found: _tried(found), seconds=SECONDS, mebibytes=1024).trouble, slow


def test_what_is_made_at_run_time_is_made_of_nothing_that_a_stranger_writes() -> None:
    assert {call.partition(":")[0] for call in made_at_run_time()} == set(MADE)

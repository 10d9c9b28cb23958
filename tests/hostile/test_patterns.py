"""No text makes any of our regular expressions take more than linear time, up to the length that it is ever given."""

import re

from autoresponder import missing
from autoresponder.guards import case
from connectors import headers
from tests.hostile.cage import caged
from tests.hostile.patterns import Found, attacks, every_pattern, made_at_run_time

LONG = 30_000
"""Characters: at this length what takes the square of it takes longer than `SECONDS` of a processor."""
SECONDS = 4
SHORT = {
    "autoresponder.guards.automatic.AWAY_ENDING": (300, "the cut in `out_of_office_subject`"),
    "autoresponder.guards.phrases.AWAY_ENDING": (300, "the cut in `out_of_office_subject`"),
    "autoresponder.guards.bounces.BOUNCE_OPENING": (600, "the cut in `bounce_in_words`"),
    "autoresponder.guards.reports.BOUNCE_OPENING": (600, "the cut in `bounce_in_words`"),
    "autoresponder.guards.automatic.SAYS_AUTOMATIC": (case._BEGINNING, "`Case.beginning`"),
    "autoresponder.guards.phrases.SAYS_AUTOMATIC": (case._BEGINNING, "`Case.beginning`"),
    "autoresponder.missing.": (missing._READ, "the cuts in `missing_in`"),
    "connectors.headers._BARE": (headers.MAX_NAME, "the cut in `_Entry.mailbox`"),
    "connectors.maildir.names._ADDED_FIELDS": (255, "a file's name (NAME_MAX)"),
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
    """The length that the pattern is given at any of its places, at most."""
    return max(
        next((size for where, (size, _) in SHORT.items() if place.startswith(where)), LONG) for place in found.where
    )


def _tried(found: Found) -> None:
    for text in attacks(found.pattern, _size(found)):
        if found.searches:
            for _ in found.pattern.finditer(text):
                pass
        else:
            found.pattern.match(text)
            found.pattern.fullmatch(text)


def _slow(found: Found) -> bool:
    return bool(caged(lambda: _tried(found), seconds=SECONDS, mebibytes=1024).trouble)


def test_every_pattern_is_done_in_little_time_with_what_was_made_against_it() -> None:
    patterns = every_pattern()
    assert len(patterns) > 200  # the finder finds them
    assert [str(found) for found in patterns if _slow(found)] == []


def test_the_attacks_find_what_is_slow() -> None:
    for slow in (r"(a+)+b", r"\s+$"):
        assert _slow(Found(("a test",), re.compile(slow), searches=True)), slow


def test_what_is_made_at_run_time_is_made_of_nothing_that_a_stranger_writes() -> None:
    assert {call.partition(":")[0] for call in made_at_run_time()} == set(MADE)

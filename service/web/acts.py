"""What the audit log holds, in the reader's language. Pure.

The log keeps this program's own words, which the chain of digests covers; here they are translated for reading.
"""

import re

from autoresponder.wording import Wording

COMING_AND_GOING = frozenset(
    {"was sent a sign-in link", "signed in", "signed out", "signed out everywhere", "was not let in"}
)
"""When people come and go: an administrator's business where something is wrong with the access, nobody else's."""
LOOKED = "looked at the audit log"


def act_in(words: Wording, act: str) -> str:
    """An act, as people say it; one that this version does not know, as it stands in the log."""
    _ = words.gettext
    return {
        "was sent a sign-in link": _("was sent a sign-in link"),
        "signed in": _("signed in"),
        "signed out": _("signed out"),
        "signed out everywhere": _("signed out everywhere"),
        "was not let in": _("was not let in"),
        LOOKED: _("looked at this record"),
        "opened a message": _("opened a message"),
        "took an item": _("took an item"),
        "closed an item as done": _("closed an item as done"),
        "closed an item as not urgent": _("closed an item as not urgent"),
        "gave an item back to the teacher": _("gave an item back to the teacher"),
        "was refused an item": _("was refused an item"),
        "said that a plan is agreed": _("said that a plan is agreed"),
        "opened a case again": _("opened a case again"),
        "said that a case is no conflict": _("said that a case is no conflict"),
        "said that no plan is agreed yet": _("said that no plan is agreed yet"),
        "asked for a draft of good news": _("asked for a draft of good news"),
        "put a family on the list of helpers": _("put a family on the list of helpers"),
        "took a family off the list of helpers": _("took a family off the list of helpers"),
        "exported the list of helpers": _("exported the list of helpers"),
        "opened a figure": _("opened a figure"),
        "noted a contact": _("noted a contact"),
        "withdrew a contact": _("withdrew a contact"),
    }.get(act, act)


def about_in(words: Wording, about: str) -> str:
    """What an act was done to, as people say it; what this version does not know, as it stands in the log."""
    whole = _said(words, about)
    if whole is not None:
        return whole
    parts = [_said(words, part) for part in about.split(", ")]
    return ", ".join(part for part in parts if part is not None) if None not in parts else about


def _said(words: Wording, about: str) -> str | None:
    _ = words.gettext
    phrases = (
        (r"by link", _("by link")),
        (r"with (?P<provider>.+)", _("with {provider}")),
        (r"item (?P<number>\d+)", _("item {number}")),
        (
            r"item (?P<number>\d+), message (?P<message>\d+) in (?P<mailbox>\S+)",
            _("item {number}, message {message} to {mailbox}"),
        ),
        (r"case (?P<number>\d+)", _("case {number}")),
        (r"contact (?P<number>\d+)", _("contact {number}")),
        (r"message (?P<number>\d+)", _("message {number}")),
        (r"draft (?P<number>\d+) for (?P<mailbox>\S+)", _("draft {number} for {mailbox}")),
        (r"family (?P<family>\S+) of (?P<mailbox>\S+)", _("family {family} of {mailbox}")),
        (r"all of it", _("all of it")),
        (r"of somebody unknown", _("of somebody unknown")),
        (r"of (?P<person>\S+)", _("of {person}")),
        (r"from (?P<day>[\d-]+)", _("from {day} on")),
        (r"to (?P<day>[\d-]+)", _("up to {day}")),
        (r"before entry (?P<number>\d+)", _("before entry {number}")),
    )
    if found := re.fullmatch(r"only: (?P<act>.+)", about):
        return _("only: {act}").format(act=act_in(words, found["act"]))
    for pattern, phrase in phrases:
        if found := re.fullmatch(pattern, about):
            return phrase.format(**found.groupdict())
    return None

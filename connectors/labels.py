"""The labels this product puts on a message. One word per thing: the same names stand in mailbox, table and page."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Tag(StrEnum):
    """What a message needs from the school, and by when (shared law: `docs/labelling.md`)."""

    URGENT = "urgent"
    CONFLICT = "conflict"
    ROUTINE = "routine"


class Label(StrEnum):
    """A mark that a teacher sees in their own mail program: the three tags, and "please check" beside one of them."""

    URGENT = "urgent"
    CONFLICT = "conflict"
    ROUTINE = "routine"
    CHECK = "check"


KEYWORDS: Mapping[Label, str] = MappingProxyType({label: f"Alliance{label.value.capitalize()}" for label in Label})
"""The IMAP keyword (RFC 3501 §2.3.2) of each label, e.g. AllianceUrgent."""

PARENT = "Alliance"
NAMES: Mapping[Label, str] = MappingProxyType(
    {
        Label.URGENT: f"{PARENT}/Urgent",
        Label.CONFLICT: f"{PARENT}/Conflict",
        Label.ROUTINE: f"{PARENT}/Routine",
        Label.CHECK: f"{PARENT}/Please check",
    }
)
"""Each label as teachers read it where names are free: Gmail's labels, Outlook's categories."""


def labels_for(tag: Tag, *, unsure: bool) -> frozenset[Label]:
    """The labels that say `tag`, with "please check" beside it where the classifier was unsure."""
    return frozenset({Label(tag), Label.CHECK}) if unsure else frozenset({Label(tag)})


def tag_of(labels: frozenset[Label]) -> Tag | None:
    """The tag that `labels` say, None where they say none. Where two stand together the graver one wins."""
    return next((tag for tag in Tag if Label(tag) in labels), None)

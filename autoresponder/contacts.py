"""Contacts with families that are not mail: in which words they stand on record."""

from enum import StrEnum


class ContactKind(StrEnum):
    """How somebody at the school was in touch with a family, other than by mail."""

    CALL = "call"
    TEXT = "text"
    NOTE = "note"
    """On paper, or through another app."""
    MEETING = "meeting"


class ContactTone(StrEnum):
    """What a contact was about."""

    GOOD_NEWS = "good news"
    NEUTRAL = "neutral"
    CONCERN = "concern"


TALKS = (ContactKind.CALL, ContactKind.MEETING)
"""What answers a family's mail, where it reached them."""

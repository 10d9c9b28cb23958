"""Guards about what the message is: unreadable, sealed, empty, an emoji, or an entry for a calendar."""

from autoresponder.guards.case import Case


def unreadable(case: Case) -> str | None:
    """Mail that could not be parsed is left to a person. Rule: this product's own (never answer what was not read)."""
    if not case.fields:
        return "It has no header, so nothing about it is known."
    if any(defect.startswith("structure not readable") for defect in case.message.defects):
        return "It is too broken to be read."
    return None


_CUT_OFF = ("cut off", "more than 2,000 parts", "messages in messages in messages")
_LONG = 100_000
"""Characters of newest text from which on a text that was cut off may have lost some of it, and not of its history."""


def cut_off(case: Case) -> str | None:
    """Mail larger, deeper or more intricate than is read: what it says last is unknown. Rule: this product's own
    (docs/discussions/hostile-input.md names the limits)."""
    message = case.message
    if any(defect.startswith(_CUT_OFF) for defect in message.defects):
        return "It is more intricate than any mail, so that not all of it was read."
    if len(message.newest) >= _LONG and any(defect.startswith("text cut off") for defect in message.defects):
        return "It is longer than what is read, so that its end is unknown."
    return None


def encrypted(case: Case) -> str | None:
    """Encrypted mail cannot be judged by a program. Rule: this product's own; RFC 8551 §3.3, RFC 3156 §4 and RFC 9580
    name the forms."""
    if any(defect.startswith("encrypted") for defect in case.message.defects):
        return "It is encrypted, so what it needs is unknown."
    return None


def empty(case: Case) -> str | None:
    """Mail without subject, text and attachment. Rule: this product's own (there is nothing to answer)."""
    message = case.message
    if not message.subject.strip() and not message.newest.strip() and not message.attachments:
        return "It is empty."
    return None


def reaction(case: Case) -> str | None:
    """An emoji that a family put to a message: a sign of life that wants no answer. Rule: Gmail's email reaction format
    (https://developers.google.com/workspace/gmail/reactions/format)."""
    return "It is an emoji reaction." if case.message.is_reaction else None


def calendar_mail(case: Case) -> str | None:
    """Invitations and answers to them, which calendars handle. Rule: RFC 6047 §2.4 (text/calendar with a method),
    Exchange's content class calendarmessage."""
    if "calendarmessage" in case.first("content-class").lower():
        return "It is a calendar's message."
    if case.first("content-type").lower().startswith("text/calendar"):
        return "It is a calendar's message."
    for attachment in case.message.attachments:
        kind = attachment.content_type
        if kind.startswith("text/calendar;") or (kind == "text/calendar" and not attachment.filename):
            return "It is an invitation or the answer to one."
    return None

"""Guards against reports about mail: bounces, receipts, complaints, with a machine part or in words only."""

import re

from autoresponder.guards.bounces import BOUNCE_OPENING, BOUNCE_SUBJECT, BOUNCE_TEXT
from autoresponder.guards.case import Case

_REPORT_TYPES = frozenset(
    {
        "multipart/report",
        "message/delivery-status",
        "message/global-delivery-status",
        "message/disposition-notification",
        "message/global-disposition-notification",
        "message/feedback-report",
        "message/tracking-status",
        "text/rfc822-headers",
    }
)
_REPORT_FIELDS = ("x-failed-recipients", "x-ms-embedded-report", "x-bounced-address", "x-bounceio-id")
_REPORT_CLASSES = (
    "urn:content-classes:dsn",
    "urn:content-classes:mdn",
    "urn:content-classes:recallmessage",
    "urn:content-classes:reportmessage",
)


# Complaints of providers that wrap the mail without a machine part: Hotmail's, and AOL's of old.
_COMPLAINT_SUBJECT = re.compile(
    r"complaint about message from [\d.xX]+\s*\Z|email feedback report for ip\b", re.IGNORECASE
)


def delivery_report(case: Case) -> str | None:
    """Delivery, disposition and feedback reports. Rule: RFC 3464, RFC 6522 (multipart/report), RFC 8098 §2.1 (receipts
    are not answered), RFC 5965 (complaints)."""
    if (
        any(kind in _REPORT_TYPES for kind in case.content_types())
        or "report-type=" in case.first("content-type").lower()
    ):
        return "It is a report about the delivery of a mail."
    if case.present(_REPORT_FIELDS) or case.first("content-class").strip().lower() in _REPORT_CLASSES:
        return "It is a report about the delivery of a mail."
    if _COMPLAINT_SUBJECT.match(case.message.subject[:200]):
        return "It is a provider's report of a complaint."
    return None


_SHORT = 400


def bounce_in_words(case: Case) -> str | None:
    """Bounces of older systems, which carry no machine part. Rule: RFC 3834 §2; known by subject and text together, as
    qmail, Exim, Exchange, Domino and sendmail word them."""
    # The newest text: a bounce that a person passes on stands below that person's own words.
    subject, text = case.message.subject[:300], case.message.newest[:6_000]
    opening = BOUNCE_OPENING.match(text[:600]) is not None
    named = BOUNCE_SUBJECT.match(subject) is not None
    if not (named or opening):  # nearly all mail; the patterns below cost more
        return None
    technical, failed, about_mail = (pattern.search(text) is not None for pattern in BOUNCE_TEXT)
    names_an_address = "@" in text[:3_000]
    if named and failed and (technical or (about_mail and names_an_address) or opening):
        return "It is a bounce: its subject and text say that a mail could not be delivered."
    if opening and failed and names_an_address and (technical or len(text) < _SHORT):
        return "It is a bounce: its text says that a mail could not be delivered."
    return None

"""How many answers may leave a mailbox, and when its answers stop: what an hour may hold, and what a loop looks like.

Every guard judges one message; a loop is seen only in many. So the last word belongs to a count of what has left: past
it the mailbox gives no more answers until somebody has looked, or a pause is over. A few answers an hour are kept for
urgent messages all the while: such a note tells somebody in need whom to call, each person gets it once, and so few of
them feed no loop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

HOUR = timedelta(hours=1)
REMEMBERED = timedelta(hours=24)
"""How long an answer counts for the signs below."""
FOR_ONE_PERSON = 6
"""Answers to one address within a day: twice as many as the guards allow where the window is a single school day."""
STRANGERS = 12
"""Different addresses of one domain, none of them on the roster, that wrote within a few minutes: so a ticket system
writes that opens a new address for each of our answers."""
A_FEW_MINUTES = timedelta(minutes=15)
PROVIDERS = frozenset(
    {
        *("aol.com", "att.net", "bellsouth.net", "charter.net", "comcast.net", "cox.net", "earthlink.net", "email.com"),
        *("fastmail.com", "free.fr", "gmail.com", "gmx.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com"),
        *("hotmail.co.uk", "hotmail.es", "hotmail.fr", "icloud.com", "laposte.net", "live.com", "mac.com", "mail.com"),
        *("mail.ru", "me.com", "msn.com", "naver.com", "optonline.net", "orange.fr", "outlook.com", "outlook.es"),
        *("proton.me", "protonmail.com", "qq.com", "rocketmail.com", "sbcglobal.net", "uol.com.br", "verizon.net"),
        *("web.de", "yahoo.ca", "yahoo.co.uk", "yahoo.com", "yahoo.com.br", "yahoo.com.mx", "yahoo.com.vn"),
        *("yahoo.es", "yahoo.fr", "yandex.com", "yandex.ru", "ymail.com", "zoho.com", "126.com", "163.com"),
    }
)
"""Domains at which half a class may have its mailboxes: a dozen families there at once are no sign of anything."""


class Cause(StrEnum):
    """Why a mailbox's answers stopped."""

    HOUR = "hour"
    """As many as an hour may hold have left."""
    PERSON = "person"
    """Too many for one address."""
    DOMAIN = "domain"
    """Too many for strangers of one domain at once."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that left, or is about to."""

    delivery: int
    person: str
    """`autoresponder.family.person`."""
    gravity: int
    """`autoresponder.guards.past.gravity`."""
    known: bool
    """Whether the roster knows the address."""
    at: datetime
    wrote_at: datetime
    """When the message that it answers came."""


def cause_to_stop(given: Sequence[Given], asked: Given, per_hour: int) -> Cause | None:
    """Why `asked` must not leave and the mailbox's answers stop, after those `given` of the last day; None where it may
    leave."""
    if len(_since(given, asked.at - HOUR)) >= per_hour:
        return Cause.HOUR
    if sum(each.person == asked.person for each in _since(given, asked.at - REMEMBERED)) >= FOR_ONE_PERSON:
        return Cause.PERSON
    domain = _domain(asked.person)
    if asked.known or domain in PROVIDERS:
        return None
    together = (each for each in given if abs(each.wrote_at - asked.wrote_at) < A_FEW_MINUTES)
    strangers = {each.person for each in together if not each.known and _domain(each.person) == domain}
    return Cause.DOMAIN if len(strangers - {asked.person}) >= STRANGERS else None


def urgent_left(given: Sequence[Given], per_hour: int, now: datetime) -> int:
    """How many urgent answers may still leave this hour while the others are stopped; 0 or more."""
    urgent = sum(each.gravity > 0 for each in _since(given, now - HOUR))
    return max(0, max(5, per_hour // 4) - urgent)


def had_alike(given: Sequence[Given], asked: Given) -> bool:
    """Whether the same person got an answer as grave within the hour, of which the plan knew nothing: another worker
    was at it, or a message was read again."""
    return any(each.person == asked.person and each.gravity >= asked.gravity for each in _since(given, asked.at - HOUR))


def _since(given: Sequence[Given], when: datetime) -> list[Given]:
    return [each for each in given if each.at > when]


def _domain(address: str) -> str:
    return address.rpartition("@")[2]

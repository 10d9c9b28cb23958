"""Hears what the office says about an item in a reply to the mail that brought it.

Only those who got the item may say anything, or who answer for an address that did. The Message-IDs that a reply names
are no secret, so the sender counts, as far as the mailbox's own headers vouch for it; a family never has a say, and
neither does a robot.
"""

from datetime import datetime

from autoresponder.desks import members_of
from autoresponder.guards import Case, automatic, senders
from autoresponder.identifiers import derived_message_id, original_key
from autoresponder.items import understood
from autoresponder.plan import History
from config.settings import Settings
from connectors.mailbox import Direction
from service.entries import Candidate
from store.matters import Behind, Saying
from store.pages import Background


def office_says(candidate: Candidate, background: Background, settings: Settings, now: datetime) -> Saying | None:
    """What a message says about an item; None where it is no reply of the office to one. `now` is aware."""
    raw, identity, message = candidate.raw, candidate.identity, candidate.message
    if message is None or raw.direction is not Direction.RECEIVED or raw.backfill or identity.sender is None:
        return None
    answered = next((each for each in identity.references if each in background.behind), None)
    if answered is None or not _may_say(candidate, background.behind[answered], settings, now):
        return None
    own_id = (identity.rfc_message_id,) if identity.rfc_message_id else ()
    return Saying(
        answered=answered,
        word=understood(message.newest),
        by=identity.sender,
        at=min(raw.received_at, now),
        answer_id=derived_message_id(f"answer to {original_key(message)}", "notice", message.mailbox),
        answer_key=f"tell:{message.mailbox}:{identity.fingerprint}",
        answers=(answered, *own_id),
    )


def _may_say(candidate: Candidate, behind: Behind, settings: Settings, now: datetime) -> bool:
    sender, message = candidate.identity.sender, candidate.message
    if message is None or sender in behind.families or sender not in members_of(behind.told, settings):
        return False
    case = Case(message=message, history=History(connected_at=now), norm=settings.norm, now=now)
    return all(guard(case) is None for guard in (senders.spoofed, automatic.auto_submitted, automatic.own_mail))

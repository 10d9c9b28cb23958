"""What a message is about, for the office: whose it is, which desk's, and until when somebody has to take it."""

from datetime import datetime

from autoresponder.desks import desk_for, first_due
from autoresponder.family import family_key
from config import SchoolCalendar
from config.settings import Settings
from connectors.labels import Tag
from store.matters import Matter
from store.tables import MessageRecord


def matter_of(
    record: MessageRecord,
    tag: Tag,
    topic: str,
    *,
    unverified: bool,
    family: str | None,
    key: bytes,
    settings: Settings,
    calendar: SchoolCalendar,
    now: datetime,
) -> Matter:
    """The matter of a message that goes to the office as `tag`. `unverified` sets one whose sender may be somebody else
    apart from everything the family wrote; `family` is the sender's on the roster, `key` the installation's secret."""
    desk = desk_for(topic, settings)
    alone = record.fingerprint if unverified or not record.sender else ""
    return Matter(
        reference=record.fingerprint,
        mailbox=record.mailbox,
        family=family_key(family, record.sender or "", key, alone=alone),
        topic=topic,
        desk=desk,
        tag=tag,
        thread=record.thread,
        at=now,
        escalates_at=first_due(desk, settings, calendar, now) if tag is Tag.URGENT else None,
    )

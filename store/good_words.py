"""When a teacher last had good news for a family, as the record has it: a mail of theirs, or a call or meeting."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Select, func, or_, select
from sqlmodel import col

from autoresponder.family import person
from store.among import among
from store.case_tables import TeacherLetter
from store.contact_tables import Contact, ContactTone, Judgement, LetterRecipient
from store.roster_tables import RosterAddress, RosterCare
from store.tables import MessageRecord

_TO_SOMEBODY = 3
"""A mail to more addresses than these may be a circular, and is nobody's own good news."""


def last_good_news(
    connection: Connection, mailbox: str, family: str, zone: ZoneInfo, before: datetime | None = None
) -> date | None:
    """The day, in the school's `zone`, on which the teacher last had good news for a family (`family_key`), before
    `before` where that is given; None where the record knows of none."""
    addresses = _addresses(connection, mailbox, family)
    written = _written(mailbox, family, addresses)
    told = _told(mailbox, addresses)
    if before is not None:
        written = written.where(col(MessageRecord.received_at) < before)
        told = told.where(col(Contact.on_day) < before.astimezone(zone).date())
    wrote_at: datetime | None = connection.execute(
        written.order_by(col(MessageRecord.received_at).desc()).limit(1)
    ).scalar()
    days = [connection.execute(told).scalar(), None if wrote_at is None else wrote_at.astimezone(zone).date()]
    return max((day for day in days if day is not None), default=None)


def _addresses(connection: Connection, mailbox: str, family: str) -> set[str]:
    """Under which addresses the family has written to the teacher."""
    senders = select(col(MessageRecord.sender)).where(
        col(MessageRecord.mailbox) == mailbox,
        col(MessageRecord.family) == family,
        col(MessageRecord.sender).is_not(None),
    )
    return {person(sender) for sender in connection.execute(senders.distinct()).scalars() if sender}


def _written(mailbox: str, family: str, addresses: Collection[str]) -> Select[Any]:
    to_family = select(col(TeacherLetter.message_id)).where(col(TeacherLetter.family) == family)
    to_address = select(col(LetterRecipient.message_id)).where(among(LetterRecipient.address, list(addresses)))
    recipients = (
        select(func.count())
        .select_from(LetterRecipient)
        .where(col(LetterRecipient.message_id) == col(MessageRecord.id))
        .scalar_subquery()
    )
    return (
        select(col(MessageRecord.received_at))
        .join(Judgement, col(Judgement.message_id) == col(MessageRecord.id))
        .where(
            col(MessageRecord.mailbox) == mailbox,
            col(Judgement.positive).is_(True),
            or_(
                col(MessageRecord.id).in_(to_family),
                col(MessageRecord.id).in_(to_address) & (recipients <= _TO_SOMEBODY),
            ),
        )
    )


def _told(mailbox: str, addresses: Collection[str]) -> Select[Any]:
    students = (
        select(col(RosterCare.student))
        .join(RosterAddress, col(RosterAddress.person) == col(RosterCare.guardian))
        .where(among(RosterAddress.address, list(addresses)))
    )
    return select(func.max(col(Contact.on_day))).where(
        among(Contact.mailbox, [mailbox, person(mailbox)]),
        col(Contact.student).in_(students),
        col(Contact.tone) == ContactTone.GOOD_NEWS,
        col(Contact.withdrawn_at).is_(None),
    )

"""Families for whom it is no time for good news: a hard conversation with the teacher is open, or something urgent."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, or_, select
from sqlmodel import col

from autoresponder.cases import CaseState
from autoresponder.family import person
from autoresponder.items import ItemState
from connectors.labels import Tag
from store.among import among, one_of
from store.case_tables import CaseMail, ConflictCase
from store.tables import Item, ItemMail, MessageRecord

_QUIET = timedelta(days=2)
"""So long after the last mail of a matter that is closed the family is left in peace."""
_RETURNED = timedelta(days=14)
"""So long after its last mail a matter that the office gave back to the teacher is taken to go on."""


def in_conversation(connection: Connection, mailbox: str, now: datetime) -> frozenset[str]:
    """The addresses, as they are compared, from which somebody wrote about a hard conversation with the teacher that is
    open, or was until lately."""
    recent = and_(col(ConflictCase.state) == CaseState.AGREED, col(ConflictCase.last_mail_at) > now - _QUIET)
    query = (
        select(col(MessageRecord.sender))
        .join(CaseMail, col(CaseMail.message_id) == col(MessageRecord.id))
        .join(ConflictCase, col(ConflictCase.id) == col(CaseMail.case_id))
        .where(col(ConflictCase.mailbox) == mailbox, or_(col(ConflictCase.state) == CaseState.OPEN, recent))
    )
    return frozenset(person(sender) for sender in connection.execute(query).scalars() if sender)


def in_need(connection: Connection, addresses: Collection[str], now: datetime) -> frozenset[str]:
    """The addresses, as they are compared, from which somebody wrote, to any teacher, what is urgent: while the office
    or the teacher is at it, and shortly after. Of what never came to the office, only mail from `addresses`, as they
    stand on mail, is found."""
    at_the_office = or_(
        one_of(Item.state, (ItemState.OPEN, ItemState.CLAIMED)),
        and_(col(Item.state) == ItemState.RETURNED, col(Item.last_mail_at) > now - _RETURNED),
        and_(col(Item.state) == ItemState.DONE, col(Item.last_mail_at) > now - _QUIET),
    )
    items = (
        select(col(MessageRecord.sender))
        .join(ItemMail, col(ItemMail.message_id) == col(MessageRecord.id))
        .join(Item, col(Item.id) == col(ItemMail.item_id))
        .where(col(Item.tag) == Tag.URGENT, at_the_office)
    )
    lately = select(col(MessageRecord.sender)).where(
        among(MessageRecord.sender, sorted(addresses)),
        col(MessageRecord.received_at) > now - _QUIET,
        col(MessageRecord.tag) == Tag.URGENT,
    )
    found = (*connection.execute(items).scalars(), *connection.execute(lately).scalars())
    return frozenset(person(sender) for sender in found if sender)

"""Messages and deliveries that end whoever works on them, by what stands on record: no part of the program takes them
up again unasked."""

from sqlalchemy import ColumnElement, or_, select
from sqlmodel import col

from store.database import Database
from store.tables import Delivery, DeliveryKind, DeliveryState, MessageRecord

ENOUGH = 2
"""Deaths with the same thing in hand, and in no other hand of that process, after which it is left."""
_ENDED = "reading it ended the service"
_TO_THE_OFFICE = (DeliveryKind.ROUTE, DeliveryKind.ESCALATE)


def why_deadly(deaths: int) -> str:
    """Why such a message was set aside, for the record; `deaths` is how often."""
    return f"{_ENDED} {deaths} times; it is not read any more"


def is_deadly(record: MessageRecord) -> bool:
    """Whether reading this message ended the service again and again."""
    return record.set_aside is not None and record.set_aside.startswith(_ENDED)


def is_harmless() -> ColumnElement[bool]:
    """The other messages, as a query's condition."""
    why = col(MessageRecord.set_aside)
    return or_(why.is_(None), why.not_like(f"{_ENDED}%"))


def may_end_it(delivery: Delivery) -> bool:
    """Whether somebody left this delivery in the middle, or died with it in hand."""
    return delivery.deaths > 0 or delivery.state is DeliveryState.WORKING


def ends_the_service(delivery: Delivery) -> bool:
    """Whether carrying out this delivery ended the service again and again. The first death of a mail proves nothing,
    since others were in hand beside it; labels leave a trace only where they are written with care."""
    return delivery.deaths >= ENOUGH + (delivery.kind is not DeliveryKind.TAG)


def is_left(delivery: Delivery) -> bool:
    """Whether it is tried no more. Mail to the office is, in its simplest form, until that ends it as often."""
    return ends_the_service(delivery) and (delivery.kind not in _TO_THE_OFFICE or delivery.deaths > 2 * ENOUGH)


def why_left(delivery: Delivery) -> str:
    """What stands on record with such a delivery."""
    return f"carrying it out ended the service {delivery.deaths} times"


def is_dangerous(database: Database, record: MessageRecord) -> bool:
    """Whether reading this message, or carrying out what was planned about it, ended the service again and again."""
    if is_deadly(record):
        return True
    ended = select(col(Delivery.id)).where(col(Delivery.message_id) == record.id, col(Delivery.deaths) > ENOUGH)
    with database.glance() as connection:
        return connection.execute(ended.limit(1)).first() is not None

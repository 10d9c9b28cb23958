"""A message that was set aside and is read again: its new record takes over what the office has of the old one."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, exists, or_, select, update
from sqlmodel import col

from store.database import Database
from store.marks import mark_going
from store.tables import Correction, Delivery, DeliveryKind, ItemMail, MessageRecord

_TO_THE_OFFICE = (DeliveryKind.ROUTE, DeliveryKind.ESCALATE)


def at_the_office(database: Database, messages: Sequence[MessageRecord]) -> set[str]:
    """Which of these messages (by provider id) the office has got, or is about to get."""
    numbers = {message.id: message.provider_id for message in messages}
    query = select(col(Delivery.message_id)).where(
        col(Delivery.message_id).in_([number for number in numbers if number is not None]),
        col(Delivery.kind) == DeliveryKind.ROUTE,
    )
    with database.read() as connection:
        return {numbers[number] for number in connection.execute(query).scalars()}


def step_aside(connection: Connection, replaced: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Takes the records of these messages away, with their labels' deliveries and corrections. Returns those that the
    office has something of, with mailbox and provider id: they stand aside, under another id, until `take_over`."""
    kept: dict[int, tuple[str, str]] = {}
    for number in replaced:
        mark_going(connection, number)
        beside = col(Delivery.kind).not_in(_TO_THE_OFFICE)
        connection.execute(delete(Delivery).where(col(Delivery.message_id) == number, beside))
        connection.execute(delete(Correction).where(col(Correction.message_id) == number))
        this = col(MessageRecord.id) == number
        held = or_(
            exists().where(col(Delivery.message_id) == number), exists().where(col(ItemMail.message_id) == number)
        )
        row = connection.execute(
            select(col(MessageRecord.mailbox), col(MessageRecord.provider_id)).where(this, held)
        ).first()
        if row is None:
            connection.execute(delete(MessageRecord).where(this))
        else:
            kept[number] = (row.mailbox, row.provider_id)
            connection.execute(update(MessageRecord).where(this).values(provider_id=f"replaced:{number}"))
    return kept


def take_over(connection: Connection, kept: dict[int, tuple[str, str]], now: datetime | None) -> None:
    """The new records of these messages get what the office has of the old ones. What is no longer in the mailbox, as
    of `now`, stays on record as removed."""
    for number, (mailbox, provider_id) in kept.items():
        this = col(MessageRecord.id) == number
        new = connection.execute(
            select(col(MessageRecord.id)).where(
                col(MessageRecord.mailbox) == mailbox, col(MessageRecord.provider_id) == provider_id
            )
        ).scalar()
        if new is None:
            gone = {"provider_id": provider_id, "set_aside": None, "removed_at": now}
            connection.execute(update(MessageRecord).where(this).values(**gone))
            continue
        for table in (Delivery, ItemMail):
            connection.execute(update(table).where(col(table.message_id) == number).values(message_id=new))
        connection.execute(delete(MessageRecord).where(this))

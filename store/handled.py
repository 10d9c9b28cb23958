"""What the office closed shows in the teachers' mailboxes, planned inside the transaction that closes it."""

from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlmodel import col

from autoresponder.plan import TagFacts
from connectors.labels import Label
from connectors.mailbox import Direction
from store.label_words import labels_from, words
from store.tables import Delivery, DeliveryKind, ItemMail, MessageRecord


def mark_handled(connection: Connection, item_id: int, at: datetime) -> None:
    """Every message of an item gets the label, in each mailbox that it came to and that carries labels of ours."""
    fingerprints = (
        select(col(MessageRecord.fingerprint))
        .join(ItemMail, col(ItemMail.message_id) == col(MessageRecord.id))
        .where(col(ItemMail.item_id) == item_id)
    )
    copies = select(
        col(MessageRecord.id), col(MessageRecord.mailbox), col(MessageRecord.provider_id), col(MessageRecord.labels)
    ).where(
        col(MessageRecord.fingerprint).in_(fingerprints),
        col(MessageRecord.direction) == Direction.RECEIVED,
        col(MessageRecord.backfill).is_(False),
        col(MessageRecord.removed_at).is_(None),
        col(MessageRecord.labels) != "",  # in observe nothing was written
    )
    for row in connection.execute(copies.order_by(col(MessageRecord.id))).all():
        carried = labels_from(row.labels)
        if Label.HANDLED in carried:
            continue
        delivery = Delivery(
            mailbox=row.mailbox,
            message_id=row.id,
            kind=DeliveryKind.TAG,
            dedupe_key=f"tag:{row.mailbox}:{row.provider_id}:handled:{at.isoformat()}",
            facts=TagFacts(instead=carried).model_dump_json(),
            next_attempt_at=at,
            created_at=at,
        )
        labels = words(carried | {Label.HANDLED})
        connection.execute(update(MessageRecord).where(col(MessageRecord.id) == row.id).values(labels=labels))
        connection.execute(insert(Delivery).values(delivery.model_dump(exclude={"id"})))

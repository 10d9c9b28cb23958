"""Drafts that a teacher asks for, inside the transaction that records the label by which they ask (decision 2)."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from autoresponder.drafting import DraftPlan
from connectors.labels import Label
from store.tables import Delivery, DeliveryKind, DeliveryState, MessageRecord

_ON_ITS_WAY = (DeliveryState.WAITING, DeliveryState.WORKING)


def draft_key(mailbox: str, thread: str) -> str:
    """Dedupe key of the draft that a teacher gets unasked: one per conversation."""
    return f"draft:{mailbox}:{thread}"


def plan_draft(connection: Connection, message: MessageRecord, at: datetime) -> None:
    """Plans the draft that a teacher gets unasked, about a message that somebody called a conflict after all. Does
    nothing where the conversation has had one, unless that was cancelled."""
    key = draft_key(message.mailbox, message.thread)
    cancelled = col(Delivery.dedupe_key) == key, col(Delivery.state) == DeliveryState.CANCELLED
    connection.execute(delete(Delivery).where(*cancelled))
    if connection.execute(select(col(Delivery.id)).where(col(Delivery.dedupe_key) == key)).first() is not None:
        return
    delivery = Delivery(
        mailbox=message.mailbox,
        message_id=message.id or 0,
        kind=DeliveryKind.DRAFT,
        dedupe_key=key,
        facts=DraftPlan().model_dump_json(),
        next_attempt_at=at,
        created_at=at,
    )
    connection.execute(insert(Delivery).values(delivery.model_dump(exclude={"id"})))


def ask_for_draft(connection: Connection, mailbox: str, message_id: int, at: datetime) -> None:
    """Plans the next draft about a message. While one is on its way that one is the answer: a teacher who asks twice at
    once gets one."""
    rows = connection.execute(
        select(col(Delivery.state), col(Delivery.facts)).where(
            col(Delivery.message_id) == message_id, col(Delivery.kind) == DeliveryKind.DRAFT
        )
    ).all()
    if any(row.state in _ON_ITS_WAY for row in rows):
        return
    saved = [row.facts for row in rows if row.state is not DeliveryState.CANCELLED]
    number = max((DraftPlan.model_validate_json(facts).number for facts in saved), default=0) + 1
    delivery = Delivery(
        mailbox=mailbox,
        message_id=message_id,
        kind=DeliveryKind.DRAFT,
        dedupe_key=f"draft:{mailbox}:{message_id}:asked {len(rows) + 1}",
        facts=DraftPlan(number=number, asked=True).model_dump_json(),
        next_attempt_at=at,
        created_at=at,
    )
    connection.execute(insert(Delivery).values(delivery.model_dump(exclude={"id"})))


def asked_no_more(connection: Connection, message_id: int) -> None:
    """The mark by which the teacher asked is off the message: seen again, it is a new wish."""
    query = select(col(MessageRecord.labels)).where(col(MessageRecord.id) == message_id)
    labels = connection.execute(query.with_for_update()).scalar_one()
    left = ",".join(word for word in labels.split(",") if word != Label.ANOTHER_DRAFT)
    connection.execute(update(MessageRecord).where(col(MessageRecord.id) == message_id).values(labels=left))

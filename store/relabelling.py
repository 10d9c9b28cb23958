"""A tag that a person changed: everywhere, at once, and counted.

The teacher says it by the label in their own mail program, the office in a word about an item. Either way it holds in
every mailbox that the message came to: the tag on record, the label in the mail program, the item at the office; and
what was planned for the old tag and is not yet begun is cancelled. What follows from the new tag (the office, a case)
is planned from the record of the correction (`store.follow_ups`): it commits here, with the page or the word.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Select, func, insert, or_, select, update
from sqlmodel import col

from autoresponder.items import UNFINISHED, ItemState
from autoresponder.plan import TagFacts
from connectors.labels import REMARKS, Label, Tag
from connectors.mailbox import Direction
from store.among import among_given, one_of, values_of
from store.case_life import retagged
from store.item_events import note
from store.label_words import labels_from, words
from store.marks import mark
from store.scorecard_tables import MarkKind
from store.tables import (
    Correction,
    Delivery,
    DeliveryKind,
    DeliveryState,
    EventKind,
    Item,
    ItemMail,
    MessageRecord,
)

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
_UNREAD = "unread:"
"""How the fingerprint of a message begins that nobody could read: it tells nothing of copies."""


def correct(connection: Connection, correction: Correction, labels: frozenset[Label]) -> None:
    """The teacher changed the label of a message, which now carries `labels`; its copies follow."""
    fingerprint = connection.execute(
        select(col(MessageRecord.fingerprint)).where(col(MessageRecord.id) == correction.message_id)
    ).scalar_one()
    tag = correction.to_tag or Tag.ROUTINE
    _record(connection, correction, {"labels": words(labels)}, "the teacher corrected the tag")
    for copy in _copies(connection, fingerprint, col(MessageRecord.tag) != tag):
        if copy.id != correction.message_id:
            _copy(connection, copy, correction.to_tag, correction.at, "the teacher corrected the tag of another copy")


def no_longer_urgent(connection: Connection, fingerprint: str, tag: Tag, at: datetime) -> None:
    """The office said that a message is not urgent: it is `tag` in every mailbox that it came to."""
    for copy in _copies(connection, fingerprint, col(MessageRecord.tag) == Tag.URGENT):
        _copy(connection, copy, tag, at, "the office said that it is not urgent")


def no_conflict(connection: Connection, fingerprint: str, at: datetime) -> None:
    """The teacher said in the page that a message is no conflict: it is routine in every mailbox that it came to."""
    for copy in _copies(connection, fingerprint, col(MessageRecord.tag) == Tag.CONFLICT):
        _copy(connection, copy, Tag.ROUTINE, at, "the teacher said that it is no conflict")


def heed(connection: Connection, fingerprints: Sequence[str], new: Mapping[int, MessageRecord]) -> None:
    """What somebody said of a message holds for `new` copies of it, too; `new` by number, of these fingerprints or
    others."""
    message, these = MessageRecord, values_of("content", fingerprints)
    said = connection.execute(_said_of(frozenset(these)), these)
    last = {row.fingerprint: row.to_tag for row in said if not row.fingerprint.startswith(_UNREAD)}
    for number, record in new.items():
        if record.fingerprint in last:
            tag = last[record.fingerprint]
            for copy in _copies(connection, record.fingerprint, col(message.tag) != (tag or Tag.ROUTINE)):
                if copy.id == number:
                    _copy(connection, copy, tag, record.recorded_at, "another copy of the message was corrected")


@cache
def _said_of(given: frozenset[str]) -> Select[*tuple[Any, ...]]:
    """The statement, made once: what was said of messages of these contents, in order."""
    message = MessageRecord
    return (
        select(col(message.fingerprint), col(Correction.to_tag))
        .join(Correction, col(Correction.message_id) == col(message.id))
        .where(
            among_given(message.fingerprint, "content", given),
            col(message.direction) == Direction.RECEIVED,
        )
        .order_by(col(Correction.id))
    )


def cancel_unbegun(connection: Connection, message_id: int, reason: str, at: datetime | None) -> None:
    """Cancels what nobody has begun. A mail that was attempted may have left a draft: the deliverer cleans up. A word
    to the staff is true whatever the tag is, or is asked for again before it leaves; of a draft that nobody wants a
    label has to come off."""
    untouched = or_(col(Delivery.kind) == DeliveryKind.TAG, col(Delivery.attempts) == 0)
    connection.execute(
        update(Delivery)
        .where(
            col(Delivery.message_id) == message_id,
            col(Delivery.state) == DeliveryState.WAITING,
            ~one_of(Delivery.kind, (DeliveryKind.TELL, DeliveryKind.REMIND, DeliveryKind.DRAFT)),
            untouched,
        )
        .values(state=DeliveryState.CANCELLED, last_error=reason, finished_at=at)
    )


def _copies(connection: Connection, fingerprint: str, still: Any) -> Iterator[AnyRow]:
    """The received messages of this content whose tag is `still` the old one, in all mailboxes."""
    if fingerprint.startswith(_UNREAD):
        return iter(())
    query = select(
        col(MessageRecord.id),
        col(MessageRecord.mailbox),
        col(MessageRecord.provider_id),
        col(MessageRecord.tag),
        col(MessageRecord.labels),
    ).where(
        col(MessageRecord.fingerprint) == fingerprint,
        col(MessageRecord.direction) == Direction.RECEIVED,
        col(MessageRecord.tag).is_not(None),
        still,
    )
    return iter(connection.execute(query.order_by(col(MessageRecord.id))).all())


def _copy(connection: Connection, copy: AnyRow, to_tag: Tag | None, at: datetime, reason: str) -> None:
    """A message whose label is ours to change. One that the teacher took away nowhere else becomes routine."""
    # What calls for the office does so once, for the message that somebody marked.
    followed = at if to_tag is Tag.URGENT else None
    correction = Correction(
        mailbox=copy.mailbox, message_id=copy.id, from_tag=copy.tag, to_tag=to_tag, at=at, followed_at=followed
    )
    values: dict[str, Any] = {}
    shown = _unwritten(connection, copy.id)
    carried = labels_from(copy.labels)
    if carried - REMARKS:  # in observe, and on old mail, nothing was written
        values["labels"] = words((carried & REMARKS) | {Label(to_tag or Tag.ROUTINE)})
    number = _record(connection, correction, values, reason)
    if to_tag is not Tag.CONFLICT:  # a case is opened by what follows from the correction
        retagged(connection, copy.id, at, None)
    if carried - REMARKS:
        _plan_labels(connection, copy, TagFacts(instead=carried, or_else=shown), number, at)


def _record(connection: Connection, correction: Correction, values: dict[str, Any], reason: str) -> int:
    """Puts a correction on record. Returns its number."""
    tag = correction.to_tag or Tag.ROUTINE
    if tag is Tag.ROUTINE:
        correction.followed_at = correction.at  # nothing follows
    statement = insert(Correction).values(correction.model_dump(exclude={"id"}))
    number = connection.execute(statement.returning(col(Correction.id))).scalar_one()
    cancel_unbegun(connection, correction.message_id, reason, correction.at)
    values |= {"tag": tag, "unsure": False}
    mark(connection, MarkKind.MESSAGE, [str(correction.message_id)])
    connection.execute(update(MessageRecord).where(col(MessageRecord.id) == correction.message_id).values(values))
    _close_items(connection, correction.message_id, correction.at)
    return number or 0


def _close_items(connection: Connection, message_id: int, at: datetime) -> None:
    """An item of which nothing is urgent any more is none."""
    query = (
        select(col(Item.id))
        .join(ItemMail, col(ItemMail.item_id) == col(Item.id))
        .where(col(ItemMail.message_id) == message_id, col(Item.tag) == Tag.URGENT, one_of(Item.state, UNFINISHED))
    )
    for item_id in filter(None, connection.execute(query).scalars().all()):
        urgent = (
            select(func.count())
            .select_from(ItemMail)
            .join(MessageRecord, col(MessageRecord.id) == col(ItemMail.message_id))
            .where(col(ItemMail.item_id) == item_id, col(MessageRecord.tag) == Tag.URGENT)
        )
        if connection.execute(urgent).scalar_one() == 0:
            values = {"state": ItemState.NOT_URGENT, "holder": None, "changed_at": at}
            connection.execute(update(Item).where(col(Item.id) == item_id).values(values))
            note(connection, item_id, EventKind.CORRECTED, at)


def _unwritten(connection: Connection, message_id: int) -> tuple[frozenset[Label], ...]:
    """Labels of our own that may still stand there, because the labelling that replaces them is not done."""
    facts = connection.execute(
        select(col(Delivery.facts)).where(
            col(Delivery.message_id) == message_id,
            col(Delivery.kind) == DeliveryKind.TAG,
            one_of(Delivery.state, (DeliveryState.WAITING, DeliveryState.WORKING)),
        )
    ).scalars()
    replaced = (labels for each in facts for labels in TagFacts.model_validate_json(each).replaced)
    return tuple(dict.fromkeys(replaced))


def _plan_labels(connection: Connection, copy: AnyRow, facts: TagFacts, number: int, at: datetime) -> None:
    delivery = Delivery(
        mailbox=copy.mailbox,
        message_id=copy.id,
        kind=DeliveryKind.TAG,
        dedupe_key=f"tag:{copy.mailbox}:{copy.provider_id}:corrected:{number}",
        facts=facts.model_dump_json(),
        next_attempt_at=at,
        created_at=at,
    )
    connection.execute(insert(Delivery).values(delivery.model_dump(exclude={"id"})))

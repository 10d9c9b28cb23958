"""What a page of changes does to the items at the office, inside the page's own transaction (decision 2).

An item is opened with the route that it is about, and a reply is heard with the record of the reply: neither can be
lost, and neither happens twice, whatever crashes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, Select, bindparam, insert, select, update
from sqlmodel import col

from autoresponder.identifiers import derived_message_id, message_id_behind
from autoresponder.items import (
    ONE_MATTER,
    UNFINISHED,
    ItemState,
    Outcome,
    Topical,
    Word,
    is_same_matter,
    outcome,
)
from autoresponder.plan import RouteFacts, TellFacts, Told
from connectors.labels import Tag
from store.among import among, one_of
from store.handled import mark_handled
from store.item_events import note
from store.relabelling import no_longer_urgent
from store.tables import (
    Delivery,
    DeliveryKind,
    EventKind,
    Item,
    ItemMail,
    MessageRecord,
    UtcDateTime,
)

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
BETWEEN_RECIPIENTS = ", "
"""What stands between the addresses of one delivery on record."""
_TO_THE_OFFICE = (DeliveryKind.ROUTE, DeliveryKind.ESCALATE)
_LIKELY = 0.5
"""From which probability on a message that is not urgent is a conflict, where its route does not say what it is."""


@dataclass(frozen=True, slots=True)
class Matter:
    """What a routed message is about: enough to open an item, or to find the one it belongs to."""

    reference: str
    """The message's fingerprint."""
    mailbox: str
    family: str
    topic: str
    desk: str
    tag: Tag
    thread: str
    at: datetime
    """When it is recorded."""
    escalates_at: datetime | None
    """When an item that opens with it goes on if nobody takes it."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The item behind a mail of ours that somebody answers."""

    item: int | None
    """None where it opens in the page under way."""
    told: frozenset[str]
    """Addresses that got the item, and who has taken it."""
    families: frozenset[str]
    """Addresses that the family wrote from."""


@dataclass(frozen=True, slots=True)
class Saying:
    """What a reply of the office says about an item. `word` is None where nobody can tell."""

    answered: str
    """Message-ID of the mail that it answers, which brought the item."""
    word: Word | None
    by: str
    at: datetime
    answer_id: str
    """Message-ID that an answer to it goes under, where one is needed."""
    answer_key: str
    """Dedupe key of that answer."""
    answers: tuple[str, ...]
    """Message-IDs of the thread it stands in, the reply's own last."""


def behind(connection: Connection, references: Iterable[str]) -> Mapping[str, Behind]:
    """The items behind those of our identifiers (a Message-ID, or the `thread_id` of one) that brought one to
    somebody."""
    named = {reference: message_id_behind(reference) for reference in references}
    wanted = sorted(set(named.values()))
    if not wanted:
        return {}
    found = connection.execute(
        select(col(Delivery.rfc_message_id), col(ItemMail.item_id))
        .join(ItemMail, col(ItemMail.message_id) == col(Delivery.message_id))
        .where(among(Delivery.rfc_message_id, wanted), one_of(Delivery.kind, _TO_THE_OFFICE))
    ).all()
    items = {row.item_id: _behind(connection, row.item_id) for row in found}
    by_message_id = {row.rfc_message_id: items[row.item_id] for row in found}
    return {reference: by_message_id[of] for reference, of in named.items() if of in by_message_id}


def file_matter(connection: Connection, matter: Matter, message_id: int) -> None:
    """Adds a routed message to its family's unfinished item of the same matter, or opens one. Does nothing where the
    route is another mailbox's. For who has the family's turn (`store.turns`)."""
    if connection.execute(_route_of(), {"message": message_id}).first() is None:
        return
    item_id = _same_matter(connection, matter)
    if item_id is None:
        item_id = _open(connection, matter)
    else:
        connection.execute(update(Item).where(col(Item.id) == item_id).values(last_mail_at=matter.at))
        note(connection, item_id, EventKind.ADDED, matter.at)
    connection.execute(insert(ItemMail).values(message_id=message_id, item_id=item_id))


def hear(connection: Connection, saying: Saying, mailbox: str, message_id: int) -> None:
    """What somebody at the office said takes effect; who wanted an item that somebody else has is told so by mail.
    `message_id` is the reply's, which came to `mailbox`."""
    found = behind(connection, [saying.answered]).get(saying.answered)
    if found is None or found.item is None:
        return
    if saying.word is None:
        note(connection, found.item, EventKind.UNCLEAR, saying.at, by=saying.by)
        return
    said = say(connection, found.item, saying.word, saying.by, saying.at)
    if said is None or said.refusal is None:
        return
    holder = connection.execute(_item_query(found.item)).one()
    facts = TellFacts(
        told=Told(said.refusal.value),
        by=holder.holder or "",
        at=holder.changed_at,
        references=saying.answers,
    )
    _plan_tell(connection, mailbox, message_id, saying.by, facts, saying.answer_key, saying.answer_id, saying.at)


def say(connection: Connection, item_id: int, word: Word, by: str, at: datetime) -> Outcome | None:
    """`word` takes effect on an item, or is refused; None where there is no such item. Of two at once, one wins."""
    row = connection.execute(_item_query(item_id).with_for_update()).first()
    if row is None:
        return None
    result = outcome(row.state, row.holder, word, by)
    if result.refusal is not None:
        note(connection, item_id, EventKind.REFUSED, at, by=by)
    if result.state is None:
        return result
    values = {"state": result.state, "holder": by, "changed_at": at}
    connection.execute(update(Item).where(col(Item.id) == item_id).values(values))
    note(connection, item_id, _EVENTS[result.state], at, by=by)
    if result.state is ItemState.NOT_URGENT and row.tag is Tag.URGENT:
        _no_longer_urgent(connection, item_id, at)
    if result.state is ItemState.DONE:
        mark_handled(connection, item_id, at)
    if result.state is ItemState.RETURNED:
        _tell_teachers(connection, row, by, at)
    return result


_EVENTS = {
    ItemState.CLAIMED: EventKind.TAKEN,
    ItemState.DONE: EventKind.DONE,
    ItemState.NOT_URGENT: EventKind.NOT_URGENT,
    ItemState.RETURNED: EventKind.RETURNED,
}


def _behind(connection: Connection, item_id: int) -> Behind:
    recipients = connection.execute(
        select(col(Delivery.recipient))
        .join(ItemMail, col(ItemMail.message_id) == col(Delivery.message_id))
        .where(col(ItemMail.item_id) == item_id, one_of(Delivery.kind, _TO_THE_OFFICE))
    ).scalars()
    told = {address for each in recipients if each for address in each.split(BETWEEN_RECIPIENTS)}
    holder = connection.execute(_item_query(item_id)).one().holder
    families = connection.execute(
        select(col(MessageRecord.sender))
        .join(ItemMail, col(ItemMail.message_id) == col(MessageRecord.id))
        .where(col(ItemMail.item_id) == item_id)
    ).scalars()
    return Behind(item_id, frozenset(told | {holder} - {None}), frozenset(filter(None, families)))


def _item_query(item_id: int) -> Any:
    return select(
        col(Item.id), col(Item.state), col(Item.holder), col(Item.tag), col(Item.changed_at), col(Item.reference)
    ).where(col(Item.id) == item_id)


def _same_matter(connection: Connection, matter: Matter) -> int | None:
    of = {"family": matter.family, "since": matter.at - ONE_MATTER}
    for row in connection.execute(_unfinished_of(), of).all():
        threads = connection.execute(
            select(col(MessageRecord.thread))
            .join(ItemMail, col(ItemMail.message_id) == col(MessageRecord.id))
            .where(col(ItemMail.item_id) == row.id)
        ).scalars()
        item = Topical(row.topic, row.path.partition(",")[0], row.tag, frozenset(threads))
        if is_same_matter(topic=matter.topic, desk=matter.desk, thread=matter.thread, tag=matter.tag, item=item):
            return int(row.id)
    return None


@cache
def _route_of() -> Select[*tuple[Any, ...]]:
    """The statement, made once."""
    this = col(Delivery.message_id) == bindparam("message")
    return select(col(Delivery.id)).where(this, col(Delivery.kind) == DeliveryKind.ROUTE)


@cache
def _unfinished_of() -> Select[*tuple[Any, ...]]:
    """The statement, made once: a family's items, the newest first."""
    return (
        select(col(Item.id), col(Item.topic), col(Item.path), col(Item.tag), col(Item.reference))
        .where(
            col(Item.family) == bindparam("family"),
            one_of(Item.state, UNFINISHED),
            col(Item.last_mail_at) >= bindparam("since", type_=UtcDateTime()),
        )
        .order_by(col(Item.id).desc())
    )


def _open(connection: Connection, matter: Matter) -> int:
    statement = insert(Item).values(
        reference=matter.reference,
        mailbox=matter.mailbox,
        family=matter.family,
        topic=matter.topic,
        tag=matter.tag,
        state=ItemState.OPEN,
        path=matter.desk,
        steps=0,
        reminders=0,
        opened_at=matter.at,
        last_mail_at=matter.at,
        changed_at=matter.at,
        stepped_at=matter.at,
        escalates_at=matter.escalates_at,
    )
    item_id = connection.execute(statement.returning(col(Item.id))).scalar_one()
    if item_id is None:  # pragma: no cover - a primary key
        raise LookupError(matter.reference)
    note(connection, item_id, EventKind.OPENED, matter.at, desk=matter.desk)
    return item_id


def _no_longer_urgent(connection: Connection, item_id: int, at: datetime) -> None:
    """Of every message of an item, what it is instead was decided when it was routed."""
    rows = connection.execute(
        select(col(MessageRecord.fingerprint), col(MessageRecord.conflict), col(Delivery.facts))
        .join(ItemMail, col(ItemMail.message_id) == col(MessageRecord.id))
        .join(Delivery, col(Delivery.message_id) == col(MessageRecord.id))
        .where(col(ItemMail.item_id) == item_id, col(Delivery.kind) == DeliveryKind.ROUTE)
    ).all()
    for row in rows:
        likely = Tag.CONFLICT if (row.conflict or 0) >= _LIKELY else Tag.ROUTINE
        no_longer_urgent(connection, row.fingerprint, RouteFacts.model_validate_json(row.facts).otherwise or likely, at)


def _tell_teachers(connection: Connection, item: AnyRow, by: str, at: datetime) -> None:
    """One mail to each teacher who has a message of the item: it is theirs again, and nobody else's."""
    messages = connection.execute(
        select(
            col(MessageRecord.id),
            col(MessageRecord.mailbox),
            col(MessageRecord.sender),
            col(MessageRecord.received_at),
            col(MessageRecord.rfc_message_id),
        )
        .join(ItemMail, col(ItemMail.message_id) == col(MessageRecord.id))
        .where(col(ItemMail.item_id) == item.id)
        .order_by(col(MessageRecord.id))
    ).all()
    for row in {row.mailbox: row for row in messages}.values():
        facts = TellFacts(
            told=Told.RETURNED,
            by=by,
            at=at,
            sender=row.sender or "",
            received_at=row.received_at,
            references=(row.rfc_message_id,) if row.rfc_message_id else (),
        )
        key = f"returned:{item.reference}:{row.mailbox}:{at.isoformat()}"
        _plan_tell(connection, row.mailbox, row.id, row.mailbox, facts, key, _tell_id(key, row.mailbox), at)


def _tell_id(key: str, mailbox: str) -> str:
    return derived_message_id(key, "notice", mailbox)


def _plan_tell(
    connection: Connection,
    mailbox: str,
    message_id: int,
    recipient: str,
    facts: TellFacts,
    key: str,
    rfc_message_id: str,
    at: datetime,
) -> None:
    if connection.execute(select(col(Delivery.id)).where(col(Delivery.dedupe_key) == key)).first() is not None:
        return
    delivery = Delivery(
        mailbox=mailbox,
        message_id=message_id,
        kind=DeliveryKind.TELL,
        dedupe_key=key,
        facts=facts.model_dump_json(),
        recipient=recipient,
        rfc_message_id=rfc_message_id,
        next_attempt_at=at,
        created_at=at,
    )
    connection.execute(insert(Delivery).values(delivery.model_dump(exclude={"id"})))

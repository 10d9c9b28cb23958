"""The queue of the office as the web page shows it, and what somebody does there.

Every act goes the way that a reply by mail goes (`store.matters.say`) and commits together with its entry in the audit
log, or not at all.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select
from sqlmodel import Session, col

from autoresponder.items import UNFINISHED, Outcome, Word
from autoresponder.plan import RouteFacts
from store import audit
from store.database import Database
from store.items import number_of
from store.matters import BETWEEN_RECIPIENTS, say
from store.tables import Delivery, DeliveryKind, Item, ItemEvent, ItemMail, MessageRecord

_ACTS = {
    Word.TAKEN: "took an item",
    Word.DONE: "closed an item as done",
    Word.NOT_URGENT: "closed an item as not urgent",
    Word.RETURNED: "gave an item back to the teacher",
}


@dataclass(frozen=True, slots=True)
class Queued:
    """An item, as of now: its messages and what happened to it, oldest first, and who at the school got it by mail."""

    item: Item
    messages: tuple[MessageRecord, ...]
    events: tuple[ItemEvent, ...]
    told: frozenset[str]
    """Addresses that it went to, and who has taken it."""
    unsure: bool = False
    """Whether it is not certain that it is urgent."""
    unverified: bool = False
    """Whether the mail's own authentication says that it may not come from the address it names."""

    @property
    def number(self) -> int:
        """The item's number."""
        return number_of(self.item)

    @property
    def path(self) -> tuple[str, ...]:
        """Names of the desks that have had it, the first first."""
        return tuple(self.item.path.split(","))

    @property
    def families(self) -> frozenset[str]:
        """Addresses that the family wrote from."""
        return frozenset(each.sender for each in self.messages if each.sender)

    @property
    def version(self) -> str:
        """Changes whenever the item's state, its holder or its mail does."""
        return _version(self.item, len(self.messages))


@dataclass(frozen=True, slots=True)
class Said:
    """What became of a word. `outcome` is None where the item was not as it had been shown any more: then nothing
    changed, and whoever said it looks again."""

    outcome: Outcome | None


class Queue:
    """Reads the queue, and puts on record what somebody does in it. Threads share it."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def listing(self, closed_since: datetime) -> list[Queued]:
        """What is open or taken, and what was closed since, oldest first."""
        return self._read(or_(col(Item.state).in_(UNFINISHED), col(Item.changed_at) >= closed_since))

    def find(self, reference: str) -> Queued | None:
        """The item with this reference; None where there is none."""
        return next(iter(self._read(col(Item.reference) == reference)), None)

    def say(self, queued: Queued, word: Word, by: str, at: datetime, *, shown: str) -> Said:
        """`word`, said by the address `by` who was shown the item in its version `shown`, takes effect or is refused.

        Who takes an item needs not have seen the last of it. Who closes one must: it may have been taken meanwhile, or
        the family may have written again.
        """
        with self._database.write() as connection:
            item = select(Item).where(col(Item.id) == queued.number).with_for_update()
            with Session(bind=connection) as session:
                now = _version(session.execute(item).scalar_one(), len(_messages(session, [queued.number])))
            if word is not Word.TAKEN and now != shown:
                return Said(None)
            outcome = say(connection, queued.number, word, by, at)
            if outcome is not None and (outcome.state is not None or outcome.refusal is not None):
                act = _ACTS[word] if outcome.refusal is None else "was refused an item"
                audit.append(connection, at=at, person=by, act=act, about=f"item {queued.number}")
        return Said(outcome)

    def opened(self, queued: Queued, message: MessageRecord, by: str, at: datetime) -> None:
        """Puts on record that somebody was shown the text of a message."""
        about = f"item {queued.number}, message {message.id} in {message.mailbox}"
        with self._database.write() as connection:
            audit.append(connection, at=at, person=by, act="opened a message", about=about)

    def _read(self, wanted: ColumnElement[bool]) -> list[Queued]:
        query = select(Item).where(wanted).order_by(col(Item.opened_at), col(Item.id))
        with self._database.read() as connection, Session(bind=connection) as session:
            items = list(session.execute(query).scalars())
            numbers = [number_of(item) for item in items]
            messages: dict[int, list[MessageRecord]] = defaultdict(list)
            for item_id, message in _messages(session, numbers):
                messages[item_id].append(message)
            events: dict[int, list[ItemEvent]] = defaultdict(list)
            happened = select(ItemEvent).where(col(ItemEvent.item_id).in_(numbers)).order_by(col(ItemEvent.id))
            for event in session.execute(happened).scalars():
                events[event.item_id].append(event)
            mails = _mails(connection, numbers)
            found = [
                _queued(item, messages[number], events[number], mails[number])
                for number, item in zip(numbers, items, strict=True)
            ]
            session.expunge_all()
        return found


@dataclass(frozen=True, slots=True)
class _Mail:
    """A mail that brought an item to somebody."""

    recipients: frozenset[str]
    facts: RouteFacts


def _queued(item: Item, messages: list[MessageRecord], events: list[ItemEvent], mails: list[_Mail]) -> Queued:
    told = {address for mail in mails for address in mail.recipients} | ({item.holder} - {None})
    return Queued(
        item=item,
        messages=tuple(messages),
        events=tuple(events),
        told=frozenset(filter(None, told)),
        unsure=all(mail.facts.unsure for mail in mails) and bool(mails),
        unverified=any(mail.facts.sender_unverified for mail in mails),
    )


def _messages(session: Session, numbers: Sequence[int]) -> list[tuple[int, MessageRecord]]:
    query = (
        select(col(ItemMail.item_id), MessageRecord)
        .join(ItemMail, col(ItemMail.message_id) == col(MessageRecord.id))
        .where(col(ItemMail.item_id).in_(numbers))
        .order_by(col(MessageRecord.received_at), col(MessageRecord.id))
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def _mails(connection: Connection, numbers: Sequence[int]) -> dict[int, list[_Mail]]:
    to_the_office = (DeliveryKind.ROUTE, DeliveryKind.ESCALATE)
    query = (
        select(col(ItemMail.item_id), col(Delivery.recipient), col(Delivery.facts))
        .join(ItemMail, col(ItemMail.message_id) == col(Delivery.message_id))
        .where(and_(col(ItemMail.item_id).in_(numbers), col(Delivery.kind).in_(to_the_office)))
        .order_by(col(Delivery.id))
    )
    found: dict[int, list[_Mail]] = defaultdict(list)
    for row in connection.execute(query):
        recipients = frozenset(filter(None, (row.recipient or "").split(BETWEEN_RECIPIENTS)))
        found[row.item_id].append(_Mail(recipients, RouteFacts.model_validate_json(row.facts)))
    return found


def _version(item: Item, mails: int) -> str:
    state: tuple[Any, ...] = (
        item.state,
        item.holder,
        item.changed_at.isoformat(),
        item.last_mail_at.isoformat(),
        mails,
    )
    return hashlib.sha256(repr(tuple(map(str, state))).encode()).hexdigest()[:16]

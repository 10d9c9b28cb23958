"""The items at the office: which there are, which go on because nobody took them, and what is said about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    SQLColumnExpression,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlmodel import Session, col

from autoresponder.items import ItemState, Outcome, Word
from autoresponder.plan import RouteFacts
from store.among import one_of
from store.database import Database
from store.item_events import note
from store.matters import say
from store.moments import AT_ONCE, Moment, moment
from store.pages import Query
from store.tables import Delivery, DeliveryKind, EventKind, Item, ItemEvent, ItemMail, MessageRecord, UtcDateTime

_CLOCK_SET_BACK = timedelta(minutes=10)
"""An item that last changed further ahead than this was dated by a clock that has been set back since."""


class _Overtaken(Exception):
    """The item is no longer as it was read; what was begun is rolled back."""


@dataclass(frozen=True, slots=True)
class Routed:
    """How a message first went to the office."""

    facts: RouteFacts
    rfc_message_id: str
    """The Message-ID that it went under."""


@dataclass(frozen=True, slots=True)
class ItemView:
    """An item, as of now: its messages and what happened to it, oldest first."""

    item: Item
    messages: tuple[MessageRecord, ...]
    events: tuple[ItemEvent, ...]
    routes: Mapping[int, Routed]
    """How each message first went to the office, by the message's number."""

    @property
    def id(self) -> int:
        """The item's number."""
        return number_of(self.item)

    @property
    def path(self) -> tuple[str, ...]:
        """Names of the desks that have had it, the first first."""
        return tuple(self.item.path.split(","))


class Items:
    """Reads items and puts on record what becomes of them."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def listing(self, states: Sequence[ItemState]) -> list[ItemView]:
        """All items in these states, oldest first."""
        query = select(Item).where(one_of(Item.state, states)).order_by(col(Item.opened_at), col(Item.id))
        with self._database.read() as connection, Session(bind=connection) as session:
            found = [_view(session, item) for item in session.execute(query).scalars().all()]
            session.expunge_all()
        return found

    def numbered(self, number: int) -> ItemView | None:
        """The item with this number; None where there is none."""
        with self._database.read() as connection, Session(bind=connection) as session:
            item = session.get(Item, number)
            view = None if item is None else _view(session, item)
            session.expunge_all()
        return view

    def of_message(self, message_id: int | None) -> ItemView | None:
        """The item that a message belongs to, if any."""
        with self._database.read() as connection, Session(bind=connection) as session:
            item = session.execute(_item_of(), {"message": message_id}).scalars().first()
            view = None if item is None else _view(session, item)
            session.expunge_all()
        return view

    def due(self, mailbox: str, now: datetime) -> list[ItemView]:
        """Items that came to a mailbox first, and that nobody has taken in time."""
        query = select(Item).where(waits(mailbox), is_due(moment(now))).order_by(col(Item.escalates_at), col(Item.id))
        with self._database.read() as connection, Session(bind=connection) as session:
            found = [_view(session, item) for item in session.execute(query).scalars().all()]
            session.expunge_all()
        return found

    def next_due_at(self, mailbox: str) -> datetime | None:
        """When the next item of a mailbox goes on, None where none does."""
        with self._database.read() as connection:
            found: datetime | None = connection.execute(next_at(mailbox)).scalar()
        return found

    def go_on(
        self,
        view: ItemView,
        *,
        path: Sequence[str],
        next_at: datetime | None,
        event: EventKind | None,
        deliveries: Sequence[Delivery],
        now: datetime,
    ) -> bool:
        """An item that nobody took goes on, with the mails that say so; False where somebody took it meanwhile, or
        another worker was faster: then nothing changes. Where `event` is None it only waits until `next_at`."""
        item = view.item
        values: dict[str, Any] = {"path": ",".join(path), "escalates_at": next_at, "stepped_at": now}
        if event is not None:
            values["steps"] = item.steps + 1
            values["reminders"] = item.reminders + (event is EventKind.REMINDED)
        try:
            with self._database.write() as connection:
                _move(connection, view, values)
                if event is not None:
                    desk = path[-1] if event is EventKind.NEXT_DESK else None
                    note(connection, view.id, event, now, desk=desk)
                if deliveries:
                    connection.execute(insert(Delivery), [each.model_dump(exclude={"id"}) for each in deliveries])
        except _Overtaken:
            return False
        return True

    def say(self, item_id: int, word: Word, by: str, at: datetime) -> Outcome | None:
        """What somebody said about an item takes effect, or is refused; None where there is no such item."""
        with self._database.write() as connection:
            return say(connection, item_id, word, by, at)


def number_of(item: Item) -> int:
    """The number of an item on record."""
    if item.id is None:
        raise LookupError("an item that was never recorded has no number")
    return item.id


def waits(mailbox: str | SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Which items of a mailbox go on when their time comes."""
    return and_(col(Item.mailbox) == mailbox, col(Item.state) == ItemState.OPEN, col(Item.escalates_at).is_not(None))


def next_at(mailbox: str | SQLColumnExpression[str]) -> Query:
    """When the next item of a mailbox goes on."""
    return select(func.min(col(Item.escalates_at), type_=UtcDateTime())).where(waits(mailbox))


def is_due(at: Moment) -> ColumnElement[bool]:
    """Whose time has come."""
    return or_(col(Item.escalates_at) <= at(AT_ONCE), col(Item.stepped_at) > at(_CLOCK_SET_BACK))


def _move(connection: Connection, view: ItemView, values: dict[str, Any]) -> None:
    """Writes the step over the one before. Raises _Overtaken, also where the family wrote since the item was read: what
    came meanwhile must go on with it."""
    item = view.item
    moved = connection.execute(
        update(Item)
        .where(
            col(Item.id) == view.id,
            col(Item.state) == ItemState.OPEN,
            col(Item.steps) == item.steps,
            col(Item.stepped_at) == item.stepped_at,
        )
        .values(values)
    )
    mails = select(func.count()).select_from(ItemMail).where(col(ItemMail.item_id) == view.id)
    if moved.rowcount != 1 or connection.execute(mails).scalar_one() != len(view.messages):
        raise _Overtaken


def _view(session: Session, item: Item) -> ItemView:
    this = {"item": item.id}
    messages: list[MessageRecord] = []
    routes: dict[int, Routed] = {}
    for message, facts, rfc_message_id in session.execute(_messages_of(), this):
        messages.append(message)
        if facts is not None:
            routes[message.id] = Routed(RouteFacts.model_validate_json(facts), rfc_message_id or "")
    return ItemView(item, tuple(messages), tuple(session.execute(_events_of(), this).scalars()), routes)


# Made once each: making one takes longer than asking it.
@cache
def _item_of() -> Query:
    query = select(Item).join(ItemMail, col(ItemMail.item_id) == col(Item.id))
    return query.where(col(ItemMail.message_id) == bindparam("message"))


@cache
def _messages_of() -> Query:
    """The messages of an item, oldest first, each with the route that it has, if any."""
    route = and_(col(Delivery.message_id) == col(MessageRecord.id), col(Delivery.kind) == DeliveryKind.ROUTE)
    return (
        select(MessageRecord, col(Delivery.facts), col(Delivery.rfc_message_id))
        .join(ItemMail, col(ItemMail.message_id) == col(MessageRecord.id))
        .outerjoin(Delivery, route)
        .where(col(ItemMail.item_id) == bindparam("item"))
        .order_by(col(MessageRecord.received_at), col(MessageRecord.id))
    )


@cache
def _events_of() -> Query:
    return select(ItemEvent).where(col(ItemEvent.item_id) == bindparam("item")).order_by(col(ItemEvent.id))

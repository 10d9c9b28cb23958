"""How the service stands, read in a few cheap questions: what waits, who was looked at, what nobody has taken.

Every question is answered from an index of the few rows that are open, or from tables with one row a mailbox, so that
asking costs the same after ten years of mail.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, exists, func, select
from sqlmodel import col

from autoresponder.alerts import AlertKind
from autoresponder.items import ItemState
from connectors.labels import Tag
from connectors.mailbox import Direction
from store.among import one_of
from store.answer_tables import AnswerStop
from store.database import Database
from store.operating_tables import Alert, Look
from store.tables import (
    OPEN_DELIVERY,
    OPEN_ITEM,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Item,
    MailboxState,
    MessageRecord,
    Notice,
    Parking,
)

URGENT = frozenset({DeliveryKind.ROUTE, DeliveryKind.ESCALATE})
"""Deliveries that bring something to the office."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries of one kind in one state, of mailboxes that are not parked."""

    kind: DeliveryKind
    state: DeliveryState
    count: int
    due_since: datetime
    """When the first of them came due, or comes due."""
    planned_at: datetime
    """When the oldest of them was planned."""


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """An urgent item that nobody took."""

    number: int
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the service stands at one moment. Times are aware. No address of a family, no word of any message."""

    looked_at: Mapping[str, datetime]
    """When each mailbox was last read to its end."""
    connected_at: Mapping[str, datetime]
    """Since when each mailbox is on record."""
    parked: Mapping[str, bool]
    """Mailboxes that are parked; True where only sending is refused."""
    waiting: tuple[Waiting, ...]
    given_up: tuple[tuple[int, datetime], ...]
    """Urgent deliveries that were set aside, by number, and since when."""
    unclaimed: tuple[Unclaimed, ...]
    stopped_answers: int
    """Mailboxes that give no more answers, because too many went out."""
    notices_waiting: int
    """Mails to the staff that are not out yet."""
    alerts: Mapping[AlertKind, int]
    """What the administrator is or will be told of, and is not over."""
    database_bytes: int


def read_vitals(database: Database, now: datetime, *, answers_pause: timedelta) -> Vitals:
    """Asks the database. `answers_pause` is after how long stopped answers go on by themselves. Raises what the
    database raises."""
    with database.read() as connection:
        return Vitals(
            looked_at={row[0]: row[1] for row in connection.execute(select(col(Look.mailbox), col(Look.looked_at)))},
            connected_at={
                row[0]: row[1]
                for row in connection.execute(select(col(MailboxState.address), col(MailboxState.connected_at)))
            },
            parked=_parked(connection),
            waiting=_waiting(connection),
            given_up=_given_up(connection),
            unclaimed=_unclaimed(connection),
            stopped_answers=_stopped(connection, now - answers_pause),
            notices_waiting=connection.execute(
                select(func.count()).select_from(Notice).where(col(Notice.told_at).is_(None))
            ).scalar_one(),
            alerts=_alerts(connection),
            database_bytes=_bytes(connection, database),
        )


def last_mail(database: Database) -> Mapping[str, datetime]:
    """When the last mail came to each mailbox that ever got any: one look into an index for each."""
    newest = (
        select(col(MessageRecord.received_at))
        .where(col(MessageRecord.mailbox) == col(MailboxState.address))
        .where(col(MessageRecord.direction) == Direction.RECEIVED)
        .order_by(col(MessageRecord.received_at).desc())
        .limit(1)
        .scalar_subquery()
    )
    with database.read() as connection:
        rows = connection.execute(select(col(MailboxState.address), newest))
        found: list[tuple[str, datetime | None]] = [(row[0], row[1]) for row in rows]
    return {mailbox: at for mailbox, at in found if at is not None}


def mail_times(database: Database, mailbox: str, since: datetime) -> list[datetime]:
    """When mail came to a mailbox from `since` on."""
    query = select(col(MessageRecord.received_at)).where(
        col(MessageRecord.mailbox) == mailbox,
        col(MessageRecord.received_at) >= since,
        col(MessageRecord.direction) == Direction.RECEIVED,
    )
    with database.read() as connection:
        return list(connection.execute(query).scalars())


def _parked(connection: Connection) -> Mapping[str, bool]:
    query = select(col(Parking.mailbox), col(Parking.sending)).where(col(Parking.lifted_at).is_(None))
    return {row[0]: bool(row[1]) for row in connection.execute(query)}


def _waiting(connection: Connection) -> tuple[Waiting, ...]:
    parked = exists().where(col(Parking.mailbox) == col(Delivery.mailbox), col(Parking.lifted_at).is_(None))
    kind, state = col(Delivery.kind), col(Delivery.state)
    query = (
        select(kind, state, func.count(), func.min(col(Delivery.next_attempt_at)), func.min(col(Delivery.created_at)))
        .where(OPEN_DELIVERY, ~parked)
        .group_by(kind, state)
        .order_by(kind, state)
    )
    return tuple(Waiting(*row) for row in connection.execute(query))


def _given_up(connection: Connection) -> tuple[tuple[int, datetime], ...]:
    query = (
        select(col(Delivery.id), col(Delivery.created_at))
        .where(OPEN_DELIVERY, col(Delivery.state) == DeliveryState.SET_ASIDE, one_of(Delivery.kind, URGENT))
        .order_by(col(Delivery.id))
    )
    return tuple((int(row[0] or 0), row[1]) for row in connection.execute(query))


def _unclaimed(connection: Connection) -> tuple[Unclaimed, ...]:
    query = (
        select(col(Item.id), col(Item.opened_at))
        .where(OPEN_ITEM, col(Item.state) == ItemState.OPEN, col(Item.tag) == Tag.URGENT)
        .order_by(col(Item.opened_at), col(Item.id))
    )
    return tuple(Unclaimed(int(row[0] or 0), row[1]) for row in connection.execute(query))


def _stopped(connection: Connection, since: datetime) -> int:
    stands = and_(col(AnswerStop.resumed_at).is_(None), col(AnswerStop.stopped_at) > since)
    query = select(func.count()).select_from(AnswerStop).where(stands)
    return int(connection.execute(query).scalar_one())


def _alerts(connection: Connection) -> Mapping[AlertKind, int]:
    kind = col(Alert.kind)
    query = select(kind, func.count()).where(col(Alert.over_at).is_(None)).group_by(kind)
    return {row[0]: row[1] for row in connection.execute(query)}


def _bytes(connection: Connection, database: Database) -> int:
    if connection.dialect.name == "postgresql":
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
    file = database.file
    if file is None:
        pages, size = (connection.exec_driver_sql(f"PRAGMA {of}").scalar_one() for of in ("page_count", "page_size"))
        return int(pages) * int(size)
    beside = (file, file.with_name(f"{file.name}-wal"))
    return sum(each.stat().st_size for each in beside if each.exists())

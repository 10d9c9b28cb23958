"""What families wrote to a teacher, whether the teacher has written back, and what the office has of it: as the record
has it.

An answer is a mail of the teacher's own, to the family or in its thread, or a talk that reached them; what this service
sent is none.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, select
from sqlmodel import Session, col

from autoresponder.items import ItemState
from autoresponder.plan import ReplyFacts
from connectors.labels import Tag, tag_of
from connectors.mailbox import Direction
from store.case_tables import TeacherLetter
from store.contact_answers import talks_with
from store.database import Database
from store.label_words import labels_from
from store.pages import Query
from store.tables import Correction, Delivery, DeliveryKind, DeliveryState, Item, ItemMail, MessageRecord


@dataclass(frozen=True, slots=True)
class AtOffice:
    """Where the office's item of a message stands."""

    state: ItemState
    holder: str | None
    """Address of who took it, or closed it."""
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class FamilyMail:
    """A family's message, and what became of it so far."""

    message: MessageRecord
    office: AtOffice | None = None
    answered: bool = False
    """Whether the teacher has written to the family, or into a thread that is theirs alone, or spoken with them
    since."""
    put_away: bool = False
    """Whether the teacher took the label off, and is done with it."""
    promised_by: datetime | None = None
    """By when the automatic note to the family said that an answer comes; None where none is out that says so."""

    @property
    def family(self) -> str:
        """What the messages of one family have in common."""
        return self.message.family or self.message.sender or self.message.fingerprint


class Unanswered:
    """Reads what families wrote and what became of it."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def family_mail(self, mailbox: str, since: datetime, until: datetime) -> list[FamilyMail]:
        """Family mail that came in between and lies in the mailbox still, oldest first. What lay there before the
        mailbox was connected is none of it."""
        message = MessageRecord
        query = (
            select(message)
            .where(
                *_received(mailbox, since),
                col(message.received_at) <= until,
                col(message.own).is_(False),
                col(message.backfill).is_(False),
                col(message.removed_at).is_(None),
            )
            .order_by(col(message.received_at), col(message.id))
        )
        with self._database.read() as connection, Session(bind=connection) as session:
            found = list(session.execute(query).scalars())
            session.expunge_all()
            letters = _Letters.read(connection, mailbox, since)
            office, put_away = _at_office(connection, mailbox, since), _put_away(connection, mailbox)
            promised = _promised(connection, mailbox, since)
            talks = talks_with(connection, mailbox, {each.sender for each in found})
        return [
            FamilyMail(
                each,
                office.get(each.id or 0),
                answered=letters.answer(each) or any(at >= each.received_at for at in talks.get(each.sender or "", ())),
                put_away=each.id in put_away and tag_of(labels_from(each.labels)) is None,
                promised_by=promised.get(each.id or 0),
            )
            for each in found
        ]

    def handled(self, mailbox: str, since: datetime, until: datetime) -> list[FamilyMail]:
        """The first message, in this mailbox, of each item that somebody at the office took or closed in between; in
        the order in which they did."""
        changed = and_(col(Item.changed_at) > since, col(Item.changed_at) <= until, col(Item.holder).is_not(None))
        query = (
            select(MessageRecord, Item)
            .join(ItemMail, col(ItemMail.message_id) == col(MessageRecord.id))
            .join(Item, col(Item.id) == col(ItemMail.item_id))
            .where(col(MessageRecord.mailbox) == mailbox, changed)
            .order_by(col(Item.changed_at), col(Item.id), col(MessageRecord.received_at), col(MessageRecord.id))
        )
        first: dict[int, FamilyMail] = {}
        with self._database.read() as connection, Session(bind=connection) as session:
            for message, item in session.execute(query).all():
                first.setdefault(item.id, FamilyMail(message, AtOffice(item.state, item.holder, item.changed_at)))
            session.expunge_all()
        return list(first.values())


@dataclass(frozen=True, slots=True)
class _Letters:
    """When the teacher last wrote, by family and by thread."""

    to_family: Mapping[str, datetime]
    in_thread: Mapping[str, datetime]
    shared: frozenset[str]
    """Threads in which several families write: a word there is not for each of them."""

    @classmethod
    def read(cls, connection: Connection, mailbox: str, since: datetime) -> "_Letters":
        message, letter = MessageRecord, TeacherLetter
        sent = (
            select(col(message.thread), col(message.received_at), col(letter.family))
            .outerjoin(letter, col(letter.message_id) == col(message.id))
            .where(
                col(message.mailbox) == mailbox,
                col(message.direction) == Direction.SENT,
                col(message.own).is_(False),
                col(message.received_at) >= since,
            )
            .order_by(col(message.received_at))
        )
        rows = connection.execute(sent).all()
        families = select(col(message.thread), col(message.family)).where(*_received(mailbox, since)).distinct()
        return cls(
            to_family={row.family: row.received_at for row in rows if row.family},
            in_thread={row.thread: row.received_at for row in rows},
            shared=_repeated([row.thread for row in connection.execute(families)]),
        )

    def answer(self, message: MessageRecord) -> bool:
        written = [self.to_family.get(message.family or "")]
        if message.thread not in self.shared:
            written.append(self.in_thread.get(message.thread))
        return any(at is not None and at >= message.received_at for at in written)


def _repeated(threads: Sequence[str]) -> frozenset[str]:
    return frozenset(thread for thread, times in Counter(threads).items() if times > 1)


def _received(mailbox: str, since: datetime) -> tuple[ColumnElement[bool], ...]:
    message = MessageRecord
    return (
        col(message.mailbox) == mailbox,
        col(message.received_at) >= since,
        col(message.direction) == Direction.RECEIVED,
        col(message.tag).is_not(None),
    )


def _at_office(connection: Connection, mailbox: str, since: datetime) -> Mapping[int, AtOffice]:
    query: Query = (
        select(col(MessageRecord.id).label("message"), col(Item.state), col(Item.holder), col(Item.changed_at))
        .join(ItemMail, col(ItemMail.message_id) == col(MessageRecord.id))
        .join(Item, col(Item.id) == col(ItemMail.item_id))
        .where(col(MessageRecord.mailbox) == mailbox, col(MessageRecord.received_at) >= since)
    )
    return {row.message: AtOffice(row.state, row.holder, row.changed_at) for row in connection.execute(query)}


def _put_away(connection: Connection, mailbox: str) -> frozenset[int]:
    """Messages of which the teacher's last word was to take the label off."""
    last = (
        select(func.max(col(Correction.id)))
        .where(col(Correction.mailbox) == mailbox)
        .group_by(col(Correction.message_id))
    )
    query = select(col(Correction.message_id)).where(col(Correction.id).in_(last), col(Correction.to_tag).is_(None))
    return frozenset(connection.execute(query).scalars())


def _promised(connection: Connection, mailbox: str, since: datetime) -> Mapping[int, datetime]:
    query = (
        select(col(Delivery.message_id), col(Delivery.facts))
        .join(MessageRecord, col(MessageRecord.id) == col(Delivery.message_id))
        .where(
            col(Delivery.mailbox) == mailbox,
            col(Delivery.kind) == DeliveryKind.REPLY,
            col(Delivery.state) == DeliveryState.DONE,
            col(MessageRecord.received_at) >= since,
        )
    )
    notes = ((row.message_id, ReplyFacts.model_validate_json(row.facts)) for row in connection.execute(query))
    # The urgent note names no day; one that was found in Sent is on record without the languages that it was in.
    return {message: facts.reply_by for message, facts in notes if facts.tag is not Tag.URGENT and facts.languages}

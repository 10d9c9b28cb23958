"""What the service did, read back from its own record and from the Maildirs: the demo counts nothing itself."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import and_, func, select
from sqlmodel import col

from autoresponder.items import ItemState
from config.settings import Settings
from connectors.labels import Tag
from connectors.mailbox import Direction
from service.sample.envelopes import DOMAIN
from service.sample.letters import SampleMail
from store.database import Database
from store.items import Items, ItemView
from store.tables import Delivery, DeliveryKind, DeliveryState, MessageRecord


@dataclass(frozen=True, slots=True)
class Tally:
    """One mailbox in numbers of messages."""

    read: int = 0
    tags: Mapping[Tag, int] = field(default_factory=dict)
    unsure: int = 0
    not_family: int = 0
    answered: int = 0
    routed: int = 0

    @property
    def left_alone(self) -> int:
        """Messages without an answer."""
        return self.read - self.answered

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.read + other.read,
            {tag: self.tags.get(tag, 0) + other.tags.get(tag, 0) for tag in Tag},
            self.unsure + other.unsure,
            self.not_family + other.not_family,
            self.answered + other.answered,
            self.routed + other.routed,
        )

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(
            self.read - other.read,
            {tag: self.tags.get(tag, 0) - other.tags.get(tag, 0) for tag in Tag},
            self.unsure - other.unsure,
            self.not_family - other.not_family,
            self.answered - other.answered,
            self.routed - other.routed,
        )


@dataclass(frozen=True, slots=True)
class Handled:
    """What is on record about one message of the sample."""

    mailbox: str
    message_id: str
    tag: Tag | None
    unsure: bool
    language: str | None
    guard: str | None
    reply: DeliveryState | None
    """Where the reply stands, None where none was planned."""


@dataclass(frozen=True, slots=True)
class Miss:
    """A family's message that was tagged otherwise than its author meant."""

    mail: SampleMail
    tag: Tag | None
    unsure: bool


@dataclass(frozen=True, slots=True)
class Understanding:
    """How many family messages were tagged as their authors meant."""

    meant: Mapping[Tag, int]
    hit: Mapping[Tag, int]
    misses: Sequence[Miss]


def tallies(database: Database, mails: Sequence[SampleMail]) -> dict[str, Tally]:
    """The mailboxes that `mails` came to, in numbers of these mails, as of now."""
    addresses = sorted({f"{mail.mailbox}@{DOMAIN}" for mail in mails})
    known = {mail.message_id for mail in mails}
    received = select(
        col(MessageRecord.mailbox), col(MessageRecord.tag), col(MessageRecord.unsure), col(MessageRecord.rfc_message_id)
    ).where(
        col(MessageRecord.direction) == Direction.RECEIVED,
        col(MessageRecord.mailbox).in_(addresses),
        col(MessageRecord.received_at) >= min(mail.arrives for mail in mails),
    )
    done = select(col(Delivery.mailbox), col(Delivery.kind)).where(
        col(Delivery.state) == DeliveryState.DONE, col(Delivery.mailbox).in_(addresses)
    )
    with database.read() as connection:
        messages = [row[:3] for row in connection.execute(received) if row[3] in known]
        deliveries = Counter((mailbox, kind) for mailbox, kind in connection.execute(done))
    tags = Counter((mailbox, tag) for mailbox, tag, _ in messages)
    unsure = Counter(mailbox for mailbox, tag, doubt in messages if doubt and tag is not None)
    return {
        address: Tally(
            read=sum(mailbox == address for mailbox, _, _ in messages),
            tags={tag: tags[address, tag] for tag in Tag},
            unsure=unsure[address],
            not_family=tags[address, None],
            answered=deliveries[address, DeliveryKind.REPLY],
            routed=deliveries[address, DeliveryKind.ROUTE],
        )
        for address in addresses
    }


def handled(database: Database, mails: Sequence[SampleMail]) -> list[Handled]:
    """What is on record about `mails`, as far as they were received."""
    known = {(f"{mail.mailbox}@{DOMAIN}", mail.message_id) for mail in mails}
    query = (
        select(
            col(MessageRecord.mailbox),
            col(MessageRecord.rfc_message_id),
            col(MessageRecord.tag),
            col(MessageRecord.unsure),
            col(MessageRecord.language),
            col(MessageRecord.guard),
            col(Delivery.state),
        )
        .outerjoin(
            Delivery, and_(col(Delivery.message_id) == col(MessageRecord.id), col(Delivery.kind) == DeliveryKind.REPLY)
        )
        .where(
            col(MessageRecord.direction) == Direction.RECEIVED,
            col(MessageRecord.received_at) >= min(mail.arrives for mail in mails),
        )
        .order_by(col(MessageRecord.received_at), col(MessageRecord.id))
    )
    with database.read() as connection:
        return [
            Handled(mailbox, message_id or "", tag, unsure, language, guard, reply)
            for mailbox, message_id, tag, unsure, language, guard, reply in connection.execute(query)
            if (mailbox, message_id) in known
        ]


def understanding(mails: Sequence[SampleMail], records: Sequence[Handled]) -> Understanding:
    """Compares what was meant with what was said. A mail to two teachers counts once."""
    on_record = {(record.mailbox.partition("@")[0], record.message_id): record for record in records}
    judged: dict[str, tuple[SampleMail, Handled]] = {}
    for mail in mails:
        record = on_record.get((mail.mailbox, mail.message_id))
        if mail.meant is not None and record is not None:
            judged.setdefault(mail.message_id, (mail, record))
    pairs = list(judged.values())
    return Understanding(
        meant=Counter(mail.meant for mail, _ in pairs if mail.meant is not None),
        hit=Counter(mail.meant for mail, record in pairs if mail.meant is not None and mail.meant is record.tag),
        misses=[Miss(mail, record.tag, record.unsure) for mail, record in pairs if mail.meant is not record.tag],
    )


def reasons_left_alone(records: Sequence[Handled], settings: Settings) -> Counter[str]:
    """Why messages were not answered: a guard's name, or the mailbox's stage, by how many."""
    return Counter(_reason(record, settings) for record in records if record.reply is not DeliveryState.DONE)


def _reason(record: Handled, settings: Settings) -> str:
    if record.guard is not None:
        return record.guard
    if record.reply is not None:
        return f"reply {record.reply.value}"
    return f"stage {settings.mailbox(record.mailbox).stage.value}"


def drafts_saved(database: Database, addresses: Sequence[str]) -> int:
    """How many drafts of an answer lie, or lay, in the Drafts of these mailboxes."""
    query = select(func.count()).where(
        col(Delivery.kind) == DeliveryKind.DRAFT,
        col(Delivery.state) == DeliveryState.DONE,
        col(Delivery.mailbox).in_(addresses),
    )
    with database.read() as connection:
        return connection.execute(query).scalar_one()


def items_of(items: Items, mails: Sequence[SampleMail]) -> list[ItemView]:
    """The urgent items that `mails` made at the office."""
    addresses, since = {f"{mail.mailbox}@{DOMAIN}" for mail in mails}, min(mail.arrives for mail in mails)
    return [
        view
        for view in items.listing(tuple(ItemState))
        if view.item.tag is Tag.URGENT and view.item.mailbox in addresses and view.item.opened_at >= since
    ]

"""What would have happened to the mail of the last days, had the service been running. Writes nothing anywhere."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from config.settings import MailboxSettings, Stage
from connectors.labels import Tag
from connectors.mailbox import Changes, Direction, Mailbox, RawMessage
from connectors.message import Message
from connectors.mime import parse_message
from service.assembly import Assembly
from service.pipeline import Pipeline
from store.database import Database
from store.pages import Pages
from store.tables import DeliveryKind, MessageRecord


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One message, and what would have been done about it."""

    received_at: datetime
    sender: str
    subject: str
    tag: Tag | None
    unsure: bool
    answered: bool
    routed: bool
    drafted: bool
    """Whether the teacher would have found a draft of an answer."""
    reason: str
    """Why it would not have been answered; empty where it would."""


def preview(assembly: Assembly, box: MailboxSettings, mailbox: Mailbox, since: datetime) -> Iterator[Foreseen]:
    """Replays the mail received after `since`, oldest first, as if the mailbox had been connected then, in stage reply.

    Each message is judged at the time it came. Reads the mailbox only, and keeps its record in memory. Raises
    MailboxError.
    """
    raws = sorted(_recent(mailbox, since), key=lambda raw: raw.received_at)
    replay = _Replay(assembly, box.model_copy(update={"stage": Stage.REPLY}), since)
    for raw in raws:
        foreseen = replay.play(mailbox, raw)
        if foreseen is not None:
            yield foreseen


def _recent(mailbox: Mailbox, since: datetime) -> Iterator[RawMessage]:
    """The mail since `since`, from the connector's own first connection: newest first, so that it ends early."""
    cursor: str | None = None
    more = True
    while more:
        changes: Changes = mailbox.changes(cursor)
        cursor, more = changes.cursor, changes.more
        received = [raw for raw in changes.messages if raw.direction is Direction.RECEIVED]
        yield from (replace(raw, backfill=False) for raw in changes.messages if raw.received_at >= since)
        if received and all(raw.received_at < since for raw in received):
            return


class _Replay:
    """The pipeline over a record in memory, with a clock that stands at each message's arrival."""

    def __init__(self, assembly: Assembly, box: MailboxSettings, since: datetime) -> None:
        self._box = box
        self._now = since
        self._pages = Pages(Database.in_memory())
        self._pipeline = Pipeline(
            assembly.settings, assembly.calendar, self._pages, assembly.classifier, assembly.roster, lambda: self._now
        )
        self._pages.connect(box.address, since - timedelta(seconds=1))

    def play(self, mailbox: Mailbox, raw: RawMessage) -> Foreseen | None:
        """What would have been done about `raw`; None for mail that the teacher sent."""
        self._now = max(self._now, raw.received_at)
        state = self._pages.connect(self._box.address, self._now)
        changes = Changes(cursor=raw.id, messages=(replace(raw, labels=frozenset()),))
        swept = self._pipeline.record(self._box, mailbox, state, changes)
        if raw.direction is Direction.SENT or not swept.entries:
            return None
        entry = swept.entries[0]
        message = parse_message(
            raw.raw, mailbox=self._box.address, id=raw.id, received_at=raw.received_at, size=raw.size
        )
        kinds = {delivery.kind for delivery in entry.deliveries}
        return _foreseen(entry.record, message, kinds)


def _foreseen(record: MessageRecord, message: Message, kinds: set[DeliveryKind]) -> Foreseen:
    return Foreseen(
        received_at=record.received_at,
        sender=record.sender or "",
        subject=message.subject,
        tag=record.tag,
        unsure=record.unsure,
        answered=DeliveryKind.REPLY in kinds,
        routed=DeliveryKind.ROUTE in kinds,
        drafted=DeliveryKind.DRAFT in kinds,
        reason=record.guard or record.set_aside or "",
    )

"""What follows from a tag that a person changed, planned exactly once whatever crashes and whoever is there.

A correction stands on record from the page, or the word, that brought it (`store.relabelling`) until what follows from
it is planned; that, and that it is done, is one transaction.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update
from sqlmodel import Session, col

from autoresponder.cases import CaseRules
from autoresponder.identifiers import derived_message_id
from autoresponder.items import UNFINISHED, ItemState
from autoresponder.plan import Occasion, ReplyFacts, RouteFacts
from connectors.labels import Tag
from store.among import one_of
from store.answers import COUNTS_AS_ANSWER
from store.case_life import retagged
from store.case_tables import CaseMail
from store.database import Database
from store.drafts import plan_draft
from store.item_events import note
from store.matters import BETWEEN_RECIPIENTS, Matter, file_matter
from store.pages import route_key
from store.tables import (
    Correction,
    Delivery,
    DeliveryKind,
    DeliveryState,
    DeliveryStep,
    EventKind,
    Item,
    ItemEvent,
    ItemMail,
    MessageRecord,
)
from store.turns import alone

_NOT_ON_ITS_WAY = (DeliveryState.CANCELLED, DeliveryState.SET_ASIDE)


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A correction from which something is still to follow, and the message as it stands now."""

    correction: Correction
    message: MessageRecord


@dataclass(frozen=True, slots=True)
class ToOffice:
    """How a message that the teacher marked as urgent goes to the office."""

    facts: RouteFacts
    """For the first mail about it; what the family was told is filled in here."""
    rfc_message_id: str
    """Message-ID of that mail."""
    matter: Matter


class FollowUps:
    """Reads and plans what is still to follow."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def of(self, mailbox: str, *, limit: int = 100) -> list[FollowUp]:
        """Corrections in a mailbox from which something is still to follow, oldest first."""
        query = (
            select(Correction, MessageRecord)
            .join(MessageRecord, col(MessageRecord.id) == col(Correction.message_id))
            .where(col(Correction.mailbox) == mailbox, col(Correction.followed_at).is_(None))
            .order_by(col(Correction.id))
            .limit(limit)
        )
        with self._database.glance() as connection, Session(bind=connection) as session:
            found = [FollowUp(correction, message) for correction, message in session.execute(query).all()]
            session.expunge_all()
        return found

    def nothing(self, follow_up: FollowUp, now: datetime) -> None:
        """Nothing follows."""
        with self._database.write() as connection:
            _take(connection, follow_up, now)

    def to_case(self, follow_up: FollowUp, rules: CaseRules, now: datetime, *, draft: bool) -> bool:
        """The message opens a case, or is added to its family's, where it has none yet; with `draft` the teacher gets a
        draft of the answer, where the conversation has had none. False where another worker was faster, or the tag was
        changed again: then nothing happens."""
        message = follow_up.message
        with self._database.write() as connection:
            tag = select(col(MessageRecord.tag)).where(col(MessageRecord.id) == message.id)
            if not _take(connection, follow_up, now) or connection.execute(tag).scalar() is not Tag.CONFLICT:
                return False
            in_case = select(col(CaseMail.case_id)).where(col(CaseMail.message_id) == message.id)
            if connection.execute(in_case).first() is None:  # else the page that brought the correction saw to it
                retagged(connection, message.id or 0, now, rules)
            if draft:
                plan_draft(connection, message, now)
        return True

    def to_office(self, follow_up: FollowUp, wanted: ToOffice, now: datetime) -> bool:
        """The message goes to the office as urgent: for the first time, again where its mail was cancelled, or as
        urgent after all where the office had it as something else or closed it. False where the office has it as urgent
        already, another worker was faster, or the tag was changed again: then nothing is planned."""
        message = follow_up.message
        with self._database.write() as connection:
            alone(connection)
            tag = select(col(MessageRecord.tag)).where(col(MessageRecord.id) == message.id)
            if not _take(connection, follow_up, now) or connection.execute(tag).scalar() is not Tag.URGENT:
                return False
            facts = _with_what_the_family_was_told(connection, wanted.facts, message)
            route = _route(connection, message.fingerprint)
            if route is None:
                connection.execute(insert(Delivery).values(_first(message, wanted, facts, now)))
                file_matter(connection, wanted.matter, message.id or 0)
                return True
            item = _item(connection, route.message_id)
            cancelled = route.state in _NOT_ON_ITS_WAY
            recipient = BETWEEN_RECIPIENTS.join(facts.recipients)
            values: dict[str, object] = {"facts": facts.model_dump_json(), "recipient": recipient}
            if cancelled:
                values |= _from_the_beginning(now)
            elif item is not None and not _calls_for_people(item):
                return False
            connection.execute(update(Delivery).where(col(Delivery.id) == route.id).values(values))
            if item is None:
                file_matter(connection, wanted.matter, route.message_id)
                return True
            if not _calls_for_people(item):
                return True
            number = _reopen(connection, item, wanted.matter, follow_up.correction.mailbox, now)
            if not cancelled:
                connection.execute(insert(Delivery).values(_after_all(route, item, facts, number, now)))
        return True


def _take(connection: Connection, follow_up: FollowUp, now: datetime) -> bool:
    """Whether this worker is the one that plans what follows."""
    taken = connection.execute(
        update(Correction)
        .where(col(Correction.id) == follow_up.correction.id, col(Correction.followed_at).is_(None))
        .values(followed_at=now)
    )
    return taken.rowcount == 1


def _calls_for_people(item: Item) -> bool:
    """Whether the office does not have an item as urgent, or not any more. What it settled as urgent stays settled."""
    return item.tag is not Tag.URGENT or item.state not in {*UNFINISHED, ItemState.DONE}


def _route(connection: Connection, fingerprint: str) -> Delivery | None:
    with Session(bind=connection) as session:
        query = select(Delivery).where(col(Delivery.dedupe_key) == route_key(fingerprint)).with_for_update()
        found = session.execute(query).scalars().first()
        session.expunge_all()
    return found


def _item(connection: Connection, message_id: int) -> Item | None:
    query = select(Item).join(ItemMail, col(ItemMail.item_id) == col(Item.id)).with_for_update()
    with Session(bind=connection) as session:
        found = session.execute(query.where(col(ItemMail.message_id) == message_id)).scalars().first()
        session.expunge_all()
    return found


def _with_what_the_family_was_told(connection: Connection, facts: RouteFacts, message: MessageRecord) -> RouteFacts:
    answer = connection.execute(
        select(col(Delivery.facts)).where(
            col(Delivery.message_id) == message.id,
            col(Delivery.kind) == DeliveryKind.REPLY,
            one_of(Delivery.state, COUNTS_AS_ANSWER),
        )
    ).scalar()
    if answer is None:
        return facts
    norm = ReplyFacts.model_validate_json(answer).tag is not Tag.URGENT
    return facts.model_copy(update={"family_told": True, "told_norm": norm})


def _first(message: MessageRecord, wanted: ToOffice, facts: RouteFacts, now: datetime) -> dict[str, object]:
    return Delivery(
        mailbox=message.mailbox,
        message_id=message.id or 0,
        kind=DeliveryKind.ROUTE,
        dedupe_key=route_key(message.fingerprint),
        facts=facts.model_dump_json(),
        recipient=BETWEEN_RECIPIENTS.join(facts.recipients),
        rfc_message_id=wanted.rfc_message_id,
        next_attempt_at=now,
        created_at=now,
    ).model_dump(exclude={"id"})


def _from_the_beginning(now: datetime) -> dict[str, object]:
    return {
        "state": DeliveryState.WAITING,
        "step": DeliveryStep.PLANNED,
        "draft_id": "",
        "attempts": 0,
        "handovers": 0,
        "next_attempt_at": now,
        "lease_until": None,
        "finished_at": None,
        "last_error": None,
    }


def _reopen(connection: Connection, item: Item, matter: Matter, by: str, now: datetime) -> int:
    """Nobody has the item, and it begins its way at the desk of its topic. Returns how often it was reopened."""
    values = {
        "state": ItemState.OPEN,
        "holder": None,
        "tag": Tag.URGENT,
        "path": matter.desk,
        "steps": item.steps + 1,
        "last_mail_at": now,
        "changed_at": now,
        "stepped_at": now,
        "escalates_at": matter.escalates_at,
    }
    connection.execute(update(Item).where(col(Item.id) == item.id).values(values))
    note(connection, item.id or 0, EventKind.REOPENED, now, by=by, desk=matter.desk)
    reopened = select(func.count()).select_from(ItemEvent)
    reopened = reopened.where(col(ItemEvent.item_id) == item.id, col(ItemEvent.kind) == EventKind.REOPENED)
    return connection.execute(reopened).scalar_one()


def _after_all(route: Delivery, item: Item, facts: RouteFacts, number: int, now: datetime) -> dict[str, object]:
    """The mail that says so to those at the desk, who know the message."""
    again = facts.model_copy(
        update={
            "occasion": Occasion.MARKED,
            "references": (route.rfc_message_id,) if route.rfc_message_id else (),
            "reminder": number if number > 1 else 0,
        }
    )
    name = f"marked {item.steps + 1} of {item.reference}"
    return Delivery(
        mailbox=route.mailbox,
        message_id=route.message_id,
        kind=DeliveryKind.ESCALATE,
        dedupe_key=f"marked:{item.reference}:{item.steps + 1}",
        facts=again.model_dump_json(),
        recipient=BETWEEN_RECIPIENTS.join(again.recipients),
        rfc_message_id=derived_message_id(name, "route", route.mailbox),
        next_attempt_at=now,
        created_at=now,
    ).model_dump(exclude={"id"})

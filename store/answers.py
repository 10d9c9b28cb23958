"""Which answers a mailbox has given, as far as the next one depends on them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select
from sqlmodel import col

from autoresponder.guards.past import gravity
from autoresponder.plan import Answer, ReplyFacts
from store.among import among_given, one_of, values_of
from store.chunks import chunks
from store.tables import Delivery, DeliveryKind, DeliveryState, MessageRecord, UtcDateTime

_WANTED = "wanted"
COUNTS_AS_ANSWER = (DeliveryState.WAITING, DeliveryState.WORKING, DeliveryState.DONE, DeliveryState.UNCERTAIN)
"""States of a reply that the family has, may have, or is about to have."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers that one mailbox gave, or is about to."""

    to_person: dict[str, list[Answer]] = field(default_factory=dict)
    """By whom they went to (`autoresponder.family.person`)."""
    in_thread: dict[str, list[Answer]] = field(default_factory=dict)
    """By thread."""

    def add(self, answer: Answer, thread: str) -> None:
        """One more."""
        self.to_person.setdefault(answer.sender, []).append(answer)
        self.in_thread.setdefault(thread, []).append(answer)

    def remember(self, more: Mapping[str, Sequence[Answer]]) -> None:
        """Answers to people whose records were erased since."""
        for sender, answers in more.items():
            self.to_person.setdefault(sender, []).extend(answers)


def answers_given(
    connection: Connection, mailbox: str, people: Collection[str], threads: Collection[str], since: datetime
) -> Answers:
    """The answers that a mailbox has given since then to these people, and in these threads."""
    answers = Answers()
    parameters = {"mailbox": mailbox, "since": since}
    for wanted, column, into in (
        (people, Delivery.recipient, answers.to_person),
        (threads, MessageRecord.thread, answers.in_thread),
    ):
        for chunk in chunks(sorted(wanted)):
            these = values_of(_WANTED, chunk)
            for row in connection.execute(_given(column, frozenset(these)), {**parameters, **these}):
                key = row.recipient if column is Delivery.recipient else row.thread
                into.setdefault(key, []).append(_answer(row))
    return answers


def overtaken(connection: Connection, delivery: Delivery) -> bool:
    """Whether a later answer to the same person, as grave or graver, makes this one (waiting, or set aside for a time)
    one too many."""
    facts = ReplyFacts.model_validate_json(delivery.facts)
    this = {"mailbox": delivery.mailbox, "recipient": delivery.recipient, "this": delivery.id}
    others = (ReplyFacts.model_validate_json(each) for each in connection.execute(_later(), this).scalars())
    mine = gravity(facts.tag, crisis=facts.crisis)
    return any(gravity(other.tag, crisis=other.crisis) >= mine for other in others)


@cache
def _later() -> Select[*tuple[Any, ...]]:
    return select(col(Delivery.facts)).where(
        col(Delivery.mailbox) == bindparam("mailbox"),
        col(Delivery.recipient) == bindparam("recipient"),
        col(Delivery.kind) == DeliveryKind.REPLY,
        col(Delivery.id) > bindparam("this"),
        one_of(Delivery.state, COUNTS_AS_ANSWER),
    )


@cache
def _given(wanted: Any, given: frozenset[str]) -> Select[*tuple[Any, ...]]:
    """The statement, made once for each column that says which answers are wanted."""
    return (
        select(col(Delivery.recipient), col(Delivery.facts), col(Delivery.created_at), col(MessageRecord.thread))
        .join(MessageRecord, col(Delivery.message_id) == col(MessageRecord.id))
        .where(
            col(Delivery.mailbox) == bindparam("mailbox"),
            col(MessageRecord.mailbox) == bindparam("mailbox"),  # the same, and known to the index on threads
            col(Delivery.kind) == DeliveryKind.REPLY,
            one_of(Delivery.state, COUNTS_AS_ANSWER),
            col(Delivery.created_at) >= bindparam("since", type_=UtcDateTime()),
            among_given(wanted, _WANTED, given),
        )
        .order_by(col(Delivery.id))
    )


def _answer(row: Row[*tuple[Any, ...]]) -> Answer:
    facts = ReplyFacts.model_validate_json(row.facts)
    return Answer(sender=row.recipient or "", tag=facts.tag, at=row.created_at, crisis=facts.crisis)

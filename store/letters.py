"""A teacher's own mail to families: to whom it went, and whether it is good news.

It is put on record inside the page's own transaction (decision 2), with the marks that make the scorecard look again.
The classifier's word on a mail stands until the teacher says otherwise, by the label "good news" in their own mail
program; the teacher's word stands for good, whatever is read or judged again later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from classifier.verdict import Opinion
from connectors.labels import Label
from connectors.mailbox import Direction
from store.contact_tables import Judgement, LetterRecipient
from store.label_words import labels_from, words
from store.marks import mark
from store.relabelling import cancel_unbegun
from store.scorecard_tables import MarkKind
from store.tables import MessageRecord


@dataclass(frozen=True, slots=True)
class FamilyLetter:
    """A mail that the teacher wrote to families."""

    recipients: tuple[str, ...]
    """Whom it went to, as addresses are compared (`autoresponder.family.person`), each once."""
    opinion: Opinion | None = None
    """What the classifier says of it; None where it has nothing to read, or choked on it."""
    labelled: bool = False
    """Whether it came with the label "good news" that the classifier would not have given it."""


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody said of a mail: is it good news?"""

    positive: bool
    by: str
    """Their address."""
    at: datetime


def file_letter(
    connection: Connection, message_id: int, record: MessageRecord, letter: FamilyLetter, said: Word | None = None
) -> None:
    """Puts on record what a message that was just recorded says to families. `said` is what somebody said of it before
    it was read again."""
    rows = [{"message_id": message_id, "address": address} for address in letter.recipients]
    if rows:
        connection.execute(insert(LetterRecipient), rows)
    opinion = letter.opinion
    said = said or _said_of_same(connection, message_id, record)
    if said is None and letter.labelled:
        said = Word(positive=True, by=record.mailbox, at=record.recorded_at)
    if said is None and opinion is None:
        return
    judgement = Judgement(
        message_id=message_id,
        positive=said.positive if said is not None else opinion is not None and opinion.positive,
        score=opinion.score if opinion is not None else None,
        model=opinion.model if opinion is not None else None,
        by=said.by if said is not None else None,
        at=said.at if said is not None else record.recorded_at,
    )
    connection.execute(insert(Judgement).values(judgement.model_dump()))
    if said is not None and not said.positive:
        _leave_unlabelled(connection, message_id, record.recorded_at)


def hear(connection: Connection, message_id: int, word: Word) -> None:
    """The teacher set the label "good news" on a mail of theirs, or took it away: that stands from now on."""
    judged = update(Judgement).where(col(Judgement.message_id) == message_id)
    values: dict[str, Any] = {"positive": word.positive, "by": word.by, "at": word.at}
    if connection.execute(judged.values(values)).rowcount == 0:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        begin = dialect.insert(Judgement).values(message_id=message_id, **values)
        connection.execute(begin.on_conflict_do_update(index_elements=["message_id"], set_=values))
    mark(connection, MarkKind.MESSAGE, [str(message_id)])


def forget(connection: Connection, message_ids: Iterable[int]) -> Mapping[str, Word]:
    """Takes messages that are about to be read again off these tables. Returns what somebody said of them, by the mail
    system's id: that outlasts the record."""
    said: dict[str, Word] = {}
    for message_id in message_ids:
        query = (
            select(col(MessageRecord.provider_id), col(Judgement.positive), col(Judgement.by), col(Judgement.at))
            .join(Judgement, col(Judgement.message_id) == col(MessageRecord.id))
            .where(col(MessageRecord.id) == message_id, col(Judgement.by).is_not(None))
        )
        for row in connection.execute(query):
            said[row.provider_id] = Word(row.positive, row.by, row.at)
        addresses = select(col(LetterRecipient.address)).where(col(LetterRecipient.message_id) == message_id)
        mark(connection, MarkKind.ADDRESS, sorted(connection.execute(addresses).scalars()))
        connection.execute(delete(LetterRecipient).where(col(LetterRecipient.message_id) == message_id))
        connection.execute(delete(Judgement).where(col(Judgement.message_id) == message_id))
    return said


def _said_of_same(connection: Connection, message_id: int, record: MessageRecord) -> Word | None:
    """What somebody said of the same mail under another number: it was moved out of Sent and back, or its record was
    lost under one id and comes again under another."""
    if record.rfc_message_id is None:
        return None
    query = (
        select(col(Judgement.positive), col(Judgement.by), col(Judgement.at))
        .join(MessageRecord, col(MessageRecord.id) == col(Judgement.message_id))
        .where(
            col(MessageRecord.mailbox) == record.mailbox,
            col(MessageRecord.rfc_message_id) == record.rfc_message_id,
            col(MessageRecord.fingerprint) == record.fingerprint,
            col(MessageRecord.direction) == Direction.SENT,
            col(MessageRecord.id) != message_id,
            col(Judgement.by).is_not(None),
        )
        .order_by(col(Judgement.at).desc(), col(Judgement.message_id).desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else Word(row.positive, row.by, row.at)


def _leave_unlabelled(connection: Connection, message_id: int, at: datetime) -> None:
    """The classifier would have the mail labelled, and the teacher has taken that label away before."""
    cancel_unbegun(connection, message_id, "the teacher said that it is no good news", at)
    carried = connection.execute(select(col(MessageRecord.labels)).where(col(MessageRecord.id) == message_id))
    labels = words(labels_from(carried.scalar_one()) - {Label.GOOD_NEWS})
    connection.execute(update(MessageRecord).where(col(MessageRecord.id) == message_id).values(labels=labels))

"""Takes records of messages away, with everything that hangs on them; whose records they are is for others to say.

What hangs on a message is read off the tables' own foreign keys, so that a table of tomorrow is not forgotten.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from typing import Any

from sqlalchemy import Connection, Table, delete, func, or_, select, update
from sqlmodel import SQLModel, col

from autoresponder.plan import Answer, ReplyFacts
from connectors.mailbox import Direction
from store.answer_tables import AnswerLetOut
from store.answers import COUNTS_AS_ANSWER
from store.case_tables import CaseMail, ConflictCase, TeacherLetter
from store.chunks import chunks
from store.contact_tables import LetterRecipient
from store.tables import Delivery, DeliveryKind, DeliveryState, Item, ItemMail, MessageRecord
from store.tombstones import ANSWERS_REMEMBERED, bury, message_names, remember_answers

_FEW = 400
GONE = "gone:"
"""Begins what stands where the name of somebody forgotten stood."""
UNDER_WAY = (DeliveryState.WAITING, DeliveryState.WORKING)


@dataclass(frozen=True, slots=True)
class Mail:
    """Messages on record, by number, and what hangs on them alone."""

    messages: frozenset[int]
    items: frozenset[int] = frozenset()
    """Of which every mail is among the messages."""
    cases: frozenset[int] = frozenset()
    letters_to_others: frozenset[int] = frozenset()
    """The teacher's mails that went to others, too: they stay, and no longer say that they went to these people."""
    threads: frozenset[tuple[str, str]] = frozenset()
    """Mailbox and thread of what somebody of theirs wrote."""


@dataclass(slots=True)
class Erased:
    """How many rows went, by table."""

    rows: Counter[str] = field(default_factory=Counter)

    def delete(self, connection: Connection, table: type[SQLModel], *where: Any) -> None:
        """Deletes rows, and counts them."""
        self._count(table.__tablename__, connection.execute(delete(table).where(*where)).rowcount)

    def delete_in(self, connection: Connection, table: type[SQLModel], column: Any, values: Iterable[Any]) -> None:
        """The same where `column` is one of `values`."""
        for some in chunks(sorted(set(values)), _FEW):
            self.delete(connection, table, col(column).in_(some))

    def delete_behind(self, connection: Connection, table: type[SQLModel], numbers: Collection[int]) -> None:
        """Deletes rows by their number, and before them every row of whatever table refers to them."""
        for some in chunks(sorted(numbers), _FEW):
            for other, column in _referring_to(table):
                self._count(other.name, connection.execute(delete(other).where(column.in_(some))).rowcount)
            self.delete(connection, table, _table(table).c.id.in_(some))

    def _count(self, table: Any, number: int) -> None:
        if number > 0:
            self.rows[str(table)] += number


def mail_of(
    connection: Connection, spelled: Collection[str], addresses: Collection[str], keys: Collection[str]
) -> Mail:
    """What people wrote from these addresses (`spelled` as on mail, `addresses` as compared), what teachers wrote to
    them, and the items and cases that are theirs alone."""
    message = MessageRecord
    received, threads = set[int](), set[tuple[str, str]]()
    for some in chunks(sorted(spelled), _FEW):
        rows = connection.execute(
            select(col(message.id), col(message.mailbox), col(message.thread)).where(
                col(message.direction) == Direction.RECEIVED, func.lower(col(message.sender)).in_(some)
            )
        )
        for row in rows:
            received.add(row.id)
            threads.add((row.mailbox, row.thread))
    written, to_others = _letters(connection, received, threads, addresses, keys)
    return Mail(
        messages=frozenset(received | written),
        items=_wholly(connection, ItemMail, ItemMail.item_id, received) | _empty(connection, Item, ItemMail, keys),
        cases=_wholly(connection, CaseMail, CaseMail.case_id, received)
        | _empty(connection, ConflictCase, CaseMail, keys),
        letters_to_others=frozenset(to_others),
        threads=frozenset(threads),
    )


def hanging_on(connection: Connection, messages: Collection[int]) -> Mail:
    """The items and cases that hang on these messages alone."""
    return Mail(
        messages=frozenset(messages),
        items=_wholly(connection, ItemMail, ItemMail.item_id, messages),
        cases=_wholly(connection, CaseMail, CaseMail.case_id, messages),
    )


def under_way(connection: Connection, messages: Collection[int]) -> int:
    """How many deliveries about these messages are still to be carried out."""
    count = 0
    for some in chunks(sorted(messages), _FEW):
        query = select(func.count()).select_from(Delivery)
        theirs = col(Delivery.message_id).in_(some), col(Delivery.state).in_(UNDER_WAY)
        count += connection.execute(query.where(*theirs)).scalar_one()
    return count


def keep_away(connection: Connection, messages: Collection[int], now: datetime) -> None:
    """Has these messages be known again, and the answers to them counted, once their records are gone."""
    message = MessageRecord
    for some in chunks(sorted(messages), _FEW):
        rows = connection.execute(
            select(col(message.mailbox), col(message.provider_id), col(message.fingerprint)).where(
                col(message.id).in_(some)
            )
        )
        bury(connection, [name for row in rows for name in message_names(*row)], now)
        remember_answers(connection, list(_answers(connection, some, now)))


def erase_messages(connection: Connection, messages: Collection[int], erased: Erased) -> None:
    """Takes these messages away, with everything that hangs on them but items and cases."""
    for some in chunks(sorted(messages), _FEW):
        deliveries = select(col(Delivery.id)).where(col(Delivery.message_id).in_(some))
        erased.delete(connection, AnswerLetOut, col(AnswerLetOut.delivery_id).in_(deliveries))
        of = ConflictCase
        connection.execute(update(of).where(col(of.agreed_mark).in_(some)).values(agreed_mark=None))
        erased.delete_behind(connection, MessageRecord, some)


def without_recipients(connection: Connection, letters: Collection[int], addresses: Collection[str]) -> None:
    """Says of a letter to several no longer that it went to these. To how many it went stays: a circular to many is
    good news to none of them, and must not become so to those who are left."""
    of = LetterRecipient
    where = (col(of.message_id).in_(letters), col(of.address).in_(addresses))
    for number, address in connection.execute(select(col(of.message_id), col(of.address)).where(*where)).all():
        this = (col(of.message_id) == number, col(of.address) == address)
        connection.execute(update(of).where(*this).values(address=f"{GONE}{token_hex(6)}"))


def without_thread_names(connection: Connection, threads: Iterable[tuple[str, str]], renamed: Any) -> None:
    """Calls the threads of messages that stay by another name: a thread is called by the Message-ID that it began with.
    `renamed` makes the new name of the old."""
    of = MessageRecord
    for mailbox, thread in threads:
        where = (col(of.mailbox) == mailbox, col(of.thread) == thread)
        connection.execute(update(of).where(*where).values(thread=renamed(thread)))


def _letters(
    connection: Connection,
    received: Collection[int],
    threads: Collection[tuple[str, str]],
    addresses: Collection[str],
    keys: Collection[str],
) -> tuple[set[int], set[int]]:
    """Numbers of what was written to these people alone, and to them among others."""
    to_them = {
        *_numbers(connection, LetterRecipient.message_id, LetterRecipient.address, addresses),
        *_numbers(connection, TeacherLetter.message_id, TeacherLetter.family, keys),
    }
    named = set(_numbers(connection, Delivery.rfc_message_id, Delivery.message_id, received)) - {None}
    ours = set(_numbers(connection, MessageRecord.id, MessageRecord.rfc_message_id, named))
    own, strange = set[int](), set[int]()
    of = MessageRecord
    for mailbox, thread in threads:
        rows = connection.execute(
            select(col(of.id), col(of.direction)).where(col(of.mailbox) == mailbox, col(of.thread) == thread)
        ).all()
        sent = {row.id for row in rows if row.direction is Direction.SENT}
        others_wrote = any(row.direction is Direction.RECEIVED and row.id not in received for row in rows)
        (strange if others_wrote else own).update(sent)
    candidates = to_them | ours | own
    recipients = select(col(LetterRecipient.message_id), col(LetterRecipient.address))
    families = select(col(TeacherLetter.message_id), col(TeacherLetter.family))
    to_others = set[int]()
    for some in chunks(sorted(candidates), _FEW):
        for row in connection.execute(recipients.where(col(LetterRecipient.message_id).in_(some))):
            if row.address not in addresses and not row.address.startswith(GONE):
                to_others.add(row.message_id)
        for row in connection.execute(families.where(col(TeacherLetter.message_id).in_(some))):
            if row.family and row.family not in keys:
                to_others.add(row.message_id)
    return candidates - to_others, to_others & candidates


def _answers(connection: Connection, messages: Collection[int], now: datetime) -> Iterator[tuple[str, Answer]]:
    of = Delivery
    rows = connection.execute(
        select(col(of.mailbox), col(of.recipient), col(of.facts), col(of.created_at)).where(
            col(of.message_id).in_(messages),
            col(of.kind) == DeliveryKind.REPLY,
            col(of.state).in_(COUNTS_AS_ANSWER),
            col(of.created_at) >= now - ANSWERS_REMEMBERED,
        )
    )
    for row in rows:
        facts = ReplyFacts.model_validate_json(row.facts)
        yield row.mailbox, Answer(sender=row.recipient or "", tag=facts.tag, at=row.created_at, crisis=facts.crisis)


def _wholly(connection: Connection, link: Any, whole: Any, messages: Collection[int]) -> frozenset[int]:
    """Numbers of items or cases of which every mail is among these messages."""
    touched = set(_numbers(connection, whole, link.message_id, messages))
    others = set[int]()
    for some in chunks(sorted(touched), _FEW):
        rows = connection.execute(select(col(whole), col(link.message_id)).where(col(whole).in_(some)))
        others |= {number for number, message in rows if message not in messages}
    return frozenset(touched - others)


def _empty(connection: Connection, table: Any, link: Any, keys: Collection[str]) -> frozenset[int]:
    """Numbers of items or cases that are filed under one of these keys and have no mail."""
    whole = link.item_id if table is Item else link.case_id
    found = set[int]()
    for some in chunks(sorted(keys), _FEW):
        mails = select(col(link.message_id)).where(col(whole) == col(table.id)).exists()
        found |= set(connection.execute(select(col(table.id)).where(col(table.family).in_(some), ~mails)).scalars())
    return frozenset(found)


def _numbers(connection: Connection, column: Any, where: Any, values: Iterable[Any]) -> Iterator[Any]:
    for some in chunks(sorted(set(values)), _FEW):
        yield from connection.execute(select(col(column)).where(or_(col(where).in_(some)))).scalars()


def _referring_to(table: type[SQLModel]) -> Iterator[tuple[Table, Any]]:
    own = _table(table)
    for other in reversed(SQLModel.metadata.sorted_tables):
        for key in other.foreign_keys:
            if key.column.table is own and other is not own:
                yield other, key.parent


def _table(model: type[SQLModel]) -> Table:
    found: Table = model.__table__  # type: ignore[attr-defined]
    return found

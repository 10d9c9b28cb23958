"""Teachers' answers to the morning mail take effect inside the transaction of the page that brings them, each once."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update
from sqlmodel import col

from store.contact_record import NewContact, record, withdraw
from store.contact_tables import Contact, ContactSource, HeardReply
from store.database import dialect_of
from store.digest_tables import DigestRecord
from store.digest_times import told_before
from store.glow_wishes import wish


@dataclass(frozen=True, slots=True)
class ReplyHeard:
    """What a teacher's answer to the morning mail says."""

    mailbox: str
    fingerprint: str
    on_day: date
    at: datetime
    """When it is recorded."""
    contacts: tuple[NewContact, ...] = ()
    undo: tuple[int, ...] | None = None
    """Numbers that the morning mail gave what is to be taken back; all of it where empty. None where nothing is."""
    undo_line: int = 0
    morning: date | None = None
    """The day of the morning mail that it answers."""
    drafts: bool = False
    """Whether the teacher asks for drafts of good news for the families that the morning mail names."""
    doubts: tuple[str, ...] = ()
    """As `HeardReply.doubts` has them."""


def hear_reply(connection: Connection, reply: ReplyHeard) -> None:
    """What a teacher's answer says takes effect, inside the transaction of the page that brings it; nothing where a
    copy of it has been heard."""
    said = HeardReply(
        mailbox=reply.mailbox,
        fingerprint=reply.fingerprint,
        on_day=reply.on_day,
        heard_at=reply.at,
        doubts=",".join(reply.doubts),
    )
    adding = dialect_of(connection).insert(HeardReply).values(said.model_dump(exclude={"id"}))
    number = connection.execute(adding.on_conflict_do_nothing().returning(col(HeardReply.id))).scalar()
    if number is None:
        return
    if reply.undo is not None and not _undo(connection, reply):
        doubts = ",".join((*reply.doubts, f"{reply.undo_line} undo"))
        connection.execute(update(HeardReply).where(col(HeardReply.id) == number).values(doubts=doubts))
    record(connection, reply.contacts, reply.at)
    if reply.drafts and reply.morning is not None:
        wish(connection, reply.mailbox, reply.morning, reply.at)


def _undo(connection: Connection, reply: ReplyHeard) -> bool:
    """Takes back what the teacher means: by its number in the morning mail that they answer; without one, all that it
    told of, or all that they answered to it so far. False where there is nothing, or both."""
    if reply.morning is None:
        return False
    since, until = told_before(connection, reply.mailbox, reply.morning), _sent_at(connection, reply)
    if until is None:
        return False
    told = list(connection.execute(confirmed(reply.mailbox, since, until, col(Contact.id))).scalars())
    if reply.undo:
        chosen = [told[each - 1] for each in reply.undo if 0 < each <= len(told)]
        if len(chosen) < len(reply.undo):
            return False
    else:
        later = list(connection.execute(confirmed(reply.mailbox, until, reply.at, col(Contact.id))).scalars())
        if told and later:
            return False
        chosen = told or later
    if not chosen:
        return False
    withdraw(connection, col(Contact.id).in_(chosen), reply.mailbox, reply.at)
    return True


def _sent_at(connection: Connection, reply: ReplyHeard) -> datetime | None:
    query = select(col(DigestRecord.sent_at), col(DigestRecord.decided_at)).where(
        col(DigestRecord.mailbox) == reply.mailbox, col(DigestRecord.day) == reply.morning
    )
    row = connection.execute(query).first()
    return None if row is None else row.sent_at or row.decided_at


def confirmed(mailbox: str, since: datetime | None, until: datetime, *columns: Any) -> Any:
    """Contacts that the teacher's answers told of in between, in the order of their numbers; the withdrawn ones too,
    which keep theirs."""
    wanted = select(*(columns or (Contact,))).where(
        col(Contact.mailbox) == mailbox,
        col(Contact.source) == ContactSource.REPLY,
        *within(col(Contact.logged_at), since, until),
    )
    return wanted.order_by(col(Contact.id))


def within(at: Any, since: datetime | None, until: datetime) -> tuple[ColumnElement[bool], ...]:
    """A time after `since` (ever, where None), until another."""
    return (at <= until,) if since is None else (at > since, at <= until)

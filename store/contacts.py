"""Contacts that are not mail, as the page, the commands and the morning mail read and record them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, select
from sqlmodel import Session, col

from store.audit import append
from store.contact_record import NewContact, record, withdraw
from store.contact_replies import confirmed, within
from store.contact_tables import Contact, ContactSource, HeardReply
from store.database import Database

ADMINISTRATOR = "administrator"
"""Who withdrew a contact with the command."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a teacher's answers, for the next morning mail."""

    noted: tuple[tuple[int, Contact], ...] = ()
    """What stands, with the numbers that it can be taken back by."""
    taken_back: tuple[Contact, ...] = ()
    unheard: tuple[HeardReply, ...] = ()
    """Answers with lines that nothing could be made of."""


class Contacts:
    """Reads and records contacts."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def log(self, new: NewContact, now: datetime, *, act: str) -> bool:
        """Records what somebody says in the page, and `act` in the audit log; False where it is on record already."""
        with self._database.write() as connection:
            numbers = record(connection, [new], now)
            for number in numbers:
                append(connection, at=now, person=new.logged_by, act=act, about=f"contact {number}")
        return bool(numbers)

    def withdraw(self, number: int, by: str, now: datetime, *, mailbox: str | None = None, act: str = "") -> bool:
        """Takes a contact back; with `mailbox`, only one of that teacher's. `act` goes to the audit log, where given.
        False where there is no such contact. Withdrawing it twice changes nothing."""
        this = col(Contact.id) == number
        mine = this if mailbox is None else and_(this, col(Contact.mailbox) == mailbox)
        with self._database.write() as connection:
            if connection.execute(select(col(Contact.id)).where(mine)).first() is None:
                return False
            if withdraw(connection, mine, by, now) and act:
                append(connection, at=now, person=by, act=act, about=f"contact {number}")
        return True

    def listing(
        self, *, mailbox: str | None = None, since: date | None = None, most: int | None = None
    ) -> list[Contact]:
        """Contacts, the latest day first, the withdrawn ones among them: of one mailbox, from a day on, at most so
        many, where these are given."""
        query = select(Contact).order_by(col(Contact.on_day).desc(), col(Contact.id).desc())
        if mailbox is not None:
            query = query.where(col(Contact.mailbox) == mailbox)
        if since is not None:
            query = query.where(col(Contact.on_day) >= since)
        return self._contacts(query if most is None else query.limit(most))

    def told(self, mailbox: str, since: datetime | None, until: datetime) -> Told:
        """What came of the teacher's answers after `since` (ever, where None), until a time."""
        noted = [
            (number, each)
            for number, each in enumerate(self._contacts(confirmed(mailbox, since, until)), 1)
            if each.withdrawn_at is None
        ]
        source, withdrawn = col(Contact.source) == ContactSource.REPLY, col(Contact.withdrawn_at)
        back = select(Contact).where(col(Contact.mailbox) == mailbox, source, *within(withdrawn, since, until))
        replies = select(HeardReply).where(
            col(HeardReply.mailbox) == mailbox,
            col(HeardReply.doubts) != "",
            *within(col(HeardReply.heard_at), since, until),
        )
        with self._database.read() as connection, Session(bind=connection) as session:
            unheard = tuple(session.execute(replies.order_by(col(HeardReply.id))).scalars())
            session.expunge_all()
        return Told(tuple(noted), tuple(self._contacts(back.order_by(col(Contact.id)))), unheard)

    def _contacts(self, query: Any) -> list[Contact]:
        with self._database.read() as connection, Session(bind=connection) as session:
            found = list(session.execute(query).scalars())
            session.expunge_all()
        return found

"""What the mail systems said of the teachers' own out-of-office answers, and when they are to be asked again."""

from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlmodel import Session, col

from connectors.away import Absence
from store.answer_tables import OwnAnswer
from store.database import Database

ASKED_EVERY = timedelta(minutes=15)
"""A teacher who switches their answer on on Friday afternoon is heard before the evening's mail."""
_BELIEVED = timedelta(hours=6)
"""How long an answer of the mail system counts when it gives no other: after that nothing is known, and so nothing is
kept from a family."""


class Absences:
    """Keeps the last answer for each mailbox."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def is_due(self, mailbox: str, now: datetime) -> bool:
        """Whether the mail system is to be asked (again)."""
        found = self._find(mailbox)
        return is_due(None if found is None else found.asked_at, now)

    def told(self, mailbox: str, absence: Absence | None, now: datetime) -> None:
        """The mail system answered."""
        absent = absence or Absence()
        values = {"told_at": now, "on": absence is not None, **asdict(absent)}
        with self._database.write() as connection:
            connection.execute(delete(OwnAnswer).where(col(OwnAnswer.mailbox) == mailbox))
            connection.execute(insert(OwnAnswer).values(mailbox=mailbox, asked_at=now, **values))

    def not_told(self, mailbox: str, now: datetime) -> None:
        """It was asked and did not answer: what it said before counts for a while."""
        with self._database.write() as connection:
            this = col(OwnAnswer.mailbox) == mailbox
            if connection.execute(update(OwnAnswer).where(this).values(asked_at=now)).rowcount == 0:
                connection.execute(insert(OwnAnswer).values(mailbox=mailbox, asked_at=now, on=False, to_families=True))

    def known(self, mailbox: str, now: datetime) -> Absence | None:
        """When the teacher's own answer is on; None where it is off, or nobody knows."""
        return believed(self._find(mailbox), now)

    def _find(self, mailbox: str) -> OwnAnswer | None:
        with self._database.glance() as connection, Session(bind=connection) as session:
            found = session.execute(select(OwnAnswer).where(col(OwnAnswer.mailbox) == mailbox)).scalar()
            session.expunge_all()
        return found


def believed(told: OwnAnswer | None, now: datetime) -> Absence | None:
    """When the teacher's own answer is on, by what the mail system last said; None where it is off, or nobody knows."""
    if told is None or not told.on or told.told_at is None or now - told.told_at > _BELIEVED:
        return None
    return Absence(begins=told.begins, ends=told.ends, to_families=told.to_families)


def is_due(asked_at: datetime | None, now: datetime) -> bool:
    """Whether a mail system that was last asked then is to be asked (again). A time ahead of now was written by a clock
    that was."""
    return asked_at is None or not timedelta(0) <= now - asked_at < ASKED_EVERY

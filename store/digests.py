"""The teachers' morning mails: one decision per mailbox and day, whoever takes it and however often.

The decision and its notice commit together, under a unique day; the notice is handed out as every notice is.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, SQLColumnExpression, and_, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from store.database import Database
from store.digest_tables import DigestRecord
from store.digest_times import told_before
from store.notices import Notices, write_notice
from store.pages import Query
from store.tables import Notice, NoticeKind, UtcDateTime


@dataclass(frozen=True, slots=True)
class Morning:
    """A morning mail that this worker is to bring on its way, or to give up."""

    day: date
    notice: Notice


class Digests:
    """Records the morning mails."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        """`lease` is how long one mail may take before another worker looks after it."""
        self._database = database
        self.notices = Notices(database, lease)
        """The notices themselves."""

    def is_decided(self, mailbox: str, day: date) -> bool:
        """Whether somebody has looked at this mailbox's morning already."""
        query = select(col(DigestRecord.id)).where(_this(mailbox, day))
        with self._database.read() as connection:
            return connection.execute(query).first() is not None

    def decide(self, mailbox: str, day: date, now: datetime, rfc_message_id: str | None) -> bool:
        """Puts on record that a mail is to leave under this Message-ID; None: that there is nothing to tell. False
        where another worker was quicker: nothing is written then."""
        values = {"mailbox": mailbox, "day": day, "decided_at": now}
        try:
            with self._database.write() as connection:
                number = rfc_message_id and write_notice(connection, NoticeKind.DIGEST, rfc_message_id, now)
                connection.execute(insert(DigestRecord).values(**values, notice_id=number))
        except IntegrityError:
            return False
        return True

    def take(self, mailbox: str, now: datetime) -> Morning | None:
        """The mailbox's mail whose time has come, or whose worker has gone; it is this worker's until the lease
        ends."""
        mine = select(col(DigestRecord.notice_id)).where(unsent(mailbox))
        # Told first: of a school year's mails all but one are.
        notice = self.notices.take(and_(col(Notice.told_at).is_(None), col(Notice.id).in_(mine)), now)
        if notice is None:
            return None
        day = select(col(DigestRecord.day)).where(col(DigestRecord.notice_id) == notice.id)
        with self._database.read() as connection:
            return Morning(connection.execute(day).scalar_one(), notice)

    def finish(self, morning: Morning, now: datetime, *, out: bool) -> None:
        """The mail is `out`, or is not sent any more. Raises LeaseLost."""

        def note(connection: Connection) -> None:
            this = col(DigestRecord.notice_id) == morning.notice.id
            connection.execute(update(DigestRecord).where(this).values(sent_at=now if out else None))

        self.notices.finish(morning.notice, now, note)

    def last_told_at(self, mailbox: str, before: date) -> datetime | None:
        """As of when the teacher was last told how things stand, on a day before `before`: by a mail that is out, or
        by none because there was nothing to tell."""
        with self._database.read() as connection:
            return told_before(connection, mailbox, before)


def next_at(mailbox: str | SQLColumnExpression[str]) -> Query:
    """When a mail of a mailbox is tried (again)."""
    waits = and_(unsent(mailbox), col(DigestRecord.notice_id) == col(Notice.id), col(Notice.told_at).is_(None))
    return select(func.max(col(Notice.next_attempt_at), type_=UtcDateTime())).where(waits)


def unsent(mailbox: str | SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Which mornings of a mailbox had something to tell that is not out: as the index of these few says it."""
    record = DigestRecord
    return and_(col(record.mailbox) == mailbox, col(record.sent_at).is_(None), col(record.notice_id).is_not(None))


def _this(mailbox: str, day: date) -> ColumnElement[bool]:
    return and_(col(DigestRecord.mailbox) == mailbox, col(DigestRecord.day) == day)

"""Teachers' wishes for drafts of good news, from their answers to the morning mail: heard with the page that brings the
answer, fulfilled when the mailbox is looked after next."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import Connection, and_, select, update
from sqlmodel import Session, col

from store.database import Database, dialect_of
from store.glow_tables import GlowWish


def wish(connection: Connection, mailbox: str, morning: date, at: datetime) -> None:
    """Puts on record that the teacher asks for the drafts which the morning mail of a day offers; once for each mail,
    however often they ask."""
    adding = dialect_of(connection).insert(GlowWish).values(mailbox=mailbox, morning=morning, asked_at=at)
    connection.execute(adding.on_conflict_do_nothing())


class GlowWishes:
    """The wishes that are still open."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def open(self, mailbox: str) -> Sequence[GlowWish]:
        """The open wishes, that of the first morning first."""
        query = select(GlowWish).where(col(GlowWish.mailbox) == mailbox, col(GlowWish.done_at).is_(None))
        with self._database.read() as connection, Session(bind=connection) as session:
            found = session.execute(query.order_by(col(GlowWish.morning))).scalars().all()
            session.expunge_all()
        return found

    def done(self, mailbox: str, morning: date, now: datetime) -> None:
        """The drafts of a morning's wish were asked for."""
        this = and_(col(GlowWish.mailbox) == mailbox, col(GlowWish.morning) == morning)
        with self._database.write() as connection:
            connection.execute(update(GlowWish).where(this).values(done_at=now))

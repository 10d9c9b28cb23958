"""Families that help a teacher's class from home: put on the list, taken off it, both on record in the audit log."""

from collections.abc import Mapping
from datetime import date, datetime

from sqlalchemy import and_, insert, select, update
from sqlmodel import col

from store import audit
from store.database import Database
from store.glow_tables import HomeHelper
from store.turns import alone

ADDED, REMOVED = "put a family on the list of helpers", "took a family off the list of helpers"
"""The acts in the audit log."""


class HomeHelpers:
    """The lists of helpers, one for each mailbox."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def since(self, mailbox: str) -> Mapping[str, date]:
        """The families on the mailbox's list, and since when each stands there."""
        query = select(col(HomeHelper.family), col(HomeHelper.since)).where(
            col(HomeHelper.mailbox) == mailbox, col(HomeHelper.withdrawn_at).is_(None)
        )
        with self._database.read() as connection:
            return {row.family: row.since for row in connection.execute(query)}

    def add(self, mailbox: str, family: str, *, by: str | None, day: date, now: datetime) -> bool:
        """Puts a family on the list; False where it stands there. `by` is the address of who says so, None for the
        command."""
        this = and_(col(HomeHelper.mailbox) == mailbox, col(HomeHelper.family) == family)
        values = {"since": day, "said_by": by, "withdrawn_at": None}
        with self._database.write() as connection:
            alone(connection)
            found = connection.execute(select(col(HomeHelper.withdrawn_at)).where(this)).one_or_none()
            if found is not None and found.withdrawn_at is None:
                return False
            if found is None:
                connection.execute(insert(HomeHelper).values(mailbox=mailbox, family=family, **values))
            else:
                connection.execute(update(HomeHelper).where(this).values(values))
            audit.append(connection, at=now, person=by, act=ADDED, about=f"family {family} of {mailbox}")
        return True

    def remove(self, mailbox: str, family: str, *, by: str | None, now: datetime) -> bool:
        """Takes a family off the list; False where it does not stand there."""
        this = and_(
            col(HomeHelper.mailbox) == mailbox,
            col(HomeHelper.family) == family,
            col(HomeHelper.withdrawn_at).is_(None),
        )
        with self._database.write() as connection:
            done = connection.execute(update(HomeHelper).where(this).values(withdrawn_at=now, said_by=by))
            if done.rowcount != 1:
                return False
            audit.append(connection, at=now, person=by, act=REMOVED, about=f"family {family} of {mailbox}")
        return True

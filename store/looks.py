"""When each mailbox was last read to its end."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import delete, select
from sqlmodel import col

from store.chunks import chunks
from store.database import Database, dialect_of
from store.operating_tables import Look


class Looks:
    """Keeps them. A look at a quiet mailbox is written by nobody else, so whoever works on many mailboxes writes their
    looks together."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def note(self, looked_at: Mapping[str, datetime]) -> None:
        """Mailboxes, and when they were read to their end (aware). Whoever writes last is believed: a time that a wrong
        clock wrote does not stay."""
        rows = [{"mailbox": mailbox, "looked_at": at} for mailbox, at in sorted(looked_at.items())]
        for some in chunks(rows):
            with self._database.write() as connection:
                put = dialect_of(connection).insert(Look)
                newer = put.on_conflict_do_update(
                    index_elements=["mailbox"], set_={"looked_at": put.excluded.looked_at}
                )
                connection.execute(newer, some)

    def forget(self, mailboxes: list[str]) -> None:
        """Of mailboxes that are no longer looked after."""
        for some in chunks(mailboxes):
            with self._database.write() as connection:
                connection.execute(delete(Look).where(col(Look.mailbox).in_(some)))

    def all(self) -> Mapping[str, datetime]:
        """Every mailbox that was ever looked at, and when it last was."""
        with self._database.read() as connection:
            rows = connection.execute(select(col(Look.mailbox), col(Look.looked_at)))
            return {row.mailbox: row.looked_at for row in rows}

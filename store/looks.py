"""When each mailbox was last read to its end."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import ARRAY, Select, String, delete, func, literal, select
from sqlmodel import col

from store.chunks import chunks
from store.database import Database, dialect_of
from store.operating_tables import Look
from store.tables import UtcDateTime


class Looks:
    """Keeps them. A look at a quiet mailbox is written by nobody else, so whoever works on many mailboxes writes their
    looks together."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def note(self, looked_at: Mapping[str, datetime]) -> None:
        """Mailboxes, and when they were read to their end (aware). Whoever writes last is believed: a time that a wrong
        clock wrote does not stay."""
        for some in chunks(sorted(looked_at.items())):
            with self._database.write() as connection:
                put = dialect_of(connection).insert(Look)
                if connection.dialect.name == "postgresql":  # ten thousand single statements take it seconds
                    put = put.from_select(["mailbox", "looked_at"], _side_by_side(some))
                else:
                    put = put.values([{"mailbox": mailbox, "looked_at": at} for mailbox, at in some])
                seen = {"looked_at": put.excluded.looked_at}
                connection.execute(put.on_conflict_do_update(index_elements=["mailbox"], set_=seen))

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


def _side_by_side(looked_at: Sequence[tuple[str, datetime]]) -> Select[tuple[str, datetime]]:
    """Both columns, each as one array."""
    mailboxes = literal([mailbox for mailbox, _ in looked_at], ARRAY(String))
    times = literal([at for _, at in looked_at], ARRAY(UtcDateTime))
    rows = func.unnest(mailboxes, times).table_valued("mailbox", "looked_at").render_derived()
    return select(rows.c.mailbox, rows.c.looked_at)

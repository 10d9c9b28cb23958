"""A database for each example of a property test, without the second that making one takes."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlmodel import SQLModel

from store.database import Database

_SPARE: list[Database] = []


@contextmanager
def empty_database() -> Iterator[Database]:
    """A database with all tables and nothing in them, which nobody else has until the block ends."""
    database = _SPARE.pop() if _SPARE else Database.in_memory()
    try:
        with database.write() as connection:
            for table in reversed(SQLModel.metadata.sorted_tables):
                connection.execute(table.delete())
        yield database
    finally:
        _SPARE.append(database)

"""What the database is asked, counted: a look or a delivery is to cost no more than it must."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from tests.service.maple import Maple


@contextmanager
def questions(maple: Maple) -> Iterator[list[str]]:
    """What the database is asked meanwhile, without the frame of transactions."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith("BEGIN"):
            asked.append(statement.split(None, 1)[0])

    event.listen(maple.database.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(maple.database.engine, "before_cursor_execute", note)

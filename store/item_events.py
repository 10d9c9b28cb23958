"""What happened to an item, put on record: only added to, never changed."""

from datetime import datetime

from sqlalchemy import Connection, insert

from store.marks import mark
from store.scorecard_tables import MarkKind
from store.tables import EventKind, ItemEvent


def note(
    connection: Connection,
    item_id: int,
    kind: EventKind,
    at: datetime,
    *,
    by: str | None = None,
    desk: str | None = None,
) -> None:
    """Puts on record what happened to an item."""
    mark(connection, MarkKind.ITEM, [str(item_id)])
    connection.execute(insert(ItemEvent).values(item_id=item_id, kind=kind, at=at, by=by, desk=desk))

"""Workers who must take turns."""

from sqlalchemy import Connection, select
from sqlmodel import col

from store.installation import secret_of
from store.tables import Installation


def alone(connection: Connection) -> None:
    """Until the transaction ends no other worker passes here: two must not open two items, or two cases, for one
    matter. On a server this makes them queue, as SQLite does anyway."""
    turn = select(col(Installation.id)).with_for_update()
    if connection.execute(turn).scalar() is None:  # there is nothing to queue for yet
        secret_of(connection)
        connection.execute(turn)

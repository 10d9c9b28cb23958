"""Workers who must take turns."""

from collections.abc import Iterable
from hashlib import sha256

from sqlalchemy import Connection, select, text
from sqlmodel import col

from store.installation import secret_of
from store.tables import Installation

_FAMILIES = 7_043
"""Tells these locks from others of this database (pg_advisory_xact_lock's first key)."""
_IN_ORDER = text(
    "SELECT pg_advisory_xact_lock(:space, one.number) "
    "FROM (SELECT id FROM installation FOR SHARE) AS turn, (SELECT unnest(:numbers) AS number ORDER BY 1) AS one"
)
"""First what keeps out who has to be alone, then the families' own locks."""


def alone(connection: Connection) -> None:
    """Until the transaction ends no other worker passes here, nor where one takes a family's turn. On a server this
    makes them queue, as SQLite does anyway."""
    turn = select(col(Installation.id)).with_for_update()
    if connection.execute(turn).scalar() is None:  # there is nothing to queue for yet
        secret_of(connection)
        connection.execute(turn)


def alone_with(connection: Connection, families: Iterable[str]) -> None:
    """Until the transaction ends no other worker passes here for one of these families (`family_key`), nor where it
    has to be `alone`: two must not open two items, or two cases, for one matter. Others' families do not wait. Whoever
    needs several turns takes them together, so that two never wait for each other."""
    if connection.dialect.name != "postgresql":
        return
    of = {"space": _FAMILIES, "numbers": sorted({_number(family) for family in families})}
    if connection.execute(_IN_ORDER, of).first() is None:  # there is nothing to queue for yet
        secret_of(connection)
        connection.execute(_IN_ORDER, of)


def _number(family: str) -> int:
    return int.from_bytes(sha256(family.encode()).digest()[:4], "big", signed=True)

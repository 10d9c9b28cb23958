"""The installation's own secret: fingerprints and families' keys are made with it."""

from secrets import token_bytes

from sqlalchemy import Connection, select
from sqlmodel import col

from store.database import dialect_of
from store.tables import Installation

_BYTES = 32


def secret_of(connection: Connection) -> bytes:
    """The secret, made at the first call. For a transaction that writes (`Database.write`)."""
    found = connection.execute(select(col(Installation.key))).scalar()
    if found is None:
        make = dialect_of(connection).insert(Installation).values(id=1, key=token_bytes(_BYTES))
        connection.execute(make.on_conflict_do_nothing())  # another worker may make it at the same time
        found = connection.execute(select(col(Installation.key))).scalar_one()
    return bytes(found)

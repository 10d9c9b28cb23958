"""The installation's own secret: fingerprints and families' keys are made with it."""

from secrets import token_bytes

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from store.tables import Installation

_BYTES = 32


def secret_of(connection: Connection) -> bytes:
    """The secret, made at the first call. For a transaction that writes (`Database.write`)."""
    found = connection.execute(select(col(Installation.key))).scalar()
    if found is None:
        try:
            with connection.begin_nested():
                connection.execute(insert(Installation).values(id=1, key=token_bytes(_BYTES)))
        except IntegrityError:
            pass  # another worker has made it
        found = connection.execute(select(col(Installation.key))).scalar_one()
    return bytes(found)

"""Notifications that reach one process and concern another: which mailbox a notification tells of, and that it is
genuine. The secret itself stays in the vault; here is a checksum of it. PostgreSQL only."""

import hmac
from datetime import datetime
from hashlib import sha256

from sqlalchemy import delete, func, select
from sqlmodel import col

from store.database import Database, dialect_of
from store.worker_tables import PushTicket


class PushTickets:
    """Keeps them."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def keep(self, client_state: str, mailbox: str, expires_at: datetime) -> None:
        """Notifications under `client_state` tell of `mailbox`, until `expires_at` (aware)."""
        values = {
            "ticket": _ticket(client_state),
            "mailbox": mailbox,
            "digest": _digest(client_state),
            "expires_at": expires_at,
        }
        with self._database.write() as connection:
            put = dialect_of(connection).insert(PushTicket).values(values)
            again = {"expires_at": expires_at, "digest": put.excluded.digest, "mailbox": put.excluded.mailbox}
            connection.execute(put.on_conflict_do_update(index_elements=["ticket"], set_=again))
            connection.execute(delete(PushTicket).where(col(PushTicket.expires_at) < func.now()))

    def mailbox_of(self, client_state: str) -> str | None:
        """Whose mailbox a notification tells of; None where it is none of ours. Compared in constant time."""
        query = select(col(PushTicket.mailbox), col(PushTicket.digest)).where(
            col(PushTicket.ticket) == _ticket(client_state)
        )
        with self._database.read() as connection:
            row = connection.execute(query).first()
        right = hmac.compare_digest(row.digest if row is not None else "", _digest(client_state))
        return str(row.mailbox) if row is not None and right else None


def _ticket(client_state: str) -> str:
    return client_state.partition(".")[0][:64]


def _digest(client_state: str) -> str:
    return sha256(client_state.encode("utf-8", "replace")).hexdigest()

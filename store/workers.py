"""Which workers live, by the database's clock, and what becomes of the work of one that does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from store.database import Database

ALIVE_FOR = timedelta(seconds=12)
"""After so long without a sign a worker counts as dead: four signs are missed by then."""
SIGN_EVERY = 3.0
"""Seconds."""
_FORGOTTEN = "1 day"

NOW = "timezone('utc', clock_timestamp())"
"""The database's time, as the tables hold times."""

_SIGN = text(
    f"""
    WITH sign AS (
        INSERT INTO worker (id, version, began_at, alive_until)
        VALUES (:id, :version, {NOW}, {NOW} + :alive_for)
        ON CONFLICT (id) DO UPDATE SET alive_until = EXCLUDED.alive_until
        RETURNING id
    )
    SELECT {NOW} AS now, count(*) AS others FROM worker, sign WHERE worker.id <> sign.id AND alive_until > {NOW}
    """  # noqa: S608 - a constant
)
# A mail that was not handed over yet may be taken over at once: its step to the mail server is compared with the lease
# (store/outbox.py). One that was may be out: it keeps its lease, and with it the time that a server needs to settle.
_FREE_DELIVERIES = text(
    f"""
    UPDATE delivery SET lease_until = {NOW} FROM worker
    WHERE state = 'working' AND step <> 'sending' AND lease_until > {NOW}
      AND worker.alive_until < {NOW} AND starts_with(lease_holder, worker.id || ':')
    """  # noqa: S608 - a constant
)
_FORGET = text(
    f"""
    DELETE FROM worker WHERE alive_until < {NOW} - interval '{_FORGOTTEN}'
    AND NOT EXISTS (SELECT FROM mailbox_turn WHERE holder = worker.id)
    """  # noqa: S608 - a constant
)


@dataclass(frozen=True, slots=True)
class Sign:
    """What a worker learns as it says that it lives."""

    now: datetime
    """The database's time, aware."""
    alive: int
    """Workers that live, this one among them."""


@dataclass(frozen=True, slots=True)
class Alive:
    """A worker that lives."""

    id: str
    version: str
    began_at: datetime


class Workers:
    """Keeps them. PostgreSQL only."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def sign(self, worker: str, version: str) -> Sign:
        """The worker lives. Also brings one back that was taken for dead."""
        values = {"id": worker, "version": version, "alive_for": ALIVE_FOR}
        with self._database.write() as connection:
            row = connection.execute(_SIGN, values).one()
        return Sign(row.now.replace(tzinfo=UTC), int(row.others) + 1)

    def lives(self, worker: str) -> bool:
        """Whether a worker lives."""
        query = text(f"SELECT EXISTS (SELECT FROM worker WHERE id = :id AND alive_until > {NOW})")  # noqa: S608
        with self._database.glance() as connection:
            return bool(connection.execute(query, {"id": worker}).scalar())

    def died(self, worker: str) -> bool:
        """Whether a worker ended without a word, as far as its signs tell. One that left is forgotten."""
        query = text(f"SELECT EXISTS (SELECT FROM worker WHERE id = :id AND alive_until < {NOW})")  # noqa: S608
        with self._database.glance() as connection:
            return bool(connection.execute(query, {"id": worker}).scalar())

    def leave(self, worker: str) -> None:
        """The worker ends: others take its mailboxes at once."""
        with self._database.write() as connection:
            connection.execute(text("UPDATE mailbox_turn SET holder = NULL WHERE holder = :id"), {"id": worker})
            connection.execute(text("DELETE FROM connection_share WHERE worker = :id"), {"id": worker})
            connection.execute(text("DELETE FROM worker WHERE id = :id"), {"id": worker})

    def bury(self) -> int:
        """Deliveries in the hands of dead workers, and not yet of a mail server, become anybody's. Returns how many."""
        with self._database.write() as connection:
            freed = connection.execute(_FREE_DELIVERIES).rowcount
            connection.execute(_FORGET)
        return int(freed)

    def alive(self) -> Sequence[Alive]:
        """Who lives, the oldest first."""
        query = text(f"SELECT id, version, began_at FROM worker WHERE alive_until > {NOW} ORDER BY began_at, id")  # noqa: S608
        with self._database.read() as connection:
            return [Alive(row.id, row.version, row.began_at.replace(tzinfo=UTC)) for row in connection.execute(query)]

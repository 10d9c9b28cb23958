"""What providers allow all workers of a district together: units a minute, and open connections.

Units are booked in portions, by one statement over the database's clock (the generic cell rate algorithm, ITU-T I.371).
A portion that its worker did not use, because it died, is lost for seconds only: time itself gives it back. Connections
are shares that each worker renews with its signs of life; a dead worker's share is free as soon as it counts as dead.
PostgreSQL only.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from math import inf

from sqlalchemy import ARRAY, String, bindparam, text

from store.database import Database
from store.workers import NOW

_OPEN = text(
    f"INSERT INTO allowance (name, paid_at) VALUES (:name, {NOW}) ON CONFLICT DO NOTHING"  # noqa: S608 - a constant, as below
)
_BOOK = text(
    f"""
    INSERT INTO allowance AS held (name, paid_at) VALUES (:name, {NOW} + :price)
    ON CONFLICT (name) DO UPDATE SET paid_at = greatest(held.paid_at, {NOW}) + :price
    RETURNING extract(epoch FROM paid_at - {NOW} - :burst)::float AS wait
    """  # noqa: S608
)
_BOOK_SOON = text(
    f"""
    UPDATE allowance SET paid_at = greatest(paid_at, {NOW}) + :price
    WHERE name = :name AND greatest(paid_at, {NOW}) + :price <= {NOW} + :burst + :at_most
    RETURNING extract(epoch FROM paid_at - {NOW} - :burst)::float AS wait
    """  # noqa: S608
)
_HOLD_ACCOUNT = text(
    f"""
    INSERT INTO allowance AS held (name, paid_at) VALUES (:name, {NOW} + :seconds)
    ON CONFLICT (name) DO UPDATE SET paid_at = greatest(held.paid_at, EXCLUDED.paid_at)
    """  # noqa: S608
)
_HELD_ACCOUNTS = text(
    f"SELECT name, extract(epoch FROM paid_at - {NOW})::float AS seconds FROM allowance"  # noqa: S608
    f" WHERE name = ANY(:names) AND paid_at > {NOW}"
).bindparams(bindparam("names", type_=ARRAY(String)))
_DRAW = text(
    f"""
    UPDATE allowance SET paid_at = greatest(paid_at, {NOW}) + :price
    WHERE name = :name AND greatest(paid_at, {NOW}) + :price <= {NOW} + :burst
    """  # noqa: S608
)
_WAIT = text(
    f"SELECT extract(epoch FROM greatest(paid_at, {NOW}) + :price - {NOW} - :burst)::float"  # noqa: S608
    " FROM allowance WHERE name = :name"
)
_HELD_BY_OTHERS = text(
    f"""
    SELECT coalesce(sum(held), 0) FROM connection_share JOIN worker ON worker.id = connection_share.worker
    WHERE server = :server AND worker.id <> :worker AND alive_until > {NOW}
    """  # noqa: S608
)
_HOLD = text(
    """
    INSERT INTO connection_share (server, worker, held) VALUES (:server, :worker, :held)
    ON CONFLICT (server, worker) DO UPDATE SET held = EXCLUDED.held WHERE connection_share.held <> EXCLUDED.held
    """
)
_SHORTEST_WAIT = 0.05


class Allowances:
    """Hands them out."""

    def __init__(self, database: Database, worker: str) -> None:
        """`worker` is who draws (`store.workers`)."""
        self._database = database
        self._worker = worker

    def book(
        self, account: str, portion: float, per_minute: float, burst_seconds: float, at_most: float = inf
    ) -> float:
        """Books `portion` units of an account that allows so many `per_minute`, and those of `burst_seconds` at once.
        Returns the seconds after which they may be spent; where those are more than `at_most`, nothing is booked."""
        price = timedelta(seconds=portion * 60 / per_minute)
        values = {"name": account, "price": price, "burst": max(timedelta(seconds=burst_seconds), price)}
        with self._database.write() as connection:
            if at_most == inf:
                return max(0.0, float(connection.execute(_BOOK, values).scalar_one()))
            soon = {**values, "at_most": timedelta(seconds=at_most)}
            # Three at most: the account is new, or time passes between the question and the next booking.
            for _ in range(3):
                if (wait := connection.execute(_BOOK_SOON, soon).scalar()) is not None:
                    return max(0.0, float(wait))
                if (wait := connection.execute(_WAIT, values).scalar()) is None:
                    connection.execute(_OPEN, {"name": account})
                elif float(wait) > at_most:
                    return float(wait)
            return at_most + _SHORTEST_WAIT

    def pause(self, account: str, seconds: float) -> None:
        """Nobody asks a provider for anything of an account for so long."""
        values = {"name": _paused(account), "seconds": timedelta(seconds=seconds)}
        with self._database.write() as connection:
            connection.execute(_HOLD_ACCOUNT, values)

    def paused(self, accounts: Iterable[str]) -> Mapping[str, float]:
        """The seconds for which nobody asks a provider, by account, of those among `accounts` that are paused."""
        names = {_paused(account): account for account in accounts}
        with self._database.glance() as connection:
            rows = connection.execute(_HELD_ACCOUNTS, {"names": sorted(names)})
            return {names[row.name]: row.seconds for row in rows}

    def turn(self, name: str, every: float) -> float:
        """Whether it is this worker's to do what is done once in `every` seconds by all together: 0 where it is, to one
        of those who ask; otherwise the seconds after which to ask again."""
        price = timedelta(seconds=every)
        values = {"name": name, "price": price, "burst": price}
        with self._database.write() as connection:
            connection.execute(_OPEN, {"name": name})
            if connection.execute(_DRAW, values).rowcount == 1:
                return 0.0
            return max(float(connection.execute(_WAIT, values).scalar() or 0.0), _SHORTEST_WAIT)

    def hold(self, server: str, wanted: int, limit: int) -> int:
        """How many mailboxes of a server this worker may have open from now on: `wanted`, as far as the living workers
        leave it of `limit`."""
        with self._database.write() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:server))"), {"server": f"share {server}"})
            others = int(connection.execute(_HELD_BY_OTHERS, {"server": server, "worker": self._worker}).scalar() or 0)
            held = max(0, min(wanted, limit - others))
            connection.execute(_HOLD, {"server": server, "worker": self._worker, "held": held})
        return held


def _paused(account: str) -> str:
    return f"pause {account}"

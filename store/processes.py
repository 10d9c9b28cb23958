"""Which processes of the service run, by what they say of themselves."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlmodel import Session, col

from store.database import Database, dialect_of
from store.operating_tables import RunningProcess

SAYS_SO_EVERY = timedelta(seconds=30)
_COUNTS_AS_RUNNING = timedelta(seconds=100)
"""Three times, and a little patience."""
_FORGOTTEN = timedelta(days=1)


class Processes:
    """Keeps them."""

    def __init__(self, database: Database) -> None:
        """`database` has its tables already."""
        self._database = database

    def is_there(self, process: RunningProcess) -> None:
        """The process runs, as of its `seen_at`. Others that have not been seen for a day are forgotten."""
        values = process.model_dump()
        with self._database.write() as connection:
            put = dialect_of(connection).insert(RunningProcess).values(values)
            again = {"seen_at": process.seen_at, "version": process.version}
            connection.execute(put.on_conflict_do_update(index_elements=["name"], set_=again))
            long_gone = col(RunningProcess.seen_at) < process.seen_at - _FORGOTTEN
            connection.execute(delete(RunningProcess).where(long_gone))

    def is_gone(self, name: str) -> None:
        """The process ends."""
        with self._database.write() as connection:
            connection.execute(delete(RunningProcess).where(col(RunningProcess.name) == name))

    def died(self, role: str, now: datetime, has_ended: Callable[[str], bool | None]) -> Sequence[str]:
        """Names of processes of a role that did not say that they end, and are no more, as of `now`. `has_ended` tells
        it of a process of this machine, and None of others: they are dead when they have said nothing for long."""
        query = select(col(RunningProcess.name), col(RunningProcess.seen_at)).where(col(RunningProcess.role) == role)
        with self._database.read() as connection:
            found = connection.execute(query).all()
        return [row.name for row in found if _is_dead(row.name, row.seen_at, now, has_ended)]

    def lives(self, name: str, role: str, now: datetime, has_ended: Callable[[str], bool | None]) -> bool:
        """Whether a process of a role, by its name, is still there, judged as above."""
        query = select(col(RunningProcess.seen_at)).where(
            col(RunningProcess.name) == name, col(RunningProcess.role) == role
        )
        with self._database.glance() as connection:
            seen_at = connection.execute(query).scalar()
        return seen_at is not None and not _is_dead(name, seen_at, now, has_ended)

    def running(self, now: datetime) -> list[RunningProcess]:
        """Those that said so lately, the oldest first. One that was killed is among them for a minute and a half."""
        query = (
            select(RunningProcess)
            .where(col(RunningProcess.seen_at) > now - _COUNTS_AS_RUNNING)
            .order_by(col(RunningProcess.began_at), col(RunningProcess.name))
        )
        with self._database.read() as connection, Session(bind=connection) as session:
            found = list(session.execute(query).scalars())
            session.expunge_all()
        return found


def _is_dead(name: str, seen_at: datetime, now: datetime, has_ended: Callable[[str], bool | None]) -> bool:
    ended = has_ended(name)
    return seen_at <= now - _COUNTS_AS_RUNNING if ended is None else ended

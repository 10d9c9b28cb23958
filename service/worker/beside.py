"""`alliance run` where workers, or another `alliance run`, share its database: it goes by the same clock as they do,
and books from the same quotas."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
from sqlalchemy import text

from service.logs import place
from service.process_name import process_name
from service.worker.clock import DatabaseClock
from service.worker.telling import DistrictPurse, sharing
from store.allowances import Allowances
from store.database import Database
from store.workers import NOW, SIGN_EVERY

log = structlog.get_logger()


def database_clock(database: Database) -> DatabaseClock:
    """The database's time, asked for once. Raises what the database raises. PostgreSQL only."""
    return DatabaseClock(_now(database))


@contextmanager
def beside_workers(database: Database) -> Iterator[DatabaseClock | None]:
    """While the block runs, the database's time, and connectors of this process book from the district's purse. None,
    and nothing else, where the database is a file of this machine's. Raises what the database raises."""
    if database.url.get_backend_name() != "postgresql":
        yield None
        return
    clock, over = database_clock(database), threading.Event()
    # A machine that slept, or whose seconds are a little long, must not fall behind the others.
    keeper = threading.Thread(target=_keep, args=(clock, database, over), name="database's clock", daemon=True)
    keeper.start()
    try:
        with sharing(DistrictPurse(Allowances(database, process_name()))):
            yield clock
    finally:
        over.set()
        keeper.join()


def _keep(clock: DatabaseClock, database: Database, over: threading.Event) -> None:
    while not over.wait(SIGN_EVERY):
        try:
            clock.set(_now(database))
        except Exception as error:  # noqa: BLE001 - the database may be away, and comes back
            log.warning("the database cannot be asked for the time", error=place(error))


def _now(database: Database) -> datetime:
    with database.glance() as connection:
        now: datetime = connection.execute(text(f"SELECT {NOW}")).scalar_one()
    return now.replace(tzinfo=UTC)

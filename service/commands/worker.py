"""`alliance worker`: one worker of a district, of any number."""

import gc
import signal
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, assemble, load_settings

if TYPE_CHECKING:
    from types import FrameType

    from config.settings import Settings
    from service.assembly import Assembly
    from service.worker.worker import Worker
    from store.database import Database

_SWITCH_INTERVAL = 0.05
"""Seconds that a thread may work while others wait for the interpreter; Python's own is a tenth. Each of the many that
wait asks that often, and whoever works is interrupted: at a district's peak by dozens of them, all the time
(`python -m benchmarks.district`)."""
_OBJECTS_BETWEEN = 20_000
"""New objects after which Python looks for those that keep each other alive; its own 700 are made in the middle of
every message, and each look stops all threads."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(worker)


def worker(
    config: ConfigOption = DEFAULT_CONFIG,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """One worker of a district, until stopped (Ctrl-C, SIGTERM): run as many as you like, on as many machines.

    Needs PostgreSQL, and tables that `alliance migrate` has made. On one machine with SQLite use `alliance run`.
    """
    import logging
    import os

    from service.logs import configure
    from service.memory_pools import share_memory_pools
    from service.operating.monitor import monitored
    from service.watching import LogWatcher

    configure(verbose=verbose)
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    share_memory_pools()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    gc.set_threshold(_OBJECTS_BETWEEN)
    settings = load_settings(config)
    configure(verbose=verbose, style=settings.monitoring.logs)
    database = open_district(settings)
    from service.worker.beside import database_clock
    from service.worker.worker import Worker

    clock = database_clock(database)
    assembly = assemble(settings, database, clock)
    gc.freeze()  # what stands now, the models above all, stays

    try:
        with monitored(assembly, "worker", LogWatcher(), os.environ) as pulse:
            _until_stopped(Worker(assembly, clock, watcher=pulse), assembly)
    finally:
        assembly.close()


def _until_stopped(working: "Worker", assembly: "Assembly") -> None:
    import structlog

    log = structlog.get_logger()

    def stop(signum: int, _frame: "FrameType | None") -> None:
        log.info("stopping, what is in hand is finished first", signal=signal.Signals(signum).name)
        working.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    log.info("working", mailboxes=len(assembly.settings.mailboxes), model=assembly.classifier.version)
    working.run()
    log.info("stopped")


def open_district(settings: "Settings") -> "Database":
    """The district's database, its tables as this version needs them; or why not, on standard error, and exit 2."""
    from sqlalchemy.exc import SQLAlchemyError

    from service.logs import said
    from store.database import Database, StoreError

    try:
        database = Database.at(settings.service.database, connections=settings.worker.threads)
        trouble = _unfit(database)
    except StoreError as error:
        trouble = str(error)
    except ImportError as error:
        trouble = f"{error.name} is not installed, which workers need: pip install 'alliance-inbox[postgresql]'"
    except SQLAlchemyError as error:
        trouble = f"service.database cannot be used: {said(error)}"
    if trouble is None:
        return database
    typer.echo(trouble, err=True)
    raise typer.Exit(2)


def _unfit(database: "Database") -> str | None:
    """Why workers cannot share a database; None where they can."""
    where = f"database {database.url.render_as_string()}"
    if database.url.get_backend_name() != "postgresql":
        return (
            f"{where}: workers share a PostgreSQL. Set service.database to postgresql+psycopg://user@host/name, or use "
            "`alliance run` on one machine."
        )
    from store.database import Shape
    from store.queue_schema import QueueSchema

    shape = database.shape()
    if shape is Shape.NEWER:
        return f"{where}: its tables belong to a newer version of alliance-inbox. Install that version."
    if shape in {Shape.EMPTY, Shape.OLDER} or QueueSchema(database).pending().first:
        return (
            f"{where}: its tables are not yet those of this version. Run `alliance migrate` once; workers of the "
            "version before go on meanwhile."
        )
    return None

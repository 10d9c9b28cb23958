"""The service in a process of its own, as its command starts it: `alliance run`, signals, logs and all.

Forked from a server that has the classifier loaded already, since a plan starts it many times. Three things are not as
at a school: the clock is read from a file, so that it can jump while the service runs; pauses between two tries last a
fiftieth; and where a run asks for it, one safeguard is off, to see whether anybody notices.
"""

import os
from pathlib import Path

from alembic.config import Config

from service import mailbox_work
from service.assembly import Assembly
from service.cli import app
from service.commands import run as run_command
from service.commands import worker as worker_command
from store import database as store_database
from tests.faults.clock import Clock
from tests.faults.sabotage import SABOTAGE
from tests.servers.dovecot import PASSWORD
from tests.service.one_run import MODEL

_PAUSES = ("FIRST_PAUSE", "LONGEST_PAUSE", "PAUSE_FOR_A_PERSON")
_TIMES_QUICKER = 50


def perform(arguments: list[str], clock_file: Path, log: Path, sabotage: str, migrations: Path | None) -> None:
    """Runs the command `alliance` with these arguments, and ends this process as it does. `migrations` are those of a
    newer version, which this process is then."""
    with log.open("ab", buffering=0) as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    os.environ["PASSWORD"] = PASSWORD
    for name in _PAUSES:
        setattr(mailbox_work, name, getattr(mailbox_work, name) / _TIMES_QUICKER)
    _assemble_with(Clock(clock_file))
    if migrations is not None:
        _migrate_by(migrations)
    if sabotage:
        SABOTAGE[sabotage]()
    app(arguments)


def _assemble_with(clock: Clock) -> None:
    def assemble(settings, database, told=None) -> Assembly:  # type: ignore[no-untyped-def]
        return Assembly.build(settings, database=database, clock=told or clock, model=MODEL)

    run_command.assemble = assemble
    worker_command.assemble = assemble


def _migrate_by(migrations: Path) -> None:
    ours = store_database.migrations_of

    def theirs(connection) -> Config:  # type: ignore[no-untyped-def]
        config = ours(connection)
        config.set_main_option("script_location", str(migrations))
        return config

    store_database.migrations_of = theirs

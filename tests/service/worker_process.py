"""A worker of a district, or `alliance run` beside it, in a process of its own, as its command starts it. Forked from
a server that has the classifier loaded already."""

import os
from pathlib import Path

from service.assembly import Assembly
from service.cli import app
from service.commands import run as run_command
from service.commands import worker as worker_command
from service.worker.clock import DatabaseClock
from tests.servers.dovecot import PASSWORD
from tests.service.one_run import MODEL


def perform(command: str, config: Path, log: Path) -> None:
    """Runs `alliance worker` or `alliance run` until it is stopped or killed."""
    with log.open("ab", buffering=0) as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    os.environ["PASSWORD"] = PASSWORD

    def assemble(settings, database, clock) -> Assembly:  # type: ignore[no-untyped-def]
        assert isinstance(clock, DatabaseClock), "it goes by this machine's clock"
        return Assembly.build(settings, database=database, clock=clock, model=MODEL)

    for module in (worker_command, run_command):
        module.assemble = assemble
    app([command, "-c", str(config)])

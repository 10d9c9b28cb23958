"""A worker of a district in a process of its own, as its command starts it. Forked from a server that has the
classifier loaded already."""

import os
from pathlib import Path

from service.assembly import Assembly
from service.cli import app
from service.commands import worker as worker_command
from tests.servers.dovecot import PASSWORD
from tests.service.one_run import MODEL


def perform(config: Path, log: Path) -> None:
    """Runs `alliance worker` until it is stopped or killed."""
    with log.open("ab", buffering=0) as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    os.environ["PASSWORD"] = PASSWORD

    def assemble(settings, database, clock) -> Assembly:  # type: ignore[no-untyped-def]
        return Assembly.build(settings, database=database, clock=clock, model=MODEL)

    worker_command.assemble = assemble
    app(["worker", "-c", str(config)])

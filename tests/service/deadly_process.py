"""The service with a parser that dies of some messages as one of native code does: no `except` sees it, the process is
no more. Forked from a server that has the classifier loaded already."""

import os
import signal
from pathlib import Path

from connectors.message import Message
from connectors.mime import parse_message
from service import composing, following, pipeline, teachers_drafts
from service.assembly import Assembly
from service.cli import app
from service.commands import run as run_command
from service.commands import worker as worker_command
from tests.service.one_run import MODEL

KILLS, ABORTS, UNLUCKY = b"this mail kills", b"this mail aborts", b"this mail is unlucky"
"""Words of messages: the parser kills the process, or ends it as a failed assertion does; or, while the message is read
for the first two times, an administrator kills the process, who means nothing by it."""
_UNLUCKY_TIMES = 2


def perform(arguments: list[str], log: Path) -> None:
    """Runs the command `alliance` with these arguments."""
    with log.open("ab", buffering=0) as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)

    def deadly(raw: bytes, **more: object) -> Message:
        if KILLS in raw:
            os.kill(os.getpid(), signal.SIGKILL)
        if ABORTS in raw:
            os.abort()
        if UNLUCKY in raw:
            times = log.with_suffix(".unlucky")
            so_far = times.stat().st_size if times.exists() else 0
            if so_far < _UNLUCKY_TIMES:
                times.write_bytes(b"." * (so_far + 1))
                os.kill(os.getpid(), signal.SIGKILL)
        return parse_message(raw, **more)  # type: ignore[arg-type]

    def assemble(settings, database, clock=None) -> Assembly:  # type: ignore[no-untyped-def]
        told = {} if clock is None else {"clock": clock}
        return Assembly.build(settings, database=database, model=MODEL, **told)

    for module in (composing, following, pipeline, teachers_drafts):
        module.parse_message = deadly  # type: ignore[attr-defined]
    run_command.assemble = assemble  # type: ignore[assignment]
    worker_command.assemble = assemble
    app(arguments)

"""A service process for tests: brings every mailbox up to date, and kills itself with SIGKILL at a step if told so.

Forked from a server that has this module, and with it the classifier, loaded already: a test starts a hundred of them.
"""

import os
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import classifier
from config import load
from service.assembly import Assembly
from service.logs import configure
from service.runner import Runner
from store.pages import Page
from tests.servers.dovecot import PASSWORD

MODEL = classifier.load()


@dataclass(frozen=True)
class Run:
    """What a process is to do."""

    config: Path
    die_at: str = ""
    """Name of the step at which it kills itself; none where empty."""
    occurrence: int = 1
    """At which occurrence of the step, counted from 1."""
    later: timedelta = timedelta()
    """How far its clock is ahead."""
    rounds: int = 1


def perform(run: Run) -> None:
    """Performs `run`; exits with status 1, the reasons on standard error, where a mailbox failed."""
    configure()
    seen = 0

    def step(name: str, _delivery: int = 0) -> None:
        nonlocal seen
        if name == run.die_at:
            seen += 1
            if seen == run.occurrence:
                os.kill(os.getpid(), signal.SIGKILL)

    assembly = Assembly.build(load(run.config), clock=lambda: datetime.now(UTC) + run.later, model=MODEL)
    commit = assembly.pages.commit

    def commit_in_steps(page: Page) -> None:
        if page.entries:
            step("page planned")
        commit(page)
        if page.entries:
            step("page recorded")

    assembly.pages.commit = commit_in_steps  # type: ignore[method-assign]
    for _ in range(run.rounds):
        failures = Runner(assembly, on_step=step, environ={"PASSWORD": PASSWORD}).run_once()
        if failures:
            sys.exit(f"{failures}")

"""A service process for tests: brings every mailbox up to date, and kills itself with SIGKILL at a step if told so.

Forked from a server that has this module, and with it the classifier, loaded already: a test starts a hundred of them.
"""

import gc
import os
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

from babel import Locale
from sqlalchemy.orm import configure_mappers

import classifier
from classifier.verdict import Letter
from config import load
from service.assembly import Assembly
from service.logs import configure
from service.runner import Runner
from store.database import Database
from store.pages import Page
from tests.servers.dovecot import PASSWORD

MODEL = classifier.load()
# What a process loads and makes when it first needs it, each of them would load and make again.
for _name in ("operating.monitor", "notifications", "watching", "worker.beside", "worker.telling", "worker.worker"):
    import_module(f"service.{_name}")
_LANGUAGES = Locale("en").languages
next(iter(MODEL.read([Letter(subject="Homework", body="Which pages are for homework this week?")])))
Database.in_memory().close()
configure_mappers()
gc.freeze()


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

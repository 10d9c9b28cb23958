"""A service process for tests: brings every mailbox up to date, and kills itself with SIGKILL at a step if told so.

Arguments: configuration, step (or ""), which occurrence of it, seconds that the clock is ahead, how many rounds.
"""

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from config import load
from service.assembly import Assembly
from service.logs import configure
from service.runner import Runner
from store.pages import Page


def main() -> None:
    """Runs, and reports failures on standard error with exit status 1."""
    config, die_at, occurrence, ahead, rounds = sys.argv[1:]
    configure()
    seen = 0

    def step(name: str, _delivery: int = 0) -> None:
        nonlocal seen
        if name == die_at:
            seen += 1
            if seen == int(occurrence):
                os.kill(os.getpid(), signal.SIGKILL)

    assembly = Assembly.build(load(Path(config)), clock=lambda: datetime.now(UTC) + timedelta(seconds=float(ahead)))
    commit = assembly.pages.commit

    def commit_in_steps(page: Page) -> None:
        if page.entries:
            step("page planned")
        commit(page)
        if page.entries:
            step("page recorded")

    assembly.pages.commit = commit_in_steps  # type: ignore[method-assign]
    for _ in range(int(rounds)):
        failures = Runner(assembly, on_step=step).run_once()
        if failures:
            sys.exit(str(failures))


if __name__ == "__main__":
    main()

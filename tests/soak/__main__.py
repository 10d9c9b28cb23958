"""`python -m tests.soak`: lives through a school year, prints a line a week and a table at the end."""

import argparse
import logging
import sys
import tracemalloc
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog

from service.memory_pools import share_memory_pools
from tests.servers.postgres import postgres
from tests.soak.living import Hooks, Life, Result, Week
from tests.soak.plants import PLANTS
from tests.soak.telling import say, say_week
from tests.soak.town import in_own_process
from tests.soak.year import BEGINS, Year


def main() -> int:
    """Runs it. 0 where all was as promised."""
    options = _options()
    year = Year(options.seed, options.begins, options.days, options.letters, options.children, options.teachers)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    share_memory_pools()  # as `alliance run` does: otherwise each look's thread may grow a pool of its own
    with ExitStack() as running:
        folder = Path(options.dir or running.enter_context(TemporaryDirectory(prefix="soak-")))
        folder.mkdir(parents=True, exist_ok=True)
        location = ""
        if options.database == "postgresql":
            location = running.enter_context(postgres()).database()
        town = running.enter_context(in_own_process(folder, year))
        if options.trace:
            tracemalloc.start()
        print(_introduction(year, options.database), flush=True)

        def week(week: Week) -> None:
            say_week(week, life.result)

        hooks = Hooks(on_week=week)
        for plant in options.plant:
            running.enter_context(PLANTS[plant](hooks))
        life = Life(folder, year, town, location=location, learns=not options.no_learning, hooks=hooks)
        result: Result = life.live()
    return say(result)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--days", type=int, default=180, help="school days (180)")
    parser.add_argument("--seed", type=int, default=1, help="what makes the school and its year (1)")
    parser.add_argument("--begins", type=date.fromisoformat, default=BEGINS, help=f"the first day ({BEGINS})")
    parser.add_argument("--teachers", type=int, default=6, help="mailboxes, one of which moves and one leaves (6)")
    parser.add_argument("--children", type=int, default=20, help="to a class (20)")
    parser.add_argument("--letters", type=float, default=9.0, help="of families, to a teacher in a week (9)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--no-learning", action="store_true", help="do not learn at the end of a term")
    parser.add_argument("--trace", action="store_true", help="count what Python allocates, too; takes twice as long")
    parser.add_argument("--plant", action="append", default=[], choices=list(PLANTS), help="break this on purpose")
    parser.add_argument("--dir", help="where the mailboxes and the database are kept; a temporary folder otherwise")
    return parser.parse_args()


def _introduction(year: Year, database: str) -> str:
    return (
        f"{year.school_days} school days from {year.first} to {year.days[-1]}, {len(year.staff)} teachers, "
        f"{len(year.classes)} classes of {year.class_size}, seed {year.seed}, {database}. {year.leaves_on}: a teacher "
        f"leaves. {year.joins_on}: another takes the class over. {year.moves_on}: a mailbox moves from Exchange to "
        "Microsoft 365."
    )


if __name__ == "__main__":
    sys.exit(main())

"""Many runs: `python -m tests.faults 0:300`. Each seed that fails prints the command that runs it again."""

import argparse
import faulthandler
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from tests.faults.checker import Judgement
from tests.faults.plan import plan_of
from tests.faults.sabotage import SABOTAGE
from tests.faults.servers import Servers, running
from tests.faults.storm import MENDED_WITHIN, Result, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns how many seeds failed, 100 at most."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("seeds", nargs="+", metavar="SEED", help="a number, or FIRST:LAST without the last")
    parser.add_argument("--lanes", type=int, default=3, help="so many runs at a time, on servers of their own (3)")
    parser.add_argument("--sabotage", choices=SABOTAGE, default="", help="run without one of the safeguards")
    parser.add_argument(
        "--patience", type=float, default=MENDED_WITHIN, metavar="SECONDS", help="until all must be well again (300)"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave databases and logs there")
    options = parser.parse_args(arguments)
    faulthandler.register(signal.SIGUSR1)  # where does it hang? kill -USR1
    seeds = [seed for each in options.seeds for seed in _seeds(each)]
    failed = 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder, ExitStack() as stack:
        place = options.keep or Path(folder)
        lanes = min(options.lanes, len(seeds))
        runs = results(seeds, place, stack, lanes=lanes, sabotage=options.sabotage, patience=options.patience)
        for result in runs:
            failed += not result.passed
            print(result, flush=True)
            if not result.passed and options.keep:
                print(f"    log: {place / str(result.plan.seed) / 'log'}", flush=True)
    print(f"{len(seeds)} seeds, {failed} failed, {time.monotonic() - began:.0f} s")
    return min(failed, 100)


def results(
    seeds: Sequence[int],
    folder: Path,
    stack: ExitStack,
    *,
    lanes: int,
    sabotage: str = "",
    patience: float = MENDED_WITHIN,
) -> Iterator[Result]:
    """Runs seeds, some at a time, each lane with servers of its own: as they come."""
    free: SimpleQueue[Servers] = SimpleQueue()
    for lane in range(lanes):
        own = folder / f"lane-{lane}"
        own.mkdir(parents=True, exist_ok=True)
        free.put(stack.enter_context(running(own)))
    done: SimpleQueue[Result] = SimpleQueue()

    def work(seed: int) -> None:
        servers = free.get()
        plan = plan_of(seed)
        try:
            done.put(run(plan, folder / str(seed), servers, sabotage=sabotage, patience=patience))
        except Exception:  # noqa: BLE001 - a run that cannot be judged has failed; the others go on
            done.put(Result(plan, Judgement(), [f"the harness failed: {traceback.format_exc()}"]))
        finally:
            free.put(servers)

    with ThreadPoolExecutor(lanes, thread_name_prefix="lane") as pool:
        for seed in seeds:
            pool.submit(work, seed)
        for _ in seeds:
            yield done.get()


def _seeds(text: str) -> range:
    first, colon, last = text.partition(":")
    return range(int(first), int(last)) if colon else range(int(first), int(first) + 1)


if __name__ == "__main__":
    sys.exit(main())

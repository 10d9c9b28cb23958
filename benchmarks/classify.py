"""How fast, how large and how good the classifier is, beside models that anybody would try first.

`python -m benchmarks.classify` gives every contestant the same split of the corpus: all learn from its learning part
and are asked about the part held back, which none of them saw. Each learns in one process and is asked in another, on
two cores; memory and the cold start, from the start of that process to the first verdict, are of the second. The
shipped model is taken as it is (`make model` made it from that split, with thresholds from the calibration part); the
others are trained here and answer with the likeliest tag. bogofilter, a mail filter of two classes, is run twice:
urgent against the rest, then conflict against the rest. One that is not installed is left out.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from pydantic import BaseModel

from benchmarks import machine
from benchmarks.contestants import CONTESTANTS, Judge
from classifier.examples import CORPUS, Example, Part, read_examples
from connectors.labels import Tag

CORES = 2
ROUNDS = 3
LONG_ENOUGH = 300
"""Characters under which a mail is a short one."""
FIRST = Example(id="first", lang="en", body="Could somebody tell me what page the homework is on?", label=Tag.ROUTINE)


class Scores(BaseModel):
    """How good."""

    macro_f1: float
    urgent_recall: float
    urgent_precision: float
    languages: dict[str, tuple[float, float]]
    """Macro-F1 and urgent recall of each; recall 0 where nothing is urgent."""


class Result(BaseModel):
    """One contestant. Memory in bytes; speeds in messages a second."""

    scores: Scores
    speed: float
    short_speed: float
    memory: int
    first_verdict: float
    """Seconds from a cold start."""


def main() -> None:
    """Runs every contestant and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--few", action="store_true", help="A tenth of all messages: to see that it runs, not how well."
    )
    parser.add_argument("--only", choices=CONTESTANTS, nargs="+", help="These contestants.", default=list(CONTESTANTS))
    parser.add_argument("--step", nargs=3, metavar=("STEP", "NAME", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.step:
        _stay_on_cores()
        step, name, folder = chosen.step
        if step == "learn":
            CONTESTANTS[name].learn(_messages(Part.LEARNING, few=chosen.few), Path(folder))
        else:
            print(_ask(name, Path(folder), few=chosen.few).model_dump_json())
        return
    print(machine.describe())
    print(f"against   scikit-learn {version('scikit-learn')}{_bogofilter_version()}")
    results = {}
    for name in chosen.only:
        if lacks := CONTESTANTS[name].lacks():
            print(f"left out: {name}. It needs {lacks}", flush=True)
            continue
        with TemporaryDirectory() as folder:
            _step("learn", name, folder, few=chosen.few)
            results[name] = Result.model_validate_json(_step("ask", name, folder, few=chosen.few).splitlines()[-1])
    _print(results)


def _stay_on_cores() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def _step(step: str, name: str, folder: str, *, few: bool) -> bytes:
    command = [sys.executable, "-m", "benchmarks.classify", *(["--few"] if few else []), "--step", step, name, folder]
    threads = {f"{library}_NUM_THREADS": str(CORES) for library in ("OMP", "OPENBLAS", "MKL")}
    return subprocess.run(command, env=os.environ | threads, stdout=subprocess.PIPE, check=True).stdout


def _messages(part: Part, *, few: bool) -> list[Example]:
    found = [example for example in read_examples(CORPUS) if example.part is part]
    return found[::10] if few else found


def _ask(name: str, folder: Path, *, few: bool) -> Result:
    contestant = CONTESTANTS[name]
    started = time.time() if contestant.outside else psutil.Process().create_time()
    judge = contestant.open(folder)
    judge([FIRST])
    first_verdict = time.time() - started
    asked = _messages(Part.HELD_BACK, few=few)
    tags = judge(asked)
    memory = _memory_of_programs(judge, asked) if contestant.outside else _memory()
    short = [example for part in Part for example in _messages(part, few=few) if len(example.body) < LONG_ENOUGH]
    return Result(
        scores=_scores(asked, tags),
        speed=_speed(judge, asked),
        short_speed=_speed(judge, short[::5]),
        memory=memory,
        first_verdict=first_verdict,
    )


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _memory_of_programs(judge: Judge, asked: Sequence[Example]) -> int:
    """The most that a program had which `judge` ran. Linux counts what the parent had as the child's own, so it is
    looked at while it runs."""
    most = 0
    with ThreadPoolExecutor(1) as pool:
        judging = pool.submit(judge, asked)
        while not judging.done():
            with suppress(psutil.NoSuchProcess):
                most = max([most, *(child.memory_info().rss for child in psutil.Process().children())])
            time.sleep(0.002)
    return most


def _scores(asked: Sequence[Example], tags: Sequence[Tag]) -> Scores:
    # Imported late: it brings spaCy along, which is not every contestant's to wait for.
    from classifier.evaluation import figures  # noqa: PLC0415
    from classifier.verdict import Verdict  # noqa: PLC0415

    found = figures(asked, [Verdict(0, 0, tag, unsure=False, language="") for tag in tags], seconds=0)
    urgent = found.tags[Tag.URGENT]
    return Scores(
        macro_f1=found.macro_f1,
        urgent_recall=urgent.recall,
        urgent_precision=urgent.precision,
        languages={code: (one.macro_f1, one.urgent_recall or 0) for code, one in found.languages.items()},
    )


def _speed(judge: Judge, asked: Sequence[Example]) -> float:
    best = 0.0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        judge(asked)
        best = max(best, len(asked) / (time.perf_counter() - started))
    return best


def _bogofilter_version() -> str:
    if CONTESTANTS["bogofilter, twice"].lacks():
        return ""
    said = subprocess.run(["bogofilter", "-V"], capture_output=True, text=True, check=True)
    return f", {' '.join((said.stdout or said.stderr).split()[:3])}"


def _print(results: dict[str, Result]) -> None:
    print(f"\n{'':36}macro-F1  urgent recall  precision  messages/s  short mails/s  memory  first verdict")
    for name, result in results.items():
        scores = result.scores
        print(
            f"{name:36}{scores.macro_f1:8.3f}{scores.urgent_recall:15.3f}{scores.urgent_precision:11.3f}"
            f"{result.speed:12,.0f}{result.short_speed:15,.0f}{result.memory / 1e6:5,.0f} MB"
            f"{result.first_verdict:13.2f} s"
        )
    codes = sorted({code for result in results.values() for code in result.scores.languages})
    print(f"\n{'macro-F1 / urgent recall':36}" + "".join(f"{code:>12}" for code in codes))
    for name, result in results.items():
        found = (result.scores.languages.get(code, (0.0, 0.0)) for code in codes)
        print(f"{name:36}" + "".join(f"{macro_f1:7.2f} /{recall:.2f}" for macro_f1, recall in found))


if __name__ == "__main__":
    main()

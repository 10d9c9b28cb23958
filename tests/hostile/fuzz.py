"""The long form: `python -m tests.hostile.fuzz --seconds 600` looks for what breaks, and keeps what it finds.

Each input is read in a cage. Whatever ends badly there is cut down to what is needed for it, and written into
`tests/hostile/kept/`: mend the fault, and commit the example with it.
"""

import argparse
import hashlib
import sys
import time
from pathlib import Path
from random import Random

from tests.hostile.cage import Caged, caged
from tests.hostile.pumping import damaged, pumped
from tests.hostile.targets import TARGETS, Target

KEPT = Path(__file__).parent / "kept"
SIZE = 1_000_000
SECONDS = 10
MEBIBYTES = 700
_TOGETHER = 25
"""Small inputs that share a cage."""
_LONGEST_KEPT = 4096
"""Bytes of an example in the repository; a larger one is described by the seed that makes it."""


def main() -> int:
    """Fuzzes until the time is up. 1 where something was found."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    ask.add_argument("--seconds", type=float, default=600.0)
    ask.add_argument("--seed", type=int, default=int(time.time()))
    asked = ask.parse_args()
    until, seed, found = time.monotonic() + asked.seconds, asked.seed, 0
    names = asked.targets or list(TARGETS)
    print(f"from seed {seed} on: {', '.join(names)}", flush=True)
    while time.monotonic() < until:
        name = names[seed % len(names)]
        found += _round(name, TARGETS[name], seed)
        seed += 1
    print(f"{seed - asked.seed} rounds, {found} inputs that broke something")
    return 1 if found else 0


def _round(name: str, target: Target, seed: int) -> int:
    random = Random(seed)
    if random.random() < 0.5:
        return _look(name, target, [pumped(target, random, SIZE)], seed)
    return _look(name, target, [damaged(target, random) for _ in range(_TOGETHER)], seed)


def _look(name: str, target: Target, inputs: list[bytes], seed: int) -> int:
    if not _read(target, inputs).trouble:
        return 0
    broken = [each for each in inputs if _read(target, [each]).trouble]
    for each in broken:
        least = _least(target, each) if len(each) <= 100 * _LONGEST_KEPT and len(inputs) > 1 else each
        print(f"{name}, seed {seed}, {len(each)} bytes: {_read(target, [least]).trouble[-1500:]}", flush=True)
        folder = KEPT / name if len(least) <= _LONGEST_KEPT else Path("build/fuzz") / name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / hashlib.sha256(least).hexdigest()[:12]
        path.write_bytes(least)
        print(f"  kept as {path}", flush=True)
    return len(broken)


def _read(target: Target, inputs: list[bytes]) -> Caged:
    def work() -> None:
        for each in inputs:
            target.read(each)

    return caged(work, seconds=SECONDS, mebibytes=MEBIBYTES)


def _least(target: Target, broken: bytes) -> bytes:
    """As little of `broken` as still breaks in the same way: pieces are left out while it does."""
    last = _read(target, [broken]).trouble.rpartition("\n  File")[2][:200]
    step = len(broken) // 2
    while step:
        start = 0
        while start < len(broken):
            shorter = broken[:start] + broken[start + step :]
            if _read(target, [shorter]).trouble.rpartition("\n  File")[2][:200] == last:
                broken = shorter
            else:
                start += step
        step //= 2
    return broken


if __name__ == "__main__":
    sys.exit(main())

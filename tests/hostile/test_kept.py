"""What once broke something, and what a short run of the fuzzing makes up, breaks nothing."""

from pathlib import Path
from random import Random

import pytest

from tests.hostile.cage import caged
from tests.hostile.pumping import damaged, pumped
from tests.hostile.targets import TARGETS

KEPT = sorted((Path(__file__).parent / "kept").glob("*/*"))
SECONDS, MEBIBYTES = 20, 700


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_once_broke_is_read(path: Path) -> None:
    ended = caged(lambda: TARGETS[path.parent.name].read(path.read_bytes()), seconds=SECONDS, mebibytes=MEBIBYTES)
    assert not ended.trouble


@pytest.mark.parametrize("name", TARGETS)
def test_made_up_and_damaged_input_is_read_in_bounded_time_and_memory(name: str) -> None:
    target, random = TARGETS[name], Random(20261122)
    inputs = [damaged(target, random) for _ in range(15)] + [pumped(target, random, 300_000) for _ in range(3)]

    def work() -> None:
        for each in inputs:
            target.read(each)

    assert not caged(work, seconds=SECONDS, mebibytes=MEBIBYTES).trouble

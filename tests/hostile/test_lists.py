"""Lists of a school that are none: archives that unpack to a hundred times their size, rows without end. Each is
refused with a reason, or read, within bounded time and memory."""

import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from config import ConfigError
from scorecard.list_files import read_lists
from tests.hostile.cage import caged
from tests.hostile.targets import EXAMPLES

SECONDS, MEBIBYTES = 30, 400
HEAD = b"student,guardian_email,language\n"
USERS = (EXAMPLES / "oneroster" / "users.csv").read_bytes().splitlines(keepends=True)


def listed(path: Path, content: bytes) -> Path:
    path = path / "list.csv"
    path.write_bytes(content)
    return path


def zipped(path: Path, users: Iterable[bytes], more: int = 0) -> Path:
    """The example's archive with other users, and `more` files besides."""
    path = path / "lists.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted((EXAMPLES / "oneroster").glob("*.csv")):
            if file.name != "users.csv":
                archive.write(file, file.name)
        with archive.open("users.csv", "w") as unpacked:
            for piece in users:
                unpacked.write(piece)
        for number in range(more):
            archive.writestr(f"{number}.csv", b"")
    return path


MONSTERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "300,000 rows that are none": (lambda at: listed(at, HEAD + b"x\n" * 300_000), "200,000 rows before this one"),
    "100,000 columns": (lambda at: listed(at, HEAD[:-1] + b",a" * 100_000 + b"\nx,y@family.example\n"), ""),
    "a cell that never ends": (lambda at: listed(at, HEAD + b'"' + b"x" * 3_000_000), "field larger than"),
    "600 MB of nothing, packed": (
        lambda at: zipped(at, [USERS[0], *[bytes(1_000_000)] * 600]),
        "at most 536,870,912 bytes",
    ),
    "500 MB in one line, packed": (lambda at: zipped(at, [USERS[0], *[b"x" * 1_000_000] * 500]), "lines of less than"),
    "a million rows that are none, packed": (
        lambda at: zipped(at, [USERS[0], *[b"x\n" * 1_000_000]]),
        "200,000 rows before this one",
    ),
    "10,000 files, packed": (lambda at: zipped(at, USERS, 10_000), ""),
}


@pytest.mark.parametrize("name", MONSTERS)
def test_a_list_that_is_none_is_refused_with_a_reason(name: str, tmp_path: Path) -> None:
    make, reason = MONSTERS[name]
    path = make(tmp_path)

    def read() -> None:
        refused = ""
        try:
            read_lists(path)
        except ConfigError as error:
            refused = str(error)
        assert bool(refused) == bool(reason)
        assert reason in refused

    ended = caged(read, seconds=SECONDS, mebibytes=MEBIBYTES)
    assert not ended.trouble

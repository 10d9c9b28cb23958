"""A command that has said its last word ends at once, whatever the models hold in memory."""

import subprocess
import sys

_COMMAND = """
import atexit, gc, sys
atexit.register(lambda: print("objects that nobody looks through any more:", gc.get_freeze_count() > 10_000))
sys.argv = ["alliance", *sys.argv[1:]]
from service.cli import main
main()
"""


def test_the_end_of_a_process_looks_through_nothing_that_goes_back_to_the_system_anyway() -> None:
    for arguments, status in ((["--version"], 0), (["run", "-c", "nowhere.toml"], 2)):
        ended = subprocess.run(
            [sys.executable, "-c", _COMMAND, *arguments], capture_output=True, text=True, check=False
        )
        assert ended.returncode == status, ended.stderr
        assert "any more: True" in ended.stdout

"""Real servers are part of the tests: where one lacks the test says so, and fails where the run demands them."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

_PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/sbin", "/opt/homebrew/bin")


def required(program: str, package: str) -> Path:
    """The full path of a server's program. Where it lacks, the test fails if ALLIANCE_REQUIRE_SERVERS is set and is
    skipped otherwise; both name the Debian package."""
    found = shutil.which(program) or shutil.which(program, path=os.pathsep.join(_PLACES))
    if found is None:
        lacking(f"{program} is not installed; on Debian: apt-get install {package}")
    return Path(found)


def lacking(reason: str) -> NoReturn:
    """Ends the test: as failed if ALLIANCE_REQUIRE_SERVERS is set, as skipped otherwise."""
    if os.environ.get("ALLIANCE_REQUIRE_SERVERS"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_ports(count: int) -> list[int]:
    """As many free ports of 127.0.0.1, told apart by having been held at the same time."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in held]
    for sock in held:
        sock.close()
    return ports


class Guard:
    """Ends a group of processes when this one is gone, even if it was killed: a shell that waits for the other end of a
    pipe to close. (The kernel's own way, PR_SET_PDEATHSIG, is lost on servers that change their user.)"""

    def __init__(self, group: int, folder: Path) -> None:
        """Kills the process group and removes the folder when this process has died."""
        script = 'cat >/dev/null; kill -KILL "-$1"; rm -rf "$2"'
        self._shell = subprocess.Popen(
            ["sh", "-c", script, "sh", str(group), str(folder)], stdin=subprocess.PIPE, start_new_session=True
        )

    def dismiss(self) -> None:
        """The processes were ended in good order."""
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.communicate()

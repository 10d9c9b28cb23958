"""Real servers are part of the tests: where one lacks the test says so, and fails where the run demands them."""

import os
import shutil
import socket
from pathlib import Path

import pytest

_PLACES = ("/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/sbin", "/opt/homebrew/bin")


def required(program: str, package: str) -> Path:
    """The full path of a server's program. Where it lacks, the test fails if ALLIANCE_REQUIRE_SERVERS is set and is
    skipped otherwise; both name the Debian package."""
    found = shutil.which(program) or shutil.which(program, path=os.pathsep.join(_PLACES))
    if found:
        return Path(found)
    reason = f"{program} is not installed; on Debian: apt-get install {package}"
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


def dies_with_us() -> list[str]:
    """A prefix for a command line, so that the kernel stops the server when the test is killed with SIGKILL. Linux
    only; elsewhere the fixture alone stops it."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []

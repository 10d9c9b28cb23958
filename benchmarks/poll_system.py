"""What `benchmarks.poll` needs to know of a mail system: a server with one mailbox, and two programs that read it."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from benchmarks.mail import TEACHER, Mail
from benchmarks.readers.process import Program
from tests.servers.network import Network

PEERS = "ALLIANCE_PEERS"
"""Environment variable that names the Python with the other programs; left out, the one of `make peers`."""
_PEERS = Path(__file__).parents[1] / "build" / "bench" / "bin" / "python"
_SCHOOL = {
    "school": {"name": "Maple School", "timezone": "America/Chicago"},
    "office": {"address": "office@maple.example", "phone": "555 0100"},
}
Whose = Literal["ours", "theirs"]


def peers_python() -> Path:
    """The Python that has the other programs."""
    return Path(os.environ.get(PEERS, _PEERS))


class System(ABC):
    """One mail system with one mailbox in it. `running` is the way to make one."""

    name: str
    """For people."""
    server: str
    """What stands in for the system."""
    peer: str = "mailsuite"
    """The other program."""
    speaks: Literal["http", "imap"] | None = None
    """How requests are counted; None where there is no server."""
    inbox: Sequence[str] = ("INBOX",)
    """What the other program calls the folder that it may look at alone."""
    parses: bool = True
    """Whether the other program can also be asked to parse what it reads."""
    messages: int = 1_000
    """How many messages make a backlog that takes long enough to be timed."""
    pause: float = 0
    """Seconds between one idle poll and the next, where it matters,"""
    most_polls: int = 1000
    """and how many polls a round are enough then."""

    @classmethod
    @abstractmethod
    def running(cls) -> Any:
        """A context manager: the system as long as the block."""

    @abstractmethod
    def fill(self, backlog: Sequence[Mail]) -> None:
        """Puts old mail into INBOX."""

    @abstractmethod
    def deliver(self, mail: bytes) -> None:
        """Lets one message arrive."""

    def rest(self) -> None:  # noqa: B027 - most systems have nothing to do here
        """Lets a quiet hour pass, as far as the system can tell."""

    @property
    def port(self) -> int:
        """Where the server listens on 127.0.0.1; 0 where there is none."""
        return 0

    @abstractmethod
    def ours(self, port: int) -> Mapping[str, Any]:
        """Options of `readers.ours`, with the server at `port`."""

    @abstractmethod
    def theirs(self, port: int) -> tuple[str, Mapping[str, Any]]:
        """The other program's module in `readers`, and its options."""

    def reader(self, whose: Whose, options: Mapping[str, object], through: Network | None = None) -> Program:
        """A program that reads the mailbox, directly or through a network. `options` go before its own."""
        port = through.before(self.port, self.speaks) if through and self.speaks else self.port
        if whose == "ours":
            return Program(Path(sys.executable), "ours", {**self.ours(port), "parse": False, **options})
        module, own = self.theirs(port)
        return Program(peers_python(), module, {**own, "parse": False, **options})


def options_of(sections: Mapping[str, Any], *, secrets: Mapping[str, str] | None = None, **box: Any) -> dict[str, Any]:
    """Options of `readers.ours`: settings with one mailbox."""
    mailbox = {"address": TEACHER, "teacher": "Ms. Rivera", **box}
    return {"settings": {**_SCHOOL, **sections, "mailboxes": [mailbox]}, "secrets": dict(secrets or {})}


def port_of(url: str) -> int:
    """The port in a URL that names one."""
    port = urlsplit(url).port
    assert port is not None
    return port

"""The mail systems of `benchmarks.poll`: each with a server on this machine, and the two programs that read it."""

import os
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from benchmarks.mail import TEACHER, Mail, store
from benchmarks.readers.process import Program
from tests.servers import dovecot, ews, gmail_front, google_emulator, graph
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


class Imap(System):
    """Any IMAP server."""

    name = "IMAP"
    messages = 2_000
    speaks = "imap"

    def __init__(self, server: dovecot.Dovecot) -> None:
        self._server = server
        self.server = "Dovecot"

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["Imap"]:
        """See `System.running`."""
        with dovecot.running(users=(TEACHER,)) as server:
            yield cls(server)

    @property
    def port(self) -> int:
        """See `System.port`."""
        return self._server.ports[0]

    def fill(self, backlog: Sequence[Mail]) -> None:
        """See `System.fill`."""
        store(self._server.maildir(), backlog)
        self._server.own(self._server.home())

    def deliver(self, mail: bytes) -> None:
        """See `System.deliver`."""
        self._server.deliver(mail)

    def ours(self, port: int) -> Mapping[str, Any]:
        """See `System.ours`."""
        imap = self._server.imap(port=port)
        return _options({}, imap=imap.model_dump(mode="json"), secrets={f"password/{TEACHER}": dovecot.PASSWORD})

    def theirs(self, port: int) -> tuple[str, Mapping[str, Any]]:
        """See `System.theirs`."""
        return "mailsuite_imap", {
            "host": "127.0.0.1",
            "port": port,
            "user": TEACHER,
            "password": dovecot.PASSWORD,
            "folders": ["INBOX", "Sent"],
            "since": f"{datetime.now(UTC):%d-%b-%Y}",
        }


class Maildir(System):
    """A folder on this machine's disk."""

    name = "Maildir"
    server = "this disk"
    messages = 5_000
    pause = 2.2  # `mailbox.Maildir` lists everything again until two seconds after it last did
    most_polls = 3

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._delivered = 0
        for part in ("new", "cur", "tmp"):
            (folder / part).mkdir(parents=True)
            (folder / ".Sent" / part).mkdir(parents=True)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["Maildir"]:
        """See `System.running`."""
        with tempfile.TemporaryDirectory(prefix="poll-") as folder:
            yield cls(Path(folder) / "Maildir")

    def fill(self, backlog: Sequence[Mail]) -> None:
        """See `System.fill`."""
        store(self._folder, backlog)
        self.rest()

    def deliver(self, mail: bytes) -> None:
        """See `System.deliver`."""
        self._delivered += 1
        name = f"{int(datetime.now(UTC).timestamp())}.M{self._delivered}P{os.getpid()}.benchmark"
        staged = self._folder / "tmp" / name
        staged.write_bytes(mail)
        staged.rename(self._folder / "new" / name)

    def rest(self) -> None:
        """See `System.rest`."""
        for path in self._folder.glob("**/"):
            status = path.stat()
            os.utime(path, (status.st_atime - 3600, status.st_mtime - 3600))

    def ours(self, port: int) -> Mapping[str, Any]:
        """See `System.ours`."""
        del port
        return _options({}, connector="maildir", maildir={"path": str(self._folder)})

    def theirs(self, port: int) -> tuple[str, Mapping[str, Any]]:
        """See `System.theirs`."""
        del port
        return "mailsuite_maildir", {"path": str(self._folder), "folders": ["INBOX", "Sent"]}


class Gmail(System):
    """The Gmail API."""

    name = "Gmail"
    messages = 500
    server = "emulator"
    speaks = "http"

    def __init__(self, front: gmail_front.GmailFront) -> None:
        self._front = front

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["Gmail"]:
        """See `System.running`."""
        with google_emulator.running([TEACHER]) as emulator, gmail_front.running(emulator) as front:
            yield cls(front)

    @property
    def port(self) -> int:
        """See `System.port`."""
        return self._front.port

    def fill(self, backlog: Sequence[Mail]) -> None:
        """See `System.fill`."""
        for mail in backlog:
            self._put(mail, ["INBOX"])

    def deliver(self, mail: bytes) -> None:
        """See `System.deliver`."""
        self._put(Mail(mail, datetime.now(UTC)), ["INBOX", "UNREAD"])

    def ours(self, port: int) -> Mapping[str, Any]:
        """See `System.ours`."""
        unhurried = {"units_per_minute": 10**9, "units_per_minute_per_user": 10**9}
        return _options(
            {"gmail": {"endpoint": f"http://127.0.0.1:{port}", **unhurried}},
            connector="gmail",
            secrets={"gmail/service-account": self._front.key(port)},
        )

    def theirs(self, port: int) -> tuple[str, Mapping[str, Any]]:
        """See `System.theirs`."""
        return "mailsuite_gmail", {
            "url": f"http://127.0.0.1:{port}",
            "mailbox": TEACHER,
            "key": self._front.key(port),
            "scope": google_emulator.SCOPE,
            "folders": ["INBOX", "SENT"],
            "since": f"{datetime.now(UTC):%Y/%m/%d}",
        }

    def _put(self, mail: Mail, labels: Sequence[str]) -> None:
        received = str(int(mail.received_at.timestamp() * 1000))
        body = {"raw": gmail_front.encoded(mail.content), "labelIds": list(labels), "internalDate": received}
        self._front.mailbox(TEACHER, "POST", "messages", body)


class Microsoft365(System):
    """Microsoft Graph."""

    name = "Microsoft 365"
    messages = 300
    server = "stand-in"
    speaks = "http"
    inbox = ("Inbox",)

    def __init__(self, server: graph.GraphServer) -> None:
        self._server = server
        self._box = server.box(TEACHER)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["Microsoft365"]:
        """See `System.running`."""
        with graph.running(TEACHER) as server:
            yield cls(server)
            server.violations.clear()  # the other program's are not ours to judge

    @property
    def port(self) -> int:
        """See `System.port`."""
        return _port(self._server.url)

    def fill(self, backlog: Sequence[Mail]) -> None:
        """See `System.fill`."""
        for mail in backlog:
            self._box.deliver(mail.content, received=mail.received_at)

    def deliver(self, mail: bytes) -> None:
        """See `System.deliver`."""
        self._box.deliver(mail)

    def ours(self, port: int) -> Mapping[str, Any]:
        """See `System.ours`."""
        login = self._server.login
        section = {
            "tenant": login.tenant,
            "client_id": login.client_id,
            "endpoint": f"http://127.0.0.1:{port}",
            "authority": self._server.url,
        }
        return _options({"graph": section}, connector="graph", secrets={"graph/secret": login.secret or ""})

    def theirs(self, port: int) -> tuple[str, Mapping[str, Any]]:
        """See `System.theirs`."""
        return "mailsuite_graph", {
            "url": f"http://127.0.0.1:{port}",
            "mailbox": TEACHER,
            "token": self._server.login.token(),
            "folders": ["Inbox", "Sent Items"],
            "since": f"{datetime.now(UTC):%Y-%m-%dT00:00:00Z}",
        }


class Exchange(System):
    """Exchange Web Services."""

    name = "Exchange Server"
    messages = 500
    server = "stand-in"
    peer = "exchangelib"
    speaks = "http"
    inbox = ("inbox",)
    parses = False

    def __init__(self, server: ews.ExchangeServer) -> None:
        self._server = server
        self._box = server.box(TEACHER)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["Exchange"]:
        """See `System.running`."""
        with ews.running(TEACHER) as server:
            yield cls(server)

    @property
    def port(self) -> int:
        """See `System.port`."""
        return _port(self._server.url)

    def fill(self, backlog: Sequence[Mail]) -> None:
        """See `System.fill`."""
        for mail in backlog:
            self._box.deliver(mail.content, received=mail.received_at, is_read=True)

    def deliver(self, mail: bytes) -> None:
        """See `System.deliver`."""
        self._box.deliver(mail)

    def ours(self, port: int) -> Mapping[str, Any]:
        """See `System.ours`."""
        section = {
            "endpoint": self._url(port),
            "auth": "basic",
            "impersonation": False,
            "allow_insecure": True,
        }
        return _options({"exchange": section}, connector="exchange", secrets={f"password/{TEACHER}": ews.PASSWORD})

    def theirs(self, port: int) -> tuple[str, Mapping[str, Any]]:
        """See `System.theirs`."""
        return "exchangelib_folders", {
            "url": self._url(port),
            "mailbox": TEACHER,
            "password": ews.PASSWORD,
            "folders": ["inbox", "sent"],
        }

    def _url(self, port: int) -> str:
        return f"http://127.0.0.1:{port}/EWS/Exchange.asmx"


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _options(sections: Mapping[str, Any], *, secrets: Mapping[str, str] | None = None, **box: Any) -> dict[str, Any]:
    """Options of `readers.ours`: settings with one mailbox."""
    mailbox = {"address": TEACHER, "teacher": "Ms. Rivera", **box}
    return {"settings": {**_SCHOOL, **sections, "mailboxes": [mailbox]}, "secrets": dict(secrets or {})}


SYSTEMS: Mapping[str, type[System]] = {
    "imap": Imap,
    "maildir": Maildir,
    "gmail": Gmail,
    "graph": Microsoft365,
    "exchange": Exchange,
}

"""The mail systems of `benchmarks.poll`, each with a server on this machine."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.mail import TEACHER, Mail, store
from benchmarks.poll_system import System, options_of, port_of
from tests.servers import dovecot, ews, gmail_front, google_emulator, graph


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
        return options_of({}, imap=imap.model_dump(mode="json"), secrets={f"password/{TEACHER}": dovecot.PASSWORD})

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
        return options_of({}, connector="maildir", maildir={"path": str(self._folder)})

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
        return options_of(
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
        return port_of(self._server.url)

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
        return options_of({"graph": section}, connector="graph", secrets={"graph/secret": login.secret or ""})

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
        return port_of(self._server.url)

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
        return options_of({"exchange": section}, connector="exchange", secrets={f"password/{TEACHER}": ews.PASSWORD})

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


SYSTEMS: Mapping[str, type[System]] = {
    "imap": Imap,
    "maildir": Maildir,
    "gmail": Gmail,
    "graph": Microsoft365,
    "exchange": Exchange,
}

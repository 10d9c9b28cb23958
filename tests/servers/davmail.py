"""Debian's DavMail for a test: an IMAP and SMTP server in front of a server that speaks Exchange Web Services."""

import os
import signal
import smtplib
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from imapclient import IMAPClient

from tests.servers.required import Guard, free_ports, lacking, required

_JAR = Path("/usr/share/davmail/davmail.jar")
_SWITCHES = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-Djava.awt.headless=true")
"""For a quick start: what it does here is soon done."""


@dataclass(frozen=True, slots=True)
class DavMail:
    """A running DavMail."""

    imap_port: int
    smtp_port: int
    said: list[bytes]
    """What it logged."""

    @contextmanager
    def imap(self, user: str, password: str) -> Iterator[IMAPClient]:
        """A session of IMAP."""
        with IMAPClient("127.0.0.1", self.imap_port, ssl=False, timeout=60) as client:
            client.login('"' + user.replace("\\", "\\\\") + '"', password)  # imaplib quotes the password alone
            yield client

    def send(self, mime: bytes, user: str, password: str, *recipients: str) -> None:
        """Sends a message over SMTP."""
        with smtplib.SMTP("127.0.0.1", self.smtp_port, local_hostname="localhost", timeout=60) as smtp:
            smtp.login(user, password)
            smtp.sendmail(user, list(recipients), mime)


@contextmanager
def davmail(url: str, *settings: str) -> Iterator[DavMail]:
    """A DavMail in front of the server at `url` (Exchange.asmx) that runs as long as the block. `settings` are further
    lines of its configuration."""
    required("davmail-server", "davmail-server")
    java = required("java", "default-jre-headless")
    if not _JAR.exists():
        lacking(f"{_JAR} is not there; on Debian: apt-get install davmail-server")
    imap_port, smtp_port = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="davmail-", ignore_cleanup_errors=True) as name:
        configuration = Path(name) / "davmail.properties"
        lines = (
            "davmail.server=true",
            "davmail.mode=EWS",
            f"davmail.url={url}",
            f"davmail.imapPort={imap_port}",
            f"davmail.smtpPort={smtp_port}",
            *(f"davmail.{other}Port=" for other in ("pop", "caldav", "ldap")),
            "davmail.bindAddress=127.0.0.1",
            "davmail.disableUpdateCheck=true",
            f"davmail.logFilePath={name}/log",
            "log4j.rootLogger=WARN",
            "log4j.logger.davmail=INFO",
            *settings,
        )
        configuration.write_text("\n".join(lines) + "\n")
        process = subprocess.Popen(
            [str(java), *_SWITCHES, "-jar", str(_JAR), "-server", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=name,
            env={"HOME": name, "PATH": os.environ["PATH"]},
        )
        guard = Guard(process.pid, Path(name))
        try:
            said = _wait_until_it_listens(process)
            threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True).start()  # or the pipe fills
            yield DavMail(imap_port, smtp_port, said)
        finally:
            guard.dismiss()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


def _wait_until_it_listens(process: subprocess.Popen[bytes]) -> list[bytes]:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if b" listening on " in line:
            return said
    raise RuntimeError(b"".join(said).decode(errors="replace"))

"""A small town on real servers: a school's Dovecot, an SMTP server that delivers into it, families with mailboxes."""

import email
import email.policy
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from smtplib import LMTP, SMTP

from tests.servers import dovecot, smtp_sink
from tests.servers.dovecot import Dovecot
from tests.servers.smtp_sink import SmtpSink

RIVERA, OKAFOR, OFFICE = "rivera@maple.example", "okafor@maple.example", "office@maple.example"
ANA, BO, CARLA, ROBOT = "ana@family.example", "bo@family.example", "carla@familia.example", "list@news.example"
EVERYBODY = (RIVERA, OKAFOR, OFFICE, ANA, BO, CARLA, ROBOT)

_CONFIGURATION = """
[school]
name = "Maple Street School"
timezone = "America/Chicago"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
opens = 00:01:00
closes = 23:58:00
languages = ["en", "es"]

[office]
address = "{office}"
phone = "555 0100"

[digest]
enabled = false

[service]
database = "alliance.db"
poll_seconds = 1
settle_seconds = 0

[imap]
host = "127.0.0.1"
port = {imap}
security = "none"
allow_insecure = true

[smtp]
host = "127.0.0.1"
port = {smtp}
security = "none"
allow_insecure = true
authenticate = false

[[mailboxes]]
address = "{rivera}"
teacher = "Ms. Rivera"
grade = "5"
team = "Comets"
stage = "{stage}"
password_env = "PASSWORD"

[[mailboxes]]
address = "{okafor}"
teacher = "Mr. Okafor"
grade = "6"
team = "Rockets"
stage = "{stage}"
password_env = "PASSWORD"
"""


# Tests' modules are found from the root of the checkout by the processes too (the fork server starts on its own).
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")]))
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.service.one_run"])


def _perform(config: Path, die_at: str, occurrence: int, later: timedelta, rounds: int) -> None:
    from tests.service.one_run import Run, perform  # noqa: PLC0415 - loaded by the fork server, not by the test

    perform(Run(config, die_at, occurrence, later, rounds))


@dataclass
class Town:
    """The servers, the configuration, and the ways to look at what really happened: only through the mail servers."""

    folder: Path
    dovecot: Dovecot
    smtp: SmtpSink
    _letters: int = field(default=0)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "alliance.toml"

    def configure(self, stage: str = "reply") -> None:
        """Writes the configuration."""
        self.config.write_text(
            _CONFIGURATION.format(
                office=OFFICE,
                imap=self.dovecot.ports[0],
                smtp=self.smtp.port,
                rivera=RIVERA,
                okafor=OKAFOR,
                stage=stage,
            )
        )

    def write(
        self,
        sender: str,
        to: str | Sequence[str],
        subject: str,
        body: str,
        *,
        past_smtp: bool = False,
        **headers: str,
    ) -> str:
        """Somebody writes a mail, over SMTP or straight over LMTP. Returns its Message-ID without angle brackets."""
        self._letters += 1
        mail = EmailMessage()
        recipients = [to] if isinstance(to, str) else list(to)
        mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(recipients), subject
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = f"<letter-{self._letters}@{sender.partition('@')[2]}>"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(body)
        # Past a scripted SMTP server a letter comes straight to the mailbox.
        server_type, port = (LMTP, self.dovecot.ports[2]) if past_smtp else (SMTP, self.smtp.port)
        with server_type("127.0.0.1", port, local_hostname="localhost", timeout=30) as server:
            server.send_message(mail, sender, recipients)
        return str(mail["Message-ID"]).strip("<>")

    def run(self, *, die_at: str = "", occurrence: int = 1, later: timedelta = timedelta(), calls: int = 1) -> int:
        """Runs the service over every mailbox, `calls` times, in a process of its own that kills itself at a step where
        told so. `later` moves its clock. Returns the exit status (-9 where killed)."""
        process = _PROCESSES.Process(target=_perform, args=(self.config, die_at, occurrence, later, calls))
        process.start()
        process.join(120)
        assert process.exitcode in (0, -signal.SIGKILL), "the service failed; it said why on standard error"
        return process.exitcode

    def mails(self, user: str, folder: str = "INBOX") -> list[EmailMessage]:
        """Every mail in a folder, as another mail program reads it."""
        client = self.dovecot.client(user)
        try:
            client.select_folder(folder, readonly=True)
            found = client.fetch(client.search(), ["BODY.PEEK[]"])
        finally:
            client.logout()
        raws = [data[b"BODY[]"] for _, data in sorted(found.items())]
        return [email.message_from_bytes(raw, policy=email.policy.default) for raw in raws]

    def keywords(self, user: str) -> dict[str, set[str]]:
        """The Alliance keywords of every mail in the inbox, by Message-ID."""
        client = self.dovecot.client(user)
        try:
            client.select_folder("INBOX", readonly=True)
            found = client.fetch(client.search(), ["FLAGS", "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"])
        finally:
            client.logout()
        keywords = {}
        for data in found.values():
            header = data[b"BODY[HEADER.FIELDS (MESSAGE-ID)]"].decode()
            flags = {flag.decode() for flag in data[b"FLAGS"]}
            keywords[header.partition("<")[2].partition(">")[0]] = {
                flag for flag in flags if flag.startswith("Alliance")
            }
        return keywords

    def answers(self, family: str) -> list[EmailMessage]:
        """The automatic answers in a family's mailbox."""
        return [mail for mail in self.mails(family) if mail["Auto-Submitted"] == "auto-replied"]

    def routed(self) -> list[str]:
        """Message-IDs of the originals that lie, attached, in the office's mailbox: one entry for each time."""
        found = []
        for mail in self.mails(OFFICE):
            for part in mail.walk():
                if part.get_content_type() == "message/rfc822":
                    original = part.get_payload(0)
                    found.append(str(original["Message-ID"]).strip("<>"))  # type: ignore[index]
        return found


@contextmanager
def town(folder: Path) -> Iterator[Town]:
    """A town that lives as long as the block."""
    with dovecot.running(users=EVERYBODY) as imap, smtp_sink.running(lmtp=("127.0.0.1", imap.ports[2])) as smtp:
        place = Town(folder, imap, smtp)
        place.configure()
        yield place

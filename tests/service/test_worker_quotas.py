"""Two workers as real processes, and a provider that asks to wait: for one mailbox, or for all of an application. A
Maildir beside it goes on, over the only thread that each worker has."""

import multiprocessing
from collections.abc import Iterator
from mailbox import Maildir
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from config.vault import FolderVault
from connectors.contract.mails import family_mail
from service.cli import app
from store.database import Database
from store.workers import NOW
from tests.servers import graph
from tests.servers.graph import GraphServer
from tests.servers.postgres import Postgres
from tests.service.waiting import until

pytestmark = pytest.mark.server("postgres")

RIVERA, OKAFOR, BELL = "rivera@maple.example", "okafor@maple.example", "bell@maple.example"
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.service.one_run"])
_CONFIGURATION = """
[school]
name = "Maple Street School"
timezone = "America/Chicago"
languages = ["en"]

[office]
address = "office@maple.example"
phone = "555 0100"

[digest]
enabled = false

[service]
database = "{database}"
vault = "vault"
poll_seconds = 1

[worker]
threads = 1

[graph]
tenant = "{tenant}"
client_id = "{client_id}"
endpoint = "{url}"
authority = "{url}"

[[mailboxes]]
address = "bell@maple.example"
teacher = "Ms. Bell"
stage = "observe"
connector = "maildir"
[mailboxes.maildir]
path = "bell"
outgoing = "outgoing"
"""
_MICROSOFT = '\n[[mailboxes]]\naddress = "{}"\nteacher = "Mr. T"\nstage = "observe"\nconnector = "graph"\n'


def _perform(config: Path, log: Path) -> None:
    from tests.service.worker_process import perform  # noqa: PLC0415 - loaded by the fork server, not by the test

    perform("worker", config, log)


class District:
    """Two mailboxes in Microsoft 365, a Maildir, and two workers."""

    def __init__(self, folder: Path, microsoft: GraphServer, location: str) -> None:
        self.microsoft = microsoft
        self.database = Database.at(location)
        self.bell = Maildir(folder / "bell")
        Maildir(folder / "outgoing")
        self._letters = 0
        login = microsoft.login
        config = folder / "alliance.toml"
        written = _CONFIGURATION.format(
            database=location, tenant=login.tenant, client_id=login.client_id, url=microsoft.url
        )
        config.write_text(written + "".join(_MICROSOFT.format(who) for who in (RIVERA, OKAFOR)))
        FolderVault(folder / "vault", {}).put("graph/secret", login.secret)
        migrated = CliRunner().invoke(app, ["migrate", "-c", str(config)])
        assert migrated.exit_code == 0, migrated.output
        self.workers = [
            _PROCESSES.Process(target=_perform, args=(config, folder / f"worker{number}.log")) for number in range(2)
        ]
        for worker in self.workers:
            worker.start()

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(text(statement.replace("NOW", NOW)))]

    def seen(self, mailbox: str) -> int:
        """How many letters of a mailbox are on record."""
        return len(self.ask(f"SELECT FROM message WHERE mailbox = '{mailbox}'"))

    def bell_reads(self, letters: int) -> None:
        """So many letters come to the Maildir one after the other; returns when all are read."""
        for _ in range(letters):
            before = self.seen(BELL)
            self._letters += 1
            self.bell.add(family_mail(self._letters, BELL))
            until(lambda before=before: self.seen(BELL) > before)

    def refusals(self) -> int:
        return sum(one.status == 429 for one in self.microsoft.log)


@pytest.fixture
def district(postgres_server: Postgres, tmp_path: Path) -> Iterator[District]:
    with graph.running(RIVERA, OKAFOR) as microsoft:
        found = District(tmp_path, microsoft, postgres_server.database())
        try:
            yield found
        finally:
            for worker in found.workers:
                worker.kill()
                worker.join(30)
            found.database.close()


def test_one_mailboxs_pause_is_that_mailboxs_and_the_applications_that_of_all_in_every_worker(
    district: District,
) -> None:
    microsoft = district.microsoft
    connected = "SELECT FROM mailbox WHERE cursor IS NOT NULL"
    until(lambda: len(district.ask(connected)) == 3 and len(district.ask("SELECT FROM worker")) == 2)

    own = microsoft.throttle(RIVERA, retry_after="600", times=None)
    until(lambda: district.ask(f"SELECT FROM mailbox_turn WHERE mailbox = '{RIVERA}' AND failures = 1"))
    refused = district.refusals()
    for number in range(1, 4):
        microsoft.box(OKAFOR).deliver(family_mail(number, OKAFOR))
        until(lambda number=number: district.seen(OKAFOR) == number)
        district.bell_reads(1)
    assert district.refusals() == refused

    own.times = 0
    microsoft.throttle(OKAFOR, retry_after="600", scope="Tenant_Application/ReadWrite/app/tenant")
    until(lambda: district.ask("SELECT FROM allowance WHERE name LIKE 'pause graph %'"))
    (told,) = district.ask("SELECT NOW")
    until(lambda: district.ask(f"SELECT WHERE NOW > timestamp '{told[0]}' + interval '3 seconds'"))  # all have looked
    asked = len(microsoft.log)
    for who in (RIVERA, OKAFOR):
        microsoft.box(who).deliver(family_mail(9, who))
    district.bell_reads(3)
    assert len(microsoft.log) == asked

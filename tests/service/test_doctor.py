"""`alliance doctor`, against real mail servers: what is healthy passes, and each thing broken is found and named."""

import json
import os
import pwd
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from sqlalchemy import inspect
from typer.testing import CliRunner

from config import load
from config.secrets import Secrets
from config.settings import Service
from connectors.mailbox import Direction
from connectors.registry import open_mailbox
from service.cli import app
from service.doctor import database as databases
from service.doctor import privacy
from service.doctor.examination import examine
from service.doctor.finding import Finding, Level
from store.database import Database
from store.tables import MailboxState, MessageRecord
from tests.servers import certificates, dovecot, smtp_sink

RIVERA = "rivera@maple.example"
SMTP_PASSWORD = dovecot.PASSWORD
LETTER = (
    "Dear Ms. Rivera,\n\nLeo was very unhappy after the spelling test on Tuesday and would not say why.\n"
    "Could you tell me whether something happened between him and Tom?\n"
)


@pytest.fixture(scope="module")
def imap() -> Iterator[dovecot.Dovecot]:
    with dovecot.running(users=(RIVERA,)) as server:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = "ana@family.example", RIVERA, "A question about Leo's week"
        letter["Message-ID"] = "<leo@family.example>"
        letter.set_content(LETTER)
        server.deliver(letter.as_bytes())
        yield server


@pytest.fixture(scope="module")
def smtp(imap: dovecot.Dovecot) -> Iterator[smtp_sink.SmtpSink]:
    with smtp_sink.running(
        username=RIVERA, password=SMTP_PASSWORD, certificates=imap.certificates, security="tls"
    ) as sink:
        yield sink


@dataclass(frozen=True)
class Setup:
    """A configuration on disk, and the environment it is read with."""

    folder: Path
    imap: Mapping[str, object]
    smtp: Mapping[str, object]
    school: str = 'holidays = [{ first = 2031-12-22, last = 2032-01-02, name = "winter break" }]'
    service: str = ""
    mailbox: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def write(self) -> Path:
        """Writes the file and returns its path."""
        path = self.folder / "alliance.toml"
        path.write_text(
            f"""
            [school]
            name = "Maple School"
            timezone = "America/Chicago"
            {self.school}
            [office]
            address = "office@maple.example"
            phone = "555 0100"
            [service]
            {self.service}
            [imap]
            {_toml(self.imap)}
            [smtp]
            {_toml(self.smtp)}
            [[mailboxes]]
            address = "{RIVERA}"
            teacher = "Ms. Rivera"
            stage = "reply"
            {self.mailbox}
            """
        )
        return path

    def findings(self) -> list[Finding]:
        """What the doctor finds."""
        return list(examine(self.write(), self.environ, self.now))

    def failing(self) -> list[Finding]:
        """What fails."""
        return [finding for finding in self.findings() if finding.level is Level.FAIL]


def _toml(table: Mapping[str, object]) -> str:
    return "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())


@pytest.fixture
def setup(tmp_path: Path, imap: dovecot.Dovecot, smtp: smtp_sink.SmtpSink) -> Setup:
    return Setup(
        folder=tmp_path,
        imap=json.loads(imap.imap("tls").model_dump_json(exclude_none=True)),
        smtp=json.loads(smtp.settings().model_dump_json(exclude_none=True)),
        environ={"ALLIANCE_PASSWORD_RIVERA_MAPLE_EXAMPLE": dovecot.PASSWORD},
    )


def _record(setup: Setup, *, provider_id: str, error: str | None = None, subject: str | None = None) -> Path:
    """A database in which the letter is on record; `error` and `subject` go into columns that could hold text."""
    path = setup.folder / "alliance.db"
    database = Database.open(str(path))
    now = setup.now.replace(microsecond=0)
    with database.write() as connection:
        connection.execute(MailboxState.__table__.insert().values(address=RIVERA, connected_at=now))
        connection.execute(
            MessageRecord.__table__.insert().values(
                mailbox=RIVERA,
                provider_id=provider_id,
                direction=Direction.RECEIVED,
                fingerprint="f",
                thread="leo@family.example",
                received_at=now,
                recorded_at=now,
                backfill=False,
                own=False,
                unsure=False,
                labels="",
                set_aside=error,
                subject=subject,
            )
        )
    database.close()
    return path


def _provider_id(setup: Setup) -> str:
    settings = load(setup.write(), {})
    box = settings.mailboxes[0]
    mailbox = open_mailbox(box, settings, Secrets.in_memory({f"password/{box.address}": dovecot.PASSWORD}))
    try:
        cursor, messages = None, ()
        while not messages:
            page = mailbox.changes(cursor)
            cursor, messages = page.cursor, page.messages
        return messages[0].id
    finally:
        mailbox.close()


def test_a_healthy_school_has_nothing_failing_and_nothing_to_look_at(setup: Setup) -> None:
    findings = setup.findings()
    assert [finding for finding in findings if finding.level is not Level.OK] == []
    assert {"program", "configuration", "database", "disk", "clock", "calendar", "office", "roster", "classifier"} <= {
        finding.about for finding in findings
    }
    assert any(finding.about == RIVERA for finding in findings)


def test_the_examination_leaves_no_trace_on_disk_or_in_the_mailbox(setup: Setup, imap: dovecot.Dovecot) -> None:
    setup.findings()
    assert [path.name for path in setup.folder.iterdir()] == ["alliance.toml"]
    with imap.client() as client:
        client.select_folder("INBOX", readonly=True)
        assert {flag for row in client.fetch(client.search(), ["FLAGS"]).values() for flag in row[b"FLAGS"]} <= {
            b"\\Recent"
        }


@pytest.mark.parametrize("password", ["wrong", None])
def test_a_wrong_or_missing_password_is_named_with_its_variable_and_never_shown(
    setup: Setup, password: str | None
) -> None:
    environ = {} if password is None else {"ALLIANCE_PASSWORD_RIVERA_MAPLE_EXAMPLE": password}
    failing = replace(setup, environ=environ).failing()
    assert {finding.about for finding in failing} == {RIVERA}
    assert any("ALLIANCE_PASSWORD_RIVERA_MAPLE_EXAMPLE" in finding.fix for finding in failing)
    assert not any("wrong" in finding.seen + finding.fix for finding in failing)


def test_a_password_that_only_the_smtp_server_refuses_is_found_before_the_first_answer_fails(
    setup: Setup, smtp: smtp_sink.SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "password", "another")
    (finding,) = setup.failing()
    assert finding.about == RIVERA
    assert str(smtp.port) in finding.seen or "SMTP" in finding.seen


def test_a_server_certificate_of_another_authority_is_refused(setup: Setup, tmp_path_factory) -> None:
    stranger = certificates.make_certificates(tmp_path_factory.mktemp("stranger")).authority
    (finding,) = replace(setup, imap={**setup.imap, "ca_file": str(stranger)}).failing()
    assert finding.about == RIVERA
    assert "ca_file" in finding.fix


def test_a_server_that_is_not_there_is_named_with_host_and_port(setup: Setup) -> None:
    (port,) = dovecot.free_ports(1)
    (finding,) = replace(setup, imap={**setup.imap, "port": port}).failing()
    assert str(port) in finding.seen


def test_folders_that_the_server_lacks_are_named(setup: Setup, imap: dovecot.Dovecot) -> None:
    with dovecot.running(users=(RIVERA,), folders={}, certificates=imap.certificates) as bare:
        server = {**setup.imap, "port": bare.ports[1], "drafts_folder": "Entwürfe"}
        findings = replace(setup, imap=server).findings()
    assert any(finding.about == RIVERA and "Entwürfe" in finding.seen for finding in findings)


def test_a_wrong_key_in_the_configuration_is_the_only_finding_after_the_program(setup: Setup) -> None:
    findings = replace(setup, service="poll_second = 5").findings()
    assert [finding.about for finding in findings] == ["program", "configuration"]
    assert "poll_seconds" in findings[-1].seen


def test_a_database_in_a_folder_that_does_not_exist_fails(setup: Setup) -> None:
    (finding,) = replace(setup, service='database = "nowhere/alliance.db"').failing()
    assert finding.about == "database"
    assert "nowhere" in finding.fix


def test_a_file_that_is_no_database_fails_and_stays_as_it_is(setup: Setup) -> None:
    notes = setup.folder / "alliance.db"
    notes.write_text("Shopping list\n" * 100)
    (finding,) = setup.failing()
    assert finding.about == "database"
    assert notes.read_text() == "Shopping list\n" * 100


@contextmanager
def _an_ordinary_user() -> Iterator[None]:
    """Root may write everywhere: for what the block does, it is nobody."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_database_that_this_user_may_not_write_fails() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alliance.db"
        Database.open(str(path)).close()
        path.chmod(0o444)
        path.parent.chmod(0o555)
        with _an_ordinary_user():
            reached, findings = databases.reach(Service(database=str(path)))
        path.parent.chmod(0o755)
    assert reached is None
    assert [finding.level for finding in findings] == [Level.FAIL]


def test_a_database_that_is_locked_for_writing_elsewhere_is_not_reported_as_broken_for_ever(setup: Setup) -> None:
    path = _record(setup, provider_id=_provider_id(setup))
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM message").fetchone()
    assert setup.failing() == []
    reader.close()


@pytest.mark.parametrize(("floor", "failing"), [("from-the-future", ["database"]), (None, [])])
def test_tables_of_a_newer_version_fail_where_this_program_cannot_work_with_them(
    setup: Setup, floor: str | None, failing: list[str]
) -> None:
    path = _record(setup, provider_id="1")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        if floor is not None:
            connection.execute("UPDATE schema_floor SET revision = ?", (floor,))
    connection.close()
    assert [finding.about for finding in setup.failing()] == failing


def test_a_recorded_message_is_looked_for_in_the_database_and_not_found(setup: Setup) -> None:
    _record(setup, provider_id=_provider_id(setup))
    findings = [finding for finding in setup.findings() if finding.about == "privacy"]
    assert {finding.level for finding in findings} == {Level.OK}
    assert any("1 recorded message" in finding.seen for finding in findings)


def test_a_sentence_of_a_message_in_any_column_is_found(setup: Setup) -> None:
    _record(setup, provider_id=_provider_id(setup), error=f"cannot read {LETTER.splitlines()[2]!r}")
    assert [finding.about for finding in setup.failing()] == ["privacy"]


def test_a_sentence_that_was_deleted_but_still_stands_in_the_file_is_found(setup: Setup) -> None:
    path = _record(setup, provider_id=_provider_id(setup))
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA secure_delete=OFF")
        connection.execute("CREATE TABLE scratch (words TEXT)")
        connection.execute("INSERT INTO scratch VALUES (?)", [LETTER.splitlines()[2]])
        connection.execute("DROP TABLE scratch")
    connection.close()
    assert [finding.about for finding in setup.failing()] == ["privacy"]


def test_a_subject_counts_as_text_unless_the_school_keeps_subjects(setup: Setup) -> None:
    _record(setup, provider_id=_provider_id(setup), subject="A question about Leo's week")
    assert {finding.about for finding in setup.failing()} == {"privacy"}
    assert replace(setup, service="keep_subjects = true").failing() == []


def test_a_column_that_nobody_vouches_for_fails(setup: Setup) -> None:
    path = _record(setup, provider_id=_provider_id(setup))
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE message ADD COLUMN body TEXT")
    connection.close()
    (finding,) = setup.failing()
    assert "message.body" in finding.seen


def test_every_column_of_this_version_that_could_hold_text_is_vouched_for() -> None:
    database = Database.in_memory()
    with database.read() as connection:
        assert {column.name for column in privacy.text_columns(connection)} == set(privacy.KEPT)
        assert inspect(connection).get_table_names()
    database.close()


def test_a_mail_server_whose_clock_is_ahead_is_noticed(setup: Setup) -> None:
    findings = replace(setup, now=datetime.now(UTC) - timedelta(hours=3)).findings()
    assert any(finding.about == RIVERA and "clock" in finding.seen for finding in findings)


def test_a_calendar_without_holidays_ahead_is_worth_a_look(setup: Setup) -> None:
    warned = [f for f in replace(setup, school="").findings() if f.level is Level.WARN]
    assert [finding.about for finding in warned] == ["calendar"]


def test_the_command_says_what_to_do_and_exits_with_1_when_something_fails(setup: Setup) -> None:
    run = CliRunner().invoke(app, ["doctor", "--config", str(setup.write())], env={"COLUMNS": "200"})
    assert run.exit_code == 1
    assert "ALLIANCE_PASSWORD_RIVERA_MAPLE_EXAMPLE" in run.output


def test_the_command_prints_json_and_exits_with_0_when_all_is_well(setup: Setup) -> None:
    arguments = ["doctor", "--json", "--config", str(setup.write())]
    run = CliRunner().invoke(app, arguments, env=dict(setup.environ))
    report = json.loads(run.stdout)
    assert run.exit_code == 0
    assert report["healthy"] is True
    assert {"about", "level", "seen", "fix"} == set(report["findings"][0])
    assert report["kept"]["message.sender"]
    assert dovecot.PASSWORD not in run.output

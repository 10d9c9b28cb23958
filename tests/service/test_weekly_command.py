"""`alliance weekly show`."""

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service import weekly
from service.cli import app
from store.database import Database
from tests.scorecard.sample_report import sample_report
from tests.service.maple import SCHOOL_TOML

_CONFIGURATION = f"""{SCHOOL_TOML}
[service]
notices_from = "alliance@maple.example"

[[staff]]
address = "reed@maple.example"
name = "Dr. Reed"
role = "leader"

[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
connector = "maildir"
maildir = {{ path = "mail", outgoing = "outgoing" }}

[[mailboxes]]
address = "alliance@maple.example"
teacher = "Alliance Inbox"
connector = "maildir"
maildir = {{ path = "own", outgoing = "outgoing" }}
"""
MORNING = "2026-11-09 07:05"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A school with the sample's figures."""
    monkeypatch.setattr(weekly, "read_report", lambda *_, **__: sample_report())
    file = tmp_path / "alliance.toml"
    file.write_text(_CONFIGURATION)
    return file


def show(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["weekly", "show", *words, "--config", str(config)])


def test_it_prints_subject_and_text_and_nothing_is_sent_or_decided(config: Path) -> None:
    shown = show(config, "--leader", "dr. reed", "--at", MORNING)
    assert shown.exit_code == 0
    assert shown.stdout.startswith("Alliance Scorecard: good news 80%, two-way 62%\n\nGood morning, Dr. Reed.")
    assert shown.stderr == ""
    database = Database.open(str(config.with_name("alliance.db")))
    with database.read() as connection:
        for table in ("weekly_mail", "notice", "scorecard_told"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0
    database.close()


def test_it_writes_the_page_with_its_charts_and_the_mail_as_it_would_leave(config: Path, tmp_path: Path) -> None:
    html, eml = tmp_path / "mail.html", tmp_path / "mail.eml"
    assert show(config, "--at", MORNING, "--html", str(html), "--eml", str(eml)).exit_code == 0
    assert html.read_text("utf-8").count('src="data:image/png;base64,') == 2
    mail = email.message_from_bytes(eml.read_bytes(), _class=EmailMessage, policy=email.policy.default)
    assert (mail["From"], mail["To"]) == ("Alliance Inbox <alliance@maple.example>", "reed@maple.example")
    assert [part.get_content_type() for part in mail.walk()].count("image/png") == 2


def test_a_week_with_nothing_to_tell_says_so(config: Path) -> None:
    shown = show(config, "--at", "2027-01-11 07:00")
    assert shown.exit_code == 0
    assert "There is nothing to tell Dr. Reed" in shown.stdout


def test_whom_nobody_knows_and_a_file_that_cannot_be_written_end_with_code_2(config: Path) -> None:
    assert show(config, "--leader", "nobody").exit_code == 2
    assert "there are: Dr. Reed" in show(config, "--leader", "nobody").stderr
    refused = show(config, "--at", MORNING, "--html", str(config.parent / "no" / "such.html"))
    assert refused.exit_code == 2
    assert "such.html: No such file" in refused.stderr


def test_where_it_is_turned_off_that_is_said(config: Path) -> None:
    config.write_text(config.read_text() + "\n[scorecard]\nweekly_mail = false\n")
    assert "No such mail is sent" in show(config, "--at", MORNING).stderr

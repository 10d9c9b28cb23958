"""`alliance answers`, and where else it is said that a mailbox's answers stopped."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from config.settings import Norm
from service.cli import app
from store.database import Database
from tests.service.maple import RIVERA, SCHOOL_TOML, Maple

_CONFIGURATION = f"""{SCHOOL_TOML}
[norm]
answers_per_hour = 5

[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
connector = "maildir"
away = ["2099-12-01/2099-12-05"]

[mailboxes.maildir]
path = "mail"
outgoing = "outgoing"

[[mailboxes]]
address = "okafor@maple.example"
teacher = "Mr. Okafor"
connector = "maildir"

[mailboxes.maildir]
path = "mail-of-okafor"
outgoing = "outgoing"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A school in which one teacher's answers have just stopped."""
    file = tmp_path / "alliance.toml"
    file.write_text(_CONFIGURATION)
    for folder in ("mail", "mail-of-okafor", "outgoing"):
        for part in ("cur", "new", "tmp"):
            (tmp_path / folder / part).mkdir(parents=True)
    database = Database.open("alliance.db", folder=tmp_path)
    maple = Maple(database=database, norm=Norm(answers_per_hour=5))
    maple.clock.now = datetime.now(UTC)  # the command looks at the machine's clock
    maple.round()
    for number in range(6):
        maple.write(sender=f"parent@home{number}.example")
    maple.round()
    database.close()
    return file


def alliance(config: Path, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "250"}).invoke(app, [*words, "--config", str(config)])


def test_it_shows_which_mailbox_stopped_why_and_until_when(config: Path) -> None:
    shown = alliance(config, "answers", "show")
    assert shown.exit_code == 0
    assert "5 answers left within an hour" in shown.stdout
    rivera, okafor = json.loads(alliance(config, "answers", "show", "--json").stdout)["mailboxes"]
    assert (rivera["mailbox"], rivera["answers_within_the_hour"], rivera["cause"]) == (RIVERA, 5, "hour")
    stopped_at, until = (datetime.fromisoformat(rivera[key]) for key in ("stopped_at", "until"))
    assert (until - stopped_at).total_seconds() == 24 * 3600
    assert (okafor["answers_within_the_hour"], okafor["stopped_at"], okafor["until"]) == (0, None, None)


def test_resuming_lets_the_answers_go_on_once(config: Path) -> None:
    assert "answered again" in alliance(config, "answers", "resume", RIVERA).stdout
    again = alliance(config, "answers", "resume", RIVERA)
    assert (again.exit_code, again.stderr) == (1, f"{RIVERA}: its answers are not stopped.\n")
    assert "why" in alliance(config, "answers", "show").stdout
    assert "answers left" not in alliance(config, "answers", "show").stdout


def test_all_of_them_can_be_resumed_at_once(config: Path) -> None:
    assert alliance(config, "answers", "resume", "--all").stdout.startswith(f"{RIVERA}: families are answered again")
    assert alliance(config, "answers", "resume", "--all").stdout == "No mailbox's answers are stopped.\n"


def test_what_cannot_be_meant_is_refused(config: Path) -> None:
    assert alliance(config, "answers", "resume").exit_code == 2
    assert alliance(config, "answers", "resume", RIVERA, "--all").exit_code == 2
    unknown = alliance(config, "answers", "resume", "nobody@maple.example")
    assert (unknown.exit_code, "no mailbox nobody@maple.example" in unknown.stderr) == (2, True)


def test_the_outbox_says_it_and_so_does_the_doctor_until_somebody_resumes(config: Path) -> None:
    assert f"{RIVERA}: its answers are stopped." in alliance(config, "outbox").stdout
    assert json.loads(alliance(config, "outbox", "--json").stdout)["answers_stopped"] == [RIVERA]
    said = " ".join(alliance(config, "doctor").stdout.split())
    assert "families get no answers since" in said
    assert f"alliance answers resume {RIVERA}" in said
    alliance(config, "answers", "resume", "--all")
    assert json.loads(alliance(config, "outbox", "--json").stdout)["answers_stopped"] == []
    assert "families get no answers" not in alliance(config, "doctor").stdout


def test_the_doctor_names_the_days_that_the_configuration_says_the_teacher_is_away(config: Path) -> None:
    said = " ".join(alliance(config, "doctor").stdout.split())
    assert "mailboxes.away: will be on from Tuesday, December 1, 12:00 AM until Sunday, December 6, 12:00 AM" in said

"""`alliance cases`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autoresponder.cases import CaseWord
from service.cli import app
from store.cases import Cases
from store.database import Database
from tests.service.cases_of_maple import conflict
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, SCHOOL_TOML, Maple

_CONFIGURATION = f"""{SCHOOL_TOML}
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
connector = "maildir"
maildir = {{ path = "mail" }}

[[mailboxes]]
address = "okafor@maple.example"
teacher = "Ms. Okafor"
connector = "maildir"
maildir = {{ path = "other" }}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A school with two open cases and one that is closed."""
    file = tmp_path / "alliance.toml"
    file.write_text(_CONFIGURATION)
    database = Database.open("alliance.db", folder=tmp_path)
    maple = Maple(database=database)
    maple.round()
    conflict(maple, body="You shouted at Maya in front of the whole class.")
    conflict(maple, BO, to=(OKAFOR,))
    conflict(maple, BO)
    Cases(database).say(3, CaseWord.AGREED, RIVERA, maple.clock())
    database.close()
    return file


def cases(config: Path, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["cases", *words, "--config", str(config)])


def test_the_list_shows_what_is_open_and_no_word_of_a_message(config: Path) -> None:
    shown = cases(config).stdout
    assert ANA in shown
    assert "2026-03-05 10:00" in shown
    assert "agreed" not in shown
    assert "shouted" not in shown


def test_closed_ones_and_what_happened_are_shown_to_machines(config: Path) -> None:
    found = json.loads(cases(config, "--all", "--json").stdout)["cases"]
    assert [each["state"] for each in found] == ["open", "open", "agreed"]
    assert [event["what"] for event in found[2]["events"]] == ["opened", "agreed"]
    assert found[0]["due_at"] == "2026-03-05T10:00:00-06:00"
    assert found[2]["school_days"] == 0


def test_one_mailbox_can_be_asked_for(config: Path) -> None:
    (only,) = json.loads(cases(config, "--mailbox", OKAFOR, "--json").stdout)["cases"]
    assert only["senders"] == [BO]
    refused = cases(config, "--mailbox", "nobody@maple.example")
    assert refused.exit_code == 2
    assert "no such mailbox" in refused.stderr

"""`alliance items`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from store.database import Database
from tests.service.desks_of_maple import LEE, NURSE, maple_with_desks
from tests.service.maple import ANA, SCHOOL_TOML

_CONFIGURATION = f"""{SCHOOL_TOML}
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
connector = "maildir"

[mailboxes.maildir]
path = "mail"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A school whose office has one urgent item."""
    file = tmp_path / "alliance.toml"
    file.write_text(_CONFIGURATION)
    database = Database.open("alliance.db", folder=tmp_path)
    maple = maple_with_desks(database=database)
    maple.round()
    maple.write("urgent health", body="Maya has a fever and nobody answers the phone.")
    maple.round()
    database.close()
    return file


def items(config: Path, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["items", *words, "--config", str(config)])


def test_the_list_shows_what_waits_and_no_word_of_the_message(config: Path) -> None:
    (item,) = json.loads(items(config, "list", "--json").stdout)["items"]
    assert (item["state"], item["topic"], item["desks"]) == ("open", "health", ["nurse"])
    assert item["messages"][0]["sender"] == ANA
    assert [event["what"] for event in item["events"]] == ["opened"]
    assert "fever" not in items(config, "list").stdout
    assert "urgent, health" in items(config, "list").stdout


def test_one_takes_it_the_next_is_told_who_has_it_and_it_can_be_closed(config: Path) -> None:
    assert items(config, "claim", "1", "--by", NURSE).stdout == f"Item 1 is claimed by {NURSE}.\n"
    late = items(config, "claim", "1", "--by", LEE)
    assert (late.exit_code, late.stderr) == (1, f"Item 1 is claimed by {NURSE} already.\n")
    assert items(config, "close", "1", "--by", NURSE, "--as", "not urgent").exit_code == 0
    assert items(config, "list").stdout == "Nothing waits at the office.\n"
    (item,) = json.loads(items(config, "list", "--all", "--json").stdout)["items"]
    assert item["state"] == "not urgent"


def test_what_cannot_be_meant_is_refused_with_what_to_do(config: Path) -> None:
    assert "no item 7" in items(config, "claim", "7", "--by", NURSE).stderr
    assert items(config, "claim", "1", "--by", "the nurse").exit_code == 2
    assert "done, not urgent" in items(config, "close", "1", "--by", NURSE, "--as", "gone").stderr

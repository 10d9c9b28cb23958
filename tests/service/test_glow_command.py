"""`alliance glow`."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from store import audit
from store.database import Database
from tests.service.glow_of_maple import enrol, good_word
from tests.service.maple import OKAFOR, RIVERA, SCHOOL_TOML, TUESDAY, Maple

_CONFIGURATION = f"""{SCHOOL_TOML}
[glow]
drafts_per_day = 1

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
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A school on a Tuesday in March, of whose families one has had good news."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("service.assembly.system_clock", lambda: TUESDAY)
    file = tmp_path / "alliance.toml"
    file.write_text(_CONFIGURATION)
    database = Database.open("alliance.db", folder=tmp_path)
    Maple(database=database).round()
    enrol(database)
    good_word(database, "Theo Brandt", date(2026, 2, 3))
    database.close()
    return file


def glow(config: Path, *words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["glow", *words, "--config", str(config)])


def waiting(config: Path, mailbox: str) -> list[str]:
    shown = json.loads(glow(config, "--json").stdout)["teachers"]
    return [each["family"] for teacher in shown if teacher["mailbox"] == mailbox for each in teacher["waiting"]]


def test_it_lists_by_teacher_who_waits(config: Path) -> None:
    shown = glow(config).stdout
    assert f"{RIVERA}: 2 of 3 families without a good word" in shown
    assert f"{OKAFOR}: 1 of 1 families without a good word" in shown
    assert "Leo Lopez, Maya Lopez" in shown
    assert "Brandt" not in shown
    assert "Lopez" not in glow(config, "--mailbox", OKAFOR).stdout


def test_machines_get_identifiers(config: Path) -> None:
    assert set(waiting(config, RIVERA)) == {"lopez", "nguyen"}
    assert waiting(config, OKAFOR) == ["nguyen"]


def test_a_draft_is_asked_for_once_and_so_many_in_a_day(config: Path) -> None:
    assert glow(config, "draft", "--mailbox", RIVERA, "--family", "lopez").exit_code == 0
    again = glow(config, "draft", "--mailbox", RIVERA, "--family", "lopez")
    assert (again.exit_code, "already" in again.stderr) == (1, True)
    more = glow(config, "draft", "--mailbox", RIVERA, "--family", "nguyen")
    assert (more.exit_code, "drafts_per_day" in more.stderr) == (1, True)
    heard = glow(config, "draft", "--mailbox", RIVERA, "--family", "brandt")
    assert (heard.exit_code, "has had good news" in heard.stderr) == (1, True)
    stranger = glow(config, "draft", "--mailbox", OKAFOR, "--family", "lopez")
    assert (stranger.exit_code, "no child in this teacher's classes" in stranger.stderr) == (1, True)


def test_helpers_are_added_exported_and_taken_off(config: Path) -> None:
    assert "No family" in glow(config, "helpers", "--mailbox", RIVERA).stdout
    assert glow(config, "helper", "--mailbox", RIVERA, "--family", "nguyen").stdout == "Done.\n"
    assert glow(config, "helper", "--mailbox", RIVERA, "--family", "nguyen").stdout == "It was so already.\n"
    rows = list(csv.reader(io.StringIO(glow(config, "helpers", "--mailbox", RIVERA, "--csv").stdout)))
    assert rows[1] == ["Nguyen", "nguyen@family.example", "Linh Nguyen", "vi", "2026-03-03"]
    assert glow(config, "helpers", "--mailbox", OKAFOR, "--csv").stdout.count("\n") == 1
    assert "Linh Nguyen: Nguyen, since 2026-03-03" in glow(config, "helpers", "--mailbox", RIVERA).stdout
    assert glow(config, "helper", "--mailbox", RIVERA, "--family", "nguyen", "--remove").stdout == "Done.\n"
    assert "No family" in glow(config, "helpers", "--mailbox", RIVERA).stdout
    database = Database.open("alliance.db", folder=config.parent)
    acts = [entry.act for entry in audit.entries(database)]
    database.close()
    assert acts.count("exported the list of helpers") == 5
    assert acts.count("put a family on the list of helpers") == 1


@pytest.mark.parametrize("words", [("--mailbox", "x@maple.example"), ("helpers", "--mailbox", "x@maple.example")])
def test_a_mailbox_that_there_is_not_is_named(config: Path, words: tuple[str, ...]) -> None:
    result = glow(config, *words)
    assert (result.exit_code, "there is no such mailbox" in result.stderr) == (2, True)


def test_a_family_that_there_is_not_is_refused(config: Path) -> None:
    result = glow(config, "helper", "--mailbox", OKAFOR, "--family", "lopez")
    assert (result.exit_code, "no such family" in result.stderr) == (2, True)


def test_between_terms_there_is_nothing_to_show(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.assembly.system_clock", lambda: TUESDAY.replace(month=7))
    assert "No term is running" in glow(config).stdout
    assert waiting(config, RIVERA) == []

"""`alliance contacts` and `alliance incidents`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from store.contacts import Contacts
from store.database import Database
from tests.service.maple import SCHOOL_TOML
from tests.service.roster_of_maple import fill_roster

_CONFIGURATION = f"""{SCHOOL_TOML}
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
connector = "maildir"
maildir = {{ path = "mail", outgoing = "outgoing" }}
"""
CALLS = "date,student,kind,tone\n2026-03-02,Maya Lopez,call,good news\n03/04/2026,Theo Brandt,call,\n"
INCIDENTS = "date,student,kind,baseline_date\n2026-03-02,Maya Lopez,Noise,\n2026-03-03,Leo Lopez,Noise,2026-03-09\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "alliance.toml"
    file.write_text(_CONFIGURATION)
    database = Database.open("alliance.db", folder=tmp_path)
    fill_roster(database)
    database.close()
    (tmp_path / "calls.csv").write_text(CALLS)
    (tmp_path / "incidents.csv").write_text(INCIDENTS)
    return file


def alliance(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--config", str(config)])


def import_calls(config: Path, *words: str) -> Result:
    teacher = ("--teacher", "Rivera@maple.example")
    return alliance(config, "contacts", "import", str(config.parent / "calls.csv"), *teacher, *words)


def on_record(config: Path) -> int:
    database = Database.open("alliance.db", folder=config.parent)
    try:
        return len(Contacts(database).listing())
    finally:
        database.close()


def test_a_list_is_imported_and_what_was_left_out_is_said_with_its_place(config: Path) -> None:
    done = import_calls(config)
    assert done.exit_code == 1
    assert done.stdout == "Contacts: 1 added, 0 changed, 0 withdrawn, 0 as they were, 1 rejected.\n"
    assert done.stderr.startswith("calls.csv:3: date: is no date such as 2026-03-04")
    assert "Theo" not in done.output
    assert import_calls(config).stdout.startswith("Contacts: 0 added, 0 changed, 0 withdrawn, 1 as they were")


def test_a_dry_run_says_so_and_changes_nothing(config: Path) -> None:
    assert import_calls(config, "--dry-run").stdout.startswith("Contacts: 1 would be added")
    assert on_record(config) == 0


def test_what_came_of_it_as_one_object_for_machines(config: Path) -> None:
    said = json.loads(import_calls(config, "--json").stdout)
    (rejected,) = said.pop("rejected")
    assert said == {"dry_run": False, "added": 1, "changed": 0, "withdrawn": 0, "unchanged": 0}
    assert (rejected["file"], rejected["line"], rejected["column"]) == ("calls.csv", 3, "date")


def test_a_teacher_who_is_none_of_the_school_s_is_refused(config: Path) -> None:
    calls = str(config.parent / "calls.csv")
    refused = alliance(config, "contacts", "import", calls, "--teacher", "ana@family.example")
    assert refused.exit_code == 2
    assert "no address of the school's own" in refused.stderr


def test_a_file_that_is_not_there_is_named(config: Path) -> None:
    refused = alliance(config, "contacts", "import", "nothing.csv")
    assert refused.exit_code == 2
    assert "nothing.csv" in refused.stderr


def test_contacts_are_listed_without_names_and_taken_back_by_number(config: Path) -> None:
    import_calls(config)
    assert alliance(config, "contacts", "withdraw", "1").exit_code == 0
    (listed,) = json.loads(alliance(config, "contacts", "list", "--json", "--days", "100000").stdout)["contacts"]
    assert (listed["number"], listed["teacher"], listed["student_id"]) == (1, "rivera@maple.example", "s-maya")
    assert listed["withdrawn_at"]
    shown = alliance(config, "contacts", "list", "--days", "100000").stdout
    assert "taken" in shown
    assert "Maya" not in shown
    assert import_calls(config).stdout.startswith("Contacts: 0 added, 0 changed, 0 withdrawn, 1 as they were")
    other = alliance(config, "contacts", "list", "--days", "100000", "--mailbox", "okafor@maple.example")
    assert "No contact is on record." in other.stdout


@pytest.mark.parametrize("number", ["0", "7", "99999999999999999999"])
def test_a_contact_that_there_is_not_cannot_be_taken_back(config: Path, number: str) -> None:
    refused = alliance(config, "contacts", "withdraw", number)
    assert refused.exit_code == 2
    assert "There is no contact" in refused.stderr


def test_incidents_are_imported_once(config: Path) -> None:
    words = ("incidents", "import", str(config.parent / "incidents.csv"))
    first = alliance(config, *words)
    assert first.stdout == "Incidents: 2 added, 0 changed, 0 withdrawn, 0 as they were, 0 rejected.\n"
    assert first.exit_code == 0
    assert alliance(config, *words).stdout.startswith("Incidents: 0 added, 0 changed, 0 withdrawn, 2 as they were")

"""`alliance roster`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from store.audit import entries
from store.audit_names import names_in, read_out
from store.database import Database
from tests.service.maple import ANA, BO, SCHOOL_TOML, Maple

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
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
    file = tmp_path / "alliance.toml"
    file.write_text(_CONFIGURATION)
    return file


def roster(config: Path, *words: object) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["roster", *map(str, words), "--config", str(config)])


def test_an_import_says_what_it_did_and_the_same_again_nothing(config: Path) -> None:
    assert "There is no roster yet" in roster(config, "status").stdout
    dry = roster(config, "import", EXAMPLES / "oneroster", "--dry-run")
    assert (dry.exit_code, "would be added: 2 schools, 3 terms, 1 classes, 7 people" in dry.stdout) == (0, True)
    assert "There is no roster yet" in roster(config, "status").stdout
    done = json.loads(roster(config, "import", EXAMPLES / "oneroster", "--json").stdout)
    assert done["added"] == {"schools": 2, "terms": 3, "classes": 1, "people": 7, "memberships": 3}
    assert roster(config, "import", EXAMPLES / "oneroster").stdout == "The roster is so already.\n"
    state = json.loads(roster(config, "status", "--json").stdout)
    assert (state["students"], state["families"], state["guardians"], state["teachers"]) == (3, 2, 3, 1)


def test_rows_that_are_left_out_are_named_and_the_rest_is_imported(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "lists.csv"
    file.write_text(f"student,guardian_email\nMia,{ANA}\n,{BO}\nNoa,nobody\n")
    result = roster(config, "import", file)
    assert result.exit_code == 1
    assert "lists.csv:3: student: the student's name is missing (left out)" in result.stderr
    assert "lists.csv:4: guardian_email:" in result.stderr
    assert json.loads(roster(config, "status", "--json").stdout)["students"] == 2


@pytest.mark.parametrize(
    ("text", "said"), [(None, "lists.csv"), ("name\n", "a column named student"), ('"', "lists.csv:1")]
)
def test_a_file_that_cannot_be_used_changes_nothing_and_says_why(
    config: Path, tmp_path: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "lists.csv").write_text(text)
    result = roster(config, "import", tmp_path / "lists.csv")
    assert result.exit_code == 2
    assert said in result.stderr
    assert "There is no roster yet" in roster(config, "status").stdout


def test_an_export_that_was_cut_short_needs_a_word(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "lists.csv"
    rows = [f"Child {number},g{number}@home.example" for number in range(40)]
    file.write_text("\n".join(["student,guardian_email", *rows]))
    assert roster(config, "import", file).exit_code == 0
    file.write_text("\n".join(["student,guardian_email", *rows[:5]]))
    refused = roster(config, "import", file)
    assert (refused.exit_code, "--allow-many" in refused.stderr) == (2, True)
    assert roster(config, "import", file, "--allow-many").exit_code == 0
    assert json.loads(roster(config, "status", "--json").stdout)["students"] == 5


def test_what_the_settings_would_undo_is_not_imported(config: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text(f"student,guardian_email\nMia,{ANA}\n")
    config.write_text(config.read_text().replace("[office]", 'roster = "own.csv"\n[office]'))
    refused = roster(config, "import", EXAMPLES / "oneroster")
    assert (refused.exit_code, "would undo this" in refused.stderr) == (2, True)
    assert roster(config, "import", own).exit_code == 0


def test_who_is_unknown_is_listed_matched_and_taken_back(config: Path, tmp_path: Path) -> None:
    database = Database.open("alliance.db", folder=tmp_path)
    maple = Maple(database=database)
    maple.clock.now = maple.clock.now.replace(year=2099)
    maple.round()
    maple.write("routine question", "Ana+x@family.example")
    maple.round()
    assert roster(config, "import", EXAMPLES / "oneroster").exit_code == 0
    (unknown,) = json.loads(roster(config, "unknown", "--json").stdout)["unknown"]
    assert (unknown["address"], unknown["teacher"], unknown["messages"]) == (ANA, "rivera@maple.example", 1)
    assert f"{ANA}  to rivera@maple.example  1  last on 2099" in roster(config, "unknown").stdout
    wrong = roster(config, "match", ANA, "s-9")
    assert (wrong.exit_code, wrong.stderr) == (1, "Nobody on the roster now has the identifier s-9.\n")
    assert roster(config, "match", "nobody", "s-1001").exit_code == 2
    assert roster(config, "match", ANA, "s-1001").exit_code == 0
    assert "Everybody who wrote" in roster(config, "unknown").stdout
    assert roster(config, "import", EXAMPLES / "oneroster").exit_code == 0
    assert "Everybody who wrote" in roster(config, "unknown").stdout
    assert roster(config, "unmatch", ANA).exit_code == 0
    assert roster(config, "unmatch", ANA).exit_code == 1
    assert len(json.loads(roster(config, "unknown", "--json").stdout)["unknown"]) == 1
    logged = list(entries(database))
    assert ANA not in " ".join(entry.about for entry in logged)
    names = names_in(database, [entry.about for entry in logged])
    acts = [(entry.act, read_out(entry.about, names)) for entry in logged]
    assert acts == [("matched an address", f"{ANA} to s-1001"), ("took back whose an address is", ANA)]
    database.close()

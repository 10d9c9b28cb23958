"""`alliance reply show`."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from service.commands import reply

SCHOOL = """
[school]
name = "Elm School"
timezone = "America/New_York"
opens = 09:00:00
[[school.holidays]]
first = 2026-12-21
last = 2027-01-01
[office]
address = "office@elm.example"
phone = "555-0100"
opens = 07:15:00
[[mailboxes]]
address = "okafor@elm.example"
teacher = "Mr. Okafor"
connector = "maildir"
maildir = { path = "mail" }
smtp = { host = "localhost" }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def show(*arguments: str) -> Result:
    app = typer.Typer()
    reply.register(app)
    return CliRunner().invoke(app, ["reply", "show", *arguments])


@pytest.mark.usefixtures("folder")
def test_without_a_configuration_a_made_up_school_answers() -> None:
    shown = show("--tag", "routine", "--lang", "es", "--at", "2026-03-03 12:05")
    assert shown.exit_code == 0, shown.output
    assert "a más tardar el jueves 5 de marzo" in " ".join(shown.output.split())
    assert "Hello," in shown.output


def test_the_configured_school_answers_with_its_office_and_its_holidays(folder: Path) -> None:
    (folder / "alliance.toml").write_text(SCHOOL)
    shown = show("--tag", "urgent", "--at", "2026-12-18 16:10")
    assert shown.exit_code == 0, shown.output
    said = " ".join(shown.output.split())
    assert "opens again on Monday, January 4 at 7:15 AM" in said
    assert said.endswith("Mr. Okafor Elm School")


@pytest.mark.usefixtures("folder")
def test_an_urgent_note_can_be_seen_as_it_is_when_the_office_could_not_be_told() -> None:
    shown = show("--tag", "urgent", "--at", "2026-03-03 12:05", "--office", "untold")
    assert "please call the front office now" in " ".join(shown.output.split())


@pytest.mark.usefixtures("folder")
def test_html_is_a_page_for_a_browser() -> None:
    shown = show("--html")
    assert shown.output.startswith("<!DOCTYPE html>")
    assert shown.output.endswith("</html>\n")


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_shown_is_said_in_one_sentence() -> None:
    for arguments, said in ((["--lang", "de"], "en, es"), (["--config", "none.toml"], "none.toml")):
        shown = show(*arguments)
        assert shown.exit_code == 2
        assert said in shown.output

"""`alliance draft`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autoresponder.conversation import MATTERS
from autoresponder.wording import LANGUAGES
from service.cli import app
from tests.service.test_reply_command import SCHOOL

DRAFTS = Path(__file__).parents[2] / "docs" / "drafts"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ALLIANCE_CONFIG", raising=False)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["draft", *arguments])


def said(*arguments: str) -> str:
    shown = run("show", *arguments)
    assert shown.exit_code == 0, shown.output
    return " ".join(shown.stdout.split())


def test_without_a_configuration_a_made_up_teacher_gets_the_draft_in_both_languages() -> None:
    shown = said(
        "--topic", "grades", "--lang", "es", "--alternative", "2", "--student", "Leo", "--at", "2026-03-03 12:05"
    )
    assert shown.startswith("[Unfinished draft, 2 of 3.")
    assert "see together on Friday, March 6 whether it helps" in shown
    assert "veamos en conjunto el viernes 6 de marzo" in shown
    assert shown.count("Leo") == 2
    assert shown.endswith("Ms. Rivera Maple Street School")


def test_the_configured_school_follows_up_after_its_holidays(folder: Path) -> None:
    (folder / "alliance.toml").write_text(SCHOOL)
    shown = said("--topic", "meeting", "--at", "2026-12-18 16:10")
    assert "together again on Friday, January 8" in shown
    assert shown.endswith("Mr. Okafor Elm School")


def test_a_configured_call_window_is_offered(folder: Path) -> None:
    window = '[[mailboxes.call_windows]]\nday = "wed"\nopens = 15:00:00\ncloses = 15:20:00\n'
    (folder / "alliance.toml").write_text(SCHOOL + window)
    shown = said("--alternative", "2", "--at", "2026-12-14 10:00")
    assert "Call: on Wednesday, December 16 from 3:00" in shown


def test_a_page_can_be_opened_in_a_browser() -> None:
    page = run("show", "--lang", "ar", "--html").stdout
    assert page.startswith("<!DOCTYPE html>")
    assert '<div lang="ar" dir="rtl">' in page


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--lang", "de"), "--lang de: notes are written in en, es"),
        (("--topic", "weather"), f"--topic weather: there are drafts about {', '.join(MATTERS)}"),
        (("--alternative", "4"), "--alternative 4: there are 3"),
        (("--config", "none.toml"), "none.toml"),
    ],
)
def test_what_there_is_not_is_refused_with_what_there_is(arguments: tuple[str, ...], told: str) -> None:
    shown = run("show", *arguments)
    assert shown.exit_code == 2
    assert told in " ".join(shown.stderr.split())
    assert shown.stdout == ""


def test_a_calendar_without_school_days_is_named() -> None:
    Path("alliance.toml").write_text(SCHOOL.replace("last = 2027-01-01", "last = 2029-01-01"))
    shown = run("show", "--at", "2026-12-18 16:10")
    assert shown.exit_code == 2
    assert "no school day" in shown.stderr


def test_the_gallery_is_the_page_of_the_docs() -> None:
    assert run("gallery", "--lang", "fr").stdout == (DRAFTS / "fr.md").read_text(encoding="utf-8")
    assert run("gallery", "--lang", "de").exit_code == 2


def test_every_language_has_a_page_and_a_link_to_it() -> None:
    index = (DRAFTS / "index.md").read_text(encoding="utf-8")
    assert {page.stem for page in DRAFTS.glob("*.md")} - {"index"} == set(LANGUAGES)
    assert all(f"({language}.md)" in index for language in LANGUAGES)

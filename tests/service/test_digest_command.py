"""`alliance digest show`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from store.database import Database
from tests.service.maple import ANA, BO, SCHOOL_TOML, TUESDAY, Maple

_CONFIGURATION = f"""{SCHOOL_TOML}
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
connector = "maildir"
stage = "reply"
maildir = {{ path = "mail", outgoing = "outgoing" }}

[[mailboxes]]
address = "okafor@maple.example"
teacher = "Mr. Okafor"
connector = "maildir"
maildir = {{ path = "more", outgoing = "outgoing" }}
"""
MORNING = "2026-03-04 07:00"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A school where two families wait for Ms. Rivera."""
    file = tmp_path / "alliance.toml"
    file.write_text(_CONFIGURATION)
    database = Database.open("alliance.db", folder=tmp_path)
    maple = Maple(database=database)
    maple.round()
    maple.write()
    maple.write("conflict grades", BO)
    maple.round()
    database.close()
    return file


def show(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["digest", "show", *words, "--config", str(config)])


def test_it_prints_subject_and_text_and_nothing_is_sent_or_decided(config: Path) -> None:
    for _ in range(2):
        shown = show(config, "--teacher", "Ms. Rivera", "--at", MORNING)
        assert shown.exit_code == 0
        assert shown.stdout.startswith("Good morning: 1 waiting, 1 to call\n\nGood morning, Ms. Rivera.")
        assert ANA in shown.stdout
        assert shown.stderr == ""
    database = Database.open(str(config.with_name("alliance.db")))
    with database.read() as connection:
        for table in ("digest", "notice"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0
    database.close()


def test_the_html_form_goes_to_a_file(config: Path, tmp_path: Path) -> None:
    page = tmp_path / "morning.html"
    assert show(config, "--at", MORNING, "--html", str(page)).stdout == ""
    assert ANA in page.read_text(encoding="utf-8")


def test_of_what_came_later_nothing_is_said(config: Path) -> None:
    assert TUESDAY.hour == 16
    shown = show(config, "--at", "2026-03-03 07:00")
    assert shown.stdout == "There is nothing to tell Ms. Rivera: no mail is sent.\n"


def test_a_day_without_school_and_a_teacher_who_gets_none_are_said(config: Path) -> None:
    weekend = show(config, "--at", "2026-03-07 07:00")
    assert "2026-03-07 is a day without school" in weekend.stderr
    assert ANA in weekend.stdout
    observed = show(config, "--teacher", "okafor@maple.example", "--at", MORNING)
    assert "okafor@maple.example gets no morning mail" in observed.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--teacher", "Mr. Nobody"), "there are: Ms. Rivera, Mr. Okafor"),
        (("--html", "/nowhere/at/all.html", "--at", MORNING), "/nowhere/at/all.html: No such file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(config: Path, words: tuple[str, ...], said: str) -> None:
    shown = show(config, *words)
    assert shown.exit_code == 2
    assert said in shown.stderr

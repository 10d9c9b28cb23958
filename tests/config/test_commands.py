"""`alliance config` and `alliance init`, driven as people drive them."""

import json
import os
import pty
import re
import select
import stat
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config import load
from config.settings import Stage
from service.cli import app

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "alliance.toml"
NEEDED = [
    "--yes", "--school", "Maple", "--timezone", "America/Chicago", "--office", "office@maple.example",
    "--phone", "555-0100", "--address", "rivera@maple.example", "--teacher", "Ms. Rivera",
]  # fmt: skip
ANSWERS = {
    "Name of the school": "Maple Street",
    "Time zone": "America/Chicago",
    "School days": "",
    "School begins": "8:15",
    "School ends": "15:00",
    "iCalendar file": "",
    "A day or break": "",
    "Languages": "en es vi",
    "Mailbox of the front office": "office@maple.example",
    "Its phone number": "555-0100",
    "The office answers": "",
    "until": "",
    "Address of the first": "rivera@maple.example",
    "The teacher's name": "Ms. Rivera",
    "How to reach it": "",
    "IMAP server": "",
    "SMTP server": "",
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("ALLIANCE_"):
            monkeypatch.delenv(name)


def run(*arguments: str, answers: list[str] | None = None, **environ: str):
    text = None if answers is None else "\n".join(answers) + "\n"
    return CliRunner().invoke(app, list(arguments), input=text, env=environ)


def answered(**changes: list[str]) -> list[str]:
    """The answers in the order of the questions; a change answers its question several times."""
    return [line for question, answer in ANSWERS.items() for line in changes.get(question.split()[0], [answer])]


def test_init_asks_and_writes_a_file_that_loads_and_says_what_is_next():
    result = run("init", answers=answered(A=["2026-11-26", "2026-12-21..2027-01-03 winter break", ""]))
    assert result.exit_code == 0, result.output
    settings = load(Path("alliance.toml"), {})
    assert (settings.school.name, settings.school.languages) == ("Maple Street", ("en", "es", "vi"))
    assert f"{settings.school.opens:%H:%M}-{settings.school.closes:%H:%M}" == "08:15-15:00"
    assert [holiday.name for holiday in settings.school.holidays] == ["", "winter break"]
    assert settings.mailboxes[0].stage is Stage.OBSERVE
    assert settings.imap is not None
    assert settings.imap.host == "imap.maple.example"
    assert (settings.office.opens, settings.office.closes) == (None, None)
    for command in ("alliance connect imap", "alliance doctor", "alliance preview", "alliance run"):
        assert command in result.output


@pytest.mark.parametrize(
    ("question", "wrong", "right", "sentence"),
    [
        ("Time", "america/chicgo", "America/Chicago", "the nearest is America/Chicago"),
        ("The", "noon", "08:00", "a time of day"),
        ("A", "2026-13-01", "", "the first and the last day of a break"),
        ("iCalendar", "none.ics", "", "readable iCalendar file"),
        ("Languages", "english", "en", "ISO 639-1"),
        ("Mailbox", "office", "office@maple.example", "an e-mail address"),
        ("until", "07:00", "15:00", "a time of day after"),
        ("How", "imapp", "imap", "the nearest is imap"),
    ],
)
def test_init_checks_each_answer_at_once_and_asks_again(question, wrong, right, sentence):
    answers = answered()
    place = next(i for i, name in enumerate(ANSWERS) if name.split()[0] == question)
    answers[place : place + 1] = [wrong, right]
    result = run("init", answers=answers)
    assert result.exit_code == 0, result.output
    assert sentence in result.output
    assert Path("alliance.toml").exists()


def test_init_works_without_anybody_to_ask():
    result = run(
        "init", "school/a.toml", *NEEDED, "--holiday", "2026-11-26 Thanksgiving", "--holiday", "2026-12-21..2027-01-03",
        "--connector", "maildir", "--maildir", "mail/rivera",
    )  # fmt: skip
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr
    Path("school").mkdir()
    result = run(
        "init", "school/a.toml", *NEEDED, "--holiday", "2026-11-26 Thanksgiving", "--holiday", "2026-12-21..2027-01-03",
        "--connector", "maildir", "--maildir", "mail/rivera",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    settings = load(Path("school/a.toml"), {})
    assert len(settings.school.holidays) == 2
    assert settings.mailboxes[0].maildir is not None
    assert settings.mailboxes[0].maildir.path == Path.cwd() / "school" / "mail" / "rivera"
    assert "--config school/a.toml" in result.output
    assert stat.S_IMODE(Path("school/a.toml").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (["--timezone", "Chicago"], "--timezone expected an IANA time zone"),
        (["--opens", "8"], "--opens expected a time of day"),
        (["--closes", "07:00"], "--closes expected a time of day after 08:00"),
        (["--holiday", "2026-12-24..2026-12-20"], "--holiday expected a day"),
        (["--connector", "maildir"], "--maildir is needed"),
        (["--connector", "imapp"], "--connector expected one of"),
        (["--phone", ""], "--phone expected"),
        (["--days", "mon xyz"], "--days expected"),
    ],
)
def test_init_refuses_a_wrong_or_missing_option_and_writes_nothing(changed, sentence):
    result = run("init", *NEEDED, *changed)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert list(Path.cwd().iterdir()) == []


def test_init_overwrites_only_when_forced():
    Path("alliance.toml").write_text("mine")
    result = run("init", *NEEDED)
    assert result.exit_code == 2
    assert "alliance.toml is there already; --force" in result.stderr
    assert Path("alliance.toml").read_text() == "mine"
    assert run("init", *NEEDED, "--force").exit_code == 0
    assert load(Path("alliance.toml"), {}).school.name == "Maple"


def test_init_that_is_broken_off_writes_nothing():
    result = run("init", answers=["Maple"])
    assert result.exit_code != 0
    assert list(Path.cwd().iterdir()) == []


def test_init_on_a_terminal():
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.update(PYTHONPATH=str(ROOT), TERM="dumb", COLUMNS="200")
        os.execv(sys.executable, [sys.executable, "-c", "from service.cli import main; main()", "init"])
    seen = b""
    left = list(ANSWERS.items())
    while True:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, f"the command waits for something else: {seen.decode()}"
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other side of a terminal is closed
            break
        if not piece:
            break
        seen += piece
        asked = re.sub(rb"\x1b\[[0-9;]*m", b"", seen).decode(errors="replace").rpartition("\n")[2]
        if left and asked.startswith(left[0][0]) and asked.endswith(": "):
            os.write(terminal, (left.pop(0)[1] + "\n").encode())
            seen += b"\n"
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0, seen.decode()
    assert left == []
    assert load(Path("alliance.toml"), {}).school.name == "Maple Street"


def test_check_sums_up_a_right_file_on_one_screen():
    result = run("config", "check", str(EXAMPLE), RIVERA_PASSWORD="sesame")
    assert result.exit_code == 0, result.output
    for word in (
        "is in order",
        "Maple Street Middle School",
        "office@maple.example",
        "24 to 48",
        "rivera@maple.example",
    ):
        assert word in result.stdout
    assert "ALLIANCE_PASSWORD_OKAFOR_MAPLE_EXAMPLE" in result.stdout
    assert "RIVERA_PASSWORD" not in result.stdout
    assert "sesame" not in result.stdout
    assert len(result.stdout.splitlines()) <= 24


def test_check_finds_the_file_by_argument_option_environment_and_folder(tmp_path):
    for number, arguments in enumerate([["config", "check", "{}"], ["config", "check", "--config", "{}"]]):
        path = tmp_path / f"{number}.toml"
        assert str(path) in run(*(part.format(path) for part in arguments)).stderr
    assert "from-environment.toml" in run("config", "check", ALLIANCE_CONFIG="from-environment.toml").stderr
    assert "alliance.toml: expected a configuration file, but there is none" in run("config", "check").stderr


def test_check_prints_every_fault_on_standard_error_and_exits_with_2():
    text = EXAMPLE.read_text().replace('stage = "tag"', 'stage = "tga"').replace("batch = 200", "batch = 0")
    text = text.replace("holidays.ics", str(EXAMPLE.parent / "holidays.ics"))
    text = text.replace('"wording"', f'"{EXAMPLE.parent / "wording"}"')
    Path("alliance.toml").write_text(text.replace("roster.csv", str(EXAMPLE.parent / "roster.csv")))
    result = run("config", "check")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 2
    assert re.match(r"alliance\.toml:\d+: service\.batch: expected", result.stderr)


def test_check_refuses_a_calendar_without_school_days():
    assert run("init", *NEEDED, "--holiday", "2000-01-01..2999-12-31").exit_code == 0
    result = run("config", "check")
    assert result.exit_code == 2
    assert "no school day in the 400 days" in result.stderr


def test_check_warns_of_rows_of_the_roster_that_are_left_out():
    assert run("init", *NEEDED).exit_code == 0
    path = Path("alliance.toml")
    path.write_text(path.read_text().replace("# roster = (a path)", 'roster = "r.csv"'))
    Path("r.csv").write_text("student,guardian_email\nAna,nobody\n")
    result = run("config", "check")
    assert result.exit_code == 0
    assert "r.csv:2: left out" in result.stdout
    assert "nobody" not in result.stdout


def test_check_never_shows_a_databases_password():
    assert run("init", *NEEDED).exit_code == 0
    result = run("config", "check", ALLIANCE_SERVICE__DATABASE="postgresql://u:hunter2@db.example/a")
    assert result.exit_code == 0
    assert "postgresql://u:***@db.example/a" in result.stdout


def test_schema_and_reference_are_printed():
    schema = json.loads(run("config", "schema").stdout)
    assert schema["properties"]["mailboxes"]["description"]
    assert run("config", "reference").stdout == (ROOT / "docs" / "reference" / "configuration.md").read_text()

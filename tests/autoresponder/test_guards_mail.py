"""Whole mails: every family's is answered, no robot's is; the same through the command."""

import json
from email.message import EmailMessage
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autoresponder.guards import GUARDS, Case, check
from autoresponder.plan import History
from config.settings import Norm
from service.cli import app
from tests.mails.samples import HERE, NOON, letters, names, parsed

LONG_AGO = History(connected_at=NOON.replace(year=2000))


def judged(source: str | bytes) -> str | None:
    refused = check(Case(message=parsed(source), history=LONG_AGO, norm=Norm(), now=NOON))
    return refused.guard if refused else None


@pytest.mark.parametrize("name", names("family"))
def test_a_familys_mail_is_answered(name: str) -> None:
    assert judged(name) is None


@pytest.mark.parametrize("name", names("robot"))
def test_a_robots_mail_is_not_answered(name: str) -> None:
    assert judged(name) is not None


def test_no_letter_of_the_corpus_is_taken_for_a_robots() -> None:
    refused = []
    for identifier, _, subject, body in letters():
        mail = EmailMessage()
        mail["From"] = "Maria Lopez <maria@family.example>"
        mail["To"] = "rivera@maple.example"
        mail["Subject"] = " ".join(subject.split())
        mail.set_content(body, cte="8bit")
        if guard := judged(mail.as_bytes()):
            refused.append((identifier, guard))
    assert refused == []


def run(*arguments: str, given: bytes | None = None) -> tuple[int, list[dict[str, object]], str]:
    result = CliRunner().invoke(app, ["guard", *arguments, "--json"], input=given)
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()], result.stderr


def test_the_command_judges_every_file_under_a_folder() -> None:
    code, rows, _ = run(str(HERE / "family"), str(HERE / "robot"))
    assert code == 0
    assert len(rows) == len(names("family")) + len(names("robot"))
    assert all(set(row) == {"file", "reply", "reason"} for row in rows)
    assert all(row["reply"] is ("/family/" in str(row["file"])) for row in rows)
    guards = {guard.__name__ for guard in GUARDS}
    assert all(str(row["reason"]).partition(":")[0] in guards for row in rows if not row["reply"])


def test_mail_of_any_age_is_judged_as_if_it_had_just_arrived(tmp_path: Path) -> None:
    mail = tmp_path / "old.eml"
    for year in (1996, 2004, 2019, 2099):
        mail.write_bytes(f"From: a@family.example\r\nDate: Mon, 01 Apr {year} 10:00:00 -0500\r\n\r\nhello".encode())
        assert run(str(mail))[1][0]["reply"] is True, year
        assert run(str(mail), "--now", "2030-01-01T00:00:00Z")[1][0]["reply"] is (year > 2030)


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_judged(tmp_path: Path) -> None:
    code, rows, _ = run(str(tmp_path / "nowhere.eml"), str(HERE / "family" / "plain.eml"))
    assert code == 2
    assert rows[0]["reply"] is False
    assert "cannot be read" in str(rows[0]["reason"])
    assert rows[1]["reply"] is True


def test_standard_input_is_read_under_the_name_of_a_dash() -> None:
    code, rows, _ = run("-", given=b"From: noreply@shop.example\r\n\r\nhi")
    assert (code, rows[0]["file"], rows[0]["reply"]) == (0, "-", False)


def test_an_mbox_is_taken_apart(tmp_path: Path) -> None:
    box = tmp_path / "some.mbox"
    box.write_bytes(
        b"From a Mon Mar  9 10:00:00 2026\nFrom: a@family.example\n\nhello\n\n"
        b"From b Mon Mar  9 10:00:00 2026\nFrom: noreply@shop.example\n\nhello\n"
    )
    _, rows, _ = run(str(box))
    assert [(row["file"], row["reply"]) for row in rows] == [(f"{box}:1", True), (f"{box}:2", False)]


CONFIG = """
[school]
name = "Maple Street School"
timezone = "America/Chicago"
domains = ["district.example"]
[office]
address = "office@maple.example"
phone = "(608) 555-0142"
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
connector = "maildir"
maildir = { path = "mail" }
"""


def test_with_a_mailbox_and_a_configuration_the_school_is_known(tmp_path: Path) -> None:
    config = tmp_path / "alliance.toml"
    config.write_text(CONFIG)
    family, mail = str(HERE / "family" / "plain.eml"), tmp_path / "staff.eml"
    assert run(family, "--mailbox", "rivera@maple.example")[1][0]["reply"] is True
    assert str(run(family, "--mailbox", "lee@maple.example")[1][0]["reason"]).startswith("not_addressed_to_teacher")
    assert run(family, "--mailbox", "rivera@maple.example", "--config", str(config))[1][0]["reply"] is True
    mail.write_bytes(b"From: boss@district.example\r\nTo: rivera@maple.example\r\n\r\nhello")
    assert run(str(mail))[1][0]["reply"] is True
    assert str(run(str(mail), "--config", str(config))[1][0]["reason"]).startswith("staff")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--mailbox", "no address"], "an address such as"),
        (["--now", "tomorrow"], "a time such as"),
        (["--config", "/nowhere.toml"], "/nowhere.toml"),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(arguments: list[str], complaint: str) -> None:
    code, rows, complained = run(str(HERE / "family" / "plain.eml"), *arguments)
    assert (code, rows) == (2, [])
    assert complaint in complained


def test_the_chain_is_printed_in_its_order() -> None:
    result = CliRunner().invoke(app, ["guards", "--json"])
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["name"] for row in rows] == [guard.__name__ for guard in GUARDS]
    assert all(row["description"] and row["rule"] for row in rows)
    assert CliRunner().invoke(app, ["guards"]).exit_code == 0

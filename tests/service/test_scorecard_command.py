"""`alliance scorecard`, as an administrator calls it: a school's lists and contacts, through the real commands."""

import csv
import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from autoresponder.wording import OFFICE, wording
from service.cli import app
from service.scorecard_table import Screen
from tests.connectors.maildir_world import make_maildir
from tests.scorecard.sample_report import sample_report

TODAY = datetime.now(UTC).astimezone(ZoneInfo("America/Chicago")).date()
"""The commands read the machine's clock."""
_CONFIGURATION = """
[school]
name = "Maple Street School"
timezone = "America/Chicago"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
[office]
address = "office@maple.example"
phone = "555 0100"
[[terms]]
title = "Fall"
first = {first}
last = {last}
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
team = "Comets"
connector = "maildir"
maildir = {{ path = "rivera", outgoing = "outgoing" }}
[[mailboxes]]
address = "okafor@maple.example"
teacher = "Mr. Okafor"
team = "Rockets"
connector = "maildir"
maildir = {{ path = "okafor", outgoing = "outgoing" }}
"""
_ROSTER = "student_id,student,grade,school,teacher,guardian,guardian_email,language"


class Maple:
    """A folder with a configuration, and the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("rivera", "okafor", "outgoing"):
            make_maildir(folder / name)
        days = {"first": TODAY - timedelta(days=10), "last": TODAY + timedelta(days=90)}
        (folder / "alliance.toml").write_text(_CONFIGURATION.format(**days))

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config", str(self.folder / "alliance.toml")])

    def json(self, *arguments: str) -> Any:
        return json.loads(self.call("scorecard", *arguments, "--json").stdout)

    def brings(self, command: str, name: str, lines: list[str]) -> None:
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n")
        done = self.call(command, "import", str(path))
        assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def maple(tmp_path_factory: pytest.TempPathFactory) -> Maple:
    """Twenty families in grade 5, twelve in grade 4, eight in grade 3; calls with good news to 15, ten and five."""
    school = Maple(tmp_path_factory.mktemp("maple"))
    roster, contacts = [_ROSTER], ["student_id,teacher,date,kind,tone,reached"]
    number = 1000
    for name, families, good, teacher in (("05", 20, 15, "rivera"), ("04", 12, 10, "okafor"), ("03", 8, 5, "okafor")):
        for place in range(families):
            number += 1
            address = f"family{number}@home.example"
            roster.append(f"{number},Ana B{number},{name},Maple Street School,{teacher}@maple.example,C B,{address},en")
            if place < good:
                day = TODAY - timedelta(days=place % 5)
                reached = "yes" if place % 2 else "no"
                contacts.append(f"{number},{teacher}@maple.example,{day},call,good news,{reached}")
    school.brings("roster", "roster.csv", roster)
    school.brings("contacts", "contacts.csv", contacts)
    return school


def figures(maple: Maple, *arguments: str) -> dict[tuple[str, str], Any]:
    return {(each["grouping"], each["title"]): each for each in maple.json(*arguments)["groups"]}


class TestFigures:
    def test_it_shows_everybody_grades_and_teams(self, maple: Maple) -> None:
        found = figures(maple)
        assert found["all", "Maple Street School"]["first_contact"] == {"met": 30, "of": 40, "value": 0.75}
        assert found["grade", "Grade 5"]["first_contact"]["met"] == 15
        assert found["team", "Comets"]["families"] == 20
        assert "teacher" not in {grouping for grouping, _ in found}

    def test_the_third_grade_is_withheld_and_one_beside_it(self, maple: Maple) -> None:
        hidden = {title for (_, title), each in figures(maple).items() if each["withheld"] == ["all"]}
        assert "Grade 3" in hidden
        assert len(hidden) == 2

    def test_the_table_says_so_in_words(self, maple: Maple) -> None:
        shown = maple.call("scorecard").stdout
        assert "75%" in shown
        assert "withheld: fewer than 10 families" in shown
        grade = next(line for line in shown.splitlines() if "Grade 3" in line)
        assert not any(sign.isdecimal() for sign in grade.replace("Grade 3", ""))

    def test_one_grouping_can_be_asked_for(self, maple: Maple) -> None:
        assert {grouping for grouping, _ in figures(maple, "--by", "teacher")} == {"all", "teacher"}
        assert {title for _, title in figures(maple, "--by", "school")} == {"Maple Street School"}

    def test_weeks_are_shown_on_demand(self, maple: Maple) -> None:
        assert "week by week" in maple.call("scorecard", "--weeks").stdout
        assert maple.json("--weeks")["groups"][0]["weeks"][-1]["first_contact"]["met"] == 30

    def test_csv_is_for_spreadsheets(self, maple: Maple) -> None:
        text = maple.call("scorecard", "--csv").stdout_bytes.decode()
        rows = list(csv.DictReader(StringIO(text, newline="")))
        assert text.count("\r\n") == len(rows) + 1
        assert rows[0]["first_contact_met"] == "30"

    def test_a_term_goes_by_its_title(self, maple: Maple) -> None:
        assert maple.json("--term", "fall")["term"]["title"] == "Fall"

    def test_update_brings_figures_up_to_date(self, maple: Maple) -> None:
        assert "up to date" in maple.call("scorecard", "update").stdout


class TestEvents:
    @pytest.mark.parametrize("group", ["all", "grade:05", "team:Comets", "teacher:rivera@maple.example"])
    def test_the_figure_can_be_counted_again_from_them(self, maple: Maple, group: str) -> None:
        said = json.loads(maple.call("scorecard", "events", "first_contact", "--group", group, "--json").stdout)
        last = min(said["term"]["fourth_week_ends"], said["term"]["last"])
        met = {row["family"] for row in said["events"] if row["positive"] and row["positive"] <= last}
        assert (len(met), len({row["family"] for row in said["events"]})) == (
            said["figure"]["met"],
            said["figure"]["of"],
        )
        assert said["figure"]["met"] == (30 if group == "all" else 15)

    def test_they_name_records_and_no_person(self, maple: Maple) -> None:
        told = maple.call("scorecard", "events", "two_way", "--group", "team:Comets", "--csv").stdout
        rows = list(csv.DictReader(StringIO(told)))
        assert {row["written_record"].partition(" ")[0] for row in rows} == {"contact"}
        assert {row["counted"] for row in rows} == {"one-way", "two-way"}
        assert "Ana" not in told
        assert "@home.example" not in told

    def test_of_a_withheld_group_there_are_none(self, maple: Maple) -> None:
        told = maple.call("scorecard", "events", "first_contact", "--group", "grade:03")
        assert (told.exit_code, told.stdout) == (1, "")
        assert "withheld" in told.stderr

    def test_a_list_can_be_read_in_a_terminal(self, maple: Maple) -> None:
        told = maple.call("scorecard", "events", "first_contact", "--group", "grade:05").stdout
        assert "introduced" in told
        assert "not yet" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--by", "class"), "teacher"),
        (("--term", "Winter"), "Fall"),
        (("--json", "--csv"), "choose one"),
        (("events", "warmth"), "first_contact"),
        (("events", "two_way", "--group", "team:Owls"), "team:Comets"),
        (("events", "two_way", "--json", "--csv"), "choose one"),
    ],
)
def test_what_cannot_be_shown_is_said_with_what_can(maple: Maple, arguments: tuple[str, ...], said: str) -> None:
    told = maple.call("scorecard", *arguments)
    assert told.exit_code == 2
    assert said in told.stderr


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_the_terminal(width: int) -> None:
    console = Console(width=width, record=True, file=StringIO())
    report = sample_report()
    Screen(console, report, report.groups, wording("en", OFFICE), 48).show(weeks=True)
    shown = console.export_text()
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= width
    assert ("▁" in shown or "▃" in shown) == (width == 120)
    # Every figure of every shown group stands in it.
    for each in report.groups:
        assert each.withheld or str(each.families) in shown

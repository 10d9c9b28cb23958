"""The scorecard for machines says what the page says, names what is withheld, and runs nothing in a spreadsheet."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from io import StringIO

import pytest

from scorecard.plain import report_as_csv, report_as_json
from scorecard.report import Group, GroupFigures, Indicator, Report, Share
from store.scorecard_tables import Grouping
from tests.scorecard.figures_of_maple import OKAFOR, RIVERA, SPRING, Figures, grade, with_
from tests.scorecard.spare import empty_database

WEEK = date(2026, 9, 7)


@pytest.fixture
def report() -> Iterator[Report]:
    with empty_database() as database:
        figures = Figures(database)
        figures.families(30, grade("03"), *with_(RIVERA), introduced=15, written=9, answered=3)
        figures.families(30, grade("05"), *with_(OKAFOR), *with_(RIVERA)[:1], introduced=6)
        figures.families(9, grade("04"), *with_(RIVERA), introduced=8, written=7, answered=6)
        figures.families(40, grade("05"), introduced=10, term=SPRING)
        figures.mail(RIVERA, WEEK, urgent=2)
        for number in range(3):
            figures.case(date(2026, 9, 1), date(2026, 9, 2 + number))
        yield figures.report()


def rows(report: Report, *, weeks: bool = False) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(report_as_csv(report, report.groups, weeks=weeks), newline="")))


def test_json_has_every_figure_with_its_definition(report: Report) -> None:
    said = json.loads(json.dumps(report_as_json(report, report.groups)))
    assert said["schema"] == "alliance-scorecard/1"
    assert said["definitions"].keys() == {"first_contact", "two_way", "resolution", "recovery"}
    assert (said["term"]["title"], said["term_before"]["title"], said["threshold"]) == ("Fall", "Spring", 10)
    whole = said["groups"][0]
    assert (whole["grouping"], whole["families"], whole["withheld"]) == ("all", 69, [])
    assert whole["first_contact"] == {"met": 29, "of": 69, "value": 29 / 69}
    assert whole["resolution"] == {"resolved": 3, "open": 0, "mean": 2, "median": 2, "censored_median": 2}
    assert whole["recovery"] == {"met": 0, "of": 0, "value": None, "pending": 0}
    assert whole["counts"]["urgent"] == 2
    assert whole["before"]["first_contact"] == {"met": 10, "of": 40, "value": 0.25}
    assert "weeks" not in whole


def test_what_is_withheld_is_null_and_said(report: Report) -> None:
    groups = {each["key"]: each for each in report_as_json(report, report.groups, weeks=True)["groups"]}  # type: ignore[attr-defined]
    small = groups["/04"]
    assert small["withheld"] == ["all"]
    names = ("families", "first_contact", "two_way", "resolution", "recovery", "counts")
    assert all(small[name] is None for name in names)
    assert small["weeks"] == []
    assert groups["/05"]["counts"] is None
    assert groups["/05"]["withheld"] == []


def test_weeks_are_in_it_when_asked_for(report: Report) -> None:
    whole = report_as_json(report, report.groups, weeks=True)["groups"][0]  # type: ignore[index]
    assert whole["weeks"][1]["monday"] == "2026-09-07"
    assert whole["weeks"][1]["counts"]["urgent"] == 2
    assert whole["weeks"][0]["first_contact"]["met"] == 0


def test_csv_has_a_row_for_each_group_and_term(report: Report) -> None:
    found = {(row["term_title"], row["key"]): row for row in rows(report)}
    assert found["Fall", ""]["first_contact_met"] == "29"
    assert found["Spring", "/05"]["first_contact_of"] == "40"
    assert found["Fall", "Comets"]["urgent"] == "2"
    small = found["Fall", "/04"]
    assert small["withheld"] == "all"
    assert not any(
        small[name] for name in small if name not in {"term", "term_title", "grouping", "key", "title", "withheld"}
    )


def test_csv_by_week_has_none_of_a_withheld_group(report: Report) -> None:
    found = rows(report, weeks=True)
    assert "/04" not in {row["key"] for row in found}
    assert [row["first_contact_met"] for row in found if row["key"] == ""][:2] == ["0", "29"]


def test_lines_end_as_rfc_4180_has_it(report: Report) -> None:
    text = report_as_csv(report, report.groups)
    assert text.count("\r\n") == text.count("\n") == len(rows(report)) + 1


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", 'Team "A", the first'])
def test_no_name_is_run_as_a_formula(report: Report, name: str) -> None:
    group = Group(Grouping.TEAM, name, name, (Grouping.ALL, ""))
    (row,) = rows(replace(report, groups=[GroupFigures(group, 20, Share(1, 2))], before=None))
    # Blanks before a name are not part of it: some spreadsheets trim them and then see a formula.
    assert row["key"] == row["title"] == (name if name.startswith("Team") else f"'{name.strip()}")


def test_one_withheld_indicator_is_named_and_empty(report: Report) -> None:
    one = replace(report.groups[0], hidden=frozenset({Indicator.RECOVERY}), recovery=Share(0, 0), counts_withheld=True)
    only = replace(report, groups=[one], before=None)
    (row,) = rows(only)
    assert (row["withheld"], row["recovery_of"], row["urgent"], row["resolved"]) == ("recovery;counts", "", "", "3")
    said = report_as_json(only, only.groups)["groups"][0]  # type: ignore[index]
    assert (said["withheld"], said["recovery"], said["counts"]) == (["recovery", "counts"], None, None)

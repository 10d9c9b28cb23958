"""What the doctor says of the roster."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from config.settings import Settings
from scorecard.roster import Roster
from service.doctor.finding import Level
from service.doctor.roster import roster
from service.roster_keeping import RosterKeeper, import_file
from store.database import Database
from tests.scorecard.spare import empty_database
from tests.service.maple import TUESDAY, Maple

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL
GOOD = "student,guardian_email\nMia Lopez,ana@family.example\n"


@pytest.fixture
def database() -> Iterator[Database]:
    with empty_database() as spare:
        yield spare


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    maple = Maple()
    school = maple.settings.school.model_copy(update={"roster": tmp_path / "roster.csv"})
    return maple.settings.model_copy(update={"school": school})


def said(settings: Settings, database: Database | None, days: int = 0) -> list[tuple[Level, str]]:
    return [(each.level, each.seen) for each in roster(settings, database, TUESDAY + timedelta(days=days))]


def test_a_school_without_one_is_told_what_it_lacks(database: Database) -> None:
    ((level, seen),) = said(Maple().settings, database)
    assert (level, seen.startswith("none: the office sees")) == (OK, True)


def test_a_file_that_is_in_the_database_is_in_order(settings: Settings, database: Database, tmp_path: Path) -> None:
    (tmp_path / "roster.csv").write_text(GOOD)
    RosterKeeper(settings, database, lambda: TUESDAY, Roster(database)).begin()
    assert said(settings, database) == [
        (OK, "1 guardians in roster.csv"),
        (OK, "1 students in 1 families are in the database"),
    ]


def test_rows_that_are_left_out_and_changes_that_did_not_come_in_are_told(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "roster.csv").write_text(GOOD)
    RosterKeeper(settings, database, lambda: TUESDAY, Roster(database)).begin()
    (tmp_path / "roster.csv").write_text(GOOD + ",b@home.example\n")
    levels = dict(said(settings, database))
    (rows, changed) = [seen for level, seen in said(settings, database) if level is WARN]
    assert "roster.csv:3: student" in rows
    assert "is not in the database" in changed
    assert FAIL not in levels


def test_a_broken_file_is_a_fault_and_which_roster_is_used_is_said(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "roster.csv").write_text(GOOD)
    RosterKeeper(settings, database, lambda: TUESDAY, Roster(database)).begin()
    (tmp_path / "roster.csv").write_text("name\n")
    found = next(iter(roster(settings, database, TUESDAY)))
    assert found.level is FAIL
    assert "Until then the roster of 2026-03-03 is used" in found.fix
    assert next(iter(roster(settings, None, TUESDAY))).level is FAIL


def test_an_old_roster_and_one_that_nobody_is_on_are_told(database: Database, tmp_path: Path) -> None:
    settings = Maple().settings
    (tmp_path / "lists.csv").write_text(GOOD + ",b@home.example\n")
    import_file(settings, database, tmp_path / "lists.csv", now=TUESDAY)
    assert [seen for level, seen in said(settings, database, days=61) if level is WARN] == [
        "the roster is 61 days old",
        "1 rows of the last import were left out",
    ]
    (tmp_path / "lists.csv").write_text("student,guardian_email\n")
    import_file(settings, database, tmp_path / "lists.csv", now=TUESDAY)
    assert said(settings, database) == [(WARN, "nobody is on the roster any more")]

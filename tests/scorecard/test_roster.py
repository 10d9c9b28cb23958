"""The school's list of students and guardians."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import ConfigError
from scorecard.roster import Roster
from scorecard.school_lists import Rejected


def roster(folder: Path, text: str | bytes) -> Roster:
    path = folder / "roster.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Roster.load(path)


def test_a_guardian_is_found_with_every_student_in_the_files_order(tmp_path: Path) -> None:
    found = roster(
        tmp_path,
        "student,guardian_email,language\nLucía Torres,ana@family.example,es\nMateo Torres,ana@family.example,\n",
    )
    assert found.students_of("ana@family.example") == ("Lucía Torres", "Mateo Torres")
    assert found.language_of("ana@family.example") == "es"
    assert found.problems == ()


def test_neither_case_nor_a_plus_tag_hides_a_guardian(tmp_path: Path) -> None:
    found = roster(tmp_path, "student,guardian_email\nLucía,Ana+School@Family.example\n")
    for written in ("ana@family.example", "ANA@FAMILY.EXAMPLE", "ana+maple@family.example"):
        assert found.students_of(written) == ("Lucía",)


def test_who_is_not_on_the_roster_has_no_students_and_no_language(tmp_path: Path) -> None:
    for each in (Roster(), Roster.load(None), roster(tmp_path, "student,guardian_email\n")):
        assert each.students_of("ana@family.example") == ()
        assert each.language_of("ana@family.example") is None
        assert each.students_of("") == ()


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffstudent;guardian_email;language\r\nLucía;ana@family.example;es\r\n",
        "Student\tGuardian Email\tLanguage\nLucía\tana@family.example\tSpanish\n",
        '\n"Guardian-Email","Grade","Student","Language"\n"ana@family.example","3","Lucía","español"\n\n',
        "student, guardian_email, language\nLucía, ana@family.example, es-MX\n",
    ],
)
def test_the_ways_that_spreadsheets_write_a_csv_are_all_read(tmp_path: Path, text: str) -> None:
    found = roster(tmp_path, text)
    assert found.students_of("ana@family.example") == ("Lucía",)
    assert found.language_of("ana@family.example") == "es"
    assert found.problems == ()


def test_every_bad_row_is_left_out_and_reported_with_its_line_and_reason(tmp_path: Path) -> None:
    found = roster(
        tmp_path,
        'student,guardian_email,language\n,ana@family.example,\n"Two\nlines",bea@family.example,\nCy,nobody,\n'
        "Di,d@a.example;e@a.example;nobody,\nEd,ed@family.example,Klingonish\nEve,ed@family.example,en\nFay,ed@family.example,fr\n",
    )
    assert [(problem.line, problem.column) for problem in found.problems] == [
        (2, "student"),
        (5, "guardian_email"),
        (6, "guardian_email"),
        (7, "language"),
        (9, "language"),
    ]
    assert found.problems[0] == Rejected("roster.csv", 2, "student", "the student's name is missing")
    assert "no e-mail address" in found.problems[1].reason
    assert "write a code such as es" in found.problems[3].reason
    assert "en, which is kept" in found.problems[4].reason
    assert found.students_of("d@a.example") == found.students_of("e@a.example") == ("Di",)
    assert found.students_of("bea@family.example") == ("Two lines",)
    assert found.students_of("ed@family.example") == ("Ed", "Eve", "Fay")
    assert found.language_of("ed@family.example") == "en"


@pytest.mark.parametrize(
    "raw", [b"", b"name,email\nA,b@c.example\n", "student,guardian_email\nLuc\u00eda,x".encode("latin-1")]
)
def test_a_file_that_is_no_roster_is_refused_whole(tmp_path: Path, raw: bytes) -> None:
    with pytest.raises(ConfigError):
        roster(tmp_path, raw)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"roster\.csv"):
        Roster.load(tmp_path / "roster.csv")


@given(st.text(max_size=40))
def test_any_address_may_be_asked_for(email: str) -> None:
    assert Roster().students_of(email) == ()

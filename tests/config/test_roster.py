"""The rows of the school's list of students and guardians."""

import pytest

from config import ConfigError
from config.roster import RosterRow, roster_rows


@pytest.fixture
def rows(tmp_path):
    def read(text: str | bytes) -> list[RosterRow]:
        path = tmp_path / "roster.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return list(roster_rows(path))

    return read


ANA = RosterRow(2, "Ana Flores", "m@home.example", "es")


@pytest.mark.parametrize(
    "text",
    [
        "student,guardian_email,language\nAna Flores,m@home.example,es\n",
        "\ufeffStudent , Guardian-Email,LANGUAGE\r\n Ana Flores , m@home.example,es\r\n\r\n",
        "language;room;guardian email;student\nes;12;m@home.example;Ana Flores\n",
        'student\tguardian_email\tlanguage\n"Ana Flores"\tm@home.example\tes',
    ],
    ids=["plain", "spreadsheet", "semicolons in another order", "tabs"],
)
def test_the_exports_of_student_systems_are_read(rows, text):
    assert rows(text) == [ANA]


def test_a_short_row_has_empty_cells_and_lines_are_counted_through_quoted_line_breaks(rows):
    found = rows('student,guardian_email\n"Ana\nFlores",m@home.example\n\nJoe\n')
    assert [(row.line, row.student, row.guardian_email) for row in found] == [
        (2, "Ana\nFlores", "m@home.example"),
        (5, "Joe", ""),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ":1: expected a first row"),
        ("\n\nname,guardian_email\n", ":3: expected a column named student"),
        ("student,email\nAna,ana@home.example\n", ":1: expected a column named guardian_email"),
        ('student,guardian_email\n"Ana,ana@home.example\n', ":2: expected comma-separated values"),
        (b"student,guardian_email\nAn\xe9,x\n", ":2: expected UTF-8"),
    ],
)
def test_a_file_that_is_no_roster_is_named_with_its_line_and_without_its_content(rows, text, sentence):
    with pytest.raises(ConfigError) as error:
        rows(text)
    assert f"roster.csv{sentence}" in str(error.value)
    assert "ana@" not in str(error.value)

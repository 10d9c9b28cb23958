"""`alliance reach-me` prints or writes how to reach a teacher."""

from pathlib import Path

import pytest
from docx import Document
from docx.oxml.ns import qn
from typer.testing import CliRunner, Result

from service.cli import app

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "alliance.toml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["reach-me", "--config", str(EXAMPLE), *arguments])


def test_it_is_printed_for_a_teacher_by_name_or_address() -> None:
    assert "rivera@maple.example" in run("--teacher", "ms. rivera").stdout
    assert "okafor@maple.example" in run("--teacher", "okafor@maple.example").stdout


def test_a_page_can_be_opened_in_a_browser(tmp_path: Path) -> None:
    page = tmp_path / "reach-me.html"
    assert run("--lang", "es", "--format", "html", "-o", str(page)).exit_code == 0
    assert '<html lang="es"' in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(("language", "from_the_right"), [("fr", False), ("ar", True)])
def test_a_word_document_reads_in_its_own_direction(tmp_path: Path, language: str, from_the_right: bool) -> None:
    path = tmp_path / "reach-me.docx"
    assert run("--lang", language, "--format", "docx", "-o", str(path)).exit_code == 0
    document = Document(str(path))
    heading, paragraph = document.paragraphs
    assert "rivera@maple.example" in paragraph.text
    assert heading.runs[0].bold
    assert (paragraph._p.pPr is not None and paragraph._p.pPr.find(qn("w:bidi")) is not None) is from_the_right
    assert document.core_properties.language == language


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lang", "de"], "en, es"),
        (["--teacher", "Mr. Nobody"], "there are: Ms. Rivera"),
        (["--format", "docx"], "--output"),
        (["-o", "/nowhere/at/all.txt"], "/nowhere/at/all.txt"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.output

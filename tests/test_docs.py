"""The docs say what the program does: its commands, its files, its own pages."""

import html
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import typer

from service.cli import app

ROOT = Path(__file__).parent.parent
PAGES = sorted(chain(ROOT.glob("*.md"), ROOT.glob("docs/**/*.md"), ROOT.glob("benchmarks/*.md")))
_PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")
_BLOCK = re.compile(r"^(?: {4}.*\n|```.*?^```\n)", flags=re.MULTILINE | re.DOTALL)


def _commands() -> list[str]:
    command = typer.main.get_command(app)
    return sorted(command.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_another_page_leads_somewhere(page: Path) -> None:
    targets = [target for target in _LINK.findall(_BLOCK.sub("", page.read_text("utf-8"))) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_page_can_be_reached_from_the_index() -> None:
    reached: set[Path] = set()
    ahead = {ROOT / "docs" / "index.md"}
    while ahead:
        page = ahead.pop()
        reached.add(page)
        links = {(page.parent / target).resolve() for target in _LINK.findall(page.read_text("utf-8"))}
        ahead |= {link for link in links if link.suffix == ".md" and link.exists()} - reached
    assert sorted(set(ROOT.glob("docs/**/*.md")) - reached) == []


def test_the_page_of_standards_has_a_row_for_each_rfc_that_the_code_cites_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "standards.md").read_text("utf-8")
    cited = {
        number
        for package in _PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for number in re.findall(r"\bRFC (\d{3,5})\b", path.read_text("utf-8"))
    }
    assert set(re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)) == cited


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    """`make docs` writes it."""
    command = [
        sys.executable,
        "-m",
        "typer",
        "service.cli",
        "utils",
        "docs",
        "--name",
        "alliance",
        "--title",
        "Commands",
    ]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, encoding="utf-8").stdout
    page = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
    assert html.unescape(page).split() == html.unescape(said).split()


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [name for name in _commands() if f"alliance {name}" not in readme] == []


def test_every_command_that_a_page_quotes_exists() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    quoted = set(re.findall(r"`(?:\.venv/bin/)?alliance ([a-z][a-z-]*)[^`]*`", text))
    assert sorted(quoted - set(_commands())) == []


@pytest.mark.parametrize("page", ["docs/design.md", "CONTRIBUTING.md"])
def test_the_folder_table_names_the_folders_that_there_are(page: str) -> None:
    named = set(re.findall(r"^\| `([a-z]+)/` \|", (ROOT / page).read_text("utf-8"), flags=re.MULTILINE))
    assert set(_PACKAGES) <= named
    assert {name for name in named if not (ROOT / name).is_dir()} == set()

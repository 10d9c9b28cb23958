"""`alliance wording`, and where else a wording that cannot be used is refused."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autoresponder.own_wording import read_own, replaceable
from config import ConfigError, load
from config.writing import toml_value
from service.assembly import Assembly
from service.cli import app
from service.doctor.examination import examine
from service.doctor.finding import Level
from store.database import Database

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "alliance.toml"
SCHOOL = """
[school]
name = "Elm School"
timezone = "America/New_York"
country = "US"
[office]
address = "office@elm.example"
phone = "555-0100"
[wording]
folder = "own"
[[mailboxes]]
address = "okafor@elm.example"
teacher = "Mr. Okafor"
connector = "maildir"
maildir = { path = "mail" }
"""
SOUND = "[[sentence]]\nenglish = 'Hello,'\nsays = 'Estimada familia:'\n"
BROKEN = "[[sentence]]\nenglish = 'There is no school on {day}.'\nsays = 'No hay clases.'\n"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of own sentences of a school whose configuration is in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alliance.toml").write_text(SCHOOL)
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_an_export_is_a_file_that_can_be_used_as_it_is(own: Path) -> None:
    (own / "es.toml").write_text(run("wording", "export", "--lang", "es", "--drafts").stdout)
    assert run("wording", "check").exit_code == 0
    assert all(toml_value(sentence) in (own / "es.toml").read_text() for sentence in replaceable())
    assert "drafts for hard" not in run("wording", "export").stdout.lower()


def test_an_export_into_a_file_keeps_what_is_written_there(own: Path) -> None:
    path = own / "es.toml"
    path.write_text(SOUND)
    done = run("wording", "export", "--lang", "es", "-o", str(path))
    assert done.exit_code == 0, done.output
    assert dict(read_own(path).says) == {"Hello,": "Estimada familia:"}
    assert len(path.read_text()) > 5_000
    assert [each.name for each in own.iterdir()] == ["es.toml"]


def test_an_export_leaves_a_file_alone_that_it_cannot_read(own: Path) -> None:
    path = own / "es.toml"
    path.write_text(BROKEN)
    done = run("wording", "export", "--lang", "es", "-o", str(path))
    assert done.exit_code == 2
    assert "left as it is" in done.output
    assert path.read_text() == BROKEN
    assert run("wording", "export", "-o", str(own / "none" / "es.toml")).exit_code == 2


def test_the_check_counts_what_is_sound(own: Path) -> None:
    (own / "es.toml").write_text(SOUND)
    done = run("wording", "check")
    assert done.exit_code == 0
    assert "es.toml: 1 own sentence, all sound" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["wording", "check"],
        ["wording", "preview"],
        ["config", "check"],
        ["reply", "show", "--html"],
        ["reply", "gallery"],
        ["draft", "show"],
        ["reach-me"],
        ["run", "--once"],
    ],
)
def test_a_wording_that_lacks_a_placeholder_is_refused_wherever_it_would_be_used(own: Path, command: list[str]) -> None:
    (own / "es.toml").write_text(SOUND + BROKEN)
    done = run(*command)
    assert done.exit_code == 2
    assert f"{own / 'es.toml'}:6: says: expected the placeholder {{day}}" in done.output
    assert "write {day} where it belongs" in done.output
    assert "Traceback" not in done.output


@pytest.mark.usefixtures("own")
def test_the_service_does_not_start_with_it(own: Path) -> None:
    (own / "es.toml").write_text(BROKEN)
    database = Database.in_memory()
    with pytest.raises(ConfigError, match=r"es\.toml:3"):
        Assembly.build(load(Path("alliance.toml"), {}), database=database)


def test_the_doctor_says_what_the_school_says_itself(own: Path) -> None:
    def finding() -> tuple[Level, str]:
        every = examine(Path("alliance.toml"), {}, datetime(2026, 3, 3, 12, tzinfo=UTC))
        found = next(each for each in every if each.about == "wording")
        return found.level, found.seen

    assert finding() == (Level.OK, "own sentences: none yet")
    (own / "es.toml").write_text(SOUND)
    assert finding() == (Level.OK, "own sentences: es 1")
    (own / "es.toml").write_text(BROKEN)
    level, seen = finding()
    assert level is Level.FAIL
    assert "es.toml:3" in seen
    Path("alliance.toml").write_text(SCHOOL.replace('[wording]\nfolder = "own"', ""))
    assert finding()[0] is Level.OK


def test_a_folder_that_is_not_there_is_a_fault_of_the_configuration(own: Path) -> None:
    own.rmdir()
    done = run("wording", "check")
    assert done.exit_code == 2
    assert "alliance.toml:10: wording.folder: expected a folder" in done.output


def test_a_preview_shows_old_and_new_and_nothing_that_stays(own: Path) -> None:
    (own / "es.toml").write_text(BROKEN.replace("'No hay", "'El {day} no hay"))
    shown = run("wording", "preview", "--lang", "es", "--tag", "routine").stdout
    assert "\n+ El lunes 9 de marzo no hay clases.\n" not in shown  # what reads the same is not shown as new
    (own / "es.toml").write_text(BROKEN.replace("'No hay clases.'", "'El {day} está cerrado.'"))
    shown = run("wording", "preview", "--lang", "es", "--tag", "routine").stdout
    assert "\n- El lunes 9 de marzo no hay clases.\n" in shown
    assert "\n+ El lunes 9 de marzo está cerrado.\n" in shown
    assert "Of 5 notes, 1 read otherwise" in shown
    assert "Of 4 notes, 0" in run("wording", "preview", "--lang", "es", "--crisis").stdout
    page = run("wording", "preview", "--lang", "es", "--html").stdout
    assert page.count("<iframe") == 2
    assert "Elm School" in page
    assert "Nothing reads differently" in run("wording", "preview", "--lang", "vi", "--html").stdout


def test_a_counselor_reads_the_notes_in_a_crisis_before_anybody_is_named(own: Path) -> None:
    sentence = "Please call our front office now, so that somebody can help right away: {phone}."
    (own / "es.toml").write_text(f"[[sentence]]\nenglish = '{sentence}'\nsays = 'Llame ahora: {{phone}}.'\n")
    assert run("wording", "check").exit_code == 2
    shown = run("wording", "preview", "--lang", "es", "--crisis")
    assert "+ Llame ahora: 555-0100." in shown.stdout
    assert "until then families get these as built in" in shown.stderr
    Path("alliance.toml").write_text(SCHOOL.replace('"own"', '"own"\ncrisis_read_by = "Dana Cho, counselor"'))
    assert run("wording", "check").exit_code == 0
    assert run("wording", "preview", "--lang", "es", "--crisis").stderr == ""


def test_drafts_can_be_previewed_too(own: Path) -> None:
    (own / "es.toml").write_text(SOUND)
    shown = run("wording", "preview", "--lang", "es", "--drafts").stdout
    assert "+ Estimada familia:" in shown
    assert "draft about grades" in shown.lower()


def test_a_reply_that_is_shown_is_the_one_that_a_family_gets(own: Path) -> None:
    (own / "es.toml").write_text(SOUND)
    assert "Estimada familia:" in run("reply", "show", "--lang", "es").stdout
    assert "Estimada familia:" not in run("reply", "show", "--lang", "es", "--tag", "urgent", "--crisis").stdout


def test_the_example_can_be_used() -> None:
    assert run("wording", "check", "--config", str(EXAMPLE)).exit_code == 0
    assert "Estimada familia:" in run("wording", "preview", "--lang", "es", "--config", str(EXAMPLE)).stdout


@pytest.mark.usefixtures("own")
def test_a_school_without_own_wording_is_told_so() -> None:
    Path("alliance.toml").write_text(SCHOOL.replace('folder = "own"', ""))
    assert "no own wording" in run("wording", "check").stdout
    assert run("wording", "export", "--lang", "de").exit_code == 2

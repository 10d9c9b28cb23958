"""What `alliance evaluate` says beside the figures of the tags."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from service.cli import app

runner = CliRunner()
ROW = {"lang": "en", "received": "Tue 2026-02-10 09:19", "subject": "", "topic": "health"}
PAIR = [
    {**ROW, "id": "1a", "pair": "1", "label": "urgent", "body": "She fainted at recess, please call me right now."},
    {**ROW, "id": "1b", "pair": "1", "label": "routine", "body": "Thank you for the lovely class newsletter."},
]


def written(tmp_path: Path, *rows: dict[str, str]) -> Path:
    file = tmp_path / "some.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def test_pairs_come_last_and_only_where_the_messages_carry_them(tmp_path: Path) -> None:
    with_pairs = json.loads(runner.invoke(app, ["evaluate", str(written(tmp_path, *PAIR)), "--json"]).stdout)
    assert list(with_pairs)[-1] == "pairs"
    assert with_pairs["pairs"] == {"n": 1, "both_right": 1.0}
    single = [{key: value for key, value in row.items() if key != "pair"} for row in PAIR]
    without = json.loads(runner.invoke(app, ["evaluate", str(written(tmp_path, *single)), "--json"]).stdout)
    assert "pairs" not in without


def test_people_see_how_far_the_figures_can_be_trusted(tmp_path: Path) -> None:
    said = runner.invoke(app, ["evaluate", str(written(tmp_path, *PAIR))]).stdout
    for words in ("95 % certain: macro-F1 ", "calibration error: urgent ", "unsure of ", "1 pairs, both", "By topic"):
        assert words in said


def test_the_reliability_plot_shows_both_questions(tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    result = runner.invoke(app, ["evaluate", str(written(tmp_path, *PAIR)), "--reliability", str(plot)])
    assert result.exit_code == 0, result.stderr
    root = ElementTree.fromstring(plot.read_text("utf-8"))
    assert root.tag.endswith("}svg")
    texts = {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"urgent?", "conflict? (of what is not urgent)", "probability given", "share that was so"} <= texts


@pytest.mark.parametrize("place", ["gone/plot.svg", "."])
def test_a_plot_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path, place: str) -> None:
    result = runner.invoke(
        app, ["evaluate", str(written(tmp_path, *PAIR)), "--reliability", str(tmp_path / place)], env={"COLUMNS": "200"}
    )
    assert result.exit_code == 2
    assert str(tmp_path / place) in result.stderr

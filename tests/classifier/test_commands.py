"""classify, evaluate and train, through the command line."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from classifier.examples import CORPUS
from service.cli import app

runner = CliRunner()
MAIL = (
    "From: Ana Ruiz <ana@family.example>\r\nTo: t@maple.example\r\nSubject: =?utf-8?q?Recogida_ma=C3=B1ana?=\r\n"
    "Date: Tue, 10 Feb 2026 08:00:00 -0600\r\nMessage-ID: <x@family.example>\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\n¿Qué tarea hay para el viernes, por favor? Gracias, Ana\r\n"
)


def verdict(*arguments: str, given: str | bytes = "") -> dict[str, object]:
    result = runner.invoke(app, ["classify", "--json", *arguments], input=given)
    assert result.exit_code == 0, result.stderr
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_plain_text_from_standard_input_becomes_a_verdict() -> None:
    found = verdict(
        "--received", "2026-02-10 09:19", given="Subject: pickup\nGrandpa gets Lena today at 1, mom is in hospital"
    )
    assert set(found) == {
        "urgent", "conflict", "tag", "otherwise", "unsure", "language", "topic", "reasons", "model",
    }  # fmt: skip
    assert found["tag"] == "urgent"
    assert found["language"] == "en"


def test_a_mail_is_parsed_and_its_date_counts(tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    file.write_bytes(MAIL.encode())
    assert verdict(str(file))["language"] == "es"
    assert verdict(str(file)) != verdict(str(file), "--received", "Fri 2026-02-13 09:00")
    assert verdict(str(file)) == verdict("-", given=MAIL.encode())


def test_a_line_of_a_corpus_is_read_as_evaluate_reads_it() -> None:
    line = {"received": "Thu 2026-02-12 09:10", "subject": "", "body": "Please let Maya out at 1 pm on Thursday."}
    monday = {**line, "received": "Mon 2026-02-09 09:10"}
    assert verdict(given=json.dumps(line))["urgent"] > verdict(given=json.dumps(monday))["urgent"]  # type: ignore[operator]
    assert verdict(given=json.dumps(line)) == verdict("--received", "2026-02-12 09:10", given=json.dumps(monday))


def test_for_people_the_verdict_comes_with_its_reason_and_on_request_its_thresholds() -> None:
    result = runner.invoke(app, ["classify", "--explain"], input="Thank you for the lovely newsletter")
    assert result.stdout.startswith("routine")
    assert "“Thank you for the lovely newsletter”" in result.stdout
    assert "urgent from" in result.stdout
    assert "received: not known" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        (["classify", "/nowhere/mail.eml"], "", "/nowhere/mail.eml: cannot be read"),
        (["classify", "--received", "soon"], "", '--received: "soon" is no time'),
        (["classify"], '{"subject": "x"}', "body: Field required"),
        (["classify", "--model", "/nowhere"], "x", "/nowhere holds no model"),
        (["evaluate", "/nowhere.jsonl"], "", "/nowhere.jsonl: cannot be read"),
        (["train", "--corpus", "/nowhere.jsonl"], "", "/nowhere.jsonl: cannot be read"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments: list[str], given: str, says: str) -> None:
    result = runner.invoke(app, arguments, input=given)
    assert result.exit_code == 2
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not result.stdout


def test_evaluate_prints_exactly_the_promised_json(tmp_path: Path) -> None:
    file = tmp_path / "few.jsonl"
    rows = [
        {"id": "1", "lang": "en", "received": "", "subject": "", "body": "thank you", "label": "routine"},
        {"id": "2", "lang": "es", "received": "", "subject": "", "body": "gracias", "label": "urgent"},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    result = runner.invoke(app, ["evaluate", str(file), "--json"])
    found = json.loads(result.stdout)
    tags = ["urgent", "conflict", "routine"]
    first = ["n", "accuracy", "macro_f1", "tags", "confusion", "languages", "messages_per_second"]
    assert list(found) == [*first, "calibration_error", "unsure_rate", "topics", "intervals"]
    assert found["n"] == 2
    assert list(found["tags"]) == list(found["confusion"]) == tags
    assert all(list(one) == ["precision", "recall", "f1", "n"] for one in found["tags"].values())
    assert all(list(one) == tags for one in found["confusion"].values())
    assert list(found["languages"]) == ["en", "es"]
    assert all(list(one) == ["n", "macro_f1", "urgent_recall"] for one in found["languages"].values())
    assert found["languages"]["en"]["urgent_recall"] is None
    assert found["messages_per_second"] > 0


def test_evaluate_names_file_and_line_of_a_bad_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"body": "x", "label": "routine"}\n{"body": "x", "label": "bored"}\n')
    result = runner.invoke(app, ["evaluate", str(file)])
    assert result.exit_code == 2
    assert f"{file}:2: label: " in result.stderr


def test_evaluate_says_so_when_the_model_has_learned_from_the_messages() -> None:
    assert "has learned from" in runner.invoke(app, ["evaluate", str(CORPUS / "ko.jsonl")]).stderr
    assert "has learned from" not in runner.invoke(app, ["evaluate", str(CORPUS / "ko.jsonl"), "--held-back"]).stderr


def test_train_writes_a_model_that_evaluate_and_classify_take(tmp_path: Path) -> None:
    for name in ("zh", "ht", "ht3"):
        shutil.copy(CORPUS / f"{name}.jsonl", tmp_path)
    made = runner.invoke(app, ["train", "--corpus", str(tmp_path), "--out", str(tmp_path / "model")])
    assert made.exit_code == 0, made.stderr
    assert f"alliance evaluate {tmp_path} --held-back --model {tmp_path / 'model'}" in made.stdout
    again = runner.invoke(app, ["evaluate", str(tmp_path), "--held-back", "--model", str(tmp_path / "model"), "--json"])
    macro_f1 = json.loads(again.stdout)["macro_f1"]
    assert f"macro-F1 {macro_f1:.3f}" in made.stdout
    assert verdict("--model", str(tmp_path / "model"), given="今天谁来接他？")["model"] in made.stdout  # type: ignore[operator]

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from classifier.corpus_check import check
from classifier.examples import CORPUS, Example, Part
from service.cli import app

runner = CliRunner()
BODY = "Good morning, could you tell me what page the reading homework is on? Ana left her folder at her grandmother's."
GOOD = {
    "id": "a-1",
    "lang": "en",
    "received": "Tue 2026-01-27 09:19",
    "subject": "Homework",
    "body": BODY,
    "label": "routine",
    "topic": "homework",
}
PAIR = [
    {**GOOD, "id": "p-1a", "pair": "p-1", "label": "urgent", "evidence": "Ana left her folder"},
    {**GOOD, "id": "p-1b", "pair": "p-1", "body": BODY.replace("Ana", "Ines")},
]


def written(file: Path, *lines: object) -> Path:
    file.parent.mkdir(exist_ok=True)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    file.write_text(text, encoding="utf-8")
    return file


def problems(tmp_path: Path, *lines: object) -> list[str]:
    file = written(tmp_path / "some.jsonl", *lines)
    return [str(problem).removeprefix(f"{file}:") for problem in check([file]).problems]


def id_of(part: Part) -> str:
    return next(
        name for name in (f"b-{n}" for n in range(999)) if Example(id=name, body="", label="routine").part is part
    )


def test_the_shipped_corpus_has_nothing_wrong_with_it() -> None:
    found = check([CORPUS, CORPUS.parent / "validation"])
    assert [str(problem) for problem in found.problems] == []
    assert found.messages > 5000


def test_messages_and_pairs_as_they_should_be_are_let_be(tmp_path: Path) -> None:
    single = {**GOOD, "subject": "Schedule", "body": "Thank you for the newsletter, we read it all over breakfast."}
    assert problems(tmp_path, *PAIR, single) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "Invalid JSON"),
        ({key: value for key, value in GOOD.items() if key != "topic"}, "topic: Field required"),
        ({**GOOD, "lable": "routine"}, "lable: Extra inputs are not permitted"),
        ({**GOOD, "id": ""}, "id: String should have at least 1 character"),
        ({**GOOD, "body": None}, "body: "),
        ({**GOOD, "label": "angry"}, "label: Input should be 'urgent', 'conflict' or 'routine'"),
        ({**GOOD, "topic": "weather"}, 'topic: "weather" is none of health, safety, '),
        ({**GOOD, "lang": "fr"}, 'lang: "fr" is none of en, es, '),
        ({**GOOD, "received": "Wed 2026-01-27 09:19"}, "received: 2026-01-27 09:19 is a Tue, not a Wed"),
        ({**GOOD, "received": "2026-01-27T09:19"}, 'received: "2026-01-27T09:19" is no local time such as'),
        ({**GOOD, "received": "Tue 2026-02-30 09:19"}, 'received: "Tue 2026-02-30 09:19" is no local time such as'),
        ({**GOOD, "evidence": "reading homework"}, "evidence: a routine message has none"),
        ({**GOOD, "label": "conflict", "evidence": "not there"}, "evidence: must stand in the subject or the body"),
        ({**GOOD, "subject": " ", "body": "\n"}, "the message is empty"),
        ({**GOOD, "flip": "the day"}, "flip: says what changes within a pair"),
        ({**GOOD, "pair": "p-9"}, 'a-1: pair "p-9" has 1 of two messages'),
    ],
)
def test_a_line_that_is_not_as_it_should_be_is_named_with_what_is_wrong(
    tmp_path: Path, line: object, says: str
) -> None:
    other = {**GOOD, "id": "z", "subject": "", "body": "Thank you for the lovely newsletter."}
    (problem,) = problems(tmp_path, other, "", line)
    assert problem.startswith("3: ")
    assert says in problem


def test_an_id_may_be_taken_only_once_in_all_files(tmp_path: Path) -> None:
    first = written(tmp_path / "first.jsonl", GOOD)
    second = written(tmp_path / "second.jsonl", {**GOOD, "subject": "", "body": "Thank you for the lovely newsletter."})
    (problem,) = check([tmp_path]).problems
    assert str(problem) == f"{second}:1: a-1: the id is taken already, {first}:1; give it another"


def test_the_same_file_given_twice_is_looked_at_once(tmp_path: Path) -> None:
    file = written(tmp_path / "some.jsonl", GOOD)
    assert check([tmp_path, file]).messages == 1
    assert check([tmp_path, file]).problems == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"label": "urgent"}, "both messages are urgent; the tags must differ"),
        ({"body": BODY}, "nothing differs between its messages"),
    ],
)
def test_a_pair_needs_one_change_and_two_tags(tmp_path: Path, change: dict[str, str], says: str) -> None:
    (problem,) = problems(tmp_path, PAIR[0], {**PAIR[1], **change})
    assert says in problem


def test_a_pair_has_no_third_message(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, *PAIR, {**PAIR[1], "id": "p-1c", "body": BODY.replace("Ana", "Luz")})
    assert 'pair "p-1" has 3 of two messages' in problem


def test_shouting_the_same_words_is_the_same_message(tmp_path: Path) -> None:
    (problem,) = problems(
        tmp_path, GOOD, {**GOOD, "id": id_of(Example.model_validate(GOOD).part), "body": f"{BODY.upper()}!!"}
    )
    assert f"says the same as {tmp_path / 'some.jsonl'}:1 (a-1); write one of them anew" in problem


def test_a_message_with_another_name_in_it_is_a_twin(tmp_path: Path) -> None:
    other = {**GOOD, "id": "a-2", "body": BODY.replace("Ana", "Mehmet").replace("Good morning", "Hello")}
    (problem,) = problems(tmp_path, GOOD, other)
    assert "a-2: is nearly the same (" in problem


@pytest.mark.parametrize(
    "text",
    ["老师您好，请问今天的阅读作业是第几页？孩子把书包忘在外婆家了。", "선생님 오늘 읽기 숙제가 몇 쪽인지 알려 주세요"],
)
def test_twins_are_found_in_scripts_without_letters_too(tmp_path: Path, text: str) -> None:
    lines = [{**GOOD, "body": text, "subject": ""}, {**GOOD, "id": "a-2", "body": f"{text} ^^", "subject": ""}]
    assert len(problems(tmp_path, *lines)) == 1


def test_nearly_the_same_message_on_two_sides_would_leak(tmp_path: Path) -> None:
    learned, held_back = {**GOOD, "id": id_of(Part.LEARNING)}, {**GOOD, "id": id_of(Part.HELD_BACK)}
    (problem,) = problems(tmp_path, learned, {**held_back, "body": f"{BODY} Thanks!"})
    assert "what is learning would leak into what is held-back" in problem


def test_what_is_learned_from_must_not_stand_in_the_validation_folder(tmp_path: Path) -> None:
    written(tmp_path / "corpus" / "one.jsonl", GOOD)
    written(tmp_path / "validation" / "one.jsonl", {**GOOD, "id": "v-1"})
    (problem,) = check([tmp_path / "corpus", tmp_path / "validation"]).problems
    assert "would leak into what is validation" in str(problem)


def test_the_command_names_each_problem_and_exits_with_1(tmp_path: Path) -> None:
    good, bad = written(tmp_path / "good.jsonl", GOOD), written(tmp_path / "bad.jsonl", {**GOOD, "label": "angry"})
    result = runner.invoke(app, ["corpus", "check", str(good), str(bad)])
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{bad}:1: label: ")
    assert "1 problems in 2 messages" in result.stderr
    assert runner.invoke(app, ["corpus", "check", str(good)]).exit_code == 0


def test_a_corpus_that_cannot_be_read_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    for path, says in ((tmp_path, "holds no .jsonl file"), (tmp_path / "gone.jsonl", "cannot be read")):
        result = runner.invoke(app, ["corpus", "check", str(path)])
        assert result.exit_code == 2
        assert says in result.stderr

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from classifier.errors import ExamplesError
from classifier.examples import Example, parse_received, read_examples
from tests.classifier.local_time import local

GOOD = {"id": "a-1", "lang": "en", "received": "Tue 2026-01-27 09:19", "subject": "s", "body": "b", "label": "urgent"}


def written(tmp_path: Path, *lines: object) -> Path:
    file = tmp_path / "some.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
    return file


def test_a_line_of_the_corpus_is_read() -> None:
    example = Example.model_validate(GOOD)
    assert example.letter.received == local(2026, 1, 27, 9, 19)
    assert (example.letter.subject, example.letter.body) == ("s", "b")


@pytest.mark.parametrize(
    ("written_so", "read"),
    [
        ("Tue 2026-01-27 09:19", local(2026, 1, 27, 9, 19)),
        ("2026-01-27 09:19", local(2026, 1, 27, 9, 19)),
        ("2026-01-27T09:19:30Z", datetime(2026, 1, 27, 9, 19, 30, tzinfo=UTC)),
        ("2026-01-27T09:19-06:00", datetime(2026, 1, 27, 9, 19, tzinfo=timezone(timedelta(hours=-6)))),
        ("", None),
        ("  ", None),
        (None, None),
    ],
)
def test_received_is_read_as_people_and_machines_write_it(written_so: str | None, read: datetime | None) -> None:
    assert parse_received(written_so) == read


def test_id_language_received_and_subject_may_be_missing_or_null(tmp_path: Path) -> None:
    file = written(tmp_path, {"body": "b", "label": "routine"}, {**GOOD, "received": None, "subject": None}, "", "  ")
    first, second = read_examples(file)
    assert (first.id, first.lang, first.letter.received) == ("", "", None)
    assert second.letter.subject == ""


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "Invalid JSON"),
        ("[]", "Input should be an object"),
        ({**GOOD, "label": "angry"}, "label: Input should be 'urgent', 'conflict' or 'routine'"),
        ({k: v for k, v in GOOD.items() if k != "body"}, "body: Field required"),
        ({k: v for k, v in GOOD.items() if k != "label"}, "label: Field required"),
        ({**GOOD, "body": 7}, "body: Input should be a valid string"),
        ({**GOOD, "received": "soon"}, 'received: "soon" is no time such as "Tue 2026-01-27 09:19"'),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong(tmp_path: Path, line: object, says: str) -> None:
    file = written(tmp_path, GOOD, "", line, GOOD)
    with pytest.raises(ExamplesError) as error:
        list(read_examples(file))
    assert str(error.value).startswith(f"{file}:3: ")
    assert says in str(error.value)


def test_bytes_that_are_no_text_are_named_too(tmp_path: Path) -> None:
    file = tmp_path / "broken.jsonl"
    file.write_bytes(b'{"body": "\xff\xfe", "label": "routine"}\n')
    with pytest.raises(ExamplesError, match=r"broken\.jsonl:1: "):
        list(read_examples(file))


def test_a_folder_is_read_file_by_file(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({**GOOD, "id": name}))
    (tmp_path / "README.md").write_text("no messages here")
    assert [example.id for example in read_examples(tmp_path)] == ["a", "b"]
    (tmp_path / "none").mkdir()
    with pytest.raises(ExamplesError, match="holds no"):
        list(read_examples(tmp_path / "none"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExamplesError, match=r"gone\.jsonl: cannot be read: No such file"):
        list(read_examples(tmp_path / "gone.jsonl"))

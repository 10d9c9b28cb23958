from collections.abc import Sequence
from pathlib import Path

import pytest

from classifier import load
from classifier.errors import ModelError
from classifier.examples import Example
from classifier.opening import SHIPPED
from classifier.training import save, train
from connectors.labels import Tag


@pytest.fixture(scope="module")
def some(corpus: Sequence[Example]) -> Sequence[Example]:
    return [example for example in corpus if example.lang in {"ht", "zh"} or example.id.startswith("pa-")]


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_the_same_corpus_and_seed_give_the_same_files(tmp_path: Path, some: Sequence[Example]) -> None:
    for name in ("first", "second"):
        save(train(some, seed=3), tmp_path / name)
    first = files(tmp_path / "first")
    assert first == files(tmp_path / "second")
    assert set(first) == set(files(SHIPPED))
    assert load(tmp_path / "first").version == load(tmp_path / "second").version


def test_messages_held_back_teach_nothing(tmp_path: Path, some: Sequence[Example]) -> None:
    mislabelled = [
        example.model_copy(update={"label": Tag.ROUTINE, "body": "x"}) if example.held_back else example
        for example in some
    ]
    save(train(some), tmp_path / "as-it-is")
    save(train(mislabelled), tmp_path / "mislabelled")
    assert files(tmp_path / "as-it-is") == files(tmp_path / "mislabelled")


def test_an_older_model_is_replaced_and_anything_else_is_not(tmp_path: Path, some: Sequence[Example]) -> None:
    nlp = train(some)
    save(nlp, tmp_path / "model")
    (tmp_path / "model" / "stale.txt").write_text("old")
    save(nlp, tmp_path / "model")
    assert "stale.txt" not in files(tmp_path / "model")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("keep me")
    with pytest.raises(ModelError, match="neither empty nor a model"):
        save(nlp, tmp_path / "letters")
    assert (tmp_path / "letters" / "dear.txt").read_text() == "keep me"


def test_too_few_examples_are_refused(some: Sequence[Example]) -> None:
    with pytest.raises(ValueError, match=r"at least 10 examples of each tag.*conflict"):
        train([example for example in some if example.label is not Tag.CONFLICT])


def test_no_pair_is_divided_between_learning_and_validation(corpus: Sequence[Example]) -> None:
    sides: dict[str, set[bool]] = {}
    for example in corpus:
        if example.pair:
            sides.setdefault(example.pair, set()).add(example.held_back)
    assert len(sides) == 360
    assert all(len(side) == 1 for side in sides.values())
    assert 0.15 < sum(example.held_back for example in corpus) / len(corpus) < 0.25

from collections.abc import Sequence
from pathlib import Path

import pytest

from classifier import load
from classifier.encoder import Encoder
from classifier.errors import ModelError
from classifier.examples import Example, Part
from classifier.opening import SHIPPED
from classifier.questions import FACTORY
from classifier.training import save, train
from connectors.labels import Tag


@pytest.fixture(scope="module")
def some(corpus: Sequence[Example]) -> Sequence[Example]:
    return [example for example in corpus if example.lang in {"ht", "zh"} or example.id.startswith("pa-")]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(SHIPPED / FACTORY)


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_the_same_corpus_and_encoder_give_the_same_files(
    tmp_path: Path, some: Sequence[Example], encoder: Encoder
) -> None:
    for name in ("first", "second"):
        save(train(some, encoder), tmp_path / name)
    first = files(tmp_path / "first")
    assert first == files(tmp_path / "second")
    assert set(first) == set(files(SHIPPED))
    assert load(tmp_path / "first").version == load(tmp_path / "second").version


def test_messages_held_back_teach_nothing(tmp_path: Path, some: Sequence[Example], encoder: Encoder) -> None:
    mislabelled = [
        example.model_copy(update={"label": Tag.ROUTINE, "body": "x"}) if example.held_back else example
        for example in some
    ]
    save(train(some, encoder), tmp_path / "as-it-is")
    save(train(mislabelled, encoder), tmp_path / "mislabelled")
    assert files(tmp_path / "as-it-is") == files(tmp_path / "mislabelled")


def test_an_older_model_is_replaced_and_anything_else_is_not(
    tmp_path: Path, some: Sequence[Example], encoder: Encoder
) -> None:
    nlp = train(some, encoder)
    save(nlp, tmp_path / "model")
    (tmp_path / "model" / "stale.txt").write_text("old")
    save(nlp, tmp_path / "model")
    assert "stale.txt" not in files(tmp_path / "model")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("keep me")
    with pytest.raises(ModelError, match="neither empty nor a model"):
        save(nlp, tmp_path / "letters")
    assert (tmp_path / "letters" / "dear.txt").read_text() == "keep me"


@pytest.mark.parametrize(("part", "purpose"), [(Part.LEARNING, "to learn"), (Part.CALIBRATION, "to calibrate")])
def test_too_few_examples_are_refused(some: Sequence[Example], encoder: Encoder, part: Part, purpose: str) -> None:
    fewer = [example for example in some if example.label is not Tag.CONFLICT or example.part is not part]
    with pytest.raises(ValueError, match=rf"at least 10 examples of each tag are needed {purpose}.*conflict"):
        train(fewer, encoder)


def test_no_pair_is_divided_between_the_parts_of_the_corpus(corpus: Sequence[Example]) -> None:
    parts: dict[str, set[Part]] = {}
    for example in corpus:
        if example.pair:
            parts.setdefault(example.pair, set()).add(example.part)
    assert len(parts) > 1000
    assert all(len(part) == 1 for part in parts.values())


@pytest.mark.parametrize(("part", "share"), [(Part.LEARNING, 0.8), (Part.CALIBRATION, 0.1), (Part.HELD_BACK, 0.1)])
def test_the_parts_have_their_shares(corpus: Sequence[Example], part: Part, share: float) -> None:
    assert sum(example.part is part for example in corpus) / len(corpus) == pytest.approx(share, abs=0.015)

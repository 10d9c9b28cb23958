from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from classifier import Classifier
from classifier.encoder import Encoder
from classifier.errors import ExamplesError, ModelError
from classifier.good_news import (
    FOLDER,
    SHIPPED,
    GoodNews,
    Weights,
    digest_of_encoder,
    shipped_encoder,
    shipped_facts,
    text_to_judge,
)
from classifier.good_news_training import Kind, TeachersMail, figures, learn, mails, main, threshold
from classifier.verdict import Letter, Opinion

COMPLAINTS = {Kind.PROBLEM, Kind.MIXED, Kind.SARCASTIC}


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return shipped_encoder()


@pytest.fixture(scope="module")
def judge(encoder: Encoder) -> GoodNews:
    return GoodNews(lambda: encoder)


@pytest.fixture(scope="module")
def validation() -> Sequence[TeachersMail]:
    return mails(FOLDER / "validation")


def of(judge: GoodNews, body: str, subject: str = "") -> Opinion:
    opinion = judge.read(Letter(subject, body, only_newest=True))
    assert opinion is not None
    return opinion


@pytest.mark.parametrize(
    "body",
    [
        "Great job today, Ana!",
        "Marcus had a wonderful day. He finished all of his work and helped a friend.",
        "Hi, I'm Ms. Rivera, Ana's new teacher. I'm so excited to have her in my class this year!",
        "¡Excelente trabajo hoy, Luis! Qué orgullo.",
        "Oskar made the honor roll!\n\nOn Monday his mother wrote:\n> Nobody helps him, he is failing. Call me.",
    ],
)
def test_good_news_is_told_from_a_few_words(judge: GoodNews, body: str) -> None:
    assert judge.read(Letter("", body)).positive  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "body",
    [
        "Marcus had a wonderful morning. Then he hit another child, and we need to meet.",
        "Ana is such a bright girl. However, she talks all the time and her grades are falling.",
        "Es un niño encantador, pero hoy volvió a pegarle a un compañero.",
        "Please bring five dollars for the trip. Thank you!",
        "Thank you, noted.",
        "See below.\n\n-----Original Message-----\nFrom: Ms. Lee\n\nGreat job today, Ana! I am so proud of her.",
    ],
)
def test_what_is_mixed_or_only_kind_in_tone_is_no_good_news(judge: GoodNews, body: str) -> None:
    assert not judge.read(Letter("", body)).positive  # type: ignore[union-attr]


def test_the_subject_counts_where_it_is_the_mails_own() -> None:
    assert text_to_judge(Letter("We won!", "See you.", only_newest=True)) == "We won!\nSee you."
    for subject in ("Re: We won!", "FW: We won!", "RV: ganamos", "回复：好消息"):
        assert text_to_judge(Letter(subject, "See you.", only_newest=True)) == "See you."


def test_a_mail_without_words_is_not_judged(judge: GoodNews) -> None:
    assert judge.read(Letter("Re: Good news", "\n 👍 \n", only_newest=True)) is None


def test_neither_day_nor_neighbours_change_the_judgement(judge: GoodNews, validation: Sequence[TeachersMail]) -> None:
    some = validation[0].letter
    alone = judge.read(some)
    judge.read(validation[1].letter)
    assert judge.read(some) == alone


@pytest.mark.parametrize(
    "body", ["\x00" * 50, "\ud800 great", "a" * 300_000, "🎉" * 1000 + " bravo", "\n\n\n.", "§" * 9]
)
def test_no_text_stops_the_judge(judge: GoodNews, body: str) -> None:
    opinion = judge.read(Letter("", body, only_newest=True))
    assert opinion is None or 0 <= opinion.score <= 1


def test_the_readme_tells_the_figures_of_the_shipped_model(
    encoder: Encoder, validation: Sequence[TeachersMail], capsys: pytest.CaptureFixture[str]
) -> None:
    found = figures(Weights.open(SHIPPED), encoder, validation)
    readme = (FOLDER / "README.md").read_text("utf-8")
    for name, code in (("all", "all"), ("English", "en"), ("Spanish", "es")):
        row = next(line for line in readme.splitlines() if line.startswith(f"| {name} |"))
        told = found[code]
        assert [str(told.n), str(told.precision), str(told.recall), str(told.complaints)] == [
            cell.split("(")[0].strip() for cell in row.strip("| ").split("|")[1:]
        ]
    main([])
    assert f"all      {found['all'].n:6}" in capsys.readouterr().out


def test_on_mails_by_other_hands_hardly_anything_else_passes_for_good_news(
    judge: GoodNews, validation: Sequence[TeachersMail]
) -> None:
    called = [each for each in validation if (opinion := judge.read(each.letter)) is not None and opinion.positive]
    assert sum(each.good for each in called) / len(called) >= 0.95
    assert len(called) >= 0.35 * sum(each.good for each in validation)
    assert not [each.id for each in called if each.kind in COMPLAINTS]


def test_the_model_was_learned_beside_the_encoder_that_is_shipped(encoder: Encoder) -> None:
    assert shipped_facts().encoder == digest_of_encoder(encoder), "the encoder is another: learn this model anew"


def test_the_classifiers_own_encoder_is_shared(classifier: Classifier) -> None:
    shared = GoodNews.beside(classifier)
    assert shared._encoder is classifier.encoder
    assert of(shared, "Great job today, Ana!").positive


def test_learning_twice_gives_the_same_bytes(encoder: Encoder, tmp_path: Path) -> None:
    learning = mails(FOLDER / "learning")
    some = [each for each in learning if each.lang in ("en", "fr")][::3]
    for name in ("one", "two"):
        learn(some, encoder).save(tmp_path / name)
    one, two = ({file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == two
    assert Weights.open(tmp_path / "one").facts.encoder == shipped_facts().encoder


def test_what_was_saved_is_what_is_opened(tmp_path: Path) -> None:
    shipped = Weights.open(SHIPPED)
    shipped.save(tmp_path)
    again = Weights.open(tmp_path)
    assert np.array_equal(again.grams, shipped.grams)
    assert np.array_equal(again.rarity, shipped.rarity)


def test_a_model_that_is_damaged_is_told_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not load"):
        Weights.open(tmp_path)


def test_no_mail_of_the_validation_set_was_learned_from(validation: Sequence[TeachersMail]) -> None:
    learning = mails(FOLDER / "learning")
    assert not {each.body for each in learning} & {each.body for each in validation}
    everything = [*learning, *validation]
    assert len({each.id for each in everything}) == len(everything)
    assert len({(each.subject, each.body) for each in everything}) == len(everything)


def test_mails_that_tell_the_same_in_several_languages_share_a_fold() -> None:
    thin = [each for each in mails(FOLDER / "learning") if each.lang not in ("en", "es")]
    by_number: dict[str, set[int]] = {}
    for each in thin:
        by_number.setdefault(each.id.rpartition("-")[2], set()).add(each.fold)
    assert all(len(folds) == 1 for folds in by_number.values())
    assert len({next(iter(folds)) for folds in by_number.values()}) > 1


def test_the_threshold_is_the_lowest_that_keeps_the_precision() -> None:
    probabilities = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert threshold(probabilities, np.array([True, True, True, False, True])) == 0.7
    with pytest.raises(ValueError, match="fewer than"):
        threshold(probabilities, np.array([False, True, True, True, True]))


def test_a_file_with_a_broken_line_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ExamplesError, match=r"holds no \.jsonl"):
        mails(tmp_path)
    (tmp_path / "en.jsonl").write_text('{"id": "1", "body": "x", "good": true, "kind": "praise"}\n{"id": "2"}\n')
    with pytest.raises(ExamplesError, match=r"en\.jsonl:2"):
        mails(tmp_path)

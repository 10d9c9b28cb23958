"""What corrected letters teach, and what of them must leave no trace in any number of the model."""

from collections.abc import Sequence

import numpy as np
import pytest

from classifier.examples import Example, Part
from classifier.features import COLUMNS, CUE_COLUMN, Rows, grams_of, rarity, rows_of
from classifier.lessons import FAMILIES, KNOWN, Lesson, Lessons, rows_of_lessons
from classifier.linear import Linear
from classifier.training import learn_linear, reading_of
from classifier.verdict import Letter
from connectors.labels import Tag
from tests.classifier.local_time import local

MONDAY = local(2026, 3, 2, 9)
COMMON = "Please let us know today whether the bus will be late, we are waiting for an answer from you, thank you"


@pytest.fixture(scope="module")
def some(corpus: Sequence[Example]) -> Sequence[Example]:
    return [example for example in corpus if example.lang == "en" and example.part is Part.LEARNING][:250]


@pytest.fixture(scope="module")
def rows(some: Sequence[Example]) -> Rows:
    readings = [reading_of(example) for example in some]
    return rows_of(readings, grams_of(readings), rarity(readings))


def lessons(*bodies: str, families: Sequence[str] | None = None, label: Tag = Tag.ROUTINE) -> Lessons:
    names = families or [f"{number}@family.example" for number in range(len(bodies))]
    return Lessons(
        [
            Lesson(f"letter-{number}@family.example", family, Letter("", body, MONDAY), label)
            for number, (family, body) in enumerate(zip(names, bodies, strict=True))
        ]
    )


def columns_of(some: Sequence[Example], rows: Rows, taught: Lessons) -> list[set[int]]:
    """The columns in which each lesson counts."""
    readings = [reading_of(example) for example in some]
    found = rows_of_lessons(taught, rows, rarity(readings))
    return [set(found.column[found.row == number].tolist()) for number in range(len(taught.letters))]


def test_what_letters_of_enough_families_share_counts(some: Sequence[Example], rows: Rows) -> None:
    counted = columns_of(some, rows, lessons(*[COMMON] * FAMILIES))
    assert all(counted)
    assert counted[0] == counted[1]


def test_what_fewer_families_share_does_not_count_however_often_they_write_it(
    some: Sequence[Example], rows: Rows
) -> None:
    families = [f"{number % (FAMILIES - 1)}@family.example" for number in range(20)]
    assert not any(columns_of(some, rows, lessons(*[COMMON] * 20, families=families)))


def test_a_word_that_the_corpus_does_not_know_never_counts(some: Sequence[Example], rows: Rows) -> None:
    known = np.bincount(rows.column, minlength=COLUMNS) >= KNOWN
    letters = [f"Xyqzwk Vrgtbx {COMMON}"] * 5
    counted = columns_of(some, rows, lessons(*letters))
    assert counted[0]
    assert all(known[column] for found in counted for column in found)


def weights(some: Sequence[Example], taught: Lessons | None) -> Linear:
    return learn_linear(some, lessons=taught)


def test_a_letter_s_own_words_may_be_any_others_and_the_model_is_the_same_number_for_number(
    some: Sequence[Example],
) -> None:
    own = (["Xyqzwk", "Vrgtbx", "Jqpfzw"], ["Xqwzyk", "Vbgrtx", "Jfzpqw"])
    one, other = (weights(some, lessons(*[f"{name} {COMMON}" for name in names])) for names in own)
    nothing = weights(some, None)
    assert np.array_equal(one.weights, other.weights)
    assert np.array_equal(one.bias, other.bias)
    assert not np.array_equal(one.weights, nothing.weights)


def test_no_weight_outside_the_corpus_s_own_n_grams_moves_and_no_rarity_at_all(
    some: Sequence[Example], rows: Rows
) -> None:
    taught = weights(some, lessons(*[f"Xyqzwk Vrgtbx is in the Zwqlp again. {COMMON}"] * 6))
    before = weights(some, None)
    unknown = np.bincount(rows.column, minlength=COLUMNS) == 0
    assert np.array_equal(taught.rarity, before.rarity)
    assert not taught.weights[:, unknown].any()


def test_letters_that_several_families_sent_move_the_model_towards_what_the_teacher_said(
    some: Sequence[Example],
) -> None:
    letters = [f"{COMMON}. We heard that the gym roof leaks {number}" for number in range(12)]
    stranger = Example(received=MONDAY, body=f"{COMMON}. They say the gym roof leaks", label=Tag.ROUTINE)
    scores = [
        weights(some, lessons(*letters, label=label)).scores([reading_of(stranger)])[0, 0]
        for label in (Tag.ROUTINE, Tag.URGENT)
    ]
    assert scores[0] < scores[1]


def test_cues_of_time_count_like_n_grams(some: Sequence[Example], rows: Rows) -> None:
    counted = columns_of(some, rows, lessons(*[COMMON] * FAMILIES))
    assert any(column >= CUE_COLUMN for column in counted[0])


def test_a_lesson_keeps_its_side_and_about_a_fifth_is_kept_back() -> None:
    sides = [lesson.held_back for lesson in lessons(*["x"] * 1000).letters]
    assert sides == [lesson.held_back for lesson in lessons(*["y"] * 1000, label=Tag.URGENT).letters]
    assert 150 < sum(sides) < 250

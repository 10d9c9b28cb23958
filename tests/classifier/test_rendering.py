import itertools
from dataclasses import replace
from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.features import read_text
from classifier.rendering import Rendered, render
from classifier.sentences import sentences
from classifier.times import USUAL
from classifier.words import tidy
from config.calendar import SchoolCalendar
from tests.classifier.local_time import local

MONDAY, THURSDAY = local(2026, 2, 9, 9), local(2026, 2, 12, 7, 30)


def read(
    text: str, received: datetime | None = MONDAY, language: str = "en", calendar: SchoolCalendar = USUAL
) -> Rendered:
    return render(read_text(tidy(text), received, calendar=calendar), language)


def body(text: str, received: datetime | None = MONDAY, calendar: SchoolCalendar = USUAL) -> str:
    return " ".join(read(text, received, calendar=calendar).sentences)


def test_a_day_that_is_named_says_how_far_it_is() -> None:
    text = "Please let her out at 1 on Thursday."
    assert body(text, MONDAY) == "Please let her out at 1 on Thursday (later)."
    assert body(text, THURSDAY) == "Please let her out at 1 on Thursday (today)."
    assert body(text, local(2026, 2, 11, 19)) == "Please let her out at 1 on Thursday (next school day)."


def test_the_opening_says_when_the_letter_came() -> None:
    assert read("Hi", THURSDAY).opening == "thursday before school."
    assert read("Hi", local(2026, 2, 14, 12)).opening == "saturday no school."
    assert read("Hi", None).opening == ""


def test_over_a_long_weekend_the_next_school_day_is_the_day_that_counts() -> None:
    friday = local(2026, 2, 13, 18)
    assert "Tuesday (later)" in body("He needs it on Tuesday", friday)
    holiday = replace(USUAL, breaks=((date(2026, 2, 16), date(2026, 2, 16)),))
    assert "Tuesday (next school day)" in body("He needs it on Tuesday", friday, holiday)


def test_a_school_that_closes_early_puts_its_afternoon_after_school() -> None:
    early = replace(USUAL, closes=time(12, 0))
    noon = local(2026, 2, 9, 12, 30)
    assert read("x", noon).opening == "monday around noon at school."
    assert read("x", noon, calendar=early).opening == "monday after school."


def test_habits_and_last_weeks_days_are_not_taken_for_this_week() -> None:
    assert body("He swims every Thursday.") == "He swims every Thursday."
    assert body("last Thursday he fell") == "last Thursday (past) he fell"
    assert body("next Tuesday he sings") == "next Tuesday (much later) he sings"


@pytest.mark.parametrize(
    ("language", "text", "gloss"),
    [("es", "Hoy no tomó su medicina.", "not"), ("ru", "Сегодня он не принял лекарство.", "not")],
)
def test_another_language_is_read_in_english(language: str, text: str, gloss: str) -> None:
    (sentence,) = read(text, language=language).sentences
    assert gloss in sentence.split()
    assert "(today)" in sentence.replace("( ", "(")


@given(st.text(alphabet="ab .!?\n。،8:30", max_size=120))
def test_sentences_lie_in_the_text_in_order_and_leave_no_word_out(text: str) -> None:
    found = list(sentences(text))
    assert all(begin < end for begin, end in found)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(found))
    covered = "".join(text[begin:end] for begin, end in found)
    assert sum(letter.isalnum() for letter in covered) == sum(letter.isalnum() for letter in text)


def test_a_full_stop_inside_a_number_or_an_abbreviation_ends_no_sentence() -> None:
    text = "Pick her up at 1.30 p.m please. Thanks"
    assert [text[begin:end] for begin, end in sentences(text)] == ["Pick her up at 1.30 p.m please.", "Thanks"]


@given(st.text(max_size=200), st.none() | st.datetimes(local(2000, 1, 3), local(2090, 1, 1)))
def test_any_text_is_rendered_sentence_by_sentence(text: str, received: datetime | None) -> None:
    found = read(text, received)
    assert len(found.sentences) == len(found.spans)

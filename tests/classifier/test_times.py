from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.features import read_text
from classifier.mentions import named
from classifier.times import acting_day, arrival
from classifier.words import lowered, split, tidy
from tests.classifier.local_time import local

TUESDAY = local(2026, 2, 10, 9, 19)


def days(text: str, received: datetime = TUESDAY) -> set[int]:
    lower = lowered(tidy(text))
    return set(named(split(lower), lower, received.date()).days)


def clocks(text: str) -> set[float]:
    lower = lowered(tidy(text))
    return set(named(split(lower), lower, None).hours)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I will get her today", {0}),
        ("La recojo hoy", {0}),
        ("今天下午我来接他", {0}),
        ("hôm nay con về sớm", {0}),
        ("سآخذه اليوم", {0}),
        ("Vou buscá-la hoje", {0}),
        ("m ap vin chèche l jodi a", {0}),
        ("Я заберу её сегодня", {0}),
        ("오늘은 일찍 데리러 갑니다", {0}),
        ("susunduin ko siya ngayon", {0}),
        ("tomorrow morning", {1}),
        ("mañana no va a la escuela", {1}),
        ("esta mañana se fue sin desayunar", {0}),
        ("siempre por la mañana", set()),
        ("pasado mañana", {2}),
        ("明天早上", {1}),
        ("demen maten", {1}),
        ("завтра утром", {1}),
        ("내일까지", {1}),
        ("bukas ng umaga", {1}),
        ("amanhã cedo", {1}),
        ("yesterday he was sick", {-1}),
        ("on Thursday", {2}),
        ("el jueves", {2}),
        ("周四", {2}),
        ("목요일에", {2}),
        ("on February 12", {2}),
        ("le 12 de febrero", {2}),
        ("the 12th", {2}),
        ("2/12", {2}),
        ("2月12日", {2}),
        ("on March 3rd", {21}),
        ("February 31", set()),
        ("what page is the homework", set()),
    ],
)
def test_days_are_read_in_every_language(text: str, expected: set[int]) -> None:
    assert days(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at 1:30", {13.5}),
        ("at 1 pm", {13.0}),
        ("12:45", {12.75}),
        ("8h30", {8.5}),
        ("9 a.m.", {9.0}),
        ("下午 3点", {15.0}),
        ("12 am", {0.0}),
        ("call 555-0143", set()),
        ("room 214", set()),
    ],
)
def test_clock_times_are_read(text: str, expected: set[float]) -> None:
    assert clocks(text) == expected


@given(st.datetimes(min_value=local(2000, 1, 3), max_value=local(2090, 1, 1)), st.integers(0, 6))
def test_a_named_date_keeps_its_place_whenever_the_message_comes(received: datetime, ahead: int) -> None:
    day = received + timedelta(days=ahead)
    assert days(f"on {day.strftime('%A')}", received) == {ahead}
    assert ahead in days(f"on {day.month}/{day.day}", received)


@given(st.datetimes(min_value=local(2000, 1, 3), max_value=local(2090, 1, 1)))
def test_the_day_to_act_on_is_a_school_day_and_never_past(received: datetime) -> None:
    due = received.date() + timedelta(days=acting_day(received))
    assert due.weekday() < 5
    assert due >= received.date()
    assert (due == received.date()) == (received.weekday() < 5 and (received.hour, received.minute) < (15, 30))


@given(st.datetimes(min_value=local(2026, 2, 9), max_value=local(2026, 2, 15)))
def test_weekends_are_no_school_days(received: datetime) -> None:
    assert (arrival(received) == "off") == (received.weekday() >= 5)


def test_the_same_words_give_other_cues_on_another_day() -> None:
    text = "please let her out at 1 pm on thursday"
    monday, wednesday_evening, thursday = (local(2026, 2, day, hour) for day, hour in ((9, 9), (11, 19), (12, 9)))
    assert "due=later" in read_text(text, monday).cues
    assert "due=counts" in read_text(text, wednesday_evening).cues
    assert {"due=counts", "due=today", "clock=ahead"} <= set(read_text(text, thursday).cues)
    assert not {"due=counts", "due=later"} & set(read_text(text, None).cues)

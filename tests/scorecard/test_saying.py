from dataclasses import replace

import pytest

from autoresponder.wording import OFFICE, wording
from scorecard.report import Indicator, Resolution
from scorecard.saying import said, school_days
from tests.scorecard.sample_report import sample_report


@pytest.mark.parametrize(
    ("language", "days", "words"),
    [
        ("en", 1, "1 school day"),
        ("en", 1.5, "1.5 school days"),
        ("en", 0, "0 school days"),
        ("es", 1, "1 día de clase"),
        ("es", 2, "2 días de clase"),
    ],
)
def test_one_school_day_is_one_and_every_other_number_several(language: str, days: float, words: str) -> None:
    assert school_days(days, wording(language, OFFICE)) == words


@pytest.mark.parametrize(
    ("language", "unit", "sentence", "comparison"),
    [
        ("en", "school day", "On average one school day.", "Faster than in Spring 2026, by one school day."),
        (
            "es",
            "día de clase",
            "En promedio, un día de clase.",
            "Más rápido que en Spring 2026: un día de clase menos.",
        ),
    ],
)
def test_a_day_is_one_in_each_sentence(language: str, unit: str, sentence: str, comparison: str) -> None:
    report = sample_report()
    figures = report.groups[0]
    then = report.before_of(figures.group)
    assert then is not None
    one = replace(figures, resolution=Resolution(3, 0, mean=1, median=1))
    before = replace(then, resolution=Resolution(3, 0, mean=2, median=2))
    report = replace(report, groups_before=[before])
    told = said(Indicator.RESOLUTION, one, report, wording(language, OFFICE))
    assert (told.unit, told.comparison) == (unit, comparison)
    assert sentence in told.sentence

"""Some days of the school year, as they are lived through by `make soak`: each time the clocks are changed, with a
teacher who leaves, one who takes the class over, and a mailbox that moves from Exchange to Microsoft 365."""

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import structlog

import classifier
from classifier import Bearings, Classifier
from tests.soak.living import Life, Result
from tests.soak.town import in_this_process
from tests.soak.year import Year, calendar_of

SMALL = {"letters_a_week": 14.0, "class_size": 6, "teachers": 3}


@pytest.fixture(scope="module")
def model() -> Classifier:
    return classifier.load(None, Bearings(calendar_of(Year()), "en"))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


def lived_through(folder: Path, year: Year, model: Classifier) -> Result:
    with in_this_process(folder, year) as town:
        return Life(folder, year, town, model=model).live()


def test_the_week_in_which_the_clocks_go_back_keeps_every_promise(tmp_path: Path, model: Classifier) -> None:
    year = Year(seed=3, first=date(2025, 10, 30), school_days=4, **SMALL)
    assert year.leaves_on < year.moves_on < date(2025, 11, 2) < year.joins_on
    result = lived_through(tmp_path, year, model)
    assert result.violations == []
    assert result.oracle_asked == 1
    counts = result.counts
    assert counts["messages moved to Microsoft 365"] > 5
    # A class's own letters begin after its first days, and with them what a teacher sets right: not in so short a time.
    happened = ("left: reply", "left: route", "left: notice", "labelled routine", "labelled urgent")
    assert [what for what in happened if not counts[what]] == [], "the days are poorer than they should be"
    assert counts["office says, by mail"] + counts["office says, on the page"] > 0
    assert counts["contact noted on the page"] > 0
    assert counts["roster with changes"] > 0
    assert counts["restart"] == 3


def test_the_weekend_on_which_the_clocks_go_forward_keeps_every_promise(tmp_path: Path, model: Classifier) -> None:
    year = Year(seed=2, first=date(2026, 3, 6), school_days=2, **SMALL)
    assert year.moves_on == date(2026, 3, 7)
    result = lived_through(tmp_path, year, model)
    assert result.violations == []
    assert result.counts["left: reply"] > 0

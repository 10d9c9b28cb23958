"""The scorecard is brought up to date while the service runs, and its trouble is nobody else's."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import select
from sqlmodel import col

from scorecard.keeping import Brought, bring_up_to_date
from service.figure_keeping import FigureKeeper
from service.runner import Runner
from store.database import Database
from store.scorecard_tables import Grouping, Measure, ScorecardState
from tests.scorecard import kept_rows
from tests.service.maple import RIVERA, Maple


@pytest.fixture
def maple(tmp_path: Path) -> Iterator[Maple]:
    maple = Maple(database=Database.open(str(tmp_path / "a.db")))
    maple.round()
    yield maple
    maple.database.close()


def keeper_of(maple: Maple) -> FigureKeeper:
    parts = maple.assembly()
    return FigureKeeper(parts.settings, parts.calendar, parts.database, parts.clock)


class Pauses(Event):
    """A stop signal that is set after so many pauses, which take no time."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.taken: list[float] = []
        self._number = number

    def wait(self, timeout: float | None = None) -> bool:
        """Takes note."""
        self.taken.append(timeout or 0)
        if len(self.taken) == self._number:
            self.set()
        return self.is_set()


def urgent(maple: Maple) -> int:
    """How many urgent messages the scorecard counts for Ms. Rivera."""
    with maple.database.read() as connection:
        weekly = kept_rows.weekly(connection).items()
    wanted = [Grouping.TEACHER, RIVERA, Measure.URGENT]
    return sum(n for (_term, grouping, key, _monday, measure), n in weekly if [grouping, key, measure] == wanted)


def test_one_round_of_the_service_brings_the_figures_up_to_date(maple: Maple) -> None:
    maple.write("urgent bus")
    Runner(maple.assembly(), environ={}).run_once()
    assert urgent(maple) == 1


def test_trouble_with_the_figures_is_not_the_mails(maple: Maple, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Brought:
        raise KeyError("a fault")

    monkeypatch.setattr("service.figure_keeping.bring_up_to_date", fail)
    maple.write("urgent bus")
    assert Runner(maple.assembly(), environ={}).run_once() == {}
    assert len(maple.records()) == 1


def test_the_keeper_works_step_by_step_and_survives_errors(maple: Maple, monkeypatch: pytest.MonkeyPatch) -> None:
    maple.write("urgent bus")
    maple.round()
    stop = Pauses(12)
    keeper_of(maple).keep(stop)
    assert urgent(maple) == 1
    assert stop.taken[-1] == 60, "nothing is left to do"
    assert stop.taken[0] < 60, "it goes on at once while there is"

    def fail(*_: object) -> Brought:
        raise KeyError("a fault")

    monkeypatch.setattr("service.figure_keeping.bring_up_to_date", fail)
    stop = Pauses(3)
    keeper_of(maple).keep(stop)
    assert stop.taken == [60, 60, 60]


def test_who_waits_for_figures_waits_for_a_bounded_time(maple: Maple) -> None:
    assert not keeper_of(maple).look(1).complete
    with maple.database.read() as connection:
        assert connection.execute(select(col(ScorecardState.looked_at))).scalar() is None
    assert keeper_of(maple).look().complete


def test_mail_that_keeps_coming_does_not_keep_the_figures_from_being_complete(maple: Maple) -> None:
    assert keeper_of(maple).look(None).complete
    maple.write("urgent bus")
    maple.round()

    def more(_took: float) -> bool:
        maple.write("urgent bus")
        maple.round()
        return True

    parts = maple.assembly()
    brought = bring_up_to_date(parts.database, parts.settings, parts.calendar, parts.clock(), 20, rest=more)
    assert brought.complete
    assert urgent(maple) >= 1

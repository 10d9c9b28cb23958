"""The figures are kept by what changed, never counted from the start; and what is kept says of when it is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlmodel import SQLModel, col

from scorecard import computing
from scorecard.keeping import bring_up_to_date
from scorecard.office_time import office_minutes
from store.scorecard_tables import FamilyStanding, Grouping, Mark, Measure, ScorecardState, Tally
from tests.scorecard import kept_rows
from tests.scorecard.history import MAILBOXES, History
from tests.scorecard.spare import empty_database

LISTS: dict[str, Any] = {
    "cares": [1, 1, 2, 4, 8],
    "grades": [0, 0, 1, 1, 0],
    "schools": [1] * 5,
    "classes": [1, 1, 2, 2, 1, 1, 2, 4],
    "days": [1] * 8,
    "owners": [0, 1, 2, 3, 3],
    "gone": 9,
    "terms": 0,
}


@pytest.fixture
def history() -> Iterator[History]:
    with empty_database() as database:
        history = History(database)
        history.roster(LISTS)
        yield history


def bring(history: History, limit: int | None = None) -> bool:
    return bring_up_to_date(history.database, history.settings, history.calendar, history.now, limit).complete


def looked_at(history: History) -> datetime | None:
    with history.database.read() as connection:
        at: datetime | None = connection.execute(select(col(ScorecardState.looked_at))).scalar()
        return at


def rows(history: History, table: type[SQLModel]) -> list[Any]:
    with history.database.read() as connection:
        return sorted(map(tuple, connection.execute(select(table.__table__))), key=repr)  # type: ignore[attr-defined]


def written(history: History, *group: str) -> int:
    with history.database.read() as connection:
        numbers = kept_rows.numbers(connection).items()
    return sum(n for (_term, *of, measure, _by), n in numbers if of == list(group) and measure is Measure.WRITTEN)


def test_a_message_makes_only_its_own_family_be_looked_at(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(history)
    looked: list[Any] = []
    real = computing.family_standings
    monkeypatch.setattr(computing, "family_standings", lambda *asked: looked.append(asked[0]) or real(*asked))
    history.family_mail(0, 2, 0, 0, 5, 1, 0)
    bring(history)
    assert looked == [["s4"]], "one family, in one term"


def test_nothing_is_written_where_nothing_has_changed(history: History) -> None:
    history.teacher_mail(0, 31, 1, 5, 1)
    bring(history)
    before = rows(history, Tally), rows(history, FamilyStanding), rows(history, ScorecardState)
    assert bring(history)
    assert (rows(history, Tally), rows(history, FamilyStanding), rows(history, ScorecardState)) == before


def test_the_figures_say_of_when_they_are_and_only_when_all_of_them_are(history: History) -> None:
    assert not bring(history, 1)
    assert looked_at(history) is None
    assert bring(history)
    assert looked_at(history) == history.now
    begun = history.now
    history.now += timedelta(hours=1)
    history.roster(LISTS | {"grades": [1] * 5})
    history.now += timedelta(days=1)
    assert not bring(history, 1)
    assert looked_at(history) == begun
    assert bring(history)
    assert looked_at(history) == history.now


def test_a_circular_to_the_whole_school_is_split_into_steps(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(history)
    monkeypatch.setattr("scorecard.keeping._TOO_MUCH", 2)
    history.teacher_mail(1, 31, 0, 5, 1)
    assert not bring(history, 1)
    assert bring(history)
    with history.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(Mark)).scalar_one() == 0
    assert written(history, Grouping.ALL, "") == 4, "four families"


def test_two_who_look_at_once_count_nothing_twice(history: History) -> None:
    from tests.scorecard.history import Raced  # noqa: PLC0415

    bring(history)
    history.teacher_mail(0, 31, 1, 5, 1)

    def rival() -> None:
        bring(history)

    raced = Raced(history.database, rival)
    assert bring_up_to_date(raced, history.settings, history.calendar, history.now).complete
    assert written(history, Grouping.TEACHER, MAILBOXES[0]) == 4


@pytest.mark.parametrize(
    ("start", "end", "minutes"),
    [
        ((9, 14, 13, 0), (9, 14, 13, 30), 30),
        ((9, 14, 11, 0), (9, 14, 12, 10), 10),
        ((9, 14, 19, 20), (9, 15, 12, 5), 15),
        ((9, 18, 19, 0), (9, 21, 13, 0), 90),
        ((9, 14, 13, 0), (9, 14, 12, 0), 0),
        ((9, 14, 13, 0, 30), (9, 14, 13, 1, 29), 0),
    ],
)
def test_only_minutes_in_which_the_office_is_open_count(
    history: History, start: tuple[int, ...], end: tuple[int, ...], minutes: int
) -> None:
    """In New York 12:00 UTC is 8:00; the office is open from 8:00 to 15:30."""
    begin, over = (datetime(2026, *each, tzinfo=UTC) for each in (start, end))
    assert office_minutes(begin, over, history.calendar) == minutes

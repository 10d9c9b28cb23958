"""Every figure of the scorecard, kept up to date step by step, against the same figures computed from the start by an
independent, slow and obvious method (`tests.scorecard.oracle`), on random histories."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Connection, select

from scorecard import keeping
from scorecard.judging import Judge
from scorecard.keeping import bring_up_to_date
from scorecard.roster_slice import teams_in_terms
from scorecard.terms import terms_of
from store.database import Database
from store.scorecard_tables import OF_TERMS, Mark
from tests.scorecard import kept_rows
from tests.scorecard.history import HISTORIES, STEPS, Dying, History, Killed, Raced, settings_of
from tests.scorecard.oracle import Oracle
from tests.scorecard.spare import empty_database


def assert_true(history: History) -> None:
    """The figures on record are those that the oracle computes."""
    expected = Oracle(history.database, history.settings, history.calendar, history.now).figures()
    with history.database.read() as connection:
        of_terms = {key: n for key, n in kept_rows.numbers(connection).items() if key[3] in OF_TERMS}
        assert kept_rows.weekly(connection) == dict(expected.tallies)
        assert of_terms == dict(expected.of_terms)
        assert kept_rows.families(connection) == expected.families
        assert kept_rows.cases(connection) == expected.cases
        assert kept_rows.incidents(connection) == expected.incidents
        assert connection.execute(select(Mark.__table__)).all() == []  # type: ignore[attr-defined]
        assert_judged(history, connection)


def assert_judged(history: History, connection: Connection) -> None:
    """What is withheld is on record, and what deciding it from the start gives."""
    today = history.now.astimezone(history.calendar.zone).date()
    terms = terms_of(connection, history.settings, history.calendar, today)
    teams = teams_in_terms(connection, terms, today)
    judge = Judge(connection, history.settings.scorecard.smallest_group)
    assert judge.undecided(teams) == []
    for term, of_term in teams.items():
        assert judge.kept(term, of_term) == judge.decide(term, of_term)


def update(history: History, database: Database, limit: int | None = None) -> None:
    bring_up_to_date(database, history.settings, history.calendar, history.now, limit)


def take(history: History, step: str, said: Any) -> None:
    """One step of a history."""
    if step == "wait":
        history.now += timedelta(minutes=said)
    elif step == "clock set back":
        history.now -= timedelta(minutes=said)
    elif step == "settings":
        *teams, terms, closed, alias = said
        history.settings = settings_of(tuple(teams), terms, closed, alias=bool(alias))
    elif step == "update":
        update(history, history.database, said)
    elif step == "killed":
        with suppress(Killed):
            update(history, Dying(history.database, said[0], after=bool(said[1])))
    elif step == "rival":
        update(history, Raced(history.database, lambda: update(history, history.database, said[0] + 1)), 5)
    elif step == "import":
        history.roster(said)
    else:
        getattr(history, step.replace(" ", "_"))(*said)


def go_through(database: Database, lists: dict[str, Any], steps: list[tuple[str, Any]]) -> None:
    """A school's history from its first lists on, in an empty database; its figures are true in the end."""
    history = History(database)
    history.roster(lists)
    update(history, database)  # from here on, marks alone tell what has changed
    for step, said in steps:
        take(history, step, said)
    update(history, database)
    assert_true(history)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that little is much."""
    monkeypatch.setattr(keeping, "_BATCH", 12)
    monkeypatch.setattr(keeping, "_TOO_MUCH", 16)
    monkeypatch.setattr(keeping, "_NORMS_AT_ONCE", 2)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS["import"], HISTORIES)
def test_after_any_history_every_figure_is_what_counting_from_the_start_gives(
    lists: dict[str, Any], steps: list[tuple[str, Any]]
) -> None:
    with empty_database() as database:
        go_through(database, lists, steps)

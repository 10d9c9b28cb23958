"""After any history, forgetting any family leaves the figures of terms that are over as they were, those of terms that
run as counting from the start gives without it, and no name of theirs in any column."""

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlmodel import col

from scorecard.household import Household, NotOneFamily, household_of
from scorecard.terms import terms_of
from service.privacy.forgetting import forget
from service.privacy.receipts import places_with
from store import audit
from store.case_tables import CaseMail
from store.database import Database
from store.erasing import mail_of
from store.marks import mark
from store.roster_tables import RosterFamily
from store.scorecard_tables import OF_TERMS, MarkKind
from store.tables import MessageRecord
from tests.scorecard import kept_rows
from tests.scorecard.history import HISTORIES, STEPS, History
from tests.scorecard.oracle import Oracle
from tests.scorecard.test_truth import take, update


def running(history: History) -> set[str]:
    today = history.now.astimezone(history.calendar.zone).date()
    with history.database.read() as connection:
        terms = terms_of(connection, history.settings, history.calendar, today)
    return {term.id for term in terms if term.last >= today}


def kept(history: History) -> tuple[Any, ...]:
    """Numbers of all terms, and the families, cases and incidents behind them."""
    with history.database.read() as connection:
        return (
            kept_rows.numbers(connection),
            kept_rows.families(connection),
            kept_rows.cases(connection),
            kept_rows.incidents(connection),
        )


def of_others(database: Database, spelled: frozenset[str]) -> set[tuple[Any, ...]]:
    of = MessageRecord
    query = select(col(of.id), col(of.sender), col(of.tag), col(of.labels)).where(col(of.direction) == "received")
    with database.read() as connection:
        return {tuple(row) for row in connection.execute(query) if (row.sender or "").lower() not in spelled}


def forgets_and_stays_true(
    database: Database, lists: dict[str, Any], steps: list[tuple[str, Any]], which: int, days: int
) -> None:
    history = History(database)
    history.roster(lists)
    update(history, database)
    for step, said in steps:
        take(history, step, said)
    history.now += timedelta(days=days)
    update(history, database)
    with database.read() as connection:
        rows = connection.execute(select(col(RosterFamily.family)).order_by(col(RosterFamily.student)))
        families = list(dict.fromkeys(rows.scalars()))
    for family in families[which % (len(families) or 1) :][:1]:
        try:
            with database.write() as connection:
                household = household_of(connection, family)
        except NotOneFamily:
            return  # its students are another family by now
        alone = stands_alone(database, household)
        runs, before, others = running(history), kept(history), of_others(database, household.spelled)
        forget(database, history.settings, history.calendar, family, history.now, anyway=True)
        for again in (False, True):
            if again:
                with database.write() as connection:
                    mark(connection, MarkKind.EVERYTHING, [""])
            update(history, database)
            assert_still_true(history, runs, before if alone else None)
        assert of_others(database, household.spelled) == others
        assert places_with(database, household.addresses | household.families) == []
        assert audit.check(database).broken_at is None


def stands_alone(database: Database, household: Household) -> bool:
    """Whether nobody else's records hang together with theirs: where a student was once of another family, or a case
    has mail of two, what is left of a closed term's figures is the others'."""
    with database.read() as connection:
        of = RosterFamily
        theirs = connection.execute(select(col(of.family)).where(col(of.student).in_(household.students))).scalars()
        mail = mail_of(connection, household.spelled, household.addresses, household.keys)
        cases = connection.execute(select(col(CaseMail.case_id)).where(col(CaseMail.message_id).in_(mail.messages)))
        return set(theirs) <= household.families and set(cases.scalars()) <= mail.cases and not household.others


def assert_still_true(history: History, runs: set[str], before: tuple[Any, ...] | None) -> None:
    numbers, *standing = kept(history)
    expected = Oracle(history.database, history.settings, history.calendar, history.now).figures()
    closed = {key: n for key, n in numbers.items() if key[0] not in runs}
    assert before is None or closed == {key: n for key, n in before[0].items() if key[0] not in runs}
    weekly = {(*key, n) for key, n in expected.tallies.items() if key[0] in runs and n}
    with history.database.read() as connection:
        assert {(*key, n) for key, n in kept_rows.weekly(connection).items() if key[0] in runs} == weekly
    of_terms = {key: n for key, n in numbers.items() if key[3] in OF_TERMS and key[0] in runs}
    assert of_terms == {key: n for key, n in expected.of_terms.items() if key[0] in runs}
    for mine, truth in zip(standing, (expected.families, expected.cases, expected.incidents), strict=True):
        assert {row for row in mine if row[0] in runs} == {row for row in truth if row[0] in runs}


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS["import"], HISTORIES, st.integers(0, 4), st.sampled_from([0, 100, 300]))
def test_after_any_history_a_family_is_forgotten_and_the_rest_is_true(
    lists: dict[str, Any], steps: list[tuple[str, Any]], which: int, days: int
) -> None:
    database = Database.in_memory()
    try:
        forgets_and_stays_true(database, lists, steps, which, days)
    finally:
        database.close()

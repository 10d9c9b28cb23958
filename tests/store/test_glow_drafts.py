"""Drafts of good news, wishes and helpers on record, on SQLite and a real PostgreSQL, with several workers at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest

from store import audit
from store.database import Database
from store.glow_drafts import Asked, GlowDrafts, next_at
from store.glow_tables import GlowDraft
from store.glow_wishes import GlowWishes, wish
from store.home_helpers import HomeHelpers
from store.outbox import LeaseLost
from store.tables import DeliveryState
from tests.servers.postgres import Postgres

NOW = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
TODAY = NOW.date()
RIVERA = "rivera@maple.example"
LEASE = timedelta(minutes=2)
WORKERS = 6
Result = TypeVar("Result")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server("postgres"))])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        found = Database.open("alliance.db", folder=tmp_path)
    else:
        postgres_server: Postgres = request.getfixturevalue("postgres_server")
        found = postgres_server.school()
    yield found
    found.close()


def wanted(family: str, day: date = TODAY, at: datetime = NOW) -> GlowDraft:
    return GlowDraft(
        mailbox=RIVERA,
        term="spring",
        family=family,
        day=day,
        asked_by=RIVERA,
        asked_at=at,
        rfc_message_id=f"{family}@maple.example",
        next_attempt_at=at,
    )


def next_due_at(database: Database) -> datetime | None:
    with database.read() as connection:
        found: datetime | None = connection.execute(next_at(RIVERA)).scalar()
    return found


def at_once(work: Callable[[int], Result]) -> list[Result]:
    """What each of several workers gets who do the same at one moment."""
    together = Barrier(WORKERS)

    def one(number: int) -> Result:
        together.wait(30)
        return work(number)

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(one, range(WORKERS)))


def test_workers_who_ask_at_once_plan_one_for_a_family_and_no_more_than_a_few(database: Database) -> None:
    drafts = GlowDrafts(database, LEASE)
    answers = at_once(lambda number: drafts.ask(wanted(f"f{number // 2}"), most=2, now=NOW))
    assert answers.count(Asked.PLANNED) == len(drafts.of_term(RIVERA, "spring")) == drafts.asked_on(RIVERA, TODAY) == 2
    assert len(list(audit.entries(database))) == 2


def test_one_of_several_workers_takes_a_draft(database: Database) -> None:
    drafts = GlowDrafts(database, LEASE)
    drafts.ask(wanted("lopez"), most=3, now=NOW)
    taken = [each for each in at_once(lambda _: drafts.take(RIVERA, NOW)) if each is not None]
    assert len(taken) == 1
    drafts.saving(taken[0])
    drafts.finish(taken[0], DeliveryState.DONE, NOW)
    assert drafts.of_term(RIVERA, "spring")["lopez"].state is DeliveryState.DONE
    assert next_due_at(database) is None


def test_who_lost_the_lease_can_neither_save_nor_finish_nor_put_off(database: Database) -> None:
    drafts = GlowDrafts(database, LEASE)
    drafts.ask(wanted("lopez"), most=3, now=NOW)
    slow = drafts.take(RIVERA, NOW)
    later = drafts.take(RIVERA, NOW + LEASE)
    assert slow is not None
    assert later is not None
    for act in (
        lambda: drafts.saving(slow),
        lambda: drafts.finish(slow, DeliveryState.DONE, NOW),
        lambda: drafts.postpone(slow, NOW, "busy"),
    ):
        with pytest.raises(LeaseLost):
            act()
    assert next_due_at(database) == NOW + 2 * LEASE


def test_a_clock_that_was_ahead_holds_nothing_up(database: Database) -> None:
    drafts = GlowDrafts(database, LEASE)
    drafts.ask(wanted("lopez", at=NOW + timedelta(days=30)), most=3, now=NOW)
    assert drafts.take(RIVERA, NOW) is not None


def test_a_cancelled_one_may_be_asked_for_again_and_counts_for_the_later_day(database: Database) -> None:
    drafts = GlowDrafts(database, LEASE)
    drafts.ask(wanted("lopez"), most=1, now=NOW)
    taken = drafts.take(RIVERA, NOW)
    assert taken is not None
    drafts.finish(taken, DeliveryState.CANCELLED, NOW, "the family has had good news meanwhile")
    assert drafts.ask(wanted("brandt"), most=1, now=NOW) is Asked.ENOUGH
    tomorrow = NOW + timedelta(days=1)
    assert drafts.ask(wanted("lopez", tomorrow.date(), tomorrow), most=1, now=tomorrow) is Asked.PLANNED
    (row,) = drafts.of_term(RIVERA, "spring").values()
    assert (row.state, row.day, row.reason, row.finished_at) == (
        DeliveryState.WAITING,
        tomorrow.date(),
        None,
        None,
    )


def test_a_wish_is_on_record_once_however_many_copies_of_it_come(database: Database) -> None:
    def hear(number: int) -> None:
        with database.write() as connection:
            wish(connection, RIVERA, TODAY, NOW + timedelta(seconds=number))

    at_once(hear)
    wishes = GlowWishes(database)
    assert [each.morning for each in wishes.open(RIVERA)] == [TODAY]
    wishes.done(RIVERA, TODAY, NOW)
    hear(7)
    assert list(wishes.open(RIVERA)) == []


def test_workers_who_put_a_family_on_the_list_at_once_do_so_once(database: Database) -> None:
    helpers = HomeHelpers(database)
    done = at_once(lambda _: helpers.add(RIVERA, "lopez", by=RIVERA, day=TODAY, now=NOW))
    assert done.count(True) == 1
    assert helpers.since(RIVERA) == {"lopez": TODAY}
    assert helpers.since("okafor@maple.example") == {}
    assert at_once(lambda _: helpers.remove(RIVERA, "lopez", by=RIVERA, now=NOW)).count(True) == 1
    assert helpers.since(RIVERA) == {}
    later = TODAY + timedelta(days=9)
    assert helpers.add(RIVERA, "lopez", by=None, day=later, now=NOW)
    assert helpers.since(RIVERA) == {"lopez": later}
    assert len(list(audit.entries(database))) == 3

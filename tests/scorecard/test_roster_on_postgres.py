"""The roster on a real PostgreSQL: as on SQLite, and one import after the other."""

from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from scorecard.roster import Roster
from scorecard.roster_import import import_lists
from store.database import Database
from store.roster_tables import RosterFamily, RosterImport
from tests.scorecard.test_roster_import import NOW, now_picture, rows
from tests.scorecard.test_roster_killed import AFTER, BEFORE, FIRST, SECOND, bring
from tests.servers.postgres import Postgres
from tests.service import test_family_continuity as continuity
from tests.service.maple import Maple

pytestmark = pytest.mark.server("postgres")


@pytest.fixture(scope="module")
def empty(postgres_server: Postgres) -> Iterator[Callable[[], Database]]:
    opened: list[Database] = []

    def database() -> Database:
        opened.append(postgres_server.school())
        return opened[-1]

    yield database
    for each in opened:
        each.close()


def test_imports_at_the_same_time_leave_what_one_leaves(empty: Callable[[], Database]) -> None:
    database, on_sqlite = empty(), Database.in_memory()

    def import_it(lists: object, today: object) -> None:
        import_lists(database, lists, digest="0", now=NOW, today=today)  # type: ignore[arg-type]

    for lists, day in ((BEFORE, FIRST), (AFTER, SECOND)):
        bring(on_sqlite, lists, day)
        threads = [Thread(target=import_it, args=(lists, day)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert now_picture(database) == now_picture(on_sqlite)
    assert len(rows(database, RosterImport)) == 6
    assert len(rows(database, RosterFamily)) == len(rows(on_sqlite, RosterFamily))


@pytest.mark.parametrize(
    "story",
    [
        continuity.test_an_open_case_of_the_time_when_families_were_known_by_names_takes_the_next_message,
        continuity.test_families_whose_children_had_one_name_are_told_apart_by_who_wrote,
        continuity.test_families_that_become_one_have_one_history,
        continuity.TestMatching().test_a_match_that_is_taken_back_leaves_nothing_behind,
    ],
)
def test_what_is_on_record_of_a_family_stays_theirs(
    empty: Callable[[], Database], story: Callable[[Maple], None]
) -> None:
    maple = Maple(database=empty())
    maple.round()
    maple.roster = Roster.of(maple.database)
    story(maple)

"""An import that is killed changes nothing, wherever it was."""

import os
import signal
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy import event

from scorecard.roster_import import import_lists
from scorecard.school_lists import SchoolClass, SchoolLists
from store.database import Database
from store.roster_tables import RosterImport
from store.scorecard_tables import Mark
from tests.scorecard.test_roster_import import guardian, now_picture, picture, rows, student, whole

FIRST, SECOND = date(2026, 9, 1), date(2026, 10, 1)
BEFORE = whole(
    [student("s1"), student("s2"), guardian("g1", "a@home.example")],
    [("s1", "g1"), ("s2", "g1")],
    classes=[SchoolClass("c", "Science", "o")],
)
AFTER = whole(
    [student("s1", "06"), student("s3"), guardian("g1"), guardian("g2", "a@home.example")],
    [("s1", "g2"), ("s3", "g1")],
    classes=[SchoolClass("c", "Art", "o")],
)
_EVERY = 5


def bring(database: Database, lists: SchoolLists, today: date) -> None:
    import_lists(database, lists, digest="0", now=datetime(2026, 10, 1, tzinfo=UTC), today=today)


def import_and_die(file: Path, statement: int) -> bool:
    """A process of its own imports, and is killed before that statement of it. Whether it lived to the end."""
    child = os.fork()
    if child == 0:
        database, left = Database.at(str(file)), [statement]

        def count(*_: object) -> None:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(database.engine, "before_cursor_execute", count)
        event.listen(database.engine, "commit", count)
        bring(database, AFTER, SECOND)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def test_an_import_that_is_killed_at_any_statement_has_done_nothing_and_can_be_done_again(tmp_path: Path) -> None:
    file = tmp_path / "alliance.db"
    database = Database.open(str(file))
    bring(database, BEFORE, FIRST)
    before = now_picture(database), rows(database, Mark), rows(database, RosterImport)
    database.close()
    statement = 1
    while not import_and_die(file, statement):
        assert (now_picture(database), rows(database, Mark), rows(database, RosterImport)) == before
        database.close()
        statement += _EVERY
    assert statement > 5 * _EVERY
    assert len(rows(database, RosterImport)) == 2
    once = Database.in_memory()
    bring(once, AFTER, SECOND)
    assert now_picture(database) == now_picture(once)
    assert picture(database, FIRST)[1] == {("s1", "g1", False), ("s2", "g1", False)}
    database.close()

"""An import into an SQLite file is worked out beside the mail: it comes to what an import elsewhere comes to, nobody
waits while it is worked out, and what happens to the roster meanwhile is not lost."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, select

from scorecard import roster_import
from scorecard.roster_import import TooManyEnd, import_lists
from scorecard.roster_matching import match
from scorecard.roster_merge import Merge
from scorecard.school_lists import Listed, SchoolLists
from store.database import Database
from store.marks import mark
from store.roster_tables import RosterAddress, RosterImport, RosterPerson
from store.scorecard_tables import Mark, MarkKind
from tests.scorecard.history import STEPS, lists_of
from tests.scorecard.spare import empty_database
from tests.scorecard.test_roster_import import FIRST, NOW, SECOND, THIRD, facts, now_picture, picture, rows

DAYS = (FIRST, SECOND, THIRD)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(str(tmp_path / "alliance.db"))
    yield database
    database.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database.open(str(tmp_path_factory.mktemp("file") / "alliance.db"))
    yield database
    database.close()


def bring(database: Database, lists: SchoolLists, day: Any = FIRST, **how: bool) -> Any:
    return import_lists(database, lists, digest="0", now=NOW, today=day, allow_many=True, **how)


LISTS: dict[str, Any] = {
    "cares": [1, 1, 2, 4, 8], "grades": [0, 0, 1, 1, 0], "schools": [1] * 5, "classes": [1, 1, 2, 2, 1, 1, 2, 4],
    "days": [1] * 8, "owners": [0, 1, 2, 3, 3], "gone": 9, "terms": 0,
}  # fmt: skip


def marked(database: Database) -> list[tuple[Any, ...]]:
    return sorted((row.kind, row.key) for row in rows(database, Mark) if row.kind is not MarkKind.FAMILY)


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS["import"], min_size=1, max_size=3))
def test_it_comes_to_what_an_import_elsewhere_comes_to(file: Database, said: Sequence[dict[str, Any]]) -> None:
    with empty_database() as memory:
        with file.write() as connection:
            from sqlmodel import SQLModel  # noqa: PLC0415

            for table in reversed(SQLModel.metadata.sorted_tables):
                connection.execute(table.delete())
        for each, day in zip(said, DAYS, strict=False):
            done = [bring(database, lists_of(each), day) for database in (memory, file)]
            assert done[0] == done[1]
            assert now_picture(memory) == now_picture(file)
            assert marked(memory) == marked(file)
        assert [picture(memory, day) for day in DAYS] == [picture(file, day) for day in DAYS]


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]) -> list[int]:
    """While an import is worked out something else happens, the first time."""
    tried: list[int] = []
    real = Merge.carry_out

    def carry_out(merge: Merge) -> None:
        real(merge)
        tried.append(1)
        if len(tried) == 1:
            happens()

    monkeypatch.setattr(Merge, "carry_out", carry_out)
    return tried


def test_whoever_keeps_mail_does_not_wait_while_it_is_worked_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep_mail() -> None:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=0")
        with database.write() as connection:
            mark(connection, MarkKind.ADDRESS, ["ana@home.example"])

    tried = meanwhile(monkeypatch, keep_mail)
    bring(database, lists_of(LISTS))
    assert len(tried) == 1
    assert ("address", "ana@home.example") in marked(database)
    assert facts(database, RosterPerson, "id")


def test_what_happens_to_the_roster_meanwhile_is_seen(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(database, lists_of(LISTS))
    (student, *_rest) = sorted(row.id for row in rows(database, RosterPerson) if row.kinds == "student")

    def matched() -> None:
        match(database, "aunt@home.example", student, now=NOW, today=SECOND, by="office")

    tried = meanwhile(monkeypatch, matched)
    bring(database, lists_of(LISTS | {"grades": [1] * 5}), SECOND)
    assert len(tried) == 2
    assert "aunt@home.example" in {row.address for row in rows(database, RosterAddress)}
    assert len(rows(database, RosterImport)) == 2


def test_where_the_roster_never_rests_mail_waits_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_import, "_TRIES", 0)
    bring(database, lists_of(LISTS))
    assert facts(database, RosterPerson, "id")


def test_one_that_is_only_tried_or_fails_leaves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(database, lists_of(LISTS), dry_run=True)
    assert not rows(database, RosterPerson)
    assert not marked(database)

    def fails(*_given: object) -> None:
        raise KeyError

    with monkeypatch.context() as broken:
        broken.setattr(roster_import, "file_again", fails)
        with pytest.raises(KeyError):
            bring(database, lists_of(LISTS))
    assert not rows(database, RosterPerson)
    assert not rows(database, RosterImport)
    with database.read() as connection:
        temporary = connection.exec_driver_sql("SELECT count(*) FROM temp.sqlite_master").scalar()
        assert temporary == 0
        assert inspect(connection).has_table("roster_person")
        assert connection.execute(select(RosterPerson.id)).all() == []
    bring(database, lists_of(LISTS))
    assert rows(database, RosterPerson)


def test_a_cut_export_is_refused_as_elsewhere(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_import, "FEWEST", 2)
    bring(database, lists_of(LISTS))
    before = now_picture(database)
    with pytest.raises(TooManyEnd):
        import_lists(database, SchoolLists(complete=frozenset(Listed)),
                     digest="1", now=NOW, today=SECOND)  # fmt: skip
    assert now_picture(database) == before

"""Conditions on lists mean the same as SQLAlchemy's own, on both databases, in one statement whatever their length."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, event, insert, select
from sqlmodel import col

from store.among import among, among_given, one_of, values_of
from store.database import Database
from store.looks import Looks
from store.scorecard_tables import Mark, MarkKind
from tests.servers.postgres import Postgres

NOW = datetime(2026, 3, 3, 16, 0, 0, 123456, tzinfo=UTC)
KEYS = ["a", "b", 'c "quoted", and\\more', "d,{e}", "élan", ""]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server("postgres"))])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    if request.param == "sqlite":
        yield Database.in_memory()
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    found = server.school()
    yield found
    found.close()


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as found:
        for number, key in enumerate(KEYS, 1):
            kind = MarkKind.MESSAGE if number % 2 else MarkKind.ITEM
            found.execute(insert(Mark).values(id=number, kind=kind, key=key))
        yield found


@pytest.mark.parametrize(
    "wanted", [[], ["a"], ["b", "b", "nobody"], KEYS, ["x" * 5000], [f"n{n}" for n in range(2000)], ["a", None]]
)
def test_it_finds_what_a_list_of_single_values_finds(connection: Connection, wanted: list[str]) -> None:
    for ours, theirs in (
        (among(Mark.key, wanted), col(Mark.key).in_(wanted)),
        (~among(Mark.key, wanted), col(Mark.key).not_in(wanted)),
    ):
        keys = select(col(Mark.key)).order_by(col(Mark.id))
        assert list(connection.execute(keys.where(ours)).scalars()) == list(
            connection.execute(keys.where(theirs)).scalars()
        )
    these = values_of("these", wanted)
    named = select(col(Mark.id)).where(among_given(Mark.key, "these", set(these))).order_by(col(Mark.id))
    found = connection.execute(named, these).scalars()
    assert [KEYS[number - 1] for number in found] == [key for key in KEYS if key in wanted]


def test_it_takes_numbers(connection: Connection) -> None:
    some = select(col(Mark.key)).where(among(Mark.id, [2, 5, 70])).order_by(col(Mark.id))
    assert list(connection.execute(some).scalars()) == ["b", "élan"]


def test_words_of_ours_stand_in_the_statement(connection: Connection) -> None:
    marks = select(col(Mark.id)).where(one_of(Mark.kind, (MarkKind.ITEM, MarkKind.CASE))).order_by(col(Mark.id))
    assert list(connection.execute(marks).scalars()) == [2, 4, 6]
    assert "IN ('item', 'case')" in str(marks.compile(connection))


@pytest.mark.parametrize("lengths", [(1,), (3, 4), (9, 13, 16), (0, 17, 300)])
def test_one_statement_serves_lists_of_several_lengths(connection: Connection, lengths: tuple[int, ...]) -> None:
    asked = set[str]()
    event.listen(connection, "before_cursor_execute", lambda *told: asked.add(told[2]))
    for length in lengths:
        connection.execute(select(col(Mark.id)).where(among(Mark.key, [f"key {n}" for n in range(length)])))
    assert len(asked) == 1


def test_looks_at_many_mailboxes_are_noted_together_and_the_last_word_counts(database: Database) -> None:
    looks, asked = Looks(database), list[str]()
    first = {f"t{number}@district.example": NOW for number in range(1203)}
    looks.note(first)
    event.listen(database.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    looks.note({"t7@district.example": NOW.replace(hour=15), "new@district.example": NOW})
    assert len([each for each in asked if each.startswith("INSERT")]) == 1
    assert looks.all() == first | {"t7@district.example": NOW.replace(hour=15), "new@district.example": NOW}

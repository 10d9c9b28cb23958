"""Who has to wait for whom: families for themselves, and for those who must be alone."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from store.database import Database
from store.installation import secret_of
from store.turns import alone, alone_with
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.server("postgres")

Turn = Callable[[Connection], None]


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> Iterator[Database]:
    opened = postgres_server.school()
    with opened.write() as connection:
        secret_of(connection)
    yield opened
    opened.close()


def of(*families: str) -> Turn:
    return partial(_alone_with, families)


def _alone_with(families: Iterable[str], connection: Connection) -> None:
    alone_with(connection, families)


@pytest.mark.parametrize(
    ("held", "asked", "waits"),
    [
        (of("a"), of("a"), True),
        (of("a"), of("b"), False),
        (of("a", "b"), of("b", "c"), True),
        (of("a", "b"), of("c", "d"), False),
        (of(""), of(""), True),
        (of("a"), alone, True),
        (alone, of("a"), True),
        (alone, alone, True),
    ],
)
def test_only_those_wait_that_might_open_the_same_matter_twice(
    database: Database, held: Turn, asked: Turn, waits: bool
) -> None:
    with database.write() as first:
        held(first)
        with database.write() as second:
            second.execute(text("SET LOCAL lock_timeout = '300ms'"))
            if not waits:
                asked(second)
                return
            with pytest.raises(OperationalError, match="lock timeout"), second.begin_nested():
                asked(second)


def test_who_has_taken_a_turn_may_take_it_again(database: Database) -> None:
    with database.write() as connection:
        for turn in (of("a", "b"), of("a"), alone, of("c"), alone):
            turn(connection)


def test_a_turn_ends_with_its_transaction(database: Database) -> None:
    for turn in (of("a"), alone, of("a")):
        with database.write() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '300ms'"))
            turn(connection)


def test_in_a_file_there_is_one_writer_anyway() -> None:
    database = Database.in_memory()
    with database.write() as connection:
        alone_with(connection, ["a"])
        alone(connection)
    database.close()

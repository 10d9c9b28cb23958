"""The same tables and promises on a real PostgreSQL as on SQLite."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, insert, inspect, select, text
from sqlmodel import Session, SQLModel, col

from store import tables
from store.database import Database, Shape
from store.marks import mark
from store.scorecard_tables import Mark, MarkKind
from tests.servers.postgres import Postgres

pytestmark = pytest.mark.server("postgres")


def test_the_migrations_build_exactly_the_tables_that_the_code_expects(postgres_server: Postgres) -> None:
    database = Database.open(postgres_server.database())
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, SQLModel.metadata) == []
        assert tables.MessageRecord.__tablename__ in inspect(connection).get_table_names()
    assert database.shape() is Shape.CURRENT
    database.close()


def test_a_read_sees_one_moment_whatever_is_committed_meanwhile(postgres_server: Postgres) -> None:
    database = Database.open(postgres_server.database())
    marks = select(func.count()).select_from(Mark)
    with database.read() as connection:
        before = connection.execute(marks).scalar_one()
        with database.write() as other:
            mark(other, MarkKind.ADDRESS, ["ana@home.example"])
        assert connection.execute(marks).scalar_one() == before
    with database.read() as connection:
        assert connection.execute(marks).scalar_one() == before + 1
    database.close()


def test_a_statement_that_is_asked_again_and_again_stays_prepared_whatever_else_is_read(
    postgres_server: Postgres,
) -> None:
    database = Database.open(postgres_server.database())
    prepared = text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%scorecard_mark%'")
    for _ in range(10):
        with database.read() as connection, Session(bind=connection) as session:
            session.execute(select(func.count()).select_from(Mark)).scalar_one()
        with database.glance() as connection:
            connection.execute(select(func.max(col(Mark.id))))
        with database.write() as connection:
            mark(connection, MarkKind.ADDRESS, ["bo@home.example"])
    with database.read() as connection:
        assert connection.execute(prepared).scalar_one() >= 3
    database.close()


def test_one_statement_that_writes_is_done_as_soon_as_it_is_carried_out(postgres_server: Postgres) -> None:
    database = Database.open(postgres_server.database())
    with database.write_at_once() as connection:
        connection.execute(insert(Mark).values(kind=MarkKind.ADDRESS, key="ana@home.example"))
        with database.read() as other:
            assert other.execute(select(func.count()).select_from(Mark)).scalar_one() == 1
    database.close()


def test_workers_that_open_a_new_database_at_once_make_its_tables_once(postgres_server: Postgres) -> None:
    location, together = postgres_server.database(), Barrier(4)

    def open_it(_: int) -> Shape:
        together.wait(30)
        database = Database.open(location)
        shape = database.shape()
        database.close()
        return shape

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(open_it, range(4))) == [Shape.CURRENT] * 4

"""`alliance migrate`: brings the database's tables up to date."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings

if TYPE_CHECKING:
    from store.database import Database


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(migrate)


def migrate(
    config: ConfigOption = DEFAULT_CONFIG,
    check: Annotated[
        bool, typer.Option("--check", help="Only say what is to be done; exit code 1 where something is.")
    ] = False,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="Also what no older worker survives: when the last of them has ended."),
    ] = False,
) -> None:
    """Brings the database's tables to this version: SQLite or PostgreSQL, there with the queue's own.

    Safe while workers of the version before run, and safe to repeat.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from service.logs import said
    from store.database import Database, StoreError

    settings = load_settings(config)
    try:
        database = Database.at(settings.service.database)
        if not check:
            database = Database.open(settings.service.database)
            _bring_queue(database, finish=finish)
        to_do = _to_do(database)
    except StoreError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except (SQLAlchemyError, OSError) as error:
        typer.echo(f"service.database cannot be used: {said(error)}", err=True)
        raise typer.Exit(2) from error
    for each in to_do.now:
        typer.echo(f"to do: {each}")
    for each in to_do.last:
        typer.echo(f"when no older worker runs any more, with --finish: {each}")
    if not to_do.now:
        typer.echo(f"{database.url.render_as_string()}: the tables are those of this version")
    if to_do.now:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _ToDo:
    """What a database still needs."""

    now: Sequence[str] = ()
    last: Sequence[str] = ()
    """What no older worker survives."""


def _to_do(database: "Database") -> _ToDo:
    from store.database import Shape

    shape = database.shape()
    if shape is Shape.EMPTY:
        return _ToDo(["there are no tables yet"])
    if shape is Shape.OLDER:
        return _ToDo(["the tables are of an older version"])
    if not _is_district(database):
        return _ToDo()
    from store.queue_schema import QueueSchema

    pending = QueueSchema(database).pending()
    return _ToDo(
        [f"the queue's tables: {name}" for name in pending.first],
        [f"the queue's tables: {name}" for name in pending.last],
    )


def _bring_queue(database: "Database", *, finish: bool) -> None:
    if not _is_district(database):
        return
    from store.queue_schema import QueueSchema

    for name in QueueSchema(database).migrate(finish=finish):
        typer.echo(f"done: the queue's tables: {name}")


def _is_district(database: "Database") -> bool:
    """Whether workers can share it. Without the queue's package there are none, and its tables are left alone."""
    from importlib.util import find_spec

    return database.url.get_backend_name() == "postgresql" and find_spec("procrastinate") is not None

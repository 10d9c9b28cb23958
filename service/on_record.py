"""Puts into the audit log what was done on the command line and changes no table."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from config.settings import Settings


def put_on_record(settings: "Settings", act: str, about: str) -> None:
    """Adds an entry, by nobody whom the pages know. What was done stays done where the database cannot be had: that is
    said on standard error."""
    import typer  # noqa: PLC0415  (so that `alliance --help` needs none of it)
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    from service.assembly import system_clock  # noqa: PLC0415
    from store import audit  # noqa: PLC0415
    from store.database import Database, StoreError  # noqa: PLC0415

    try:
        database = Database.open(settings.service.database)
        try:
            with database.write() as connection:
                audit.append(connection, at=system_clock(), person=None, act=act, about=about)
        finally:
            database.close()
    except (StoreError, SQLAlchemyError):
        typer.echo("Done, and not in the audit log: the database cannot be opened.", err=True)

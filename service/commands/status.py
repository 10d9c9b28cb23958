"""`alliance status`: how the service stands, on one screen."""

import json
from typing import Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("status")(_status)


def _status(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show on one screen what runs, which mailboxes are looked at, what waits, and what nobody has taken.

    Reads the database and nothing else. Exits with 1 when something needs somebody.
    """
    from rich.console import Console

    from config import SchoolCalendar
    from service.assembly import system_clock
    from service.operating.status import as_object, read_status
    from service.operating.status_screen import screen
    from store.database import Database, StoreError

    settings = load_settings(config)
    try:
        database = Database.at(settings.service.database)
    except StoreError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    if database.file is not None and not database.file.exists():
        typer.echo(f"There is no database yet: {database.file}. `alliance run` makes it.", err=True)
        raise typer.Exit(2)
    calendar = SchoolCalendar.of(settings.school, settings.office)
    try:
        status = read_status(settings, calendar, database, system_clock())
    except StoreError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    finally:
        database.close()
    if as_json:
        typer.echo(json.dumps(as_object(status), indent=2, ensure_ascii=False))
    else:
        Console(highlight=False).print(screen(status, settings.school.zone))
    if status.needs_somebody:
        raise typer.Exit(1)

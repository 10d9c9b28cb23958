"""Options that commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from config import Settings
    from service.assembly import Assembly, Clock
    from store.database import Database

DEFAULT_CONFIG = Path("alliance.toml")

ConfigOption = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="ALLIANCE_CONFIG", metavar="FILE", help="The configuration file."),
]
"""Write `config: ConfigOption = DEFAULT_CONFIG`."""


def load_settings(path: Path) -> "Settings":
    """The settings, or every fault on standard error and exit code 2."""
    from config import ConfigError, load  # noqa: PLC0415  (so that `alliance --help` needs none of it)

    try:
        return load(path)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def assemble(settings: "Settings", database: "Database", clock: "Clock | None" = None) -> "Assembly":
    """The service's parts, which go by the machine's time unless told otherwise; or what they lack, on standard error,
    and exit code 2."""
    from classifier.errors import ModelError  # noqa: PLC0415
    from config import ConfigError  # noqa: PLC0415
    from service.assembly import Assembly, system_clock  # noqa: PLC0415

    try:
        return Assembly.build(settings, database=database, clock=clock or system_clock)
    except (ConfigError, ModelError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def open_database(settings: "Settings") -> "Database":
    """The service's database, its tables up to date; or why not, on standard error, and exit code 2."""
    from store.database import Database, StoreError  # noqa: PLC0415

    try:
        return Database.open(settings.service.database)
    except StoreError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error

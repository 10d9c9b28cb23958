"""`alliance demo`: the real service over the mail of a made-up school."""

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(demo)


def demo(
    folder: Annotated[Path, typer.Option("--dir", metavar="FOLDER", help="Where the sample school is made.")] = Path(
        "demo-school"
    ),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Remove what an earlier demo made there, and start over.")
    ] = False,
) -> None:
    """Runs the real service over a made-up school's history and nine days of its mail, and ends with the scorecard."""
    from rich.console import Console

    from classifier.errors import ModelError
    from config import ConfigError
    from service.sample.demo import show
    from service.sample.school import NotASampleSchool
    from store.database import StoreError

    try:
        failures = show(folder, Console(), fresh=fresh)
    except (NotASampleSchool, ConfigError, ModelError, StoreError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt as error:
        typer.echo("Stopped. The same command goes on from here; --fresh starts over.", err=True)
        raise typer.Exit(130) from error
    if failures:
        raise typer.Exit(1)

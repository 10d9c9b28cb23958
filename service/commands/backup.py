"""`alliance backup` and `alliance restore`: everything that the service knows, in one folder."""

import os
from pathlib import Path
from typing import Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("backup")(_backup)
    app.command("restore")(_restore)


def _backup(
    folder: Annotated[Path, typer.Argument(help="Where backups are kept; each gets a folder of its own in it.")],
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    keep: Annotated[
        int | None, typer.Option("--keep", min=1, help="Then delete all but so many of the newest.")
    ] = None,
) -> None:
    """Back up the database, the vault without its key, the models and the configuration, as of one moment.

    The service may run meanwhile. A backup holds families' addresses: keep it as you keep other records about families.
    """
    from service.assembly import system_clock
    from service.operating.backup import BackupError, back_up, thin_out
    from store.database import StoreError

    settings = load_settings(config)
    try:
        made = back_up(settings, config, os.environ, folder, system_clock())
        typer.echo(f"backed up into {made}")
        for old in thin_out(folder, keep) if keep else ():
            typer.echo(f"deleted {old}")
    except (BackupError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"{folder} cannot be written: {error.strerror or error}", err=True)
        raise typer.Exit(2) from error


def _restore(
    backup: Annotated[Path, typer.Argument(help="A folder that `alliance backup` made.")],
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the backup is whole; write nothing.")
    ] = False,
) -> None:
    """Put a backup where the configuration says that database, vault and models are. Overwrites nothing.

    Stop the service first. What came and was answered since the backup is recognised afterwards: no family is answered
    twice.
    """
    from service.operating.backup import BackupError, contents_of, restore
    from store.database import StoreError

    try:
        if check:
            contents = contents_of(backup)
            typer.echo(f"{backup} is whole: made {contents.made_at:%Y-%m-%d %H:%M} UTC by {contents.version}")
            return
        restored = restore(load_settings(config), os.environ, backup)
    except (BackupError, StoreError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except OSError as error:
        typer.echo(f"could not be restored: {error.filename or ''} {error.strerror or error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"restored what was backed up {restored.contents.made_at:%Y-%m-%d %H:%M} UTC")
    if restored.unopened:
        typer.echo(
            f"The vault's key does not open {len(restored.unopened)} of {restored.secrets} secrets: put the key of "
            "that time back (docs/howto/credentials.md), or connect anew.",
            err=True,
        )
        raise typer.Exit(1)
    typer.echo("Start the service; `alliance doctor` says whether all is well.")

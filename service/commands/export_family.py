"""`alliance export-family`: a copy of everything on record about a family, for who asks for it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("export-family")(export_family)


def export_family(
    who: Annotated[
        str, typer.Argument(help="A guardian's address, or the identifier of a student or family on the roster.")
    ],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where to write records.html and records.json.")],
    whole_family: Annotated[
        bool, typer.Option("--whole-family", help="With an address: the other guardians' letters, too.")
    ] = False,
    letters: Annotated[
        bool, typer.Option("--letters", help="Fetch the letters themselves from the mailboxes, too.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Write everything on record about a family, for people and for machines.

    An address stands for that guardian alone, and the students in their care.
    """
    from scorecard.household import NotOneFamily
    from service.assembly import system_clock
    from service.logs import configure
    from service.privacy.exporting import copy_for, letters_of

    configure()
    settings = load_settings(config)
    database = open_database(settings)
    try:
        made = copy_for(database, settings, who.strip(), system_clock(), whole_family=whole_family)
    except NotOneFamily as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        database.close()
    try:
        to.mkdir(parents=True, exist_ok=True, mode=0o700)
        (to / "records.html").write_text(made.as_html(), encoding="utf-8")
        (to / "records.json").write_text(made.as_json(), encoding="utf-8")
        fetched, failed = letters_of(made, settings, os.environ, to / "letters") if letters else (0, ())
    except OSError as error:
        typer.echo(f"{to}: {error.strerror}", err=True)
        raise typer.Exit(1) from error
    rows = sum(len(section.rows) for section in made.sections)
    typer.echo(f"{rows} records in {to / 'records.html'} (and records.json).")
    if letters:
        typer.echo(f"{fetched} of {len(made.letters)} letters in {to / 'letters'}.")
        for address in failed:
            typer.echo(f"{address} could not be read whole; try again.", err=True)
    elif made.letters:
        typer.echo(f"{len(made.letters)} letters lie in mailboxes: --letters fetches them.")
    typer.echo("Look it through before you hand it out: you know better who may read what.")

"""`alliance incidents`: behavior incidents, from the school's own list."""

import typer

from service.list_imports import AsJson, DryRun, ListFile, say_what_came_of_it, school_today
from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database


def register(app: typer.Typer) -> None:
    """Adds the command."""
    group = typer.Typer(help="Behavior incidents, from the school's own list.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("import")(import_list)
    app.add_typer(group, name="incidents")


def import_list(
    file: ListFile,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Reads incidents from a CSV file: date, student_id or student, kind, baseline_date, id, status. All of it or
    nothing; the same file again changes nothing; a later baseline date restates the row; rows that cannot be used are
    named and left out."""
    from config import ConfigError
    from scorecard.incident_list import read_incidents
    from scorecard.list_import import import_incidents, pupils_of

    settings = load_settings(config)
    database = open_database(settings)
    try:
        now, today = school_today(settings)
        read = read_incidents(file, pupils_of(database, today), today=today)
        done = import_incidents(database, read.rows, now=now, dry_run=dry_run)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    finally:
        database.close()
    say_what_came_of_it("incidents", done, read.rejected, dry_run=dry_run, as_json=as_json)

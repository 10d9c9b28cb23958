"""`alliance purge`: erases what is older than the school keeps."""

import json
from collections.abc import Mapping
from typing import Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(purge)


def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and erase nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Erase what is older than the settings keep (table retention). The service does so once a day by itself.

    Mailboxes are not touched. Figures of terms that are over stay, as numbers alone.
    """
    from config import SchoolCalendar
    from service.assembly import system_clock
    from service.logs import configure
    from service.privacy.purging import Purge
    from service.privacy.receipts import scrub

    configure()
    settings = load_settings(config)
    database = open_database(settings)
    try:
        work = Purge(database, settings, SchoolCalendar.of(settings.school, settings.office), system_clock)
        rows = work.would_go() if dry_run else work.carry_out()
        clean = dry_run or scrub(database, system_clock())
    finally:
        database.close()
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "rows": dict(rows), "overwritten": clean}, indent=2))
    else:
        typer.echo(_said(rows, dry_run=dry_run))
    if not clean:
        typer.echo(
            "Its bytes are not overwritten yet: somebody is reading. The next `alliance purge` does it.", err=True
        )


def _said(rows: Mapping[str, int], *, dry_run: bool) -> str:
    if not rows:
        return "Nothing is older than it is kept."
    listed = "".join(f"\n  {number:>9,}  {table}" for table, number in rows.items())
    return f"{'Would be erased' if dry_run else 'Erased'}, rows by table:{listed}"

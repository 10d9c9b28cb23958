"""What the commands that read a school's lists have in common: their options, and how they say what came of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from config import Settings
    from scorecard.list_import import Carried
    from scorecard.school_lists import Rejected

_SHOWN = 50

ListFile = Annotated[Path, typer.Argument(metavar="FILE", help="The CSV file, in UTF-8.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]


def school_today(settings: "Settings") -> tuple[datetime, date]:
    """Now, aware, and the day that it is at the school."""
    from service.assembly import system_clock  # noqa: PLC0415  (so that `alliance --help` needs none of it)

    now = system_clock()
    return now, now.astimezone(settings.school.zone).date()


def say_what_came_of_it(
    what: str, done: "Carried", rejected: "Sequence[Rejected]", *, dry_run: bool, as_json: bool
) -> None:
    """Prints how many rows did what; the rejected ones on standard error, with file, line, column and reason. Exits
    with code 1 where there are any, after the others were carried over."""
    if as_json:
        counted = {
            "added": done.added,
            "changed": done.changed,
            "withdrawn": done.withdrawn,
            "unchanged": done.unchanged,
        }
        rows = [asdict(each) for each in rejected]
        typer.echo(json.dumps({"dry_run": dry_run, **counted, "rejected": rows}, indent=2, ensure_ascii=False))
    else:
        would = "would be " if dry_run else ""
        typer.echo(
            f"{what.capitalize()}: {done.added} {would}added, {done.changed} {would}changed, {done.withdrawn} "
            f"{would}withdrawn, {done.unchanged} as they were, {len(rejected)} rejected."
        )
        for each in rejected[:_SHOWN]:
            typer.echo(str(each), err=True)
        if len(rejected) > _SHOWN:
            typer.echo(f"and {len(rejected) - _SHOWN} more, which --json names", err=True)
    if rejected:
        raise typer.Exit(1)

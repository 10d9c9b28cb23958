"""`alliance scorecard`: what came in, what was done, whether the norm was kept; by teacher, team and week."""

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from rich.table import Table

    from scorecard.counts import Week

_NUMBERS = ("urgent", "conflict", "routine", "unsure", "answered", "routed", "corrected")
_NARROW = {"answered": "an-\nswered", "corrected": "cor-\nrected"}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(name="scorecard")(scorecard)


def scorecard(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Counts by teacher, team and week: tags, answers, routes, and whether the norm was kept."""
    from config import SchoolCalendar
    from scorecard.counts import weekly_counts
    from service.assembly import system_clock

    settings = load_settings(config)
    database = open_database(settings)
    weeks = weekly_counts(database, settings, SchoolCalendar.of(settings.school, settings.office), system_clock())
    database.close()
    if as_json:
        typer.echo(json.dumps({"weeks": [_plain(week) for week in weeks]}, indent=2, ensure_ascii=False))
        return
    from rich.console import Console

    console = Console()
    if not weeks:
        console.print("Nothing to count yet: no family mail has arrived since the mailboxes were connected.")
        return
    console.print(_table(weeks, settings.norm.reply_within_hours[1]))


def _plain(week: "Week") -> dict[str, object]:
    return dataclasses.asdict(week) | {"monday": week.monday.isoformat()}


def _table(weeks: "list[Week]", hours: int) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        title="Family mail by teacher and week",
        caption=f"norm: conversations that the teacher answered within {hours} school hours, of all whose time is up "
        "or that were answered; in brackets those whose time still runs",
    )
    table.add_column("week of", overflow="fold")
    for name in (*(_NARROW.get(name, name) for name in _NUMBERS), "norm"):
        table.add_column(name, justify="right", min_width=max(map(len, name.split("\n"))))
    last = ""
    for week in weeks:
        judged = week.norm_kept + week.norm_missed
        norm = f"{week.norm_kept}/{judged}" if judged else "–"
        norm += f" ({week.norm_open})" if week.norm_open else ""
        numbers = [str(getattr(week, name) or "·") for name in _NUMBERS]
        who = f"{week.teacher}, {week.team}" if week.team else week.teacher
        if who != last:
            table.add_section()
            table.add_row(escape(who), style="bold")
        table.add_row(f"  {week.monday.isoformat()}", *numbers, norm)
        last = who
    return table

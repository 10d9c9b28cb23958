"""`alliance answers`: which mailboxes give answers, and letting those go on that stopped."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from config.settings import Settings
    from store.ceiling import Standing


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True, help="Automatic answers: where they stand, and resuming them.")
    group.command("show")(_show)
    group.command("resume")(_resume)
    app.add_typer(group, name="answers")


def _show(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Shows for each mailbox how many answers left within the last hour, and whether its answers are stopped."""
    settings, standings = _standings_of(config)
    if as_json:
        rows = {"answers_per_hour": settings.norm.answers_per_hour, "mailboxes": [_plain(each) for each in standings]}
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    _print(standings, settings)


def _resume(
    addresses: Annotated[
        list[str] | None, typer.Argument(metavar="[ADDRESS]...", help="Mailboxes whose answers are to go on.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    everything: Annotated[bool, typer.Option("--all", help="All mailboxes whose answers are stopped.")] = False,
) -> None:
    """Lets a mailbox answer families again, from the next message on. Exits with 1 where one was not stopped."""
    from service.assembly import system_clock
    from store.ceiling import Ceiling

    if bool(addresses) == everything:
        typer.echo("Say which: addresses of mailboxes, or --all.", err=True)
        raise typer.Exit(2)
    settings = load_settings(config)
    known = [box.address for box in settings.mailboxes]
    wanted = known if everything else [address.lower() for address in addresses or ()]
    if unknown := [address for address in wanted if address not in known]:
        typer.echo(f"The configuration has no mailbox {', '.join(unknown)}.", err=True)
        raise typer.Exit(2)
    database = open_database(settings)
    ceiling = Ceiling(database, settings.norm)
    resumed = [address for address in wanted if ceiling.resume(address, system_clock())]
    database.close()
    for address in resumed:
        typer.echo(f"{address}: families are answered again, from the next message on.")
    for address in [] if everything else [each for each in wanted if each not in resumed]:
        typer.echo(f"{address}: its answers are not stopped.", err=True)
    if everything and not resumed:
        typer.echo("No mailbox's answers are stopped.")
    if not everything and len(resumed) < len(wanted):
        raise typer.Exit(1)


def _standings_of(config: "ConfigOption") -> "tuple[Settings, list[Standing]]":
    from service.assembly import system_clock
    from store.ceiling import Ceiling

    settings = load_settings(config)
    database = open_database(settings)
    standings = Ceiling(database, settings.norm).standings([box.address for box in settings.mailboxes], system_clock())
    database.close()
    return settings, standings


def _plain(standing: "Standing") -> dict[str, object]:
    return {
        "mailbox": standing.mailbox,
        "answers_within_the_hour": standing.this_hour,
        "stopped_at": standing.stopped_at and standing.stopped_at.isoformat(),
        "cause": standing.cause,
        "until": standing.until and standing.until.isoformat(),
    }


def _print(standings: "list[Standing]", settings: "Settings") -> None:
    from rich.console import Console
    from rich.table import Table

    from service.notices import when
    from service.stopping import stop_reason

    table = Table(title=f"Answers (at most {settings.norm.answers_per_hour} an hour)")
    for name in ("mailbox", "this hour", "stopped", "why", "goes on by itself"):
        table.add_column(name, overflow="fold")
    for each in standings:
        table.add_row(
            each.mailbox,
            str(each.this_hour),
            when(each.stopped_at, settings) if each.stopped_at else "",
            stop_reason(each.cause, settings) if each.cause else "",
            when(each.until, settings) if each.until else "",
        )
    console = Console()
    console.print(table)
    if any(each.stopped_at for each in standings):
        console.print("Urgent mail reaches the office all the same. `alliance answers resume` lets answers go on.")

"""`alliance roster`: brings the school's lists in, says how the roster stands, and whose an unknown address is."""

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorecard.roster_import import Imported
    from scorecard.roster_state import RosterState
    from scorecard.school_lists import Listed

_MOST_SHOWN = 200
_AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]
_Address = Annotated[str, typer.Argument(help="The address, as `alliance roster unknown` shows it.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True, help="Who goes to the school, and who looks after them.")
    group.command("import")(_import)
    group.command("status")(_status)
    group.command("unknown")(_unknown)
    group.command("match")(_match)
    group.command("unmatch")(_unmatch)
    app.add_typer(group, name="roster")


def _import(
    path: Annotated[
        Path, typer.Argument(help="A OneRoster or School Data Sync export (folder or zip), or a simple list (CSV).")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    allow_many: Annotated[
        bool, typer.Option("--allow-many", help="Also where many people are not on the lists any more.")
    ] = False,
    as_json: _AsJson = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Brings the roster up to what the school's lists say; all of it, or nothing. What was left out is printed.

    Exits with 1 where rows were left out, with 2 where nothing could be imported.
    """
    from config import ConfigError
    from scorecard.roster_import import TooManyEnd
    from service.assembly import system_clock
    from service.roster_keeping import import_file, other_roster

    settings = load_settings(config)
    other = other_roster(settings, path)
    if other is not None:
        typer.echo(
            f"school.roster in {config} names {other}, which would undo this: take it out, or let it name {path}.",
            err=True,
        )
        raise typer.Exit(2)
    database = open_database(settings)
    try:
        done = import_file(settings, database, path, now=system_clock(), dry_run=dry_run, allow_many=allow_many)
    except (ConfigError, TooManyEnd) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    finally:
        database.close()
    if as_json:
        typer.echo(json.dumps(_plain(done), indent=2, ensure_ascii=False))
    else:
        _print(done, dry_run=dry_run)
    if done.rejected:
        raise typer.Exit(1)


def _status(as_json: _AsJson = False, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Says how many people and families the roster knows, and when it was last imported."""
    from scorecard.roster_state import roster_state

    settings = load_settings(config)
    database = open_database(settings)
    state = roster_state(database)
    database.close()
    if as_json:
        typer.echo(json.dumps(_plain_state(state), indent=2))
        return
    if state.imported_at is None:
        typer.echo("There is no roster yet. `alliance roster import` brings one in; docs/howto/roster.md says how.")
        return
    zone = settings.school.zone
    for name, count in state.counts.items():
        typer.echo(f"{name:<12}{count:>9,}")
    typer.echo(
        f"\nLast imported {state.imported_at.astimezone(zone):%Y-%m-%d %H:%M}, {state.rejected} rows left out; "
        f"{state.matched} addresses matched by the school."
    )


def _unknown(
    days: Annotated[int, typer.Option(min=1, help="Of the last so many days.")] = 90,
    as_json: _AsJson = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Lists who wrote family mail and is on no list: address, teacher, how many messages, and when the last came."""
    from scorecard.roster_matching import unknown_senders
    from service.assembly import system_clock

    settings = load_settings(config)
    database = open_database(settings)
    found = unknown_senders(database, system_clock() - timedelta(days=days))
    database.close()
    if as_json:
        plain = [
            {"address": u.address, "teacher": u.mailbox, "messages": u.messages, "last_at": u.last_at.isoformat()}
            for u in found
        ]
        typer.echo(json.dumps({"unknown": plain}, indent=2, ensure_ascii=False))
        return
    if not found:
        typer.echo(f"Everybody who wrote in the last {days} days is on the roster.")
        return
    for each in found:
        last = each.last_at.astimezone(settings.school.zone)
        typer.echo(f"{each.address}  to {each.mailbox}  {each.messages}  last on {last:%Y-%m-%d}")
    typer.echo("\n`alliance roster match ADDRESS ID` says whose an address is: a guardian's, or of a student's family.")


def _match(
    address: _Address,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="A student's or a guardian's identifier.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Says whose an address is that no list names. Later imports leave it so. Goes to the audit log."""
    from scorecard.roster_matching import NoMatch, match
    from service.assembly import system_clock

    settings = load_settings(config)
    valid = _valid(address)
    database = open_database(settings)
    now = system_clock()
    try:
        today = now.astimezone(settings.school.zone).date()
        match(database, valid, identifier, now=now, today=today, by=None)
    except NoMatch as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        database.close()
    typer.echo(f"Mail from {valid} is of {identifier}'s family from now on; what came before, too.")


def _unmatch(address: _Address, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Takes back what the school said of an address. Goes to the audit log."""
    from scorecard.roster_matching import NoMatch, unmatch
    from service.assembly import system_clock

    valid = _valid(address)
    database = open_database(load_settings(config))
    try:
        unmatch(database, valid, now=system_clock(), by=None)
    except NoMatch as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    finally:
        database.close()
    typer.echo(f"Nobody knows any more whose address {valid} is.")


def _valid(address: str) -> str:
    from pydantic import TypeAdapter, ValidationError

    from config.settings import EmailAddress

    try:
        return str(TypeAdapter(EmailAddress).validate_python(address))
    except ValidationError as error:
        typer.echo("The address is no e-mail address such as eva@home.example.", err=True)
        raise typer.Exit(2) from error


def _print(done: "Imported", *, dry_run: bool) -> None:
    for rejected in done.rejected[:_MOST_SHOWN]:
        typer.echo(f"{rejected} (left out)", err=True)
    if len(done.rejected) > _MOST_SHOWN:
        typer.echo(f"and {len(done.rejected) - _MOST_SHOWN} more; --json names them all", err=True)
    would = "would be " if dry_run else ""
    if done.nothing_new:
        typer.echo("The roster is so already.")
    for word, of in (("added", done.added), ("changed", done.changed), ("ended", done.ended)):
        if of:
            typer.echo(f"{would}{word}: {_counts(of)}")


def _counts(of: "Mapping[Listed, int]") -> str:
    return ", ".join(f"{count:,} {listed}" for listed, count in of.items())


def _plain(done: "Imported") -> dict[str, object]:
    return {
        **{
            name: {str(listed): count for listed, count in of.items()}
            for name, of in (("added", done.added), ("changed", done.changed), ("ended", done.ended))
        },
        "left_out": [
            {"file": each.file, "line": each.line, "column": each.column, "reason": each.reason}
            for each in done.rejected
        ],
    }


def _plain_state(state: "RosterState") -> dict[str, object]:
    return {
        **state.counts,
        "imported_at": None if state.imported_at is None else state.imported_at.isoformat(),
        "left_out": state.rejected,
        "matched": state.matched,
    }

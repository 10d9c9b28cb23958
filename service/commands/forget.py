"""`alliance forget`: erases what is on record about a family, shows that it is gone, and lets it return."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from config.settings import Settings
    from service.privacy.receipts import Receipt
    from store.database import Database


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(forget)


def forget(
    who: Annotated[
        list[str] | None,
        typer.Argument(metavar="WHO...", help="An address, or the identifier of a student or family on the roster."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask again.")] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also while something of theirs is open at the office, or on its way.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Erase nothing; look whether anything of these names is left.")
    ] = False,
    let_return: Annotated[
        bool, typer.Option("--let-return", help="Let the school's lists name these again. Brings nothing back.")
    ] = False,
    rewrite: Annotated[
        bool, typer.Option("--rewrite", help="PostgreSQL: write the tables anew (VACUUM FULL); locks them meanwhile.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Erase everything on record about a family, for good. Without WHO, shows the receipts.

    Mailboxes are not touched: the letters are the teachers'. `alliance export-family` makes the family a copy first.
    """
    from service.assembly import system_clock
    from service.logs import configure
    from service.privacy.forgetting import let_return as return_to_lists
    from service.privacy.receipts import receipts, scrub

    configure()
    settings = load_settings(config)
    database = open_database(settings)
    try:
        if not who:
            scrub(database, system_clock(), rewrite=rewrite)
            _show(receipts(database), settings, as_json=as_json)
        elif check:
            _check(database, who, as_json=as_json)
        elif let_return:
            raised = return_to_lists(
                database, [each.strip().lower() if "@" in each else each for each in who], system_clock()
            )
            typer.echo(f"{raised} of these names were kept away, and are no more.")
        else:
            for each in who:
                _forget(database, settings, each.strip(), yes=yes, anyway=anyway, rewrite=rewrite, as_json=as_json)
    finally:
        database.close()


def _forget(
    database: "Database", settings: "Settings", who: str, *, yes: bool, anyway: bool, rewrite: bool, as_json: bool
) -> None:
    from config import SchoolCalendar
    from scorecard.household import NotOneFamily, household_of
    from service.assembly import system_clock
    from service.privacy.forgetting import StillAtWork, forget
    from service.privacy.receipts import places_with, scrub

    try:
        with database.write() as connection:
            meant = household_of(connection, who)
        if not yes:
            told = f"{len(meant.students)} students, {len(meant.guardians)} guardians, {len(meant.addresses)} addresses"
            typer.confirm(f"Erase everything on record about this family ({told})? Nobody can undo it.", abort=True)
        done = forget(
            database, settings, SchoolCalendar.of(settings.school, settings.office), who, system_clock(), anyway=anyway
        )
    except (NotOneFamily, StillAtWork) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    clean = scrub(database, system_clock(), rewrite=rewrite)
    # Students' and guardians' identifiers may be short numbers, which stand for other things elsewhere.
    left = places_with(database, done.household.addresses | done.household.spelled | done.household.families)
    if as_json:
        told_of = {"receipt": done.receipt.reference, "rows": done.receipt.rows, "overwritten": clean, "left_in": left}
        typer.echo(json.dumps(told_of, indent=2))
    else:
        typer.echo(f"Erased {done.receipt.total} rows. Receipt {done.receipt.reference}; it is in the audit log.")
        for table, number in done.receipt.rows.items():
            typer.echo(f"  {number:>9,}  {table}")
        _what_remains(settings, meant.addresses)
    if not clean:
        typer.echo("The bytes are not overwritten yet: somebody is reading. `alliance forget` does it again.", err=True)
    if left and clean:
        typer.echo(f"Something is left in {', '.join(left)}. Please report this as a fault.", err=True)
        raise typer.Exit(1)


def _what_remains(settings: "Settings", addresses: frozenset[str]) -> None:
    """What this program cannot erase."""
    typer.echo("\nNot erased, for this program does not have it in its hands:")
    typer.echo("  - the letters in the teachers' mailboxes, and copies that the office got by mail;")
    typer.echo("  - backups of the database from before: they go when you delete them;")
    typer.echo("  - a model that learned from corrections: `alliance learn` makes one without.")
    path = settings.school.roster
    if path is not None and any(_names(path, address) for address in addresses):
        typer.echo(f"  - {path} still names this family: it is left out of every import from now on.")


def _names(path: Path, address: str) -> bool:
    files = sorted(path.rglob("*.csv")) if path.is_dir() else [path]
    return any(address.encode() in file.read_bytes().lower() for file in files if file.is_file())


def _check(database: "Database", who: list[str], *, as_json: bool) -> None:
    from autoresponder.family import person
    from service.privacy.receipts import places_with
    from store.installation import secret_of
    from store.tombstones import What, buried

    names = [(What.ADDRESS, person(each)) if "@" in each else (What.PERSON, each) for each in who]
    with database.write() as connection:
        kept_away = buried(connection, names, secret_of(connection))
    left = places_with(database, [each.strip() for each in who])
    if as_json:
        typer.echo(json.dumps({"kept_away": len(kept_away), "of": len(names), "left_in": left}, indent=2))
    else:
        typer.echo(f"{len(kept_away)} of {len(names)} names were forgotten, and are kept away from the lists.")
        typer.echo(f"They stand in: {', '.join(left)}" if left else "None of them stands anywhere in the database.")
    if left:
        raise typer.Exit(1)


def _show(found: "list[Receipt]", settings: "Settings", *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "receipt": each.reference,
                "act": each.act,
                "at": each.at.isoformat(),
                "rows": each.rows,
                "overwritten": each.scrubbed_at is not None,
            }
            for each in found
        ]
        typer.echo(json.dumps(rows, indent=2))
        return
    if not found:
        typer.echo("Nothing has been erased yet.")
    for each in found:
        at = each.at.astimezone(settings.school.zone)
        bytes_of_it = "" if each.scrubbed_at else "; its bytes are not overwritten yet"
        typer.echo(f"{each.reference}  {at:%Y-%m-%d %H:%M}  {each.act:<6}  {each.total:>9,} rows{bytes_of_it}")

"""`alliance audit`: who saw and did what in the web pages, and whether the record is as it was written."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from datetime import tzinfo

    from store.audit import Chain
    from store.web_tables import AuditEntry


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(audit)


def audit(
    person: Annotated[str, typer.Option(help="Only what the person with this address did.")] = "",
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only from this day on, in the school's time.")
    ] = None,
    head: Annotated[str, typer.Option(help="A digest that this command gave earlier: it must still stand there.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Lists who saw and did what in the web pages, and checks that nothing of it was changed or removed."""
    from store.audit import check, entries
    from store.audit_names import names_in, read_out

    settings = load_settings(config)
    zone = settings.school.zone
    database = open_database(settings)
    try:
        from_then_on = since.replace(tzinfo=zone) if since else None
        listed = list(entries(database, person=person.strip().lower() or None, since=from_then_on))
        chain = check(database, head.strip().lower() or None)
        names = names_in(database, [entry.about for entry in listed])
        for entry in listed:
            entry.about = read_out(entry.about, names)
    finally:
        database.close()
    if as_json:
        typer.echo(json.dumps(_plain(listed, chain), indent=2, ensure_ascii=False))
    else:
        for entry in listed:
            typer.echo(_line(entry, zone))
        typer.echo(_verdict(chain), err=chain.broken_at is not None or not chain.head_stands)
    if chain.broken_at is not None or not chain.head_stands:
        raise typer.Exit(1)


def _line(entry: "AuditEntry", zone: "tzinfo") -> str:
    at = entry.at.astimezone(zone)
    about = f" ({entry.about})" if entry.about else ""
    return f"{entry.number:>7}  {at:%Y-%m-%d %H:%M:%S}  {entry.person or 'somebody unknown'}  {entry.act}{about}"


def _verdict(chain: "Chain") -> str:
    if chain.broken_at is not None:
        return (
            f"Entry {chain.broken_at} is not as it was written, or lacks: somebody changed the record outside of this "
            "program. Keep a copy of the database, and compare with a backup."
        )
    if not chain.head_stands:
        return "The digest that you gave does not stand in the record: entries were removed or written anew."
    return f"{chain.entries} entries, each as it was written. To check later that none is gone: --head {chain.head}"


def _plain(listed: "list[AuditEntry]", chain: "Chain") -> dict[str, object]:
    return {
        "entries": [entry.model_dump(mode="json") for entry in listed],
        "whole": chain.broken_at is None and chain.head_stands,
        "broken_at": chain.broken_at,
        "head": chain.head,
    }

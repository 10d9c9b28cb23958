"""`alliance preview`: what would have happened to the mail of the last days."""

import json
from collections import Counter
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, assemble, load_settings

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from config.settings import MailboxSettings, Settings
    from service.preview import Foreseen


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(preview)


def preview(
    config: ConfigOption = DEFAULT_CONFIG,
    days: Annotated[int, typer.Option("--days", "-d", min=1, max=90, help="How many days to look back.")] = 7,
    only: Annotated[
        list[str] | None, typer.Option("--mailbox", "-m", help="Only this mailbox; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per message and line.")] = False,
) -> None:
    """Shows how the last days' mail would have been tagged, answered and routed. Writes nothing, neither in the mailbox
    nor in the database. Subjects appear on this screen only."""
    from config import ConfigError
    from connectors.errors import MailboxError
    from service.logs import configure
    from service.preview import preview as foresee
    from store.database import Database

    configure()
    settings = load_settings(config)
    boxes = _chosen(settings, only)
    assembly = assemble(settings, Database.in_memory())
    since = assembly.clock() - timedelta(days=days)
    failed = False
    for box in boxes:
        try:
            with closing(assembly.open(box)) as mailbox:
                rows = list(foresee(assembly, box, mailbox, since))
        except (ConfigError, MailboxError) as error:
            typer.echo(f"{box.address}: {error}", err=True)
            failed = True
            continue
        if as_json:
            for row in rows:
                typer.echo(json.dumps(_plain(box, row), ensure_ascii=False))
        else:
            _print(box, rows, days, settings.school.zone)
    if failed:
        raise typer.Exit(1)


def _chosen(settings: "Settings", only: list[str] | None) -> "list[MailboxSettings]":
    if not only:
        return list(settings.mailboxes)
    try:
        return [settings.mailbox(address) for address in only]
    except KeyError as error:
        known = ", ".join(box.address for box in settings.mailboxes)
        typer.echo(f"No mailbox {error.args[0]} in the configuration; there are: {known}", err=True)
        raise typer.Exit(2) from error


def _plain(box: "MailboxSettings", row: "Foreseen") -> dict[str, object]:
    return {
        "mailbox": box.address,
        "received_at": row.received_at.isoformat(),
        "from": row.sender,
        "subject": row.subject,
        "tag": row.tag.value if row.tag else None,
        "unsure": row.unsure,
        "answered": row.answered,
        "routed": row.routed,
        "drafted": row.drafted,
        "reason": row.reason,
    }


def _print(box: "MailboxSettings", rows: "list[Foreseen]", days: int, zone: "ZoneInfo") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    table = Table(title=f"{box.teacher} <{box.address}>: the last {days} days, as they would have been")
    for name in ("received", "from", "subject", "tag", "then"):
        table.add_column(name, overflow="ellipsis", no_wrap=name != "then")
    for row in rows:
        tag = (row.tag.value if row.tag else "–") + (" ?" if row.unsure else "")
        ways = (("to the office", row.routed), ("answered", row.answered), ("a draft for the teacher", row.drafted))
        done = [word for word, is_so in ways if is_so]
        then = " and ".join(done) or f"left alone: {row.reason}"
        received = f"{row.received_at.astimezone(zone):%a %d %b %H:%M}"
        table.add_row(received, escape(row.sender), escape(row.subject), tag, escape(then))
    console.print(table)
    tags = Counter(row.tag.value for row in rows if row.tag)
    parts = [f"{count} {tag}" for tag, count in sorted(tags.items())]
    answered, routed = sum(row.answered for row in rows), sum(row.routed for row in rows)
    drafted = sum(row.drafted for row in rows)
    console.print(
        f"{len(rows)} messages: {', '.join(parts) or 'no family mail'}; {answered} answered, {routed} to the office, "
        f"{drafted} with a draft for the teacher. "
        f"Nothing was written. The mailbox is in stage {box.stage.value}."
    )

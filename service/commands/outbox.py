"""`alliance outbox` and `alliance retry`: what could not be done yet, and doing it again."""

import json
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, assemble, load_settings, open_database

if TYPE_CHECKING:
    from config.settings import Settings
    from service.pipeline import Swept
    from store.database import Database
    from store.outbox import Due, Outbox
    from store.pages import Pages
    from store.tables import MessageRecord


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(outbox)
    app.command()(retry)


def outbox(
    config: ConfigOption = DEFAULT_CONFIG,
    show_all: Annotated[bool, typer.Option("--all", help="Finished and cancelled deliveries too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Shows what waits, what was set aside and why, and replies of which nobody knows whether they left."""
    from store.tables import DeliveryState

    settings = load_settings(config)
    database = open_database(settings)
    hidden = () if show_all else (DeliveryState.DONE, DeliveryState.CANCELLED)
    listing = _outbox(database, settings).listing([state for state in DeliveryState if state not in hidden])
    aside = _pages(database).set_aside()
    stopped = _stopped(database, settings)
    database.close()
    if as_json:
        rows = [_plain(due) for due in listing]
        unread = [
            {
                "message": record.id,
                "mailbox": record.mailbox,
                "reason": record.set_aside,
                "received": str(record.received_at),
            }
            for record in aside
        ]
        typer.echo(
            json.dumps(
                {"deliveries": rows, "messages_set_aside": unread, "answers_stopped": stopped},
                indent=2,
                ensure_ascii=False,
            )
        )
        return
    for address in stopped:
        typer.echo(f"{address}: its answers are stopped. `alliance answers show` says why and until when.")
    _print(listing, aside)


def retry(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Numbers of deliveries, as `alliance outbox` shows them.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    everything: Annotated[
        bool, typer.Option("--all", help="All deliveries that were set aside, and all messages that could not be read.")
    ] = False,
) -> None:
    """Puts what was set aside back in line. A reply that may have left already is never sent a second time."""
    from service.assembly import system_clock

    if not numbers and not everything:
        typer.echo("Say which: numbers from `alliance outbox`, or --all.", err=True)
        raise typer.Exit(2)
    settings = load_settings(config)
    database = open_database(settings)
    done = _outbox(database, settings).retry(None if everything else numbers, system_clock())
    typer.echo(f"{done} deliver{'y' if done == 1 else 'ies'} back in line; a running service takes them up at once.")
    failed = everything and not _reread(database, settings)
    database.close()
    if numbers and not everything and done < len(set(numbers)):
        typer.echo("The others are not set aside: `alliance outbox --all` shows where they stand.", err=True)
        failed = True
    if failed:
        raise typer.Exit(1)


def _reread(database: "Database", settings: "Settings") -> bool:
    """Reads messages that were set aside once more, mailbox by mailbox. False where a mailbox could not be read."""
    from config import ConfigError
    from connectors.errors import MailboxError
    from store.deadly import is_deadly
    from store.pages import CursorMoved

    aside = _pages(database).set_aside()
    if not aside:
        return True
    assembly = assemble(settings, database)
    fine = True
    of_box = [(box, [record for record in aside if record.mailbox == box.address]) for box in settings.mailboxes]
    together = [(box, [record for record in records if not is_deadly(record)]) for box, records in of_box]
    # Last, and alone: each may end this command, as it did others.
    alone = [(box, [record]) for box, records in of_box for record in records if is_deadly(record)]
    for box, records in (*together, *alone):
        if not records:
            continue
        try:
            with closing(assembly.open(box)) as mailbox:
                swept = assembly.pipeline.reread(box, mailbox, records)
        except (ConfigError, MailboxError) as error:
            typer.echo(f"{box.address}: {error}", err=True)
            fine = False
        except CursorMoved:
            typer.echo(f"{box.address}: the running service is reading this mailbox; try again in a minute.", err=True)
            fine = False
        else:
            typer.echo(_told(box.address, swept, len(records)))
    return fine


def _told(address: str, swept: "Swept", asked: int) -> str:
    read = sum(entry.record.set_aside is None for entry in swept.entries)
    gone = f", {swept.removed} no longer in the mailbox" if swept.removed else ""
    return f"{address}: {read} messages read again, {asked - read - swept.removed} still set aside{gone}."


def _outbox(database: "Database", settings: "Settings") -> "Outbox":
    from datetime import timedelta

    from store.outbox import Outbox

    return Outbox(database, "alliance outbox", timedelta(seconds=settings.service.lease_seconds))


def _pages(database: "Database") -> "Pages":
    from store.pages import Pages

    return Pages(database)


def _stopped(database: "Database", settings: "Settings") -> list[str]:
    from service.assembly import system_clock
    from store.ceiling import Ceiling

    addresses = [box.address for box in settings.mailboxes]
    standings = Ceiling(database, settings.norm).standings(addresses, system_clock())
    return [standing.mailbox for standing in standings if standing.stopped_at is not None]


def _plain(due: "Due") -> dict[str, object]:
    delivery = due.delivery
    return {
        "number": due.id,
        "mailbox": delivery.mailbox,
        "kind": delivery.kind,
        "state": delivery.state,
        "step": delivery.step,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at.isoformat(),
        "error": delivery.last_error,
        "received_at": due.message.received_at.isoformat(),
    }


def _print(listing: "list[Due]", aside: "list[MessageRecord]") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not listing and not aside:
        console.print("Nothing waits and nothing was set aside.")
        return
    if listing:
        table = Table(title="Deliveries")
        for name in ("no.", "mailbox", "what", "state", "tries", "next try (UTC)", "why"):
            table.add_column(name, overflow="fold")
        for due in listing:
            delivery = due.delivery
            table.add_row(
                str(due.id),
                delivery.mailbox,
                delivery.kind.value,
                delivery.state.value,
                str(delivery.attempts),
                f"{delivery.next_attempt_at:%Y-%m-%d %H:%M}",
                delivery.last_error or "",
            )
        console.print(table)
    if aside:
        table = Table(title="Messages that could not be read")
        for name in ("mailbox", "received (UTC)", "why"):
            table.add_column(name, overflow="fold")
        for record in aside:
            table.add_row(record.mailbox, f"{record.received_at:%Y-%m-%d %H:%M}", record.set_aside or "")
        console.print(table)
        console.print("They carry the label “please check”. `alliance retry --all` reads them once more.")

"""`alliance items`: what the office has to see to, who has it, and saying so from the command line."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from autoresponder.items import Word
    from store.items import ItemView

_By = Annotated[
    str, typer.Option("--by", metavar="ADDRESS", help="Who at the school says so: the address that they answer from.")
]
_Number = Annotated[int, typer.Argument(help="The item's number, as `alliance items list` shows it.")]
_CLOSINGS = ("done", "not urgent", "back to the teacher")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True, help="The items at the office: list them, take one, close one.")
    group.command("list")(_list)
    group.command("claim")(_claim)
    group.command("close")(_close)
    app.add_typer(group, name="items")


def _list(
    config: ConfigOption = DEFAULT_CONFIG,
    show_all: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object, for machines, with what happened to each.")
    ] = False,
) -> None:
    """Shows the items that are open or taken, the oldest first."""
    from autoresponder.items import UNFINISHED, ItemState
    from store.items import Items

    database = open_database(load_settings(config))
    views = Items(database).listing(tuple(ItemState) if show_all else UNFINISHED)
    database.close()
    if as_json:
        typer.echo(json.dumps({"items": [_plain(view) for view in views]}, indent=2, ensure_ascii=False))
        return
    _print(views)


def _claim(number: _Number, by: _By, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Takes an item for somebody. Exits with 1 where somebody else has it."""
    from autoresponder.items import Word

    _say(config, number, Word.TAKEN, by)


def _close(
    number: _Number,
    by: _By,
    outcome: Annotated[
        str, typer.Option("--as", metavar="WORD", help="done, not urgent, or back to the teacher.")
    ] = "done",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Closes an item. “not urgent” takes the tag off the messages everywhere and is learned from; “back to the teacher”
    tells the teacher by mail."""
    from autoresponder.items import Word

    if outcome not in _CLOSINGS:
        typer.echo(f"--as is one of {', '.join(_CLOSINGS)}, not {outcome!r}.", err=True)
        raise typer.Exit(2)
    _say(config, number, Word(outcome), by)


def _say(config: "ConfigOption", number: int, word: "Word", by: str) -> None:
    from pydantic import TypeAdapter, ValidationError

    from config.settings import EmailAddress
    from service.assembly import system_clock
    from store.items import Items

    try:
        address = TypeAdapter(EmailAddress).validate_python(by)
    except ValidationError as error:
        typer.echo("--by is an e-mail address such as office@maple.example.", err=True)
        raise typer.Exit(2) from error
    database = open_database(load_settings(config))
    items = Items(database)
    said = items.say(number, word, address, system_clock())
    view = None if said is None else items.numbered(number)
    database.close()
    if said is None or view is None:
        typer.echo(f"There is no item {number}. `alliance items list --all` shows all.", err=True)
        raise typer.Exit(1)
    if said.refusal is not None:
        typer.echo(f"Item {number} is {_standing(view)} already.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Item {number} is {_standing(view)}.")


def _standing(view: "ItemView") -> str:
    holder = f" by {view.item.holder}" if view.item.holder else ""
    return f"{view.item.state}{holder}"


def _plain(view: "ItemView") -> dict[str, object]:
    item = view.item
    return {
        "number": view.id,
        "state": item.state,
        "tag": item.tag,
        "topic": item.topic,
        "holder": item.holder,
        "desks": view.path,
        "opened_at": item.opened_at.isoformat(),
        "changed_at": item.changed_at.isoformat(),
        "goes_on_at": item.escalates_at.isoformat() if item.escalates_at and item.state == "open" else None,
        "messages": [
            {"mailbox": each.mailbox, "sender": each.sender, "received_at": each.received_at.isoformat()}
            for each in view.messages
        ],
        "events": [
            {"what": each.kind, "by": each.by, "desk": each.desk, "at": each.at.isoformat()} for each in view.events
        ],
    }


def _print(views: "list[ItemView]") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not views:
        console.print("Nothing waits at the office.")
        return
    table = Table(title="Items at the office")
    for name in ("no.", "since (UTC)", "state", "about", "from", "for", "desk", "goes on (UTC)"):
        table.add_column(name, overflow="fold")
    for view in views:
        item = view.item
        goes_on = item.escalates_at if item.state == "open" else None
        table.add_row(
            str(view.id),
            f"{item.opened_at:%Y-%m-%d %H:%M}",
            _standing(view),
            f"{item.tag}, {item.topic}",
            ", ".join(dict.fromkeys(each.sender or "unknown" for each in view.messages)),
            ", ".join(dict.fromkeys(each.mailbox for each in view.messages)),
            view.path[-1],
            f"{goes_on:%Y-%m-%d %H:%M}" if goes_on else "",
        )
    console.print(table)

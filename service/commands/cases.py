"""`alliance cases`: the hard conversations, from a family's first message to the agreed plan."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from config import SchoolCalendar
    from config.settings import Settings
    from store.cases import CaseView


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("cases")(cases)


def cases(
    config: ConfigOption = DEFAULT_CONFIG,
    mailbox: Annotated[
        str, typer.Option("--mailbox", metavar="ADDRESS", help="Only one teacher's; all where left out.")
    ] = "",
    show_all: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object, for machines, with what happened to each.")
    ] = False,
) -> None:
    """Shows the hard conversations that are open, the oldest first: since when, by when an answer is promised, and
    whether the family may have agreed to a plan. No word of any message."""
    from autoresponder.cases import CaseState
    from config import SchoolCalendar
    from store.cases import Cases

    settings = load_settings(config)
    wanted = mailbox.strip().lower() or None
    if wanted is not None and wanted not in {box.address for box in settings.mailboxes}:
        typer.echo(f"--mailbox {mailbox}: there is no such mailbox in {config}.", err=True)
        raise typer.Exit(2)
    database = open_database(settings)
    views = Cases(database).listing(tuple(CaseState) if show_all else (CaseState.OPEN,), mailbox=wanted)
    database.close()
    calendar = SchoolCalendar.of(settings.school, settings.office)
    if as_json:
        typer.echo(
            json.dumps({"cases": [_plain(each, settings, calendar) for each in views]}, indent=2, ensure_ascii=False)
        )
        return
    _print(views, settings, calendar)


def _due(view: "CaseView", settings: "Settings", calendar: "SchoolCalendar") -> str:
    """By when an answer is promised, local time; empty where nothing waits."""
    from autoresponder.cases import due_at
    from config import NoSchoolDay

    if view.case.state != "open" or view.case.waiting_since is None:
        return ""
    try:
        return due_at(view.case.waiting_since, settings, calendar).isoformat()
    except NoSchoolDay:
        return ""


def _days(view: "CaseView", calendar: "SchoolCalendar") -> int:
    from autoresponder.cases import school_days
    from service.assembly import system_clock

    until = system_clock() if view.case.state == "open" else view.case.changed_at
    return school_days(view.case.opened_at, until, calendar)


def _plain(view: "CaseView", settings: "Settings", calendar: "SchoolCalendar") -> dict[str, object]:
    case = view.case
    return {
        "number": view.id,
        "mailbox": case.mailbox,
        "state": case.state,
        "hostile": case.hostile,
        "senders": view.senders,
        "messages": len(view.messages),
        "opened_at": case.opened_at.isoformat(),
        "school_days": _days(view, calendar),
        "due_at": _due(view, settings, calendar) or None,
        "answered_at": case.last_answer_at.isoformat() if case.last_answer_at else None,
        "proposed_at": view.proposed_at.isoformat() if view.proposed_at else None,
        "agreed_at": case.agreed_at.isoformat() if case.agreed_at else None,
        "events": [{"what": each.kind, "by": each.by, "at": each.at.isoformat()} for each in view.events],
    }


def _print(views: "list[CaseView]", settings: "Settings", calendar: "SchoolCalendar") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not views:
        console.print("No hard conversation is open.")
        return
    table = Table(title="Hard conversations")
    for name in ("no.", "teacher", "from", "state", "school days", "answer promised by", "plan?"):
        table.add_column(name, overflow="fold")
    for view in views:
        table.add_row(
            str(view.id),
            view.case.mailbox,
            ", ".join(view.senders) or "unknown",
            str(view.case.state),
            str(_days(view, calendar)),
            _due(view, settings, calendar)[:16].replace("T", " "),
            "perhaps" if view.proposed_at else "",
        )
    console.print(table)

"""`alliance glow`: good news: which families wait for some, drafts for them, and who helps at home."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from datetime import datetime

    from config.settings import MailboxSettings, Settings
    from service.good_news import FamilyStands, GoodNews, GoodNewsView
    from store.database import Database

_MAILBOX = typer.Option("--mailbox", metavar="ADDRESS", help="Only one teacher's; all where left out.")
_TEACHER = typer.Option("--mailbox", metavar="ADDRESS", help="The teacher's mailbox.")
_FAMILY = typer.Option("--family", metavar="ID", help="The family's identifier, as `alliance glow` shows it.")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(list_families)
    group.command("draft")(draft)
    group.command("helpers")(helpers)
    group.command("helper")(helper)
    app.add_typer(group, name="glow")


def list_families(
    context: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    mailbox: Annotated[str, _MAILBOX] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
) -> None:
    """Good news: shows by teacher which families have had no good word from them yet this term, who waits longest
    first. The commands below ask for a draft, and keep the list of families that help at home."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(config)
    boxes = _boxes(settings, mailbox, config=str(config))
    database = open_database(settings)
    news, now = _news(settings, database), _now()
    views = [(box, news.view(box, now)) for box in boxes]
    database.close()
    if as_json:
        teachers = [_plain(box, view) for box, view in views]
        typer.echo(json.dumps({"teachers": teachers}, indent=2, ensure_ascii=False))
        return
    _print(views)


def draft(
    mailbox: Annotated[str, _TEACHER],
    family: Annotated[str, _FAMILY],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Asks for a draft of good news for a family. The running service puts it into the teacher's Drafts; it is never
    sent by itself."""
    from service.good_news import REASONS, Obstacle
    from store.glow_drafts import Asked

    settings = load_settings(config)
    (box,) = _boxes(settings, mailbox, config=str(config))
    database = open_database(settings)
    answer = _news(settings, database).ask(box, family.strip(), by=None, now=_now())
    database.close()
    if isinstance(answer, Obstacle):
        typer.echo(f"There is no draft: {REASONS[answer]}.", err=True)
        raise typer.Exit(1)
    if answer is Asked.ENOUGH:
        most = settings.glow.drafts_per_day
        typer.echo(f"There is no draft: this teacher has had {most} today ([glow] drafts_per_day).", err=True)
        raise typer.Exit(1)
    if answer is Asked.THERE:
        typer.echo("This family's draft of this term is on its way, or was saved, already.", err=True)
        raise typer.Exit(1)
    typer.echo("The draft is planned: it lies in Drafts when the service has looked after the mailbox next.")


def helpers(
    mailbox: Annotated[str, _TEACHER],
    config: ConfigOption = DEFAULT_CONFIG,
    as_csv: Annotated[bool, typer.Option("--csv", help="As a CSV file, for a spreadsheet.")] = False,
) -> None:
    """Shows the families that help a teacher's class from home: guardians, addresses, students, language. That it was
    shown stands in the audit log."""
    from service.good_news import EXPORTED
    from service.helper_list import helpers_csv
    from store import audit

    settings = load_settings(config)
    (box,) = _boxes(settings, mailbox, config=str(config))
    database = open_database(settings)
    now = _now()
    view = _news(settings, database).view(box, now)
    found = view.helpers if view is not None else ()
    with database.write() as connection:
        audit.append(connection, at=now, person=None, act=EXPORTED, about=f"of {box.address}")
    database.close()
    if as_csv:
        typer.echo(helpers_csv(found), nl=False)
        return
    for each in found:
        names = ", ".join(filter(None, (guardian.name for guardian in each.family.guardians)))
        typer.echo(f"{', '.join(each.family.students)}: {names or 'no guardian'}, since {each.helps_since}")
    if not found:
        typer.echo("No family stands on this list.")


def helper(
    mailbox: Annotated[str, _TEACHER],
    family: Annotated[str, _FAMILY],
    config: ConfigOption = DEFAULT_CONFIG,
    remove: Annotated[bool, typer.Option("--remove", help="Takes the family off the list.")] = False,
) -> None:
    """Puts a family on the list of those that help at home, because they said so; or takes it off."""
    settings = load_settings(config)
    (box,) = _boxes(settings, mailbox, config=str(config))
    database = open_database(settings)
    news, now, wanted = _news(settings, database), _now(), family.strip()
    view = news.view(box, now)
    if view is None or view.of(wanted) is None:
        database.close()
        typer.echo(f"--family {family}: this teacher has no such family; `alliance glow` shows them.", err=True)
        raise typer.Exit(2)
    if remove:
        done = news.helpers.remove(box.address, wanted, by=None, now=now)
    else:
        done = news.helpers.add(box.address, wanted, by=None, day=view.today, now=now)
    database.close()
    typer.echo("Done." if done else "It was so already.")


def _boxes(settings: "Settings", mailbox: str, *, config: str) -> "list[MailboxSettings]":
    """The mailbox with an address, or all of them; ends the command where there is none."""
    wanted = mailbox.strip().lower()
    found = [box for box in settings.mailboxes if wanted in ("", box.address)]
    if not found:
        typer.echo(f"--mailbox {mailbox}: there is no such mailbox in {config}.", err=True)
        raise typer.Exit(2)
    return found


def _news(settings: "Settings", database: "Database") -> "GoodNews":
    from config import SchoolCalendar
    from service.good_news import GoodNews

    return GoodNews(settings, SchoolCalendar.of(settings.school, settings.office), database)


def _now() -> "datetime":
    from service.assembly import system_clock

    return system_clock()


def _plain(box: "MailboxSettings", view: "GoodNewsView | None") -> dict[str, object]:
    if view is None:
        return {"mailbox": box.address, "term": None, "families": 0, "thumbs_up": 0, "waiting": []}
    return {
        "mailbox": box.address,
        "term": view.term.id,
        "families": len(view.families),
        "thumbs_up": view.thumbs_up,
        "waiting": [
            {
                "family": each.family.id,
                "students": each.family.students,
                "heard_before": each.family.heard_before.isoformat() if each.family.heard_before else None,
                "draft": each.draft.state if each.draft is not None else None,
                "not_now": each.obstacle,
                "helps_since": each.helps_since.isoformat() if each.helps_since else None,
            }
            for each in view.waiting
        ],
    }


def _print(views: "list[tuple[MailboxSettings, GoodNewsView | None]]") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for box, view in views:
        if view is None or not view.families:
            continue
        console.print(f"{box.address}: {len(view.waiting)} of {len(view.families)} families without a good word")
        console.print(f"thumbs-ups and thanks from families this term: {view.thumbs_up}")
        table = Table()
        for name in ("family", "students", "before", "draft"):
            table.add_column(name, overflow="fold")
        for each in view.waiting:
            heard = each.family.heard_before
            table.add_row(
                each.family.id, ", ".join(each.family.students), heard.isoformat() if heard else "", _draft(each)
            )
        console.print(table)
    if not any(view is not None and view.families for _, view in views):
        console.print("No term is running, or the roster names no family of these teachers.")


def _draft(stands: "FamilyStands") -> str:
    from service.good_news import REASONS

    if stands.has_draft and stands.draft is not None:
        return str(stands.draft.state)
    return f"not now: {REASONS[stands.obstacle]}" if stands.obstacle is not None else ""

"""`alliance contacts`: calls, texts, notes and meetings with families, from a list or taken back."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from service.list_imports import AsJson, DryRun, ListFile, say_what_came_of_it, school_today
from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from store.contact_tables import Contact


def register(app: typer.Typer) -> None:
    """Adds the command."""
    group = typer.Typer(help="Contacts with families that are not mail.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("import")(import_list)
    group.command("list")(list_contacts)
    group.command("withdraw")(withdraw)
    app.add_typer(group, name="contacts")


def import_list(
    file: ListFile,
    teacher: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Whose contacts these are where a row names no teacher.")
    ] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Reads contacts from a CSV file: date, teacher, student_id or student, kind, tone, reached, id, status. All of it
    or nothing; the same file again changes nothing; rows that cannot be used are named and left out."""
    from config import ConfigError
    from scorecard.contact_list import read_contacts
    from scorecard.list_import import import_contacts, pupils_of

    settings = load_settings(config)
    known = {box.address for box in settings.mailboxes} | {person.address for person in settings.staff}

    def is_staff(address: str) -> bool:
        return address in known or address.rpartition("@")[2] in settings.staff_domains

    if teacher and not is_staff(teacher.strip().lower()):
        typer.echo(f"--teacher {teacher}: that is no address of the school's own.", err=True)
        raise typer.Exit(2)
    database = open_database(settings)
    try:
        now, today = school_today(settings)
        read = read_contacts(
            file, pupils_of(database, today), teacher=teacher.strip().lower(), is_staff=is_staff, today=today
        )
        done = import_contacts(database, read.rows, now=now, zone=settings.school.zone, dry_run=dry_run)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    finally:
        database.close()
    say_what_came_of_it("contacts", done, read.rejected, dry_run=dry_run, as_json=as_json)


def list_contacts(
    mailbox: Annotated[str, typer.Option(metavar="ADDRESS", help="Only one teacher's; all where left out.")] = "",
    days: Annotated[int, typer.Option(min=1, help="Of the last so many days.")] = 120,
    as_json: AsJson = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Shows contacts, the latest first: number, day, teacher, the student's identifier, how, and what about. No
    names."""
    from store.contacts import Contacts

    settings = load_settings(config)
    database = open_database(settings)
    _, today = school_today(settings)
    found = Contacts(database).listing(mailbox=mailbox.strip().lower() or None, since=today - timedelta(days=days))
    database.close()
    if as_json:
        typer.echo(json.dumps({"contacts": [_plain(each) for each in found]}, indent=2, ensure_ascii=False))
        return
    _print(found)


def withdraw(
    number: Annotated[int, typer.Argument(help="The contact's number, as `alliance contacts list` shows it.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Takes a contact back: it stays on record and counts nowhere, also when the list that had it is read again."""
    from service.assembly import system_clock
    from store.contacts import ADMINISTRATOR, Contacts

    settings = load_settings(config)
    database = open_database(settings)
    known = 0 < number < 1 << 31 and Contacts(database).withdraw(number, ADMINISTRATOR, system_clock())
    database.close()
    if not known:
        typer.echo(f"There is no contact {number}; `alliance contacts list` shows them.", err=True)
        raise typer.Exit(2)
    typer.echo(f"Contact {number} is taken back: it counts nowhere.")


def _plain(contact: "Contact") -> dict[str, object]:
    return {
        "number": contact.id,
        "date": contact.on_day.isoformat(),
        "teacher": contact.mailbox,
        "student_id": contact.student,
        "kind": contact.kind,
        "tone": contact.tone,
        "reached": contact.reached,
        "source": contact.source,
        "logged_at": contact.logged_at.isoformat(),
        "withdrawn_at": contact.withdrawn_at.isoformat() if contact.withdrawn_at else None,
    }


def _print(contacts: "list[Contact]") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    if not contacts:
        console.print("No contact is on record.")
        return
    table = Table(title="Contacts")
    for name in ("no.", "day", "teacher", "student", "how", "about", "reached", "from"):
        table.add_column(name, overflow="fold")
    for each in contacts:
        about = "taken back" if each.withdrawn_at else str(each.tone)
        reached = "yes" if each.reached else "no"
        student = escape(each.student)
        table.add_row(
            str(each.id), each.on_day.isoformat(), each.mailbox, student, each.kind, about, reached, each.source
        )
    console.print(table)

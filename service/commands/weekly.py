"""`alliance weekly show`: the mail of the week that a leader would get."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database
from service.showing import MOMENTS, moment_to_show


def register(app: typer.Typer) -> None:
    """Adds the command."""
    group = typer.Typer(help="The mail that a leader gets in the first school morning of a week.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("show")(show)
    app.add_typer(group, name="weekly")


def show(
    leader: Annotated[str, typer.Option(help="The leader's name or address; the first one's, where left out.")] = "",
    at: Annotated[
        datetime | None, typer.Option(formats=MOMENTS, help="As of when, in the school's time; now, where left out.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the HTML form to this file, its charts inside.")
    ] = None,
    eml: Annotated[
        Path | None, typer.Option("--eml", metavar="FILE", help="Write the whole mail to this file, as it would leave.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Prints the mail of the week that a leader would get now, its subject first. Sends nothing, and changes nothing.
    The figures are those that the service last brought up to date."""
    from config import ConfigError, SchoolCalendar
    from scorecard.weekly_mail import week_of, weekly_message_id, weekly_note
    from service.notices import mail_to_staff, staff_words
    from service.parking import service_box
    from service.web.links import scorecard_page
    from service.weekly import leaders, read_for

    settings = load_settings(config)
    wanted = leader.strip().casefold()
    found = [each for each in leaders(settings) if wanted in {"", each.address.casefold(), each.name.casefold()}]
    if not found:
        known = ", ".join(each.name for each in leaders(settings)) or "nobody: no [[staff]] has the role leader"
        typer.echo(f"--leader {leader}: there is none of this name or address; there are: {known}", err=True)
        raise typer.Exit(2)
    try:
        calendar = SchoolCalendar.of(settings.school, settings.office)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    now = moment_to_show(at, calendar)
    if not settings.scorecard.weekly_mail or service_box(settings) is None:
        typer.echo("No such mail is sent: see scorecard.weekly_mail and service.notices_from.", err=True)
    database = open_database(settings)
    try:
        report = read_for(found[0].address, database, settings, calendar, now)
    finally:
        database.close()
    week = week_of(report, now.date()) if report is not None else None
    if week is None:
        typer.echo(f"There is nothing to tell {found[0].name}: no mail is sent.")
        return
    note = weekly_note(week, found[0].name, scorecard_page(settings), staff_words(settings))
    box = service_box(settings)
    sender = box.address if box is not None else settings.office.address
    try:
        if html is not None:
            html.write_text(note.html(), encoding="utf-8")
        if eml is not None:
            message_id = weekly_message_id(found[0].address, week.monday, sender)
            eml.write_bytes(
                mail_to_staff(note, rfc_message_id=message_id, sender=sender, recipient=found[0].address, now=now)
            )
    except OSError as error:
        typer.echo(f"{error.filename}: {error.strerror or error}", err=True)
        raise typer.Exit(2) from error
    if html is None and eml is None:
        typer.echo(f"{note.title}\n\n{note.text()}", nl=False)

"""`alliance digest show`: the morning mail that a teacher would get."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database
from service.showing import MOMENTS, mailbox_to_show, moment_to_show

if TYPE_CHECKING:
    from config import SchoolCalendar
    from config.settings import MailboxSettings, Settings


def register(app: typer.Typer) -> None:
    """Adds the command."""
    group = typer.Typer(help="The mail that a teacher gets on a school morning.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("show")(show)
    app.add_typer(group, name="digest")


def show(
    teacher: Annotated[
        str, typer.Option(help="The teacher's name or address; the first mailbox's, where left out.")
    ] = "",
    at: Annotated[
        datetime | None, typer.Option(formats=MOMENTS, help="As of when, in the school's time; now, where left out.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the HTML form to this file.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Prints the morning mail that a teacher would get now, its subject first. Sends nothing, and changes nothing."""
    from autoresponder.digest import digest_note
    from config import ConfigError, SchoolCalendar
    from service.digest_facts import DigestReader
    from service.roster_keeping import roster_to_show
    from store.digests import Digests

    settings = load_settings(config)
    box = mailbox_to_show(settings, teacher)
    try:
        calendar = SchoolCalendar.of(settings.school, settings.office)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    now = moment_to_show(at, calendar)
    database = open_database(settings)
    try:
        roster = roster_to_show(settings, database)
        told_at = Digests(database, timedelta(0)).last_told_at(box.address, now.date())
        reader = DigestReader.of(settings, calendar, roster, database)
        facts = reader.facts(box, now, told_at=told_at)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    finally:
        database.close()
    _say_whether_it_is_sent(box, settings, calendar, now)
    if facts.is_empty:
        typer.echo(f"There is nothing to tell {box.teacher}: no mail is sent.")
        return
    note = digest_note(facts, settings)
    if html is not None:
        try:
            html.write_text(note.html(), encoding="utf-8")
        except OSError as error:
            typer.echo(f"{html}: {error.strerror or error}", err=True)
            raise typer.Exit(2) from error
        return
    typer.echo(f"{note.title}\n\n{note.text()}", nl=False)


def _say_whether_it_is_sent(
    box: "MailboxSettings", settings: "Settings", calendar: "SchoolCalendar", now: datetime
) -> None:
    """On standard error, where this teacher gets no such mail that day."""
    from service.digest import before_school, gets_digest

    if before_school(now.date(), settings, calendar) is None:
        typer.echo(f"{now:%Y-%m-%d} is a day without school: no morning mail is sent.", err=True)
    elif not gets_digest(box, settings):
        typer.echo(
            f"{box.address} gets no morning mail: see digest.enabled, digest.from_stage, and digest and stage of this "
            "mailbox.",
            err=True,
        )

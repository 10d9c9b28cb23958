"""`alliance reply show`: what a family would get, with the school's own name, office and calendar."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from connectors.labels import Tag
from service.options import DEFAULT_CONFIG, ConfigOption
from service.showing import AtOption, HtmlOption, language_to_show, moment_to_show, settings_to_show

if TYPE_CHECKING:
    from autoresponder.note import Note
    from config import SchoolCalendar, Settings


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(help="The note that a family gets.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("show")(show)
    group.command("gallery")(gallery)
    app.add_typer(group, name="reply")


def show(
    tag: Annotated[Tag, typer.Option(help="Which of the three notes.")] = Tag.ROUTINE,
    lang: Annotated[str, typer.Option(help="The family's language, such as es.")] = "en",
    at: AtOption = None,
    office: Annotated[
        Literal["told", "untold"], typer.Option(help="For an urgent note: whether the office has the message.")
    ] = "told",
    crisis: Annotated[
        bool, typer.Option("--crisis", help="For an urgent note: whether somebody may be harmed.")
    ] = False,
    html: HtmlOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Prints the note that a family would get. Sends nothing. Without a configuration, for a made-up school."""
    from config import ConfigError, NoSchoolDay, SchoolCalendar

    language = language_to_show(lang)
    settings = settings_to_show(config)
    try:
        calendar = SchoolCalendar.of(settings.school, settings.office)
        note = _note(
            tag,
            language,
            moment_to_show(at, calendar),
            settings,
            calendar,
            office_has_it=office == "told",
            crisis=crisis,
        )
    except (ConfigError, NoSchoolDay) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    typer.echo(note.html() if html else note.text(), nl=False)


def gallery(
    lang: Annotated[str, typer.Option(help="The families' language, such as es.")] = "en",
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Prints every kind of note that a family can get, as a page in Markdown. Sends nothing."""
    from autoresponder.gallery import as_page

    typer.echo(as_page(language_to_show(lang), settings_to_show(config)), nl=False)


def _note(
    tag: Tag,
    language: str,
    at: datetime,
    settings: "Settings",
    calendar: "SchoolCalendar",
    *,
    office_has_it: bool,
    crisis: bool,
) -> "Note":
    from autoresponder.planner import reply_facts
    from autoresponder.replies import reply_note

    box = settings.mailboxes[0]
    facts = reply_facts(
        tag,
        (language,),
        received_at=at,
        mailbox=box,
        settings=settings,
        calendar=calendar,
        now=at,
        crisis=crisis and tag is Tag.URGENT,
    )
    return reply_note(facts, mailbox=box, settings=settings, office_has_it=office_has_it)

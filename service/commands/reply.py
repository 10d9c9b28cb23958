"""`alliance reply show`: what a family would get, with the school's own name, office and calendar."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from connectors.labels import Tag
from service.options import DEFAULT_CONFIG, ConfigOption, load_settings

if TYPE_CHECKING:
    from autoresponder.note import Note
    from config import SchoolCalendar, Settings

_AT_FORMATS = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]


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
    at: Annotated[
        datetime | None,
        typer.Option(formats=_AT_FORMATS, help="When the message came, in the school's time; now, where left out."),
    ] = None,
    office: Annotated[
        Literal["told", "untold"], typer.Option(help="For an urgent note: whether the office has the message.")
    ] = "told",
    crisis: Annotated[
        bool, typer.Option("--crisis", help="For an urgent note: whether somebody may be harmed.")
    ] = False,
    html: Annotated[bool, typer.Option("--html", help="The HTML form, to be opened in a browser.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Prints the note that a family would get. Sends nothing. Without a configuration, for a made-up school."""
    from config import ConfigError, NoSchoolDay, SchoolCalendar

    _must_be_written(lang)
    settings = _settings(config)
    try:
        calendar = SchoolCalendar.of(settings.school, settings.office)
        local = datetime.now(UTC).astimezone(calendar.zone) if at is None else _in_school_time(at, calendar)
        note = _note(tag, lang, local, settings, calendar, office_has_it=office == "told", crisis=crisis)
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
    from autoresponder.wording import written_languages

    _must_be_written(lang)
    typer.echo(as_page(written_languages([lang])[0], _settings(config)), nl=False)


def _must_be_written(language: str) -> None:
    from autoresponder.wording import LANGUAGES, is_written

    if not is_written(language):
        typer.echo(f"--lang {language}: notes are written in {', '.join(LANGUAGES)}; give one of these.", err=True)
        raise typer.Exit(2)


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


def _settings(path: Path) -> "Settings":
    """The configuration, or a made-up school where there is none and none was asked for by name."""
    if path != DEFAULT_CONFIG or path.exists():
        return load_settings(path)
    from config.settings import MailboxSettings, Office, School, Settings

    return Settings(
        school=School(name="Maple Street School", timezone="America/Chicago", country="US"),
        office=Office(address="office@maple.example", phone="(608) 555-0142"),
        mailboxes=(MailboxSettings(address="rivera@maple.example", teacher="Ms. Rivera"),),
    )


def _in_school_time(wall: datetime, calendar: "SchoolCalendar") -> datetime:
    from config.wallclock import instant

    return instant(wall, calendar.zone)

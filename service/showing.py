"""What the commands share that show a note: the school that it is shown for, its language and its time."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, load_settings

if TYPE_CHECKING:
    from autoresponder.own_wording import OwnFile
    from config import SchoolCalendar, Settings
    from config.settings import MailboxSettings

MOMENTS = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
"""How a day and time may be written."""
AtOption = Annotated[
    datetime | None,
    typer.Option(
        formats=MOMENTS,
        help="When the message came, in the school's time; now, where left out.",
    ),
]
"""Write `at: AtOption = None`."""
HtmlOption = Annotated[bool, typer.Option("--html", help="The HTML form, to be opened in a browser.")]
"""Write `html: HtmlOption = False`."""


def language_to_show(code: str) -> str:
    """`code` as we write it; exit code 2, and why on standard error, for a language that we do not."""
    from autoresponder.wording import LANGUAGES, is_written, written_languages  # noqa: PLC0415

    if not is_written(code):
        typer.echo(f"--lang {code}: notes are written in {', '.join(LANGUAGES)}; give one of these.", err=True)
        raise typer.Exit(2)
    return written_languages([code])[0]


def settings_to_show(path: Path) -> "Settings":
    """The configuration, or a made-up school where there is none and none was asked for by name; exit code 2 where its
    own wording cannot be used."""
    settings = school_to_show(path)
    refuse_broken_wording(settings)
    return settings


def refuse_broken_wording(settings: "Settings") -> "tuple[OwnFile, ...]":
    """The school's files of own sentences; or what is wrong with them, on standard error, and exit code 2."""
    from autoresponder.wording_check import check_wording  # noqa: PLC0415
    from config import ConfigError  # noqa: PLC0415

    try:
        return check_wording(settings)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


def school_to_show(path: Path) -> "Settings":
    """The same, whatever is wrong with its own wording."""
    if path != DEFAULT_CONFIG or path.exists():
        return load_settings(path)
    from config.settings import MailboxSettings, Office, School, Settings  # noqa: PLC0415

    return Settings(
        school=School(name="Maple Street School", timezone="America/Chicago", country="US"),
        office=Office(address="office@maple.example", phone="(608) 555-0142"),
        mailboxes=(MailboxSettings(address="rivera@maple.example", teacher="Ms. Rivera"),),
    )


def moment_to_show(wall: datetime | None, calendar: "SchoolCalendar") -> datetime:
    """`wall`, what the school's clocks show, as an aware time; now, for None."""
    from config.wallclock import instant  # noqa: PLC0415

    return datetime.now(UTC).astimezone(calendar.zone) if wall is None else instant(wall, calendar.zone)


def mailbox_to_show(settings: "Settings", teacher: str) -> "MailboxSettings":
    """The mailbox of the teacher with this name or address, the first for an empty one; exit code 2, and who there is
    on standard error, where there is none."""
    wanted = teacher.strip().casefold()
    found = [box for box in settings.mailboxes if wanted in {"", box.address.casefold(), box.teacher.casefold()}]
    if not found:
        known = ", ".join(box.teacher for box in settings.mailboxes)
        typer.echo(f"--teacher {teacher}: there is none of this name or address; there are: {known}", err=True)
        raise typer.Exit(2)
    return found[0]

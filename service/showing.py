"""What the commands share that show a note: the school that it is shown for, its language and its time."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, load_settings

if TYPE_CHECKING:
    from config import SchoolCalendar, Settings

AtOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"],
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
    """The configuration, or a made-up school where there is none and none was asked for by name."""
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

"""`alliance config`: says what is wrong with the configuration, and what can stand in it."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config import SchoolCalendar, Settings

MOST_SHOWN = 12
"""Lines of mailboxes and of warnings each, so that the summary fits a screen."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(no_args_is_help=True, help="Check the configuration, or print what can stand in it.")
    group.command("check")(_check)
    group.command("schema")(_schema)
    group.command("reference")(_reference)
    app.add_typer(group, name="config")


def _schema() -> None:
    """Print the JSON schema of the configuration, for editors and other programs."""
    import json

    from config.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def _reference() -> None:
    """Print the reference page of all settings, as Markdown."""
    from config.reference import reference

    typer.echo(reference(), nl=False)


def _check(
    file: Annotated[Path | None, typer.Argument(help="The configuration file, instead of --config.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Say everything that is wrong with the configuration; where nothing is, sum it up.

    Talks to no server: `alliance doctor` does. Exits with 2 when something is wrong.
    """
    from autoresponder.wording_check import check_wording
    from config import ConfigError, NoSchoolDay, SchoolCalendar

    path = file or config
    settings = load_settings(path)
    try:
        calendar = SchoolCalendar.of(settings.school, settings.office)
        check_wording(settings)
        lines = list(_summary(settings, calendar, datetime.now(UTC)))
        warnings = [*calendar.warnings, *_passwords(settings), *_roster(settings)]
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    except NoSchoolDay as error:
        typer.echo(f"{path}: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{path} is in order.\n")
    for line in lines:
        typer.echo(line)
    if warnings:
        typer.echo("\nStill to do:")
        for warning in _few(warnings):
            typer.echo(f"  {warning}")


def _summary(settings: "Settings", calendar: "SchoolCalendar", now: datetime) -> "Iterator[str]":
    school, office, norm = settings.school, settings.office, settings.norm
    opening = calendar.next_opening(now)
    low, high = norm.reply_within_hours
    yield f"School     {school.name}, {school.timezone}; languages {', '.join(school.languages)}"
    yield f"Days       {' '.join(school.days)}, {school.opens:%H:%M} to {school.closes:%H:%M}"
    yield f"Breaks     {_breaks(calendar, opening)}"
    yield f"Opens      {'in session now; ' if calendar.is_open(now) else ''}next on {opening:%A, %Y-%m-%d at %H:%M}"
    hours = f"{calendar.office_opens:%H:%M} to {calendar.office_closes:%H:%M}"
    yield f"Office     {office.address}, {office.phone}, {hours}"
    yield f"Norm       {low} to {high} school hours"
    yield f"Database   {_without_password(settings.service.database)}"
    yield f"Mailboxes  {len(settings.mailboxes)}"
    yield from (f"  {line}" for line in _few([
        f"{box.address}  {box.teacher}  {box.connector}  {box.stage}" for box in settings.mailboxes
    ]))  # fmt: skip


def _breaks(calendar: "SchoolCalendar", opening: datetime) -> str:
    ahead = [stretch for stretch in calendar.breaks if stretch[1] >= opening.date()]
    if not ahead:
        return "none ahead: without holidays, families are promised answers on days without school"
    first, last = ahead[0]
    return (
        f"{len(ahead)} ahead, the next from {first} to {last}"
        if first != last
        else f"{len(ahead)} ahead, the next {first}"
    )


def _passwords(settings: "Settings") -> "Iterator[str]":
    from config.passwords import password_variable
    from config.secrets import Secrets

    secrets = Secrets.of(settings, os.environ)
    for box in settings.mailboxes:
        if box.connector == "imap" and secrets.password(box) is None:
            yield f"{box.address}: set its password in {password_variable(box)} (or name a file in …_FILE)"


def _roster(settings: "Settings") -> "Iterator[str]":
    from scorecard.roster import Roster

    for problem in Roster.load(settings.school.roster).problems:
        yield f"{problem.file}:{problem.line}: left out: {problem.column}: {problem.reason}"


def _few(lines: list[str]) -> list[str]:
    if len(lines) <= MOST_SHOWN:
        return lines
    return [*lines[: MOST_SHOWN - 1], f"… and {len(lines) - MOST_SHOWN + 1} more"]


def _without_password(database: str) -> str:
    from sqlalchemy import make_url

    return make_url(database).render_as_string(hide_password=True) if "://" in database else database

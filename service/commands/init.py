"""`alliance init`: asks what a school must say, and writes its configuration."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.options import DEFAULT_CONFIG, ConfigOption

if TYPE_CHECKING:
    from config import Settings
    from config.settings import Holiday, MailboxSettings, School
    from service.questions import Questions


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("init")(_init)


@dataclass(frozen=True, slots=True)
class Given:
    """What was said in options; None or empty where it was not."""

    school: str | None
    timezone: str | None
    days: str | None
    opens: str | None
    closes: str | None
    holidays: list[str]
    holidays_ics: str | None
    languages: str | None
    office: str | None
    phone: str | None
    office_opens: str | None
    office_closes: str | None
    address: str | None
    teacher: str | None
    connector: str | None
    imap_host: str | None
    smtp_host: str | None
    maildir: str | None


def _init(
    file: Annotated[Path | None, typer.Argument(help="Where to write it, instead of --config.")] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    school: Annotated[str | None, typer.Option(help="Name that families know the school by.")] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA time zone, e.g. America/Chicago.")] = None,
    days: Annotated[str | None, typer.Option(help='Weekdays with school, e.g. "mon tue wed thu fri".')] = None,
    opens: Annotated[str | None, typer.Option(help="When the school day begins, e.g. 08:00.")] = None,
    closes: Annotated[str | None, typer.Option(help="When the school day ends, e.g. 15:30.")] = None,
    holiday: Annotated[
        list[str] | None,
        typer.Option(help='Without school: "2026-11-26" or "2026-12-21..2027-01-03 winter break". May be repeated.'),
    ] = None,
    holidays_ics: Annotated[str | None, typer.Option(help="iCalendar file with the days without school.")] = None,
    languages: Annotated[str | None, typer.Option(help='Languages, the staff\'s first, e.g. "en es".')] = None,
    office: Annotated[str | None, typer.Option(help="Mailbox of the front office.")] = None,
    phone: Annotated[str | None, typer.Option(help="The office's phone number.")] = None,
    office_opens: Annotated[str | None, typer.Option(help="When the office answers its phone.")] = None,
    office_closes: Annotated[str | None, typer.Option(help="Until when the office answers its phone.")] = None,
    address: Annotated[str | None, typer.Option(help="Address of the first teacher's mailbox.")] = None,
    teacher: Annotated[str | None, typer.Option(help='The teacher\'s name, e.g. "Ms. Rivera".')] = None,
    connector: Annotated[str | None, typer.Option(help="imap, maildir, or an installed connector.")] = None,
    imap_host: Annotated[str | None, typer.Option(help="IMAP server, for imap.")] = None,
    smtp_host: Annotated[str | None, typer.Option(help="SMTP server, for imap.")] = None,
    maildir: Annotated[str | None, typer.Option(help="Path of the Maildir, for maildir.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take defaults for what is left out.")] = False,
) -> None:
    """Ask about the school, its office and a first mailbox, and write the configuration.

    The mailbox starts in stage observe: it is read, and nothing is written to it. Every question has an option too.
    """
    from config import ConfigError
    from config.writing import write_new
    from service.questions import Questions

    path = file or config
    if not force and os.path.lexists(path):
        _refuse(f"{path} is there already; --force overwrites it, or name another file")
    if not path.absolute().parent.is_dir():
        _refuse(f"there is no folder {path.absolute().parent}; make it first, or name another file")
    given = Given(
        school, timezone, days, opens, closes, holiday or [], holidays_ics, languages, office, phone, office_opens,
        office_closes, address, teacher, connector, imap_host, smtp_host, maildir,
    )  # fmt: skip
    settings = _settings(Questions(ask=not yes), given, path.absolute().parent)
    try:
        write_new(path, settings, overwrite=force)
    except ConfigError as error:
        _refuse(str(error))
    _say_what_is_next(path, settings)


def _settings(questions: "Questions", given: Given, folder: Path) -> "Settings":
    from config import Settings
    from config.settings import ImapServer, Office, SmtpServer
    from service.questions import for_field

    school = _school(questions, given, folder)
    office = Office(
        address=questions.answer(
            "--office", "Mailbox of the front office", for_field(Office, "address"), given=given.office
        ),
        phone=questions.answer("--phone", "Its phone number", for_field(Office, "phone"), given=given.phone),
        **_office_hours(questions, given, school),
    )
    mailbox = _mailbox(questions, given)
    servers: dict[str, Any] = {}
    if mailbox.connector == "imap":
        domain = mailbox.address.rpartition("@")[2]
        imap = questions.answer(
            "--imap-host", "IMAP server", for_field(ImapServer, "host"), given=given.imap_host, default=f"imap.{domain}"
        )
        smtp = questions.answer(
            "--smtp-host", "SMTP server", for_field(SmtpServer, "host"), given=given.smtp_host, default=f"smtp.{domain}"
        )
        servers = {"imap": ImapServer(host=imap), "smtp": SmtpServer(host=smtp)}
    return Settings(school=school, office=office, mailboxes=(mailbox,), **servers)


def _school(questions: "Questions", given: Given, folder: Path) -> "School":
    from config.settings import School
    from service.questions import for_field

    name = questions.answer("--school", "Name of the school", for_field(School, "name"), given=given.school)
    zone = questions.answer("--timezone", "Time zone", _zone, given=given.timezone, default=_machine_zone())
    days = questions.answer(
        "--days", "School days", for_field(School, "days"), given=given.days, default="mon tue wed thu fri"
    )
    opens = questions.answer("--opens", "School begins", for_field(School, "opens"), given=given.opens, default="08:00")
    closes = questions.answer(
        "--closes", "School ends", _after(opens, School, "closes"), given=given.closes, default=_close_of(opens)
    )
    file = questions.answer(
        "--holidays-ics", "iCalendar file with the days without school (empty for none)", _holiday_file(folder),
        given=given.holidays_ics, default="",
    )  # fmt: skip
    holidays = questions.answers(
        "--holiday",
        "A day or break without school, e.g. 2026-12-21..2027-01-03 winter break (empty when done)",
        _holiday,
        given=given.holidays,
    )
    languages = questions.answer(
        "--languages", "Languages of the families, the staff's first", for_field(School, "languages"),
        given=given.languages, default="en",
    )  # fmt: skip
    return School(
        name=name, timezone=zone, days=days, opens=opens, closes=closes, holidays=holidays, holidays_ics=file,
        languages=languages,
    )  # fmt: skip


def _office_hours(questions: "Questions", given: Given, school: "School") -> dict[str, time | None]:
    from config.settings import School
    from service.questions import for_field

    opens = questions.answer(
        "--office-opens", "The office answers its phone from", for_field(School, "opens"),
        given=given.office_opens, default=f"{school.opens:%H:%M}",
    )  # fmt: skip
    closes = questions.answer(
        "--office-closes", "until", _after(opens, School, "closes"), given=given.office_closes,
        default=f"{school.closes:%H:%M}" if school.closes > opens else None,
    )  # fmt: skip
    return {
        "opens": None if opens == school.opens else opens,
        "closes": None if closes == school.closes else closes,
    }


def _mailbox(questions: "Questions", given: Given) -> "MailboxSettings":
    from config.settings import MailboxSettings, MaildirFolder
    from service.questions import for_field

    address = questions.answer(
        "--address", "Address of the first teacher's mailbox", for_field(MailboxSettings, "address"),
        given=given.address,
    )  # fmt: skip
    teacher = questions.answer(
        "--teacher", "The teacher's name as families use it", for_field(MailboxSettings, "teacher"),
        given=given.teacher,
    )  # fmt: skip
    connector = questions.answer(
        "--connector", "How to reach it: " + ", ".join(sorted(_connectors())), _connector,
        given=given.connector, default="imap",
    )  # fmt: skip
    maildir = None
    if connector == "maildir":
        path = questions.answer(
            "--maildir", "Path of the Maildir", for_field(MaildirFolder, "path"), given=given.maildir
        )
        maildir = MaildirFolder(path=path)
    return MailboxSettings(address=address, teacher=teacher, connector=connector, maildir=maildir)


def _zone(text: str) -> str:
    from zoneinfo import available_timezones

    from config.settings import School
    from service.questions import for_field

    try:
        return str(for_field(School, "timezone")(text))
    except ValueError as error:
        zones = {zone.lower(): zone for zone in available_timezones()}
        near = get_close_matches(text.strip().replace(" ", "_").lower(), zones, n=1, cutoff=0.5)
        nearest = f"; the nearest is {zones[near[0]]}" if near else ""
        raise ValueError(f"an IANA time zone such as America/Chicago{nearest}") from error


def _machine_zone() -> str | None:
    """This machine's time zone where its clock is set up the usual way; a server's UTC says nothing of the school."""
    _, found, zone = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")
    return zone if found and "/" in zone and not zone.startswith("Etc/") else None


def _close_of(opens: time) -> str | None:
    return "15:30" if opens < time(15, 30) else None


def _after(start: time, model: "type[School]", name: str) -> Callable[[str], time]:
    from service.questions import for_field

    def check(text: str) -> time:
        end: time = for_field(model, name)(text)
        if end <= start:
            raise ValueError(f"a time of day after {start:%H:%M}")
        return end

    return check


def _holiday(text: str) -> "Holiday":
    from pydantic import ValidationError

    from config.settings import Holiday

    days, _, name = text.strip().partition(" ")
    first, _, last = days.partition("..")
    try:
        return Holiday.model_validate({"first": first, "last": last or None, "name": name.strip()})
    except ValidationError as error:
        example = "2026-11-26, or 2026-12-21..2027-01-03 winter break"
        raise ValueError(f"a day, or the first and the last day of a break in that order, e.g. {example}") from error


def _holiday_file(folder: Path) -> Callable[[str], Path | None]:
    from config import ConfigError
    from config.ics import read_holidays

    def check(text: str) -> Path | None:
        if not text.strip():
            return None
        path = Path(text.strip())
        try:
            read_holidays(folder / path.expanduser())
        except ConfigError as error:
            raise ValueError(f"an iCalendar file: {error}") from error
        return path

    return check


def _connectors() -> frozenset[str]:
    from config.checks import connector_names

    return connector_names()


def _connector(text: str) -> str:
    from config.checks import nearest_connector

    name = text.strip().lower()
    if name not in _connectors():
        raise ValueError(f"one of {', '.join(sorted(_connectors()))}; the nearest is {nearest_connector(name)}")
    return name


def _say_what_is_next(path: Path, settings: "Settings") -> None:
    (mailbox,) = settings.mailboxes
    option = "" if path == DEFAULT_CONFIG else f" --config {path}"
    steps = [
        (f"alliance doctor{option}", "is everything within reach?"),
        (f"alliance preview{option} --days 14", "what would have happened in the last two weeks"),
        (f"alliance run{option}", "reads new mail; in stage observe it writes nothing"),
    ]
    if mailbox.connector in {"imap", "gmail", "graph", "exchange"}:
        command = f"alliance connect {mailbox.connector}{option}"
        steps.insert(0, (command, "stores password or keys encrypted, and tries each permission"))
    width = max(len(command) for command, _ in steps)
    typer.echo(f"\nWrote {path}. Every key is in it with its meaning. What to do next:\n")
    for command, meaning in steps:
        typer.echo(f"  {command:{width}}  {meaning}")
    typer.echo('\nWhen what you see convinces you, set stage = "tag" for the mailbox, and later stage = "reply".')


def _refuse(sentence: str) -> None:
    typer.echo(sentence, err=True)
    raise typer.Exit(2)

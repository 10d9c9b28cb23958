"""`alliance scorecard`: the four figures by group, the events behind each, and the service's own counts."""

import json
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy import Connection

    from config import SchoolCalendar, Settings
    from scorecard.places import GroupKey
    from scorecard.report import GroupFigures, Report
    from store.database import Database

_GROUPINGS = ("all", "school", "grade", "team", "teacher")
_INDICATORS = ("first_contact", "two_way", "resolution", "recovery")

_Term = Annotated[
    str, typer.Option("--term", metavar="TERM", help="A term by its title or id; the one that runs where left out.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]
_AsCsv = Annotated[bool, typer.Option("--csv", help="Rows for a spreadsheet.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group = typer.Typer(
        invoke_without_command=True,
        help="Shows the Alliance Scorecard: the four figures for everybody, by grade and by team, and the service's "
        "own counts.",
    )
    group.callback()(scorecard)
    group.command("events")(_events)
    group.command("update")(_update)
    app.add_typer(group, name="scorecard")


def scorecard(
    context: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    term: _Term = "",
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", metavar="GROUPING", help="all, school, grade, team or teacher; more than once for several."
        ),
    ] = None,
    weeks: Annotated[bool, typer.Option("--weeks", help="Week by week as well.")] = False,
    as_json: _AsJson = False,
    as_csv: _AsCsv = False,
) -> None:
    """Shows the Alliance Scorecard: the four figures for everybody, by grade and by team, and the service's own counts.
    Brings them up to date first. Groups of few families are withheld."""
    if context.invoked_subcommand is not None:
        return
    for grouping in by or ():
        if grouping not in _GROUPINGS:
            _refuse(f"--by is one of {', '.join(_GROUPINGS)}, not {grouping!r}.")
    if as_json and as_csv:
        _refuse("--json and --csv are two forms of the same: choose one.")
    from scorecard.readers import LEADER
    from scorecard.reading import WHOLE, read_report

    settings, database, calendar, now = _brought(config)
    with database.read() as connection:
        id_ = _term_id(connection, settings, calendar, now, term)
        report = read_report(connection, settings, calendar, now, LEADER, term=id_, scope=WHOLE)
    database.close()
    if report is None:
        _refuse("There is no term yet: [[terms]] in the configuration, or the roster, says when they are.", 1)
    groups = _asked_for(report, by or _GROUPINGS[:-1])
    if as_json:
        from scorecard.plain import report_as_json

        typer.echo(json.dumps(report_as_json(report, groups, weeks=weeks), indent=2, ensure_ascii=False))
    elif as_csv:
        from scorecard.plain import report_as_csv

        typer.echo(report_as_csv(report, groups, weeks=weeks).encode(), nl=False)
    else:
        _show(report, groups, settings, weeks=weeks)


def _events(
    indicator: Annotated[str, typer.Argument(metavar="INDICATOR", help=f"{', '.join(_INDICATORS)}.")],
    group: Annotated[
        str,
        typer.Option(
            "--group",
            metavar="GROUP",
            help="all, school:ID, grade:05 (grade:SCHOOL/05 where there are several schools), team:NAME or "
            "teacher:ADDRESS.",
        ),
    ] = "all",
    config: ConfigOption = DEFAULT_CONFIG,
    term: _Term = "",
    as_json: _AsJson = False,
    as_csv: _AsCsv = False,
) -> None:
    """Lists the events behind a figure: identifiers and days, no text, so that it can be computed again by hand. None
    of a group that is withheld."""
    if indicator not in _INDICATORS:
        _refuse(f"The figures are {', '.join(_INDICATORS)}, not {indicator!r}.")
    if as_json and as_csv:
        _refuse("--json and --csv are two forms of the same: choose one.")
    from autoresponder.wording import OFFICE, wording
    from scorecard.events import events_behind
    from scorecard.plain import events_as_csv, events_as_json
    from scorecard.readers import LEADER
    from scorecard.reading import WHOLE, read_report
    from scorecard.report import Indicator
    from service.scorecard_table import events_table

    settings, database, calendar, now = _brought(config)
    with database.read() as connection:
        id_ = _term_id(connection, settings, calendar, now, term)
        report = read_report(connection, settings, calendar, now, LEADER, term=id_, scope=WHOLE)
        key = _group_key(report, group)
        behind = events_behind(connection, settings, calendar, now, LEADER, key, Indicator(indicator), term=id_)
    database.close()
    if behind is None:
        _refuse(
            f"The figure of {group} is withheld, and with it what is behind it: it stands for fewer than "
            f"{settings.scorecard.smallest_group} families, or would give away one that does.",
            1,
        )
    if as_json:
        typer.echo(json.dumps(events_as_json(behind), indent=2, ensure_ascii=False))
    elif as_csv:
        typer.echo(events_as_csv(behind).encode(), nl=False)
    else:
        from rich.console import Console

        Console().print(events_table(behind, wording("en", OFFICE)), highlight=False)


def _update(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Brings the figures up to date now. The service does so by itself, and so does every look at them."""
    database = _brought(config)[1]
    database.close()
    typer.echo("The figures are up to date.")


def _brought(config: "Path") -> "tuple[Settings, Database, SchoolCalendar, datetime]":
    """The settings, the database with its figures up to date, the calendar, and the time."""
    from config import SchoolCalendar
    from scorecard.keeping import bring_up_to_date
    from service.assembly import system_clock

    settings = load_settings(config)
    database = open_database(settings)
    calendar, now = SchoolCalendar.of(settings.school, settings.office), system_clock()
    bring_up_to_date(database, settings, calendar, now)
    return settings, database, calendar, now


def _term_id(
    connection: "Connection", settings: "Settings", calendar: "SchoolCalendar", now: "datetime", asked: str
) -> str | None:
    from scorecard.terms import terms_of

    if not asked:
        return None
    terms = terms_of(connection, settings, calendar, now.astimezone(calendar.zone).date())
    # Of two with one title the later is meant.
    found = [term for term in terms if term.id == asked] or [
        term for term in terms if term.title.casefold() == asked.casefold()
    ]
    if not found:
        known = ", ".join(term.title for term in terms) or "none yet"
        _refuse(f"There is no term {asked!r}. The terms are: {known}.")
    return found[-1].id


def _group_key(report: "Report | None", asked: str) -> "GroupKey":
    from store.scorecard_tables import Grouping

    known = [(each.group.grouping, each.group.key) for each in report.groups] if report else []
    kind, _, name = asked.partition(":")
    found = [
        (grouping, key)
        for grouping, key in known
        if grouping == kind and (key == name or (grouping is Grouping.GRADE and key.rpartition("/")[2] == name))
    ]
    if len(found) != 1:
        like = [f"{grouping}:{key}" if key else str(grouping) for grouping, key in (found or known)]
        said = "is in several schools" if found else "is none that there are figures of"
        _refuse(f"{asked!r} {said}. --group is one of: {', '.join(like) or 'none yet'}.")
    return found[0]


def _asked_for(report: "Report", groupings: "tuple[str, ...] | list[str]") -> "list[GroupFigures]":
    """Everybody, and the groups of these groupings; no schools where there is one."""
    from store.scorecard_tables import Grouping

    schools = [each for each in report.groups if each.group.grouping is Grouping.SCHOOL]
    return [
        each
        for each in report.groups
        if each.group.grouping is Grouping.ALL
        or (
            each.group.grouping in groupings
            and (each.group.grouping is not Grouping.SCHOOL or len(schools) > 1 or len(groupings) == 1)
        )
    ]


def _show(report: "Report", groups: "list[GroupFigures]", settings: "Settings", *, weeks: bool) -> None:
    from rich.console import Console

    from autoresponder.wording import OFFICE, wording
    from service.scorecard_table import Screen, any_count

    console = Console()
    if not any(each.withheld or each.families or any_count(each) for each in groups):
        console.print(
            "Nothing to count yet: no family mail has arrived since the mailboxes were connected, and no families "
            "are on the roster.",
            highlight=False,
        )
        return
    hours = settings.norm.reply_within_hours[1]
    Screen(console, report, groups, wording("en", OFFICE), hours).show(weeks=weeks)


def _refuse(sentence: str, code: int = 2) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(code)

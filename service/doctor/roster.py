"""Is the roster there, readable, and of today?"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from config import ConfigError
from config.settings import Settings
from scorecard.list_files import digest_of, read_lists
from scorecard.roster_import import known_to, students_known_to
from scorecard.roster_state import RosterState, roster_state
from scorecard.school_lists import SchoolLists
from service.doctor.finding import Finding, Level
from store.database import Database, Shape

_ABOUT = "roster"
_OLD = timedelta(days=60)


def roster(settings: Settings, database: Database | None, now: datetime) -> Iterator[Finding]:
    """Whom the roster knows, what of the file that the settings name is left out, and whether either is out of date.
    `now` is aware; without a database, or with an older one, only the file is looked at."""
    usable = database if database is not None and database.shape() is Shape.CURRENT else None
    state = roster_state(usable) if usable is not None else None
    if state is not None and state.imported_at is None:
        state = None
    path = settings.school.roster
    if path is None and state is None:
        seen = (
            "none: the office sees the sender's address, not the student's name, and the scorecard counts no families"
        )
        yield Finding(_ABOUT, Level.OK, seen)
        return
    if path is not None:
        yield from _file(path, usable, state, settings)
    if state is not None:
        yield from _in_database(state, settings, now)


def _file(path: Path, database: Database | None, state: RosterState | None, settings: Settings) -> Iterator[Finding]:
    try:
        lists = _lists(path, database)
        digest = digest_of(path)
    except ConfigError as error:
        advice = "Correct the file, or take school.roster out."
        if state is not None and state.imported_at is not None:
            day = state.imported_at.astimezone(settings.school.zone).date()
            advice = f"{advice} Until then the roster of {day} is used."
        yield Finding(_ABOUT, Level.FAIL, str(error), advice)
        return
    guardians = {care.guardian for care in lists.cares}
    yield Finding(_ABOUT, Level.OK, f"{len(guardians)} guardians in {path.name}")
    if lists.rejected:
        seen = (
            f"{len(lists.rejected)} rows of {path.name} are left out, or a part of them; the first: {lists.rejected[0]}"
        )
        fix = f"Correct them in the student system; `alliance roster import {path.name} --dry-run` names all."
        yield Finding(_ABOUT, Level.WARN, seen, fix)
    if state is not None and state.from_settings != digest:
        seen = f"{path.name} has changed, and is not in the database"
        fix = f"`alliance run` brings it in within a minute; or `alliance roster import {path.name}` says why not."
        yield Finding(_ABOUT, Level.WARN, seen, fix)


def _lists(path: Path, database: Database | None) -> SchoolLists:
    if database is None:
        return read_lists(path)
    return read_lists(path, known_to(database), students_known_to(database))


def _in_database(state: RosterState, settings: Settings, now: datetime) -> Iterator[Finding]:
    counts = state.counts
    if not counts["students"]:
        fix = "Import the school's lists again: docs/howto/roster.md."
        yield Finding(_ABOUT, Level.WARN, "nobody is on the roster any more", fix)
        return
    seen = f"{counts['students']:,} students in {counts['families']:,} families are in the database"
    yield Finding(_ABOUT, Level.OK, seen)
    if settings.school.roster is not None or state.imported_at is None:
        return
    if now - state.imported_at > _OLD:
        days = (now - state.imported_at).days
        fix = "Export the lists again, and let `alliance roster import` bring them in, best every night."
        yield Finding(_ABOUT, Level.WARN, f"the roster is {days} days old", fix)
    if state.rejected:
        fix = "`alliance roster import` names them each time; correct them in the student system."
        yield Finding(_ABOUT, Level.WARN, f"{state.rejected} rows of the last import were left out", fix)
